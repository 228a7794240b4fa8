//! The ideal bucket, and the judge of what a cluster admitted.
//!
//! Uses nothing but the standard library: a judge that shared code with what it judges would share
//! its mistakes. All arithmetic that decides is on integers. A level is kept in units times
//! nanoseconds (units · `per_ns`), so that draining `dt · rate` is a whole number and no rounding
//! happens anywhere; sums saturate, which reads as exceeded.

use std::collections::BTreeMap;

/// `units` every `per_ns` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) units: u64,
    pub(crate) per_ns: u64,
}

/// What one client spent, or asks to spend, at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) client: u32,
    pub(crate) cost_units: u64,
    pub(crate) at_ns: u64,
}

/// One central bucket for each client: what a limiter with no network between its nodes would do.
struct Ideal {
    rate: Rate,
    capacity: u128,
    buckets: BTreeMap<u32, Bucket>,
}

/// How full one client's bucket was, and when.
#[derive(Clone, Copy)]
struct Bucket {
    level: u128,
    at_ns: u64,
}

/// How far above the burst the fullest ideal bucket came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// In units · `per_ns`.
    excess: u128,
    per_ns: u64,
    /// The client whose bucket it was; none if no bucket came above the burst.
    pub(crate) furthest: Option<u32>,
}

/// What a run may exceed the burst by.
///
/// An interval that starts with one view in use and has `groups` of them for `grouped_ns` holds at
/// most `(1 + groups · overshoot) · burst + ∫ groups · rate dt`. The ideal bucket holds `burst` and
/// drains `rate` once, so what may lie above it is `groups · overshoot · burst` and the drain of
/// the further groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) rate: Rate,
    pub(crate) burst_units: u64,
    /// Numerator and denominator of the overshoot, as a part of the burst.
    pub(crate) overshoot: (u64, u64),
    /// Most views of the membership in use at once: 1 unless a cut outlasts the eviction.
    pub(crate) groups: u64,
    /// How long there was more than one.
    pub(crate) grouped_ns: u64,
}

impl Ideal {
    fn new(rate: Rate, burst_units: u64) -> Self {
        Self {
            rate,
            capacity: in_level(burst_units, rate),
            buckets: BTreeMap::new(),
        }
    }

    /// The client's level at that instant, drained, with the cost on top; not yet stored.
    fn with_charge(&self, charge: Charge) -> Bucket {
        let before = self.buckets.get(&charge.client).copied();
        let before = before.unwrap_or(Bucket {
            level: 0,
            at_ns: charge.at_ns,
        });
        let passed_ns = charge.at_ns.saturating_sub(before.at_ns);
        let drained = u128::from(passed_ns) * u128::from(self.rate.units);
        let level = before.level.saturating_sub(drained);
        Bucket {
            level: level.saturating_add(in_level(charge.cost_units, self.rate)),
            at_ns: before.at_ns.max(charge.at_ns),
        }
    }

    fn admit(&mut self, charge: Charge) -> bool {
        let bucket = self.with_charge(charge);
        let fits = bucket.level <= self.capacity;
        if fits {
            self.buckets.insert(charge.client, bucket);
        }
        fits
    }

    /// Charges without refusing; returns by how much the level is above the burst.
    fn charge(&mut self, charge: Charge) -> u128 {
        let bucket = self.with_charge(charge);
        self.buckets.insert(charge.client, bucket);
        bucket.level.saturating_sub(self.capacity)
    }
}

/// Which of these arrivals one central bucket for each client admits. Sorts them by instant.
pub(crate) fn ideal_admissions(
    rate: Rate,
    burst_units: u64,
    arrivals: &mut [Charge],
) -> Vec<Charge> {
    arrivals.sort_by_key(|arrival| arrival.at_ns);
    let mut ideal = Ideal::new(rate, burst_units);
    let admitted = arrivals.iter().filter(|arrival| ideal.admit(**arrival));
    admitted.copied().collect()
}

/// How many of these arrivals that are. Sorts them by instant.
pub(crate) fn ideal_admitted(rate: Rate, burst_units: u64, arrivals: &mut [Charge]) -> u64 {
    ideal_admissions(rate, burst_units, arrivals).len() as u64
}

/// How full a client's ideal bucket is, in units, after each of its admissions. Sorts them by
/// instant.
pub(crate) fn levels(rate: Rate, burst_units: u64, admitted: &mut [Charge]) -> Vec<(u64, f64)> {
    admitted.sort_by_key(|charge| charge.at_ns);
    let mut ideal = Ideal::new(rate, burst_units);
    let level = |charge: &Charge| {
        let bucket = ideal.with_charge(*charge);
        ideal.buckets.insert(charge.client, bucket);
        (charge.at_ns, bucket.level as f64 / rate.per_ns as f64)
    };
    admitted.iter().map(level).collect()
}

/// Feeds what was admitted to the ideal buckets, refusing nothing. Sorts it by instant.
pub(crate) fn judge(rate: Rate, burst_units: u64, admitted: &mut [Charge]) -> Judgement {
    admitted.sort_by_key(|charge| charge.at_ns);
    let mut ideal = Ideal::new(rate, burst_units);
    let mut judgement = Judgement {
        excess: 0,
        per_ns: rate.per_ns,
        furthest: None,
    };
    for charge in admitted {
        let excess = ideal.charge(*charge);
        if excess > judgement.excess {
            judgement.excess = excess;
            judgement.furthest = Some(charge.client);
        }
    }
    judgement
}

impl Judgement {
    /// How far above the burst, in units: for people, the verdict never reads it.
    pub(crate) fn overshoot_units(&self) -> f64 {
        self.excess as f64 / self.per_ns as f64
    }

    /// Whether the bound was exceeded, exactly.
    pub(crate) fn exceeds(&self, bound: &Bound) -> bool {
        let (_, denominator) = bound.overshoot;
        let excess = self.excess.checked_mul(u128::from(denominator));
        // What does not fit 128 bits is above any bound that does.
        excess.is_none_or(|excess| excess > bound.scaled())
    }
}

impl Bound {
    /// In units: for people, the verdict never reads it.
    pub(crate) fn units(&self) -> f64 {
        self.scaled() as f64 / self.rate.per_ns as f64 / self.overshoot.1 as f64
    }

    /// In units · `per_ns` · the overshoot's denominator; saturates.
    fn scaled(&self) -> u128 {
        let (numerator, denominator) = self.overshoot;
        let overdraft = in_level(self.burst_units, self.rate)
            .saturating_mul(u128::from(numerator))
            .saturating_mul(u128::from(self.groups));
        let further_groups = u128::from(self.groups.saturating_sub(1));
        let drained = (u128::from(self.grouped_ns) * u128::from(self.rate.units))
            .saturating_mul(further_groups)
            .saturating_mul(u128::from(denominator));
        overdraft.saturating_add(drained)
    }
}

/// So many units as a level.
fn in_level(units: u64, rate: Rate) -> u128 {
    u128::from(units) * u128::from(rate.per_ns)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
