//! Units-time: a limit's own clock, which counts the units it has given back.

use std::time::Duration;

use super::Limit;
use super::ratio::Ratio;
use crate::units::{Amount, Nanos, Share};

/// A point in units-time: v(t) = ∫ r dt of one limit, in that limit's quanta.
///
/// A bucket kept in units-time needs no arithmetic to drain: it is as full as its time lies ahead
/// of v(now). 63 bits are used; the top one is left for whoever packs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitsTime(pub u64);

/// A limit made ready for arithmetic: its burst and the conversion between time and units-time.
///
/// A quantum is 2⁻ᶠ of a unit, f ≤ 20, with f as large as lets sixty years of v(t) stay below 2⁶².
/// Only v(now) is ever rounded, down, and the error does not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    burst_units: u64,
    fraction_bits: u32,
    /// Quanta in a nanosecond.
    quanta: Ratio,
    /// Nanoseconds in a quantum.
    nanos: Ratio,
}

/// Sixty years, for which units-time must not run out.
const LIFE_NS: u128 = 60 * 366 * 86_400 * 1_000_000_000;

/// Where units-time must stay for that life; a burst in quanta (2⁶⁰) still fits above it.
const LIFE_QUANTA_MAX: u128 = 1 << 62;

impl Pace {
    /// The pace of `limit`.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        let rate = limit.rate();
        let fits = |bits: &u32| {
            (LIFE_NS * u128::from(rate.units()) / u128::from(rate.period_ns())) << bits
                < LIFE_QUANTA_MAX
        };
        let fraction_bits = (0..=Amount::FRACTION_BITS).rev().find(fits).unwrap_or(0);
        let quanta_per_period = rate.units() << fraction_bits;
        Self {
            burst_units: limit.burst_units(),
            fraction_bits,
            quanta: Ratio::new(quanta_per_period, rate.period_ns()),
            nanos: Ratio::new(rate.period_ns(), quanta_per_period),
        }
    }

    /// The burst, in units.
    #[must_use]
    pub const fn burst_units(&self) -> u64 {
        self.burst_units
    }

    /// The burst of the whole limit, in quanta.
    #[must_use]
    pub const fn burst_quanta(&self) -> u64 {
        self.burst_units << self.fraction_bits
    }

    /// The units-time of an instant, rounded down.
    #[must_use]
    #[inline]
    pub fn at(&self, now: Nanos) -> UnitsTime {
        UnitsTime(self.quanta.floor(now.0).unwrap_or(u64::MAX >> 1))
    }

    /// The earliest instant whose units-time is at least `time`.
    #[must_use]
    #[inline]
    pub fn instant_of(&self, time: UnitsTime) -> Nanos {
        Nanos(self.nanos.ceil(time.0).unwrap_or(u64::MAX))
    }

    /// How long after `now` units-time will have passed `amount` at `share`; `None` is never.
    #[must_use]
    pub fn time_to_drain(&self, amount: Amount, share: Share, now: Nanos) -> Option<Duration> {
        if amount == Amount::ZERO {
            return Some(Duration::ZERO);
        }
        let scaled = amount.scaled_at(share);
        let quanta = scaled.div_ceil(1 << (Amount::FRACTION_BITS - self.fraction_bits));
        let target = u64::try_from(quanta).ok()?.checked_add(self.at(now).0)?;
        Some(self.instant_of(UnitsTime(target)).since(now))
    }

    /// Whether the whole limit gives a burst back in less than so long.
    #[must_use]
    pub fn comes_back_within(&self, span_ns: u64) -> bool {
        self.at(Nanos(span_ns)).0 > self.burst_quanta()
    }

    /// What `share` gives back while units-time goes from one point to another.
    #[must_use]
    pub fn drained(&self, from: UnitsTime, to: UnitsTime, share: Share) -> Amount {
        self.amount(to.0.saturating_sub(from.0), share)
    }

    /// `share` of so many quanta, exactly.
    #[must_use]
    pub fn amount(&self, quanta: u64, share: Share) -> Amount {
        let scaled = u128::from(quanta) << (Amount::FRACTION_BITS - self.fraction_bits);
        Amount::share_of_scaled(share, scaled)
    }

    /// How many quanta of the whole limit so many units are worth at one equal part of so many.
    #[must_use]
    pub(crate) fn quanta_of(&self, units: u64, holders: u64) -> Option<u64> {
        units
            .checked_mul(holders)?
            .checked_mul(1 << self.fraction_bits)
    }

    /// Whole units in so many quanta of the whole limit and so many whole bursts.
    #[must_use]
    pub(crate) const fn floor_units(&self, quanta: u64, bursts: u64) -> u64 {
        (quanta >> self.fraction_bits).saturating_add(self.burst_units.saturating_mul(bursts))
    }

    /// How many quanta of the whole limit an amount at `share` is worth, rounded up.
    ///
    /// At a share of 1/k, k ≤ 40, a whole unit is worth exactly k units.
    #[must_use]
    pub fn quanta_ceil(&self, amount: Amount, share: Share) -> Option<u64> {
        let scaled = amount.scaled_at(share);
        if scaled == u128::MAX {
            return None;
        }
        u64::try_from(scaled.div_ceil(1 << (Amount::FRACTION_BITS - self.fraction_bits))).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn extreme_rates_keep_a_sensible_quantum_for_sixty_years() {
        let month = Limit::per(1, Duration::from_secs(30 * 86_400));
        let huge = Limit::per_second(1_000_000_000);
        for (limit, bits) in [(month, 20), (Limit::per_second(100), 20), (huge, 1)] {
            let pace = Pace::new(limit);
            assert_eq!(pace.fraction_bits, bits, "{limit:?}");
            let last = pace.at(Nanos(u64::try_from(LIFE_NS).expect("fits")));
            assert!(last.0 < 1 << 62);
        }
    }

    proptest! {
        #[test]
        fn an_instant_is_the_first_of_its_units_time(
            now in 0u64..1 << 61, units in 1u64..1_000_000, period_ms in 1u64..10_000_000,
        ) {
            let limit = Limit::try_per(units, Duration::from_millis(period_ms));
            let Ok(limit) = limit else { return Ok(()) };
            let pace = Pace::new(limit);
            let time = pace.at(Nanos(now));
            let first = pace.instant_of(time);
            prop_assert!(first <= Nanos(now));
            prop_assert!(pace.at(first) >= time);
            prop_assert!(first.0 == 0 || pace.at(Nanos(first.0 - 1)) < time);
        }

        #[test]
        fn quanta_cover_the_amount_they_stand_for(
            units in 0u64..1 << 40, parts in 1u64..=Share::WHOLE.parts(),
        ) {
            let pace = Pace::new(Limit::per_second(100).burst(1 << 40));
            let (amount, share) = (Amount::from_units(units), Share::from_parts(parts));
            if let Some(quanta) = pace.quanta_ceil(amount, share) {
                prop_assert!(pace.amount(quanta, share) >= amount);
            }
        }
    }
}
