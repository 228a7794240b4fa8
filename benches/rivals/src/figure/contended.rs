//! What ten thousand contended keys cost a node of five, and how much of the limits is used.

use std::time::Duration;

use distributary::Limiter;
use serde_json::{Value, json};

use super::cluster::{Cluster, MODEST, MODEST_PER_S};
use crate::keys::{Numbered, Random};
use crate::measure::{process_ns, thread_ns, wall_ns};

/// Nodes of the cluster.
pub const NODES: usize = 5;
/// Keys that are asked for.
pub const KEYS: u64 = 10_000;
/// Requests for each unit that a limit gives.
pub const OFFERED: u64 = 3;
const STEP_NS: u64 = 10_000_000;
const CHECKS_PER_STEP: u64 = KEYS * OFFERED * MODEST_PER_S * STEP_NS / 1_000_000_000;
const WARM_SECONDS: u64 = 3;

/// So many seconds of it, after some to warm up.
pub fn of(seconds: u64) -> Value {
    let cluster = Cluster::start(NODES, 2);
    let limiters: Vec<_> = (0..NODES)
        .map(|node| cluster.limiter(node, MODEST))
        .collect();
    let mut crowd = Crowd {
        limiters,
        keys: (0..KEYS).map(String::numbered).collect(),
        random: Random::new(5),
    };
    crowd.press(WARM_SECONDS);
    let bytes = || {
        cluster
            .nodes
            .iter()
            .map(|node| node.stats().bytes_sent)
            .sum::<u64>()
    };
    let (wall_begun_ns, cpu_begun_ns) = (wall_ns(), process_ns());
    let (own_begun_ns, bytes_begun) = (thread_ns(), bytes());
    let (asked, admitted) = crowd.press(seconds);
    let own_ns = thread_ns() - own_begun_ns;
    let nodes_ns = process_ns() - cpu_begun_ns - own_ns;
    let took_ns = (wall_ns() - wall_begun_ns) as f64;
    let took_s = took_ns / 1e9;
    let counters = cluster.nodes[0].stats().keys;
    json!({
        "nodes": NODES,
        "keys": KEYS,
        "contended_at_first": counters.keys_contended,
        "asked_per_s": (asked as f64) / took_s,
        "utilisation": admitted as f64 / (KEYS * MODEST_PER_S) as f64 / took_s,
        "part_of_a_core_per_node": nodes_ns as f64 / took_ns / NODES as f64,
        "bytes_per_node_and_s": (bytes() - bytes_begun) as f64 / took_s / NODES as f64,
    })
}

/// Requests for any key at any node, at an even pace.
struct Crowd {
    limiters: Vec<Limiter>,
    keys: Vec<String>,
    random: Random,
}

impl Crowd {
    /// Says how many requests that were, and how many of them were admitted.
    fn press(&mut self, seconds: u64) -> (u64, u64) {
        let begun_ns = wall_ns();
        let (mut asked, mut admitted) = (0, 0);
        let mut due_ns = begun_ns;
        while wall_ns() - begun_ns < seconds * 1_000_000_000 {
            for _ in 0..CHECKS_PER_STEP {
                let key = &self.keys[self.random.below(KEYS) as usize];
                let node = self.random.below(NODES as u64) as usize;
                admitted += u64::from(self.limiters[node].check(key).is_allowed());
                asked += 1;
            }
            due_ns += STEP_NS;
            std::thread::sleep(Duration::from_nanos(due_ns.saturating_sub(wall_ns())));
        }
        (asked, admitted)
    }
}
