//! One bucket for all, without a network: what every other strategy is measured by.

use std::collections::BTreeMap;

use crate::history::Arrival;
use crate::scenario::Scenario;

use super::bucket::{Bucket, Terms};
use super::{Out, Rival};

/// A central leaky bucket for each key that everybody reads at once.
pub struct Ideal {
    terms: Terms,
    buckets: BTreeMap<u32, Bucket>,
}

impl Ideal {
    /// All buckets empty.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            terms: Terms::whole(scenario),
            buckets: BTreeMap::new(),
        }
    }
}

impl Rival for Ideal {
    type Message = ();

    fn decide(&mut self, _: u32, arrival: &Arrival, out: &mut Out<()>) -> Option<bool> {
        let bucket = self.buckets.entry(arrival.key).or_default();
        Some(bucket.admit(&self.terms, out.now_ns, arrival.cost))
    }
}
