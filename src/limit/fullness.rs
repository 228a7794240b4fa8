//! How full a bucket is, whatever its size: what a view change hands on of quiet keys.

use super::Pace;
use crate::units::{Amount, Share};

/// A part of a share's burst that is used, in parts of 2⁻³², always rounded up; above
/// [`Fullness::FULL`] it is owed.
///
/// A quiet key keeps its fullness, not its level, when the share that it is held at changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fullness(u64);

const FULL: u64 = 1 << 32;

impl Fullness {
    /// Nothing is used.
    pub const EMPTY: Self = Self(0);
    /// All is used, and nothing owed.
    pub const FULL: Self = Self(FULL);

    /// So many parts of 2⁻³².
    #[must_use]
    pub const fn from_parts(parts: u64) -> Self {
        Self(parts)
    }

    /// How many parts of 2⁻³².
    #[must_use]
    pub const fn parts(self) -> u64 {
        self.0
    }

    /// Of a bucket that will have drained when so many quanta of units-time have passed.
    #[must_use]
    pub fn of_quanta(quanta: u64, pace: &Pace) -> Self {
        let burst = u128::from(pace.burst_quanta().max(1));
        let parts = (u128::from(quanta) << 32).div_ceil(burst);
        Self(u64::try_from(parts).unwrap_or(u64::MAX))
    }

    /// How many quanta of units-time pass until a bucket this full has drained.
    #[must_use]
    pub fn quanta(self, pace: &Pace) -> u64 {
        let scaled = u128::from(self.0) * u128::from(pace.burst_quanta());
        u64::try_from(scaled.div_ceil(u128::from(FULL))).unwrap_or(u64::MAX)
    }

    /// The level of a `share` this full.
    #[must_use]
    pub fn level(self, share: Share, pace: &Pace) -> Amount {
        pace.amount(self.quanta(pace), share)
    }

    /// How full a part `old` this full becomes when a part `grown` joins it that is as full as
    /// `other`; nothing if both parts are nothing.
    #[must_use]
    pub fn mixed(self, old: Share, other: Self, grown: Share) -> Self {
        let weighed = |fullness: Self, share: Share| {
            u128::from(fullness.0).saturating_mul(u128::from(share.parts()))
        };
        let total = u128::from(old.parts()) + u128::from(grown.parts());
        let parts = weighed(self, old).saturating_add(weighed(other, grown));
        Self(u64::try_from(parts.div_ceil(total.max(1))).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::Limit;

    proptest! {
        #[test]
        fn what_is_rounded_is_rounded_to_fuller(quanta in 0u64..1 << 40, burst in 1u64..1 << 20) {
            let pace = Pace::new(Limit::per_second(7).burst(burst));
            prop_assert!(Fullness::of_quanta(quanta, &pace).quanta(&pace) >= quanta);
        }

        /// INV-9: the mixture's level is at least that of its two parts.
        #[test]
        fn a_mixture_holds_both_levels(
            one in 0u64..1 << 34, two in 0u64..1 << 34,
            old in 0u64..Share::WHOLE.parts() / 2, grown in 1u64..Share::WHOLE.parts() / 2,
        ) {
            let pace = Pace::new(Limit::per_second(7).burst(10));
            let (one, two) = (Fullness::from_parts(one), Fullness::from_parts(two));
            let (old, grown) = (Share::from_parts(old), Share::from_parts(grown));
            let mixed = one.mixed(old, two, grown);
            // In parts, exactly; levels are rounded up to a quantum besides.
            let weighed = |f: Fullness, s: Share| u128::from(f.parts()) * u128::from(s.parts());
            let whole = old.saturating_add(grown);
            prop_assert!(weighed(mixed, whole) >= weighed(one, old) + weighed(two, grown));
            let level = mixed.level(whole, &pace);
            prop_assert!(level >= Fullness::EMPTY.level(whole, &pace));
        }
    }

    #[test]
    fn a_half_full_share_has_half_its_burst_used() {
        let pace = Pace::new(Limit::per_second(7).burst(10));
        let half = Fullness::of_quanta(pace.burst_quanta() / 2, &pace);
        assert_eq!(half.parts(), 1 << 31);
        let level = half.level(Share::WHOLE.portion(1, 5), &pace);
        assert_eq!(level, Amount::from_units(1));
        assert_eq!(
            Fullness::EMPTY.mixed(Share::NONE, Fullness::FULL, Share::NONE),
            Fullness::EMPTY
        );
    }
}
