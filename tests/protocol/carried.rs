//! Silent members are carried. (INV-11)
//!
//! Goal: joins, leaves and restarts go on at each side of a cut and beside the dead, under `Never`
//! too; no share is made, and when the sides meet nobody is reborn and every key is whole. Method:
//! scripted cuts, with a caller at each side who takes all there is.

use std::time::Duration;

use distributary::proto::{KeyId, Share};
use distributary::{EvictAfter, Limit};

use crate::cluster::{Cluster, Happening};
use crate::dice::seeds;
use crate::host::{SECOND_NS, Settings, TICK_NS};
use crate::links::Quality;

const KEY: KeyId = KeyId(3 << 119);
const OTHER: KeyId = KeyId(5 << 117);

/// A newcomer holds its share so long after it was started.
const JOIN_NS: u64 = 2 * SECOND_NS;

fn founded(nodes: usize, seed: u64) -> Cluster {
    let limit = Limit::per(1, Duration::from_secs(2)).burst(60);
    let mut cluster = Cluster::founded(Settings::new(nodes, limit), Quality::LAN, seed);
    cluster.watched = vec![KEY, OTHER];
    for place in 0..nodes {
        let _decision = cluster.check(place, KEY, 3);
    }
    cluster
}

/// Nothing passes between the two sides, nor will between who joins them.
fn part(cluster: &mut Cluster, one: &[usize], other: &[usize]) {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b)));
    cluster
        .links
        .cuts
        .extend(pairs.flat_map(|(a, b)| [(a, b), (b, a)]));
    (0..cluster.hosts.len()).for_each(|place| cluster.relink(place));
}

fn take_all(cluster: &mut Cluster) {
    for key in [KEY, OTHER] {
        for place in cluster.running() {
            cluster.exhaust(place, key);
        }
    }
}

fn weight(cluster: &Cluster, place: usize) -> Share {
    cluster.hosts[place].node.ledger().weight()
}

/// Starts a node and says after how long it holds something.
fn join(cluster: &mut Cluster) -> u64 {
    let place = cluster.join();
    let began = cluster.now;
    while weight(cluster, place).is_none() && cluster.now - began < 20 * SECOND_NS {
        cluster.run_for(TICK_NS / 4);
    }
    cluster.now - began
}

/// All meet, the dead are given up: every key is held once, and nobody began anew.
fn meet(cluster: &mut Cluster, seed: u64) {
    cluster.heal();
    cluster.run_for(4 * SECOND_NS);
    let crashed = cluster.hosts.iter().filter(|host| !host.is_alive);
    let crashed: Vec<_> = crashed.map(|host| host.id).collect();
    crashed.into_iter().for_each(|id| cluster.forget(id));
    cluster.settle_views(40);
    cluster.run_for(10 * SECOND_NS);
    for host in cluster.hosts.iter().filter(|host| host.runs()) {
        let carried = host.node.ledger().carried();
        assert!(carried.is_empty(), "seed {seed}: {}", cluster.describe());
    }
    take_all(cluster);
    cluster.run_for(300 * SECOND_NS);
    let whole = u128::from(Share::WHOLE.parts());
    for key in [KEY, OTHER] {
        assert_eq!(
            cluster.held(key),
            whole,
            "seed {seed}: {}",
            cluster.describe()
        );
    }
    assert_eq!(
        (cluster.rebirths, cluster.ever_apart()),
        (0, false),
        "seed {seed}"
    );
    cluster.judge().expect("the bound");
}

#[test]
fn one_joins_beside_a_dead_member_that_nobody_gives_up() {
    for seed in seeds(6) {
        let mut cluster = founded(3, seed);
        cluster.crash(1);
        let waited = join(&mut cluster);
        assert!(waited <= JOIN_NS, "seed {seed}: {waited} ns");
        // Only what the living held was divided anew.
        let held: Share = [0, 2, 3]
            .map(|place| weight(&cluster, place))
            .into_iter()
            .sum();
        assert_eq!(held, Share::WHOLE.portion(2, 3), "seed {seed}");
        take_all(&mut cluster);
        meet(&mut cluster, seed);
    }
}

#[test]
fn each_side_of_a_cut_loses_one_and_gains_one() {
    for seed in seeds(6) {
        let mut cluster = founded(6, seed);
        part(&mut cluster, &[0, 1, 2, 6], &[3, 4, 5, 7]);
        cluster.run_for(SECOND_NS);
        cluster.crash(2);
        cluster.crash(5);
        for _ in 0..2 {
            let waited = join(&mut cluster);
            assert!(waited <= JOIN_NS, "seed {seed}: {waited} ns");
        }
        take_all(&mut cluster);
        cluster.run_for(SECOND_NS);
        take_all(&mut cluster);
        cluster.judge().expect("the bound");
        meet(&mut cluster, seed);
    }
}

/// Whoever was known to both sides has left at one of them: its heir is counted in its stead.
#[test]
fn all_old_members_of_a_side_leave_it_to_a_newcomer() {
    for seed in seeds(6) {
        let mut cluster = founded(4, seed);
        part(&mut cluster, &[0, 1], &[2, 3, 4]);
        cluster.run_for(SECOND_NS);
        assert!(join(&mut cluster) <= JOIN_NS, "seed {seed}");
        for place in [2, 3] {
            cluster.leave(place);
            cluster.run_for(5 * SECOND_NS);
            assert!(cluster.hosts[place].has_left, "{}", cluster.describe());
        }
        assert_eq!(
            weight(&cluster, 4),
            Share::WHOLE.portion(1, 2),
            "seed {seed}"
        );
        take_all(&mut cluster);
        meet(&mut cluster, seed);
    }
}

/// A moment in which nobody hears the opening of the node at place 0: so it alone completes.
fn step(cluster: &mut Cluster) {
    const OPENING: u8 = 5;
    let first = cluster.id(0);
    cluster.queue.retain(|_, happening| match happening {
        Happening::Frame { from, bytes, .. } => *from != first || bytes[0] != OPENING,
        _ => true,
    });
    cluster.run_for(TICK_NS / 200);
}

/// The only one that completed an eviction has granted of what it got, and dies: who took the grant
/// counts apart from the evicted as if it had completed the view itself.
#[test]
fn what_an_eviction_brought_is_not_forgotten_with_its_only_completer() {
    let mut seen = 0;
    for seed in seeds(40) {
        let limit = Limit::per(1, Duration::from_secs(3600)).burst(60);
        let settings = Settings {
            evict_after: EvictAfter::After(Duration::from_secs(4)),
            ..Settings::new(4, limit)
        };
        let mut cluster = Cluster::founded(settings, Quality::LAN, seed);
        cluster.watched = vec![KEY, OTHER];
        // All of the key is in use, so that it is contended and listed.
        for place in 0..4 {
            let _decision = cluster.check(place, KEY, 9);
        }
        // What the completer says does not even wait for the evicted.
        cluster.cut_between(&[0], &[3]);
        cluster.pause(3);
        let begins = |cluster: &Cluster, place: usize| {
            let view = cluster.hosts[place].node.ledger().adopted();
            view.is_some_and(|view| !view.evicted.is_empty())
        };
        let until = cluster.now + 30 * SECOND_NS;
        let completed = |cluster: &Cluster, place: usize| {
            cluster.hosts[place].node.ledger().complete().is_some() && begins(cluster, place)
        };
        while !completed(&cluster, 0) && cluster.now < until {
            step(&mut cluster);
        }
        let before = cluster.counters(1).grants_applied;
        let ask = |cluster: &mut Cluster| {
            cluster.exhaust(1, KEY);
            step(cluster);
        };
        for _ in 0..600 {
            ask(&mut cluster);
        }
        let granted = cluster.counters(1).grants_applied > before;
        let alone = granted && !completed(&cluster, 1) && !completed(&cluster, 2);
        seen += u32::from(alone);
        cluster.crash(0);
        cluster.heal();
        cluster.resume(3);
        cluster.run_for(20 * SECOND_NS);
        take_all(&mut cluster);
        cluster.settle_views(60);
        cluster.run_for(60 * SECOND_NS);
        take_all(&mut cluster);
        assert!(
            !alone || cluster.rebirths > 0,
            "seed {seed}: {}",
            cluster.describe()
        );
        for key in [KEY, OTHER] {
            let sum = cluster.held(key) + cluster.in_flight(key);
            assert!(
                sum <= u128::from(Share::WHOLE.parts()),
                "seed {seed}: {:?}",
                cluster.shares(key)
            );
        }
        cluster.judge().expect("the bound of two groups");
    }
    println!("{seen} of 40 came to it");
    assert!(seen >= 10);
}
