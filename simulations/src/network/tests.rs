//! What each rule does, and that pairs do not move each other.

use super::*;

const SECOND_NS: u64 = 1_000_000_000;

fn lan() -> Network {
    Network::new(Quality::LAN, 1)
}

#[test]
fn a_partition_stops_both_ways_and_leaves_bridges_open() {
    let mut network = lan();
    // Place 2 is in both groups, place 9 in none.
    network.apply(0, &FaultKind::Partition(vec![vec![0, 1, 2], vec![2, 3]]));
    assert!(!network.passes(0, 3) && !network.passes(3, 1));
    assert!(network.passes(0, 2) && network.passes(2, 3) && network.passes(9, 0));
    assert_eq!(network.fate(0, 0, 3, 100), Fate::LOST);
    assert_eq!(network.fate(0, 2, 3, 100).delays_ns().len(), 1);
    network.apply(5, &FaultKind::Heal);
    assert!(network.passes(0, 3));
}

#[test]
fn a_one_way_cut_is_one_way() {
    let mut network = lan();
    network.apply(0, &FaultKind::CutOneWay(vec![0], vec![1]));
    assert!(!network.passes(0, 1) && network.passes(1, 0));
    assert_eq!(network.fate(0, 0, 1, 9), Fate::LOST);
    assert_eq!(network.fate(0, 1, 0, 9).delays_ns().len(), 1);
}

#[test]
fn what_is_clogged_comes_when_the_network_is_healed() {
    let mut network = lan();
    network.heals_ns = vec![SECOND_NS, 5 * SECOND_NS];
    network.apply(2 * SECOND_NS, &FaultKind::Clog(vec![0], vec![1]));
    let delay_ns = network.fate(3 * SECOND_NS, 0, 1, 9).delays_ns()[0];
    assert!((2 * SECOND_NS..=2 * SECOND_NS + 2_000_000).contains(&delay_ns));
    assert!(!network.passes(0, 1) && network.passes(1, 0));
}

#[test]
fn weather_loses_doubles_and_delays_as_often_as_it_says() {
    let quality = Quality {
        loss_milli: 200,
        double_milli: 100,
        tail_milli: 50,
        ..Quality::LAN
    };
    let mut network = Network::new(quality, 3);
    let fates: Vec<Fate> = (0..10_000).map(|at| network.fate(at, 0, 1, 99)).collect();
    let count = |copies| {
        fates
            .iter()
            .filter(|fate| fate.delays_ns().len() == copies)
            .count()
    };
    assert!((1_850..2_150).contains(&count(0)), "{} lost", count(0));
    assert!((700..900).contains(&count(2)), "{} doubled", count(2));
    let delays = || fates.iter().flat_map(|fate| fate.delays_ns());
    assert!(delays().all(|delay| (1_000_000..=30_000_000).contains(delay)));
    let late = delays().filter(|delay| **delay > 3_000_000).count();
    assert!((300..600).contains(&late), "{late} late");
}

#[test]
fn nothing_overtakes_where_nothing_may() {
    let mut network = Network::new(
        Quality {
            reorders: false,
            ..Quality::LAN
        },
        3,
    );
    let arrives = |at: u64| at + network.fate(at, 0, 1, 99).delays_ns()[0];
    let arrivals: Vec<u64> = (0..1_000)
        .map(|number| number * 1_000)
        .map(arrives)
        .collect();
    assert!(arrivals.is_sorted());
}

#[test]
fn a_narrow_link_delays_and_then_drops() {
    let quality = Quality {
        bandwidth_bytes: 100_000,
        ..Quality::LAN
    };
    let mut network = Network::new(quality, 3);
    let fates: Vec<Fate> = (0..100).map(|_| network.fate(0, 0, 1, 1_000)).collect();
    let arrived = fates.iter().filter(|fate| !fate.delays_ns().is_empty());
    // Ten milliseconds each, and a buffer of two hundred.
    assert_eq!(arrived.clone().count(), 21);
    assert!(arrived.flat_map(Fate::delays_ns).max() > Some(&200_000_000));
    assert_eq!(network.fate(0, 1, 0, 1_000).delays_ns().len(), 1);
}

#[test]
fn one_pair_does_not_move_another() {
    let (mut quiet, mut busy) = (lan(), lan());
    for at in 0..50 {
        let _elsewhere = busy.fate(at, 0, 2, 9);
    }
    assert_eq!(quiet.fate(50, 0, 1, 9), busy.fate(50, 0, 1, 9));
}
