//! What no `check` can beat at ε = 0: whole units placed by one who knows all but the next place.
//!
//! There is one central bucket. Before each request its whole units are laid, for free and at
//! once, at the places where the request is likeliest to land, each with as many units as it
//! costs; it is admitted if its place has them. More cannot be had: a node that decides alone can
//! only admit on what lies there, and units at two places are two units. Admitting a request where
//! it can be is never worse than saving its unit for a later one, as one unit admits one request
//! whenever it is spent, and spending early leaves room for what drains: so the likeliest places
//! first is the best rule.
//!
//! Which places are likely is what the past and the law of the workload tell:
//! - even: all alike; where units do not reach all, the first places have them;
//! - skewed: the hot place first;
//! - in turn: whoever was asked longest ago, running places that were never asked before all;
//! - moving: the place of the last request, then those asked longest ago;
//! - sticky: the key's place, once it was seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::Arrival;
use crate::scenario::{Placement, Scenario};

use super::bucket::{Bucket, Terms};
use super::{Out, Rival};

/// The whole units of one central bucket per key, placed by likelihood.
pub struct WholeUnits {
    terms: Terms,
    placement: Placement,
    running: BTreeSet<usize>,
    keys: BTreeMap<u32, Key>,
    /// When each place was last asked for anything, in requests: turns go over all keys.
    asked: BTreeMap<usize, u64>,
    requests: u64,
}

#[derive(Default)]
struct Key {
    bucket: Bucket,
    last_place: Option<usize>,
}

impl WholeUnits {
    /// All buckets empty.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            terms: Terms::whole(scenario),
            placement: scenario.workload.placement,
            running: BTreeSet::new(),
            keys: BTreeMap::new(),
            asked: BTreeMap::new(),
            requests: 0,
        }
    }

    /// How many places were likelier than this one to have the request.
    fn likelier(&self, place: usize, last_place: Option<usize>) -> usize {
        let asked = |place: &usize| self.asked.get(place).copied().unwrap_or(0);
        let rank = |other: &usize| match self.placement {
            Placement::Even | Placement::Skewed(_) => (0, *other),
            Placement::RoundRobin => (asked(other), *other),
            Placement::Moving(_) | Placement::Sticky if last_place == Some(*other) => (0, 0),
            Placement::Moving(_) => (1 + asked(other), *other),
            Placement::Sticky => (1, *other),
        };
        let own = rank(&place);
        let others = self.running.iter().filter(|other| **other != place);
        others.filter(|other| rank(other) < own).count()
    }
}

impl Rival for WholeUnits {
    type Message = ();

    fn start(&mut self, place: usize, _: &mut Out<()>) {
        self.running.insert(place);
    }

    fn stop(&mut self, place: usize) {
        self.running.remove(&place);
    }

    fn decide(&mut self, _: u32, arrival: &Arrival, out: &mut Out<()>) -> Option<bool> {
        let place = arrival.place as usize;
        let last_place = self.keys.get(&arrival.key).and_then(|key| key.last_place);
        let likelier = self.likelier(place, last_place) as u64;
        let key = self.keys.entry(arrival.key).or_default();
        let holders = key.bucket.room_units(&self.terms, out.now_ns) / arrival.cost;
        let admitted = likelier < holders;
        if admitted {
            key.bucket.charge(&self.terms, out.now_ns, arrival.cost);
        }
        key.last_place = Some(place);
        self.requests += 1;
        self.asked.insert(place, self.requests);
        Some(admitted)
    }
}
