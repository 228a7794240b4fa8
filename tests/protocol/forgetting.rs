//! When the load stops, nothing is remembered of it; and a live key is never forgotten. (C6, C12)
//!
//! Goal: a thousand contended keys are quiet at every node a minute after the last request, with rows
//! that came through others, after a partition and a restart; then the traffic is what it was before.
//! A key that is still asked for stays contended and admits no unit more than its limit. Method: all
//! of that in one run.

use std::time::Duration;

use distributary::Limit;
use distributary::proto::{KeyId, Memory, Share};

use crate::cluster::Cluster;
use crate::dice::{Dice, seeds};
use crate::host::{SECOND_NS, Settings};
use crate::links::Quality;

const LIVE: KeyId = KeyId(0x77 << 118);

/// Of this a bucket's drain is two seconds; the rest is until demand has faded to nothing (about 25)
/// and the last row that told of it has expired (16).
const FORGOTTEN_S: u64 = 60;

fn keys(dice: &mut Dice) -> Vec<KeyId> {
    let key = |_| KeyId(u128::from(dice.roll()) << 64 | u128::from(dice.roll()));
    (0..1000).map(key).collect()
}

/// Two thousand requests a second, one in twenty by `acquire`.
fn load(cluster: &mut Cluster, dice: &mut Dice, keys: &[KeyId], seconds: u64) {
    for _ in 0..seconds * 2000 {
        cluster.run_for(SECOND_NS / 2000);
        let places = cluster.running();
        let (place, key) = (dice.pick(&places), dice.pick(keys));
        if dice.chance(5) {
            cluster.acquire(place, key, 1, Duration::from_millis(200));
        } else {
            let _decision = cluster.check(place, key, 1);
        }
    }
}

/// Frames for each node and second, but for the failure detector's.
fn traffic(cluster: &mut Cluster, seconds: u64) -> f64 {
    let ours = |cluster: &Cluster| cluster.frames - cluster.packets;
    let before = ours(cluster);
    cluster.run_for(seconds * SECOND_NS);
    (ours(cluster) - before) as f64 / (seconds * cluster.running().len() as u64) as f64
}

fn contended(cluster: &Cluster) -> Vec<KeyId> {
    let hosts = cluster.hosts.iter();
    let mut all: Vec<_> = hosts.flat_map(|host| host.table.contended_keys()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A cut of five seconds, a life that ends and another that begins, and a connection that is missing.
fn trouble(cluster: &mut Cluster, dice: &mut Dice, keys: &[KeyId]) {
    cluster.cut_between(&[0, 1], &[2, 3, 4]);
    load(cluster, dice, keys, 5);
    cluster.heal();
    load(cluster, dice, keys, 1);
    cluster.crash(4);
    cluster.restart(4);
    cluster.forget_the_dead();
    load(cluster, dice, keys, 2);
    cluster.settle_views(30);
    cluster.cut_between(&[2], &[3]);
    load(cluster, dice, keys, 8);
    // What one had granted the other when they lost each other is on its way until they meet again.
    cluster.heal();
}

/// Three times the limit of one key, at one place and now and then another.
fn keep_alive(cluster: &mut Cluster, dice: &mut Dice, seconds: u64) {
    for step in 0..seconds * 30 {
        cluster.run_for(SECOND_NS / 30);
        let place = if dice.chance(90) { 1 } else { 3 };
        let _decision = cluster.check(place, LIVE, 1);
        let is_live = cluster.hosts[1].table.contended_keys().contains(&LIVE);
        assert!(is_live || step < 30, "a live key was forgotten");
    }
}

#[test]
fn a_thousand_keys_are_forgotten_and_a_live_one_is_not() {
    for seed in seeds(1) {
        let settings = Settings {
            overshoot_milli: 200,
            ..Settings::new(5, Limit::per_second(10).burst(20))
        };
        let mut cluster = Cluster::founded(settings, Quality::LAN, seed);
        let mut dice = Dice::new(seed);
        let keys = keys(&mut dice);
        cluster.run_for(20 * SECOND_NS);
        let idle = traffic(&mut cluster, 30);
        let hot: Vec<_> = keys.iter().copied().chain([keys[0]; 100]).collect();
        trouble(&mut cluster, &mut dice, &hot);
        assert!(contended(&cluster).len() > 500, "not much was contended");

        let alive_since = cluster.now;
        keep_alive(&mut cluster, &mut dice, FORGOTTEN_S);
        assert_eq!(contended(&cluster), [LIVE], "seed {seed}");
        let seconds = i128::from((cluster.now - alive_since) / SECOND_NS);
        let admitted = cluster.total_admitted(LIVE);
        assert!(admitted >= 9 * seconds, "{admitted} in {seconds} s");
        cluster.judge().expect("the bound");

        cluster.run_for(FORGOTTEN_S * SECOND_NS);
        assert_eq!(contended(&cluster), [], "seed {seed}");
        for host in &cluster.hosts {
            assert_eq!(host.node.memory(), Memory::default(), "seed {seed}");
            assert_eq!(
                host.node.rows_seq_seen().count(),
                5,
                "and the last life's clock"
            );
        }
        let whole = u128::from(Share::WHOLE.parts());
        keys.iter()
            .chain([&LIVE])
            .for_each(|key| assert_eq!(cluster.held(*key), whole));
        let after = traffic(&mut cluster, 30);
        println!("{idle} frames a second before, {after} after");
        assert!(
            after <= idle + 0.5,
            "{after} frames a second, {idle} before"
        );
    }
}
