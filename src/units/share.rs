//! Exact fractions of a limit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fraction of one key's limit, in whole parts of lcm(1…40).
///
/// Every equal split among up to 40 holders is exact, so shares of a key sum to at most
/// [`Share::WHOLE`] with no tolerance anywhere. The same type counts rights of overdraft, of which
/// a cluster may have more than one whole (ε above 1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Share(u64);

/// lcm(1…40): 53 bits.
const WHOLE_PARTS: u64 = 5_342_931_457_063_200;

// A share times 2^20 fractions times the largest burst must fit in 128 bits: 53 + 20 + 40 = 113.
const _: () = assert!(WHOLE_PARTS < 1 << 53);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The whole limit.
    pub const WHOLE: Self = Self(WHOLE_PARTS);

    /// A share of so many parts.
    #[must_use]
    pub const fn from_parts(parts: u64) -> Self {
        Self(parts)
    }

    /// How many parts it has.
    #[must_use]
    pub const fn parts(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Among how many holders the whole is divided into equal parts like this one, if it is.
    #[must_use]
    pub(crate) const fn holders(self) -> Option<u64> {
        if self.0 == WHOLE_PARTS {
            return Some(1);
        }
        match WHOLE_PARTS.checked_div(self.0) {
            Some(holders) if holders * self.0 == WHOLE_PARTS => Some(holders),
            _ => None,
        }
    }

    /// As a fraction of the whole, for people only: never compared, never sent.
    #[must_use]
    pub fn as_fraction(self) -> f64 {
        self.0 as f64 / WHOLE_PARTS as f64
    }

    /// The sum, or the largest share there is.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The difference, unless `other` is the larger.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(parts) => Some(Self(parts)),
            None => None,
        }
    }

    /// The part of it that `weight` is of `total`, rounded down; nothing if `total` is nothing.
    #[must_use]
    pub fn portion(self, weight: u64, total: u64) -> Self {
        if total == 0 {
            return Self::NONE;
        }
        let parts = u128::from(self.0) * u128::from(weight.min(total)) / u128::from(total);
        Self(u64::try_from(parts).expect("a part of a u64 fits a u64"))
    }

    /// Splits it into `count` pieces that differ by at most one part and sum to it exactly; the
    /// larger ones come first.
    pub fn split_evenly(self, count: usize) -> impl Iterator<Item = Self> {
        let count = count as u64;
        let (each, extra) = (self.0 / count.max(1), self.0 % count.max(1));
        (0..count).map(move |index| Self(each + u64::from(index < extra)))
    }
}

impl std::iter::Sum for Share {
    /// Saturating sum.
    fn sum<I: Iterator<Item = Self>>(shares: I) -> Self {
        shares.fold(Self::NONE, Self::saturating_add)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.as_fraction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_splits_among_up_to_forty_are_exact() {
        for count in 1..=40 {
            let pieces: Vec<_> = Share::WHOLE.split_evenly(count).collect();
            assert!(pieces.iter().all(|piece| *piece == pieces[0]), "{count}");
            assert_eq!(pieces.into_iter().sum::<Share>(), Share::WHOLE);
        }
        let uneven: Vec<_> = Share::WHOLE.split_evenly(41).collect();
        assert_ne!(uneven[0], uneven[40]);
    }

    #[test]
    fn an_equal_part_says_among_how_many() {
        for count in 1..=40 {
            assert_eq!(Share::WHOLE.portion(1, count).holders(), Some(count));
        }
        for parts in [0, 5, 7, WHOLE_PARTS / 3 + 1, WHOLE_PARTS + 1, u64::MAX] {
            let is = parts > 0 && WHOLE_PARTS.is_multiple_of(parts);
            let holders = Share::from_parts(parts).holders();
            assert_eq!(holders, is.then(|| WHOLE_PARTS / parts), "{parts}");
        }
    }

    /// INV-2: what is divided sums to what was there.
    #[test]
    fn an_uneven_split_loses_nothing() {
        let pieces: Vec<_> = Share::from_parts(10).split_evenly(4).collect();
        assert_eq!(pieces, [3, 3, 2, 2].map(Share::from_parts));
        assert_eq!(Share::WHOLE.split_evenly(0).count(), 0);
    }

    #[test]
    fn a_portion_rounds_down_and_never_exceeds_the_whole() {
        assert_eq!(Share::from_parts(10).portion(1, 3), Share::from_parts(3));
        assert_eq!(Share::WHOLE.portion(7, 3), Share::WHOLE);
        assert_eq!(Share::WHOLE.portion(1, 0), Share::NONE);
    }
}
