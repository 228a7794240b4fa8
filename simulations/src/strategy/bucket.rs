//! A leaky bucket in whole numbers: nothing is ever rounded.

use crate::scenario::{Cluster, Scenario};

/// How large a bucket is and how fast it drains, all in parts of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) capacity_parts: u128,
    pub(super) unit_parts: u128,
    pub(super) drained_parts_per_ns: u128,
}

impl Terms {
    /// The whole limit.
    pub(super) fn whole(scenario: &Scenario) -> Self {
        Self::part(&scenario.cluster, 1, 1)
    }

    /// So many of so many equal parts of burst and rate; not in whole units.
    pub(super) fn part(cluster: &Cluster, numerator: u64, denominator: u64) -> Self {
        let period_ns = u128::from(cluster.rate_period_ms) * 1_000_000;
        let unit_parts = period_ns * u128::from(denominator);
        Self {
            capacity_parts: u128::from(cluster.burst_units) * u128::from(numerator) * period_ns,
            unit_parts,
            drained_parts_per_ns: u128::from(cluster.rate_units) * u128::from(numerator),
        }
    }
}

/// How full it is, and up to when it was drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) level_parts: u128,
    at_ns: u64,
}

impl Bucket {
    /// Drains it up to now; a time before the last counts as that.
    pub(super) fn drain(&mut self, terms: &Terms, now_ns: u64) {
        let passed_ns = now_ns.saturating_sub(self.at_ns);
        let drained = u128::from(passed_ns).saturating_mul(terms.drained_parts_per_ns);
        self.level_parts = self.level_parts.saturating_sub(drained);
        self.at_ns = self.at_ns.max(now_ns);
    }

    /// Takes the units if there is room for them all.
    pub(super) fn admit(&mut self, terms: &Terms, now_ns: u64, units: u64) -> bool {
        self.drain(terms, now_ns);
        let level = self
            .level_parts
            .saturating_add(u128::from(units) * terms.unit_parts);
        let fits = level <= terms.capacity_parts;
        if fits {
            self.level_parts = level;
        }
        fits
    }

    /// Takes units that were admitted elsewhere, whether there is room or not.
    pub(super) fn charge(&mut self, terms: &Terms, now_ns: u64, units: u64) {
        self.drain(terms, now_ns);
        let more = u128::from(units) * terms.unit_parts;
        self.level_parts = self.level_parts.saturating_add(more);
    }

    /// Units in it now, rounded up.
    pub(super) fn level_units(&mut self, terms: &Terms, now_ns: u64) -> u64 {
        self.drain(terms, now_ns);
        u64::try_from(self.level_parts.div_ceil(terms.unit_parts)).unwrap_or(u64::MAX)
    }

    /// Whole units for which there is room now.
    pub(super) fn room_units(&mut self, terms: &Terms, now_ns: u64) -> u64 {
        self.drain(terms, now_ns);
        let room = terms.capacity_parts.saturating_sub(self.level_parts);
        u64::try_from(room / terms.unit_parts).unwrap_or(u64::MAX)
    }
}
