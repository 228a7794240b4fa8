//! What one bucket, central and all-knowing, thinks of what a cluster has admitted.

use distributary::{Decision, Limit};

/// The instants and units of what was admitted of one key, by one clock.
#[derive(Debug, Default)]
pub struct Judge {
    admitted: Vec<(u64, u64)>,
}

impl Judge {
    /// Hears a decision; says whether it was an admission.
    pub fn hear(&mut self, decision: &Decision, cost_units: u64) -> bool {
        if decision.is_allowed() {
            self.admitted.push((decision.decided_at_ns(), cost_units));
        }
        decision.is_allowed()
    }

    /// Hears what another has heard.
    pub fn absorb(&mut self, other: Self) {
        self.admitted.extend(other.admitted);
    }

    /// Units admitted in all.
    pub fn units(&self) -> u64 {
        self.admitted.iter().map(|(_, cost_units)| cost_units).sum()
    }

    /// The highest level that the bucket reaches: over any interval whatever, no more was admitted
    /// than this and what drained in it.
    pub fn peak_units(&mut self, limit: Limit) -> f64 {
        self.admitted.sort_unstable();
        let (mut level, mut seen_ns, mut peak) = (0.0_f64, 0, 0.0_f64);
        for (at_ns, cost_units) in &self.admitted {
            let drained = (at_ns - seen_ns) as f64 * 1e-9 * limit.rate().per_second();
            level = (level - drained).max(0.0) + *cost_units as f64;
            seen_ns = *at_ns;
            peak = peak.max(level);
        }
        peak
    }
}
