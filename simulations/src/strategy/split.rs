//! A fixed part of every limit for each node: a hard ceiling without a packet.

use std::collections::BTreeMap;

use crate::history::Arrival;
use crate::scenario::Scenario;

use super::bucket::{Bucket, Terms};
use super::{Out, Rival};

/// `C/N` whole units for each place and the rate in proportion to them.
///
/// Units that are left over go one each to the next places, starting at another place for each
/// key, so that parts sum to C and r. A node that joins later has no part. A life that restarts
/// begins with an empty bucket, as memory is lost.
pub struct Split {
    parts: Vec<Terms>,
    buckets: BTreeMap<(usize, u32), Bucket>,
}

impl Split {
    /// Divides so many per cent of the limit.
    #[must_use]
    pub fn new(scenario: &Scenario, percent: u64) -> Self {
        let cluster = &scenario.cluster;
        let nodes = cluster.nodes as u64;
        let burst = (u128::from(cluster.burst_units) * u128::from(percent) / 100) as u64;
        let part = |index: u64| burst / nodes + u64::from(index < burst % nodes);
        let unit_parts = u128::from(cluster.rate_period_ms) * 100_000_000 * u128::from(burst);
        let rate = u128::from(cluster.rate_units) * u128::from(percent);
        let terms = |index| Terms {
            capacity_parts: u128::from(part(index)) * unit_parts,
            unit_parts,
            drained_parts_per_ns: rate * u128::from(part(index)),
        };
        Self {
            parts: (0..nodes).map(terms).collect(),
            buckets: BTreeMap::new(),
        }
    }
}

impl Rival for Split {
    type Message = ();

    fn stop(&mut self, place: usize) {
        self.buckets.retain(|(there, _), _| *there != place);
    }

    fn decide(&mut self, _: u32, arrival: &Arrival, out: &mut Out<()>) -> Option<bool> {
        let (place, nodes) = (arrival.place as usize, self.parts.len());
        if place >= nodes {
            return Some(false);
        }
        let terms = &self.parts[(place + arrival.key as usize) % nodes];
        let bucket = self.buckets.entry((place, arrival.key)).or_default();
        Some(bucket.admit(terms, out.now_ns, arrival.cost))
    }
}
