//! While connected and strict, `acquire` is one central bucket (C3).
//!
//! Goal: request by request, the cluster decides as one leaky bucket would that saw all requests,
//! whichever node is asked. Method: generated sequential histories over 3 and 5 nodes on a network
//! without delay, so that equality is exact; the bucket beside them is whole-number arithmetic.

use std::time::Duration;

use distributary::proto::KeyId;
use distributary::{Decision, Limit};

use crate::cluster::Cluster;
use crate::dice::{Dice, seeds};
use crate::host::{SECOND_NS, Settings};
use crate::judge::Terms;
use crate::links::Quality;

/// The central bucket: its level is in units times `period_ns`.
struct Central {
    terms: Terms,
    level: i128,
    at_ns: u64,
}

impl Central {
    fn new(terms: Terms, at_ns: u64) -> Self {
        Self {
            terms,
            level: 0,
            at_ns,
        }
    }

    fn admits(&mut self, at_ns: u64, cost: u64) -> bool {
        let drained = self.terms.units * i128::from(at_ns - self.at_ns);
        self.level = (self.level - drained).max(0);
        self.at_ns = at_ns;
        let after = self.level + i128::from(cost) * self.terms.period_ns;
        let fits = after <= self.terms.burst * self.terms.period_ns;
        if fits {
            self.level = after;
        }
        fits
    }
}

const PATIENCE: Duration = Duration::from_millis(20);

fn acquired(cluster: &mut Cluster, place: usize, key: KeyId, cost: u64) -> bool {
    decision(cluster, place, key, cost).is_allowed()
}

fn decision(cluster: &mut Cluster, place: usize, key: KeyId, cost: u64) -> Decision {
    let ticket = cluster.acquire(place, key, cost, PATIENCE);
    cluster.run_now();
    cluster.answers.remove(&ticket).expect("answered at once")
}

/// Limits that give back a whole part of a unit in a millisecond, and how long a unit takes.
fn limits() -> [(Limit, u64); 5] {
    [
        (Limit::per_minute(60).burst(8), 1000),
        (Limit::per_second(10).burst(5), 100),
        (Limit::per_second(100).burst(30), 10),
        (Limit::per_second(20).burst(3), 50),
        (Limit::per_second(1000).burst(10), 1),
    ]
}

/// One cluster serves a few histories, each with a key of its own; the next begins anew.
const HISTORIES_PER_CLUSTER: u64 = 10;

fn histories(nodes: usize, count: u64, requests: u64) {
    for seed in seeds(count / HISTORIES_PER_CLUSTER) {
        let limits = limits();
        let (limit, unit_ms) = limits[(seed % limits.len() as u64) as usize];
        let mut cluster = Cluster::new(Settings::new(nodes, limit), nodes, Quality::PERFECT, seed);
        cluster.settle_views(60);
        // To a whole millisecond, as all waits are.
        cluster.run_until(cluster.now.next_multiple_of(SECOND_NS));
        let mut dice = Dice::new(seed);
        for history in 0..HISTORIES_PER_CLUSTER {
            let key = KeyId(u128::from(dice.roll()) << 64 | u128::from(history));
            compare(&mut cluster, &mut dice, key, unit_ms, requests, seed);
        }
        cluster.judge().expect("the bound");
    }
}

fn compare(
    cluster: &mut Cluster,
    dice: &mut Dice,
    key: KeyId,
    unit_ms: u64,
    requests: u64,
    seed: u64,
) {
    let mut central = Central::new(cluster.terms(), cluster.now);
    cluster.watched = vec![key];
    let mut told = Vec::new();
    for index in 0..requests {
        let wait_ms = match dice.within(0, 20) {
            0..8 => 0,
            8..13 => dice.within(1, unit_ms + 1),
            13..18 => unit_ms * dice.within(1, 4),
            18 => unit_ms * 20,
            // Long enough that gathered shares go home.
            _ => 20_000 * u64::from(dice.chance(3)),
        };
        cluster.run_for(wait_ms * 1_000_000);
        let running = cluster.running();
        let place = dice.pick(&running);
        let cost = dice.pick(&[1, 1, 1, 1, 2, 3]);
        let expected = central.admits(cluster.now, cost);
        let decision = decision(cluster, place, key, cost);
        let allowed = decision.is_allowed();
        told.push((wait_ms, place, cost, allowed));
        assert_eq!(
            allowed,
            expected,
            "seed {seed}, key {key}, request {index}: {told:?}\n{:?}\n{decision:?}",
            cluster.shares(key)
        );
    }
}

#[test]
fn three_nodes_decide_as_one_bucket() {
    histories(3, 2000, 12);
}

#[test]
fn five_nodes_decide_as_one_bucket() {
    histories(5, 2000, 12);
}

/// What one node spent another refuses at once, and the first unit back goes to who asks first.
#[test]
fn what_is_spent_on_one_node_is_refused_on_another_at_once() {
    let limit = Limit::per_second(10).burst(30);
    let mut cluster = Cluster::founded(Settings::new(3, limit), Quality::PERFECT, 5);
    let key = KeyId(77);
    for _ in 0..30 {
        assert!(acquired(&mut cluster, 0, key, 1));
    }
    for place in [1, 2, 0] {
        assert!(!acquired(&mut cluster, place, key, 1));
    }
    cluster.run_for(SECOND_NS / 10);
    assert!(acquired(&mut cluster, 2, key, 1));
    assert!(!acquired(&mut cluster, 1, key, 1));
}
