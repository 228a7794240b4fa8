//! What all quiet keys of one limit have in common.

use std::sync::Arc;

use super::check::View;
use super::slots::{Place, Said};
use crate::limit::{Pace, UnitsTime};
use crate::row::Standing;
use crate::units::{Amount, Nanos, Share};

/// One shard's constants for one limit.
#[derive(Clone, Debug)]
pub struct Constants {
    /// The share that this node holds of a quiet key.
    pub base: Share,
    /// The right of overdraft that this node holds of a quiet key.
    pub overdraft: Share,
    /// A quiet key reads as the later of its slot's time and this.
    pub floor: UnitsTime,
    /// A key without a slot reads as at least this: the latest time that was given up.
    pub given_up: UnitsTime,
    /// The other members and what they hold of quiet keys.
    pub others: Arc<[Standing]>,
    /// What the others hold of a quiet key, in all.
    pub others_base: Share,
}

impl Constants {
    pub(super) fn none() -> Self {
        Self {
            base: Share::NONE,
            overdraft: Share::NONE,
            floor: UnitsTime(0),
            given_up: UnitsTime(0),
            others: Arc::from([]),
            others_base: Share::NONE,
        }
    }

    pub(super) fn set_others(&mut self, others: Arc<[Standing]>) {
        self.others_base = others.iter().map(|member| member.base).sum();
        self.others = others;
    }

    /// When a quiet key will have drained, at the earliest now. `found` is what its slot says.
    pub(super) fn drains(&self, found: Option<(Place, Said)>, now: UnitsTime) -> UnitsTime {
        let time = match found {
            Some((_, Said::Quiet(time))) => time,
            _ => self.given_up,
        };
        time.max(self.floor).max(now)
    }

    /// How many quanta so many units of a quiet key are worth here, rounded up: exactly `k` units at a
    /// share of `1/k`.
    pub(super) fn quanta(&self, pace: &Pace, cost_units: u64) -> Option<u64> {
        match self.base.holders() {
            None => pace.quanta_ceil(Amount::from_units(cost_units), self.base),
            Some(holders) => pace.quanta_of(cost_units, holders),
        }
    }

    /// The view of a quiet key: this node's part of the bucket, and the others' as good as empty.
    pub(super) fn view(&self, pace: &Pace, drains: UnitsTime, time: UnitsTime, now: Nanos) -> View {
        let ahead = drains.0.saturating_sub(time.0);
        let left = pace.burst_quanta().saturating_sub(ahead);
        View {
            remaining_units: self.remaining_units(pace, left),
            reset_after_ns: pace.instant_of(drains).0.saturating_sub(now.0),
            age_ns: 0,
        }
    }

    /// Units that are left of a quiet key if so many quanta are left of this node's part.
    fn remaining_units(&self, pace: &Pace, left_quanta: u64) -> u64 {
        if self.base == Share::WHOLE && self.others_base.is_none() {
            return pace.floor_units(left_quanta);
        }
        let left = pace.amount(left_quanta, self.base);
        let others = Amount::share_of_units(self.others_base, pace.burst_units());
        left.saturating_add(others).floor_units()
    }
}
