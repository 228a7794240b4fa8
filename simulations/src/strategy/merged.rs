//! Counters gossiped and merged, as limiters on CRDT counters do.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::history::Arrival;
use crate::scenario::Scenario;

use super::bucket::{Bucket, Terms};
use super::driver::phase_ns;
use super::{Out, Rival};

/// A counter is told again for so long after it last changed: losses heal, quiet keys are free.
const RETOLD_NS: u64 = 1_000_000_000;

/// Bytes of one counter in a datagram: hashed key, total and what of it is recent.
const COUNTER_BYTES: usize = 20;

/// What one life admitted, by key.
#[derive(Clone)]
pub struct Totals {
    life: u64,
    counters: Rc<[Counter]>,
}

#[derive(Clone, Copy)]
struct Counter {
    key: u32,
    /// Units in all.
    total: u64,
    /// Units that a bucket fed by this node alone holds, rounded up: who hears of the counter for
    /// the first time counts these, not what drained long ago.
    recent: u64,
}

/// Each node has the whole bucket. What it admits it tells all others on the tick, as totals of its
/// own life; what they tell goes into its bucket when it hears of it.
pub struct Merged {
    terms: Terms,
    tick_ns: u64,
    seed: u64,
    nodes: BTreeMap<usize, Node>,
    lives: u64,
}

#[derive(Default)]
struct Node {
    life: u64,
    buckets: BTreeMap<u32, Bucket>,
    /// What was admitted here, by key.
    own: BTreeMap<u32, Own>,
    /// Units heard of, by life and key.
    heard: BTreeMap<(u64, u32), u64>,
}

#[derive(Default)]
struct Own {
    total: u64,
    recent: Bucket,
    last_ns: u64,
}

impl Merged {
    /// Nobody has admitted anything.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            terms: Terms::whole(scenario),
            tick_ns: scenario.cluster.tick_ms.max(1) * 1_000_000,
            seed: scenario.seed,
            nodes: BTreeMap::new(),
            lives: 0,
        }
    }
}

impl Rival for Merged {
    type Message = Totals;

    fn start(&mut self, place: usize, out: &mut Out<Totals>) {
        self.lives += 1;
        let node = Node {
            life: self.lives,
            ..Node::default()
        };
        self.nodes.insert(place, node);
        out.wake(phase_ns(self.seed, place, self.tick_ns), 0);
    }

    fn stop(&mut self, place: usize) {
        self.nodes.remove(&place);
    }

    fn decide(&mut self, _: u32, arrival: &Arrival, out: &mut Out<Totals>) -> Option<bool> {
        let node = self.nodes.get_mut(&(arrival.place as usize))?;
        let bucket = node.buckets.entry(arrival.key).or_default();
        let fits = bucket.admit(&self.terms, out.now_ns, arrival.cost);
        if fits {
            let own = node.own.entry(arrival.key).or_default();
            own.total += arrival.cost;
            own.recent.charge(&self.terms, out.now_ns, arrival.cost);
            own.last_ns = out.now_ns;
        }
        Some(fits)
    }

    fn receive(&mut self, place: usize, _: usize, totals: Totals, out: &mut Out<Totals>) {
        let Some(node) = self.nodes.get_mut(&place) else {
            return;
        };
        for counter in totals.counters.iter() {
            let life_and_key = (totals.life, counter.key);
            let heard = node.heard.insert(life_and_key, counter.total);
            let more = match heard {
                None => counter.recent,
                Some(before) => counter.total.saturating_sub(before),
            };
            // What overtook a newer message must not count backwards.
            let latest = counter.total.max(heard.unwrap_or(0));
            node.heard.insert(life_and_key, latest);
            let bucket = node.buckets.entry(counter.key).or_default();
            bucket.charge(&self.terms, out.now_ns, more);
        }
    }

    fn wake(&mut self, place: usize, _: u64, out: &mut Out<Totals>) {
        out.wake(self.tick_ns, 0);
        let peers: Vec<usize> = self.nodes.keys().copied().filter(|p| *p != place).collect();
        let (terms, now_ns) = (&self.terms, out.now_ns);
        let Some(node) = self.nodes.get_mut(&place) else {
            return;
        };
        let own = node.own.iter_mut();
        let told = own.filter(|(_, own)| now_ns <= own.last_ns + RETOLD_NS);
        let counters: Rc<[Counter]> = told
            .map(|(key, own)| Counter {
                key: *key,
                total: own.total,
                recent: own.recent.level_units(terms, now_ns),
            })
            .collect();
        if counters.is_empty() {
            return;
        }
        for to in peers {
            let message = Totals {
                life: node.life,
                counters: Rc::clone(&counters),
            };
            out.send(to, COUNTER_BYTES * counters.len(), message);
        }
    }
}
