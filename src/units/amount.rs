//! How full a bucket is, exactly.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Share;

/// Largest burst and largest cost, in units (about 10¹²).
pub const UNITS_MAX: u64 = 1 << 40;

/// Binary places below one unit that a limit's units-time is kept in.
const FRACTION_BITS: u32 = 20;

/// An amount of units, counted in grains: 2⁻²⁰ of a unit, divided by a whole share's parts.
///
/// A share of a number of fixed-point units is a whole number of grains, so filling, draining and
/// granting are exact: nothing is rounded below this type.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Amount(u128);

/// Grains in one unit.
const UNIT: u128 = (Share::WHOLE.parts() as u128) << FRACTION_BITS;

// The largest burst, its largest overdraft (a thousand bursts) and a sum of such must fit.
const _: () = assert!(UNIT < 1 << 73 && UNITS_MAX <= 1 << 40);

impl Amount {
    /// Binary places below one unit in the fixed-point units of a whole limit, of which a share
    /// takes its part.
    pub(crate) const FRACTION_BITS: u32 = FRACTION_BITS;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than anything.
    pub const MAX: Self = Self(u128::MAX);

    /// What rows tell amounts in: 1/1024 of a unit.
    const STEP: u128 = UNIT >> 10;

    /// How many steps it is, if it is a whole number of them.
    #[must_use]
    pub(crate) const fn steps(self) -> Option<u128> {
        let steps = self.0 / Self::STEP;
        if steps * Self::STEP == self.0 {
            Some(steps)
        } else {
            None
        }
    }

    /// So many steps, unless they are too many.
    #[must_use]
    pub(crate) const fn from_steps(steps: u128) -> Option<Self> {
        match steps.checked_mul(Self::STEP) {
            Some(grains) => Some(Self(grains)),
            None => None,
        }
    }

    /// Rounded up to whole steps.
    #[must_use]
    pub(crate) const fn in_steps(self) -> Self {
        Self(self.0.div_ceil(Self::STEP).saturating_mul(Self::STEP))
    }

    /// So many whole units; saturates.
    #[must_use]
    pub const fn from_units(units: u64) -> Self {
        Self((units as u128).saturating_mul(UNIT))
    }

    /// So many grains.
    #[must_use]
    pub const fn from_grains(grains: u128) -> Self {
        Self(grains)
    }

    /// How many grains it is.
    #[must_use]
    pub const fn grains(self) -> u128 {
        self.0
    }

    /// `share` of `scaled` fixed-point units: exact, saturating.
    #[must_use]
    #[inline]
    pub(crate) fn share_of_scaled(share: Share, scaled: u128) -> Self {
        let parts = u128::from(share.parts());
        // Nearly always: a multiplication of 64 bits cannot overflow, and takes a tenth of the time.
        match u64::try_from(scaled) {
            Ok(scaled) => Self(parts * u128::from(scaled)),
            Err(_) => Self(parts.saturating_mul(scaled)),
        }
    }

    /// `share` of so many whole units: exact, saturating.
    #[must_use]
    pub fn share_of_units(share: Share, units: u64) -> Self {
        Self::share_of_scaled(share, u128::from(units) << FRACTION_BITS)
    }

    /// Whole units in it, rounded down.
    #[must_use]
    #[inline]
    pub fn floor_units(self) -> u64 {
        // In two steps, as the second is one multiplication where the first leaves 64 bits: up to some
        // thousand units.
        let parts = self.0 >> FRACTION_BITS;
        match u64::try_from(parts) {
            Ok(parts) => parts / Share::WHOLE.parts(),
            Err(_) => u64::try_from(parts / u128::from(Share::WHOLE.parts())).unwrap_or(u64::MAX),
        }
    }

    /// In units, for people only: never compared, never sent.
    #[must_use]
    pub fn as_units(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// Fixed-point units of the whole limit that a `share` must see pass to drain it, rounded up.
    #[must_use]
    pub(crate) fn scaled_at(self, share: Share) -> u128 {
        match u128::from(share.parts()) {
            0 if self.0 == 0 => 0,
            0 => u128::MAX,
            _ if share == Share::WHOLE => self.scaled_at_whole(),
            parts => self.0.div_ceil(parts),
        }
    }

    /// The same for the whole limit, which every check of a contended key asks for: by a multiplication
    /// where the amount is not extreme, which takes a fifth of the time of a division of 128 bits.
    fn scaled_at_whole(self) -> u128 {
        const PARTS: u64 = Share::WHOLE.parts();
        // 2⁹⁶ divided by the parts, rounded down: both roundings together lose less than 2.
        const INVERSE: u64 = ((1u128 << 96) / PARTS as u128) as u64;
        let Ok(high) = u64::try_from(self.0 >> 32) else {
            return self.0.div_ceil(u128::from(PARTS));
        };
        let least = ((u128::from(high) * u128::from(INVERSE)) >> 64) as u64;
        // Less than three times the parts, so that its lower half is all of it.
        let rest = (self.0 as u64).wrapping_sub(least.wrapping_mul(PARTS));
        u128::from(least + rest.div_ceil(PARTS))
    }

    /// The part of it that `weight` is of `total`, rounded up so that a level is never lost.
    #[must_use]
    pub fn portion_ceil(self, weight: u64, total: u64) -> Self {
        if total == 0 || weight >= total {
            return self;
        }
        let (weight, total) = (u128::from(weight), u128::from(total));
        let (whole, rest) = (self.0 / total, self.0 % total);
        Self(whole * weight + (rest * weight).div_ceil(total))
    }

    /// The sum; saturates, which reads as full.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for Amount {
    /// Saturating sum.
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.as_units())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_equal_third_of_three_units_is_one_unit() {
        let third = Share::WHOLE.portion(1, 3);
        assert_eq!(Amount::share_of_units(third, 3), Amount::from_units(1));
    }

    proptest! {
        #[test]
        fn portions_cover_the_amount(grains in any::<u128>(), weight in 0u64..99, total in 1u64..99) {
            let weight = weight.min(total);
            let amount = Amount::from_grains(grains);
            let one = amount.portion_ceil(weight, total);
            let other = amount.portion_ceil(total - weight, total);
            prop_assert!(one <= amount && other <= amount);
            prop_assert!(one.saturating_add(other) >= amount);
        }

        #[test]
        fn a_whole_share_is_divided_by_as_any_other(grains in any::<u128>(), bits in 0u32..128) {
            let amount = Amount(grains >> bits);
            let parts = u128::from(Share::WHOLE.parts());
            prop_assert_eq!(amount.scaled_at(Share::WHOLE), amount.0.div_ceil(parts));
        }

        #[test]
        fn a_whole_share_is_divided_by_exactly_at_the_edges(times in 0u128..1 << 43, off in 0u128..4) {
            let parts = u128::from(Share::WHOLE.parts());
            let amount = Amount((times * parts + off).saturating_sub(2));
            prop_assert_eq!(amount.scaled_at(Share::WHOLE), amount.0.div_ceil(parts));
        }

        #[test]
        fn draining_what_was_asked_for_drains_all(grains in 0u128..1 << 120, parts in 1u64..1 << 53) {
            let share = Share::from_parts(parts);
            let scaled = Amount::from_grains(grains).scaled_at(share);
            prop_assert!(Amount::share_of_scaled(share, scaled) >= Amount::from_grains(grains));
        }
    }
}
