//! What all quiet keys of one limit have in common.

use std::sync::Arc;

use super::check::View;
use super::slots::Said;
use crate::limit::{Pace, UnitsTime};
use crate::row::Standing;
use crate::units::{Amount, Nanos, Share};

/// One shard's constants for one limit.
#[derive(Clone, Debug)]
pub struct Constants {
    base: Share,
    overdraft: Share,
    /// A quiet key reads as the later of its slot's time and this.
    pub floor: UnitsTime,
    /// A key without a slot reads as at least this: the latest time that was given up.
    pub given_up: UnitsTime,
    /// The other members and what they hold of quiet keys.
    pub others: Arc<[Standing]>,
    /// What the others hold of a quiet key, in all.
    others_base: Share,
    equal: Option<Equal>,
}

/// How a quiet key is divided where it is divided equally.
#[derive(Clone, Copy, Debug)]
struct Equal {
    /// Among how many.
    holders: u64,
    /// How many of them the others are, so far as is known here.
    others: u64,
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
            equal: None,
        }
    }

    /// The share that this node holds of a quiet key.
    #[must_use]
    pub const fn base(&self) -> Share {
        self.base
    }

    /// The right of overdraft that this node holds of a quiet key.
    #[must_use]
    pub const fn overdraft(&self) -> Share {
        self.overdraft
    }

    /// Sets what this node holds of quiet keys.
    pub(super) fn hold(&mut self, base: Share, overdraft: Share) {
        self.base = base;
        self.overdraft = overdraft;
        self.equal = self.equal();
    }

    pub(super) fn set_others(&mut self, others: Arc<[Standing]>) {
        self.others_base = others.iter().map(|member| member.base).sum();
        self.others = others;
        self.equal = self.equal();
    }

    /// When a quiet key will have drained, at the earliest now. `said` is what its slot says.
    #[inline]
    pub(super) fn drains(&self, said: Option<Said>, now: UnitsTime) -> UnitsTime {
        let time = match said {
            Some(Said::Quiet(time)) => time,
            _ => self.given_up,
        };
        time.max(self.floor).max(now)
    }

    /// Whether all who hold of a quiet key hold the same: it is asked when they change, so that a check
    /// divides by small numbers only.
    fn equal(&self) -> Option<Equal> {
        let holders = self.base.holders()?;
        let others = self.others_base.parts() / self.base.parts();
        let equal = others * self.base.parts() == self.others_base.parts();
        equal.then_some(Equal { holders, others })
    }

    /// How many quanta so many units of a quiet key are worth here, rounded up: exactly `k` units at a
    /// share of `1/k`.
    #[inline]
    pub(super) fn quanta(&self, pace: &Pace, cost_units: u64) -> Option<u64> {
        match self.equal {
            None => pace.quanta_ceil(Amount::from_units(cost_units), self.base),
            Some(equal) => pace.quanta_of(cost_units, equal.holders),
        }
    }

    /// The view of a quiet key: this node's part of the bucket, and the others' as good as empty.
    #[inline]
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
    #[inline]
    fn remaining_units(&self, pace: &Pace, left_quanta: u64) -> u64 {
        if let Some(equal) = self.equal {
            let units = pace.floor_units(left_quanta, equal.others);
            // Most tables are nobody else's, and a division takes its time.
            return if equal.holders == 1 {
                units
            } else {
                units / equal.holders
            };
        }
        self.remaining_of_unequal(pace, left_quanta)
    }

    #[cold]
    fn remaining_of_unequal(&self, pace: &Pace, left_quanta: u64) -> u64 {
        let left = pace.amount(left_quanta, self.base);
        let others = Amount::share_of_units(self.others_base, pace.burst_units());
        left.saturating_add(others).floor_units()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::Limit;
    use crate::units::NodeId;

    fn constants(base: Share, others: &[Share]) -> Constants {
        let mut constants = Constants::none();
        constants.hold(base, Share::NONE);
        let standing = |base: &Share| Standing {
            node: NodeId(2),
            base: *base,
        };
        constants.set_others(others.iter().map(standing).collect());
        constants
    }

    proptest! {
        /// What is quick where all hold the same says what the exact amounts say.
        #[test]
        fn equal_parts_are_only_quicker(
            holders in 1u64..=40, others in 0usize..40, units in 1u64..1 << 40,
            burst in 1u64..1 << 40, part in 0.0..1.0f64,
        ) {
            let pace = Pace::new(Limit::per_second(100).burst(burst));
            let base = Share::WHOLE.portion(1, holders);
            let others = others.min(holders as usize - 1);
            let quick = constants(base, &vec![base; others]);
            let slow = Constants { equal: None, ..quick.clone() };
            prop_assert!(quick.equal.is_some());
            prop_assert_eq!(quick.quanta(&pace, units), slow.quanta(&pace, units));
            let left = (pace.burst_quanta() as f64 * part) as u64;
            prop_assert_eq!(quick.remaining_units(&pace, left), slow.remaining_units(&pace, left));
        }
    }

    #[test]
    fn who_holds_unlike_parts_is_not_taken_for_equal() {
        let half = Share::WHOLE.portion(1, 2);
        let third = Share::WHOLE.portion(1, 3);
        assert!(constants(half, &[third]).equal.is_none());
        assert!(
            constants(Share::WHOLE.portion(2, 3), &[third])
                .equal
                .is_none()
        );
        assert!(constants(Share::NONE, &[half]).equal.is_none());
        assert!(constants(Share::WHOLE, &[]).equal.is_some());
    }
}
