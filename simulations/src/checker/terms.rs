//! Exact sums in whole numbers: a unit is `period_ns · 10⁶`, so that neither a nanosecond's drain
//! nor a millionth of clock error is ever rounded.

use crate::Scenario;

/// A limit as the checkers see it.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    burst: i128,
    units: i128,
    period_ns: i128,
    overshoot_milli: i128,
    clock_ppm: i128,
}

const MILLIONTHS: i128 = 1_000_000;
const NS_PER_MS: i128 = 1_000_000;

impl Terms {
    /// The limit of a scenario, with clocks that run at most so many millionths too fast.
    pub fn of(scenario: &Scenario, clock_error_ppm: u64) -> Self {
        let cluster = &scenario.cluster;
        Self {
            burst: i128::from(cluster.burst_units),
            units: i128::from(cluster.rate_units),
            period_ns: i128::from(cluster.rate_period_ms).max(1) * NS_PER_MS,
            overshoot_milli: i128::from(cluster.overshoot_milli),
            clock_ppm: i128::from(clock_error_ppm),
        }
    }

    /// One unit.
    pub const fn unit(&self) -> i128 {
        self.period_ns * MILLIONTHS
    }

    /// So many units.
    pub fn cost(&self, units: u64) -> i128 {
        self.unit().saturating_mul(i128::from(units))
    }

    /// So many bursts and, in each of so many, the overdraft: `(bursts + overdrafts·ε)·C`.
    pub fn bursts(&self, bursts: u32, overdrafts: u32) -> i128 {
        let overdraft = i128::from(overdrafts) * self.overshoot_milli;
        let milli = i128::from(bursts) * 1000 + overdraft;
        (self.burst * (self.unit() / 1000)).saturating_mul(milli)
    }

    /// What so many groups regain in that long by the fastest clock.
    pub fn regained(&self, groups: u32, ns: u64) -> i128 {
        let rate = self.units * (MILLIONTHS + self.clock_ppm) * i128::from(groups);
        rate.saturating_mul(i128::from(ns))
    }

    /// What an amount is in units, for people to read.
    pub fn in_units(&self, amount: i128) -> f64 {
        amount as f64 / self.unit() as f64
    }

    /// How long a whole burst takes to be regained; `None` if nothing ever is.
    pub fn burst_ns(&self) -> Option<u64> {
        let ns = (self.burst * self.period_ns).checked_div(self.units)?;
        Some(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// How long one unit takes to be regained; `None` if nothing ever is.
    pub fn unit_ns(&self) -> Option<u64> {
        let ns = self.period_ns.checked_div(self.units)?;
        Some(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}
