//! The closest rival, by its own core: `rateguard-core`, set up as its runtime would by default.
//!
//! Every node recomputes its own rate each 200 ms from the live members and the demand that they
//! report; nothing is transferred. Its burst is per node, so C on each node can admit N·C at once;
//! its safe setting is C/N. It knows no costs: a request for several units is asked for one by one
//! and admitted if all are, and units taken for a refused one are lost.

use std::collections::BTreeMap;

use rateguard_core::boundary::{Action, Event, PeerId};
use rateguard_core::gcra::Decision;
use rateguard_core::limiter::{Config, Limit};
use rateguard_core::node::{Node, SwimConfig};
use rateguard_proto::Address;

use crate::history::Arrival;
use crate::scenario::Scenario;

use super::driver::phase_ns;
use super::{Out, Rival};

/// Its runtime ticks four times in each period of 200 ms.
const TICK_NS: u64 = 50_000_000;

/// Nodes join through so many of the first places.
const SEEDS: usize = 3;

const SECOND_NS: u64 = 1_000_000_000;

/// How much one node may admit back to back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burst {
    /// C/N, rounded down, but at least 1: with it the cluster never admits more than C at once,
    /// unless N is larger than C.
    Safe,
    /// C on each node.
    Full,
}

/// Nodes of `rateguard-core`.
pub struct Rateguard {
    limit: Limit,
    seed: u64,
    nodes_at_start: usize,
    nodes: BTreeMap<usize, Node>,
    lives: u64,
}

impl Rateguard {
    /// Nobody runs yet.
    #[must_use]
    pub fn new(scenario: &Scenario, burst: Burst) -> Self {
        let cluster = &scenario.cluster;
        let units = match burst {
            Burst::Safe => (cluster.burst_units / cluster.nodes as u64).max(1),
            Burst::Full => cluster.burst_units.max(1),
        };
        let burst_max = u64::from(rateguard_core::gcra::MAX_BURST);
        let period_s = cluster.rate_period_ms as f64 / 1000.0;
        Self {
            limit: Limit {
                rate: cluster.rate_units as f64 / period_s,
                burst: u32::try_from(units.min(burst_max)).expect("no more than its maximum"),
            },
            seed: scenario.seed,
            nodes_at_start: cluster.nodes,
            nodes: BTreeMap::new(),
            lives: 0,
        }
    }

    /// As its runtime sets it up where nothing else is asked for.
    const fn config(&self) -> Config {
        Config {
            limit: self.limit,
            alpha: 0.5,
            floor_factor: 0.05,
            cooldown: 5 * SECOND_NS,
            hot_set_size: 64,
            max_tracked_keys: 4096,
            demand_time_constant: SECOND_NS,
        }
    }
}

impl Rival for Rateguard {
    type Message = Vec<u8>;

    fn start(&mut self, place: usize, out: &mut Out<Vec<u8>>) {
        self.lives += 1;
        let seed = self.seed ^ (self.lives << 32) ^ place as u64;
        let swim = SwimConfig::default();
        let mut node = Node::new(self.config(), swim, peer(place), address(place), seed);
        for other in (0..SEEDS.min(self.nodes_at_start)).filter(|other| *other != place) {
            node.add_seed(peer(other), address(other));
        }
        self.nodes.insert(place, node);
        out.wake(phase_ns(self.seed, place, TICK_NS), 0);
    }

    fn leave(&mut self, place: usize, out: &mut Out<Vec<u8>>) {
        if let Some(node) = self.nodes.get_mut(&place) {
            send(node.leave(out.now_ns), out);
        }
    }

    fn stop(&mut self, place: usize) {
        self.nodes.remove(&place);
    }

    fn decide(&mut self, _: u32, arrival: &Arrival, out: &mut Out<Vec<u8>>) -> Option<bool> {
        let node = self.nodes.get_mut(&(arrival.place as usize))?;
        let key = u64::from(arrival.key);
        let mut units = (0..arrival.cost).map(|_| node.check(key, out.now_ns));
        Some(units.all(|decision| decision == Decision::Allow))
    }

    fn receive(&mut self, place: usize, from: usize, bytes: Vec<u8>, out: &mut Out<Vec<u8>>) {
        let event = Event::MessageReceived {
            from: peer(from),
            bytes: &bytes,
        };
        if let Some(node) = self.nodes.get_mut(&place) {
            send(node.handle(event, out.now_ns), out);
        }
    }

    fn wake(&mut self, place: usize, _: u64, out: &mut Out<Vec<u8>>) {
        out.wake(TICK_NS, 0);
        if let Some(node) = self.nodes.get_mut(&place) {
            send(node.handle(Event::Tick, out.now_ns), out);
        }
    }
}

fn send(actions: &[Action], out: &mut Out<Vec<u8>>) {
    for action in actions {
        if let Action::SendTo { peer, bytes } = action {
            let to = usize::try_from(peer.get()).expect("peers are places");
            out.send(to, bytes.len(), bytes.clone());
        }
    }
}

const fn peer(place: usize) -> PeerId {
    PeerId::new(place as u64)
}

fn address(place: usize) -> Address {
    let [.., high, low] = (place as u64).to_be_bytes();
    Address::V4([10, 0, high, low], 7946)
}
