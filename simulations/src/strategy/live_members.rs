//! Division by the members that are seen alive, as gateways do.

use std::collections::BTreeMap;

use crate::history::Arrival;
use crate::scenario::Scenario;

use super::bucket::{Bucket, Terms};
use super::driver::phase_ns;
use super::{Out, Rival};

/// Time between two heartbeats to each member.
const HEARTBEAT_NS: u64 = 500_000_000;

/// A member that was not heard for so long counts as dead.
const DETECTION_NS: u64 = 3_000_000_000;

/// Bytes of one heartbeat.
const HEARTBEAT_BYTES: usize = 16;

/// Each node enforces C and r divided by the number of members that it sees alive, itself included.
///
/// Parts are not rounded to whole units, but a bucket holds at least one unit, or nobody would ever
/// admit anything of a limit below N. A process starts with the list of members that its
/// operator wrote down (those of the start), all taken as alive, and learns of others by hearing
/// them.
pub struct LiveMembers {
    scenario: Scenario,
    /// By place.
    nodes: BTreeMap<usize, Node>,
    /// Whoever runs: where heartbeats go.
    members: Vec<usize>,
}

#[derive(Default)]
struct Node {
    /// When each other place was last heard.
    heard_ns: BTreeMap<usize, u64>,
    buckets: BTreeMap<u32, (Bucket, u64)>,
}

impl Node {
    fn alive(&self, now_ns: u64) -> u64 {
        let others = self.heard_ns.values();
        let alive = others.filter(|heard_ns| now_ns < **heard_ns + DETECTION_NS);
        1 + alive.count() as u64
    }
}

impl LiveMembers {
    /// Everybody is taken as alive.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            scenario: scenario.clone(),
            nodes: BTreeMap::new(),
            members: Vec::new(),
        }
    }
}

impl Rival for LiveMembers {
    type Message = ();

    fn start(&mut self, place: usize, out: &mut Out<()>) {
        let listed = (0..self.scenario.cluster.nodes).filter(|listed| *listed != place);
        let node = Node {
            heard_ns: listed.map(|listed| (listed, out.now_ns)).collect(),
            buckets: BTreeMap::new(),
        };
        self.nodes.insert(place, node);
        self.members.push(place);
        self.members.sort_unstable();
        self.members.dedup();
        out.wake(phase_ns(self.scenario.seed, place, HEARTBEAT_NS), 0);
    }

    fn stop(&mut self, place: usize) {
        self.nodes.remove(&place);
    }

    fn decide(&mut self, _: u32, arrival: &Arrival, out: &mut Out<()>) -> Option<bool> {
        let node = self.nodes.get_mut(&(arrival.place as usize))?;
        let alive = node.alive(out.now_ns);
        let (bucket, divided_by) = node.buckets.entry(arrival.key).or_default();
        if *divided_by != alive {
            // The level stays what it is in units, though a unit has other parts.
            let before = u128::from((*divided_by).max(1));
            bucket.level_parts = (bucket.level_parts * u128::from(alive)).div_ceil(before);
            *divided_by = alive;
        }
        let mut terms = Terms::part(&self.scenario.cluster, 1, alive);
        terms.capacity_parts = terms.capacity_parts.max(terms.unit_parts);
        Some(bucket.admit(&terms, out.now_ns, arrival.cost))
    }

    fn receive(&mut self, place: usize, from: usize, (): (), out: &mut Out<()>) {
        if let Some(node) = self.nodes.get_mut(&place) {
            node.heard_ns.insert(from, out.now_ns);
        }
    }

    fn wake(&mut self, place: usize, _: u64, out: &mut Out<()>) {
        out.wake(HEARTBEAT_NS, 0);
        for to in self.members.iter().copied().filter(|to| *to != place) {
            out.send(to, HEARTBEAT_BYTES, ());
        }
    }
}
