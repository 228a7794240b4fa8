//! What stays the same through a whole exploration: the limit, and what is planted.

use std::time::Duration;

use distributary::proto::{Amount, LimitId, Nanos, Pace, Policy, Share, UnitsTime};
use distributary::{Limit, Overshoot};

use crate::planted::Planted;

/// Length of a step of the clock. With whole units per second every instant is exact.
const TICK_NS: u64 = 1_000_000_000;

/// The limit that all keys are under, and how the nodes were broken, if at all.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(crate) policies: Vec<Policy>,
    pub(crate) overshoot: Overshoot,
    pub(crate) planted: Option<Planted>,
}

impl Rules {
    /// A limit of so many units that regains `rate_units` a tick, with ε in percent.
    #[must_use]
    pub fn new(burst_units: u64, rate_units: u64, overshoot_percent: u32) -> Self {
        let limit = Limit::per(rate_units, Duration::from_nanos(TICK_NS)).burst(burst_units);
        let policy = Policy {
            id: LimitId(1),
            limit,
            pace: Pace::new(limit),
        };
        let overshoot = Overshoot::new(f64::from(overshoot_percent) / 100.0);
        Self {
            policies: vec![policy],
            overshoot: overshoot.expect("a percentage is within bounds"),
            planted: None,
        }
    }

    /// The same with a bug in it.
    #[must_use]
    pub fn with(self, planted: Planted) -> Self {
        Self {
            planted: Some(planted),
            ..self
        }
    }

    pub(crate) fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policies[0]
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.policy().pace
    }

    pub(crate) fn at(&self, tick: u8) -> UnitsTime {
        self.pace().at(Nanos(u64::from(tick) * TICK_NS))
    }

    /// The right of overdraft that goes with a base share, as a node reckons it.
    pub(crate) fn rights_of(&self, base: Share) -> Share {
        let whole = Share::WHOLE.parts();
        self.overshoot.right().portion(base.parts(), whole)
    }

    /// Grains of one burst.
    pub(crate) fn burst_grains(&self) -> i128 {
        grains(Amount::from_units(self.pace().burst_units()))
    }

    /// Grains that the whole limit regains in a tick.
    pub(crate) fn regained_grains(&self) -> i128 {
        grains(Amount::from_units(self.policy().limit.rate().units()))
    }

    /// Grains that so many parts of a burst are worth.
    pub(crate) fn worth(&self, share: Share) -> i128 {
        i128::from(share.parts()) * (self.burst_grains() / i128::from(Share::WHOLE.parts()))
    }

    /// `(1 + ε)·C` in grains.
    pub(crate) fn ceiling_grains(&self) -> i128 {
        self.burst_grains() + self.worth(self.overshoot.right())
    }
}

pub(crate) fn grains(amount: Amount) -> i128 {
    i128::try_from(amount.grains()).expect("a few units are far below 2^127 grains")
}
