//! Who holds what as nodes come and go. (INV-9)
//!
//! Goal: founding, joins, leaves, restarts, evictions and reunions mint nothing. Method: scripted
//! scenes, each with a caller who takes all there is before and after; the judge and the sum of
//! shares decide.

use std::time::Duration;

use distributary::proto::{KeyId, Share};
use distributary::{EvictAfter, Limit};

use crate::cluster::Cluster;
use crate::dice::seeds;
use crate::host::{SECOND_NS, Settings};
use crate::links::Quality;

const KEY: KeyId = KeyId(3 << 119);
const OTHER: KeyId = KeyId(5 << 117);

fn slow() -> Settings {
    Settings::new(3, Limit::per(1, Duration::from_secs(60)).burst(30))
}

fn evicting() -> Settings {
    Settings {
        evict_after: EvictAfter::After(Duration::from_secs(3)),
        ..slow()
    }
}

fn whole(cluster: &Cluster, key: KeyId) {
    let sum = cluster.held(key) + cluster.in_flight(key);
    assert_eq!(
        sum,
        u128::from(Share::WHOLE.parts()),
        "{:?}",
        cluster.shares(key)
    );
}

/// Takes everything everywhere; says how much it was.
fn take_all(cluster: &mut Cluster, key: KeyId) -> u64 {
    let places = cluster.running();
    places
        .into_iter()
        .map(|place| cluster.exhaust(place, key))
        .sum()
}

fn leave(cluster: &mut Cluster, place: usize) {
    cluster.leave(place);
    cluster.run_for(5 * SECOND_NS);
    assert!(cluster.hosts[place].has_left, "{}", cluster.describe());
    cluster.settle_views(20);
}

#[test]
fn three_founders_hold_a_third_each_of_a_fresh_limit() {
    let mut cluster = Cluster::founded(slow(), Quality::LAN, 1);
    let third = Share::WHOLE.parts() / 3;
    for place in 0..3 {
        assert_eq!(cluster.share_at(place, KEY).parts(), third);
        assert_eq!(cluster.exhaust(place, OTHER), 10);
    }
    cluster.judge().expect("the bound");
}

#[test]
fn two_of_three_found_only_where_eviction_is_allowed() {
    let mut patient = Cluster::new(slow(), 2, Quality::LAN, 1);
    assert!(!patient.try_settle(20));
    assert_eq!(take_all(&mut patient, KEY), 0);
    let mut hasty = Cluster::new(evicting(), 2, Quality::LAN, 1);
    assert!(hasty.try_settle(20));
    assert_eq!(take_all(&mut hasty, KEY), 30);
}

#[test]
fn a_newcomer_brings_nothing_and_arrives_used() {
    let mut cluster = Cluster::founded(slow(), Quality::LAN, 1);
    assert_eq!(take_all(&mut cluster, KEY), 30);
    cluster.join();
    cluster.settle_views(20);
    whole(&cluster, KEY);
    whole(&cluster, OTHER);
    let before = cluster.total_admitted(KEY);
    take_all(&mut cluster, KEY);
    assert!(
        cluster.total_admitted(KEY) - before <= 1,
        "what drained meanwhile"
    );
    assert!(take_all(&mut cluster, OTHER) <= 30);
    cluster.judge().expect("the bound");
}

/// Both what it holds and what it owes: no unit is minted, and hardly one burned.
#[test]
fn a_leaver_hands_over_shares_and_debts() {
    let settings = Settings {
        overshoot_milli: 1000,
        ..slow()
    };
    let mut cluster = Cluster::founded(settings, Quality::LAN, 1);
    let spent = cluster.exhaust(0, KEY);
    assert!(spent >= 10);
    cluster.run_for(SECOND_NS);
    leave(&mut cluster, 0);
    whole(&cluster, KEY);
    take_all(&mut cluster, KEY);
    cluster.judge().expect("the bound");
    let total = cluster.total_admitted(KEY);
    println!("{total} of 30 to 60 units admitted around a leave");
    assert!(total >= 25, "{total}: the leaver's units were burned");
}

#[test]
fn a_rolling_restart_mints_nothing() {
    let settings = Settings::new(3, Limit::per(1, Duration::from_secs(60)).burst(300));
    let mut cluster = Cluster::founded(settings, Quality::LAN, 1);
    cluster.watched = vec![KEY, OTHER];
    for place in 0..3 {
        for other in 0..3 {
            for _ in 0..10 {
                let _decision = cluster.check(other, KEY, 1);
            }
        }
        leave(&mut cluster, place);
        cluster.restart(place);
        cluster.settle_views(20);
    }
    let rest = take_all(&mut cluster, KEY);
    println!("rolling restart: of 210 units left {rest} were, the others burned");
    cluster.judge().expect("the bound");
    whole(&cluster, KEY);
}

#[test]
fn a_crashed_node_comes_back_as_another_and_mints_nothing() {
    let mut cluster = Cluster::founded(evicting(), Quality::LAN, 1);
    cluster.watched = vec![KEY, OTHER];
    assert_eq!(take_all(&mut cluster, KEY), 30);
    let old = cluster.id(1);
    cluster.crash(1);
    cluster.restart(1);
    assert_ne!(cluster.id(1), old);
    assert_eq!(cluster.exhaust(1, OTHER), 0, "it holds nothing yet");
    cluster.settle_views(30);
    // What the dead one had granted and nobody heard of is missing until it is evicted.
    cluster.run_for(6 * SECOND_NS);
    cluster.settle_views(30);
    whole(&cluster, KEY);
    assert!(take_all(&mut cluster, KEY) <= 1);
    take_all(&mut cluster, OTHER);
    cluster.judge().expect("the bound");
}

#[test]
fn a_node_paused_past_its_eviction_is_reborn() {
    let mut cluster = Cluster::founded(evicting(), Quality::LAN, 1);
    cluster.pause(2);
    cluster.run_for(20 * SECOND_NS);
    // Its part arrives used; of quiet keys nobody knows better than that they are half full.
    let taken = take_all(&mut cluster, KEY);
    assert!((10..=20).contains(&taken), "{taken}");
    cluster.resume(2);
    cluster.exhaust(2, KEY);
    cluster.settle_views(30);
    assert!(cluster.rebirths >= 1);
    take_all(&mut cluster, KEY);
    cluster.judge().expect("the bound of two groups");
}

/// A pause of one's own is not the others' silence: waking up, it must not evict everybody.
#[test]
fn a_node_that_was_paused_evicts_nobody() {
    for seed in seeds(20) {
        let mut cluster = Cluster::founded(evicting(), Quality::LAN, seed);
        cluster.pause(0);
        cluster.run_for(60 * SECOND_NS);
        cluster.resume(0);
        cluster.settle_views(30);
        let evicted = cluster.counters(0).members_evicted;
        assert_eq!(evicted, 0, "seed {seed}");
        assert_eq!(cluster.rebirths, 1, "seed {seed}");
    }
}

#[test]
fn of_two_groups_that_gave_each_other_up_the_smaller_is_reborn() {
    for seed in seeds(20) {
        let settings = Settings {
            expected: 5,
            ..evicting()
        };
        let mut cluster = Cluster::founded(settings, Quality::LAN, seed);
        take_all(&mut cluster, KEY);
        cluster.cut_between(&[0, 1], &[2, 3, 4]);
        cluster.run_for(15 * SECOND_NS);
        assert!(cluster.ever_apart());
        take_all(&mut cluster, KEY);
        take_all(&mut cluster, OTHER);
        cluster.heal();
        cluster.settle_views(40);
        assert_eq!(cluster.rebirths, 2, "seed {seed}");
        take_all(&mut cluster, OTHER);
        cluster.judge().expect("the bound of two groups");
        whole(&cluster, KEY);
        whole(&cluster, OTHER);
    }
}

/// One side gives the other up, and the other does not: they must still come together again.
#[test]
fn a_lone_node_that_gave_up_the_rest_joins_them_again() {
    for seed in seeds(20) {
        let patient = Settings {
            evict_after: EvictAfter::After(Duration::from_secs(3600)),
            ..slow()
        };
        let mut cluster = Cluster::founded(patient, Quality::LAN, seed);
        cluster.cut_between(&[0], &[1, 2]);
        cluster.run_for(10 * SECOND_NS);
        // An operator believes the lone node: for it the two others are gone.
        let gone = [cluster.id(1), cluster.id(2)];
        for id in gone {
            cluster.forget(id);
        }
        cluster.run_for(10 * SECOND_NS);
        assert_eq!(cluster.share_at(0, KEY), Share::WHOLE);
        cluster.heal();
        cluster.settle_views(60);
        cluster.run_for(60 * SECOND_NS);
        whole(&cluster, KEY);
    }
}
