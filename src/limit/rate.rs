//! How fast a limit gives units back.

use std::time::Duration;

use super::LimitError;
use crate::units::UNITS_MAX;

/// A rate as a ratio of whole numbers, so that it is exact: `units` per `period_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    units: u64,
    period_ns: u64,
}

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;

/// The longest period: about three years, so that one unit a month is far inside.
const PERIOD_NS_MAX: u64 = 100_000_000_000_000_000;

impl Rate {
    /// `units` per `period`.
    ///
    /// # Errors
    /// A zero rate or period, more than a unit a nanosecond, or a period above three years.
    pub const fn new(units: u64, period: Duration) -> Result<Self, LimitError> {
        let period_ns = period.as_nanos();
        if period_ns == 0 {
            return Err(LimitError::PeriodZero);
        }
        if period_ns > PERIOD_NS_MAX as u128 {
            return Err(LimitError::RateTooLow);
        }
        Self::from_ratio(units, period_ns as u64)
    }

    /// `units_per_s`, which may be fractional: 0.2 is one unit in five seconds.
    ///
    /// Decimal fractions down to a billionth of a unit a second are exact; others are rounded down.
    ///
    /// # Errors
    /// Zero, negative, NaN or infinite, above 10⁹ or below one unit in three years.
    pub fn from_units_per_second(units_per_s: f64) -> Result<Self, LimitError> {
        if !units_per_s.is_finite() {
            return Err(LimitError::RateNotFinite(units_per_s));
        }
        if units_per_s < 0.0 {
            return Err(LimitError::RateNegative(units_per_s));
        }
        if units_per_s == 0.0 {
            return Err(LimitError::RateZero);
        }
        if units_per_s > SECOND_NS as f64 {
            return Err(LimitError::RateTooHigh);
        }
        Self::from_decimal(units_per_s).unwrap_or_else(|| Self::from_slow(units_per_s))
    }

    /// Exact where the rate has at most nine decimal places and the ratio stays small.
    fn from_decimal(units_per_s: f64) -> Option<Result<Self, LimitError>> {
        (0..=9).find_map(|places| {
            let scale = 10_u64.pow(places);
            let scaled = units_per_s * scale as f64;
            let exact = scaled >= 1.0 && (scaled - scaled.round()).abs() < scaled * 1e-14;
            if !exact || scaled > UNITS_MAX as f64 {
                return None;
            }
            let period_ns = SECOND_NS
                .checked_mul(scale)
                .filter(|ns| *ns <= PERIOD_NS_MAX)?;
            Some(Self::from_ratio(scaled.round() as u64, period_ns))
        })
    }

    /// Fast odd rates as units per 10³ seconds, slow ones as one unit per rounded-up period.
    fn from_slow(units_per_s: f64) -> Result<Self, LimitError> {
        if units_per_s >= 1e-3 {
            let units = (units_per_s * 1e6).floor().min(UNITS_MAX as f64);
            let period_ns = units / units_per_s * SECOND_NS as f64;
            return Self::from_ratio(units as u64, period_ns.ceil() as u64);
        }
        let period_ns = (SECOND_NS as f64 / units_per_s).ceil();
        if period_ns > PERIOD_NS_MAX as f64 {
            return Err(LimitError::RateTooLow);
        }
        Self::from_ratio(1, period_ns as u64)
    }

    const fn from_ratio(units: u64, period_ns: u64) -> Result<Self, LimitError> {
        if units == 0 {
            return Err(LimitError::RateZero);
        }
        if units > period_ns {
            return Err(LimitError::RateTooHigh);
        }
        let divisor = greatest_common_divisor(units, period_ns);
        let (units, period_ns) = (units / divisor, period_ns / divisor);
        if units > UNITS_MAX {
            return Err(LimitError::RateTooHigh);
        }
        Ok(Self { units, period_ns })
    }

    /// Units given back in each [`Rate::period_ns`].
    #[must_use]
    pub const fn units(self) -> u64 {
        self.units
    }

    /// Nanoseconds in which [`Rate::units`] are given back.
    #[must_use]
    pub const fn period_ns(self) -> u64 {
        self.period_ns
    }

    /// Units per second, for people and for demand estimates: never what an admission rests on.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.units as f64 * SECOND_NS as f64 / self.period_ns as f64
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_rates_are_exact() {
        for (units_per_s, units, period_ns) in [
            (0.2, 1, 5 * SECOND_NS),
            (100.0, 1, 10_000_000),
            (2.5, 1, 400_000_000),
        ] {
            let rate = Rate::from_units_per_second(units_per_s).expect("a fine rate");
            assert_eq!(
                (rate.units(), rate.period_ns()),
                (units, period_ns),
                "{units_per_s}"
            );
        }
    }

    #[test]
    fn odd_rates_are_never_above_what_was_asked() {
        for units_per_s in [
            1.0 / 3.0,
            std::f64::consts::PI,
            1e-7 / 3.0,
            5.0 / 60.0,
            1e8 / 3.0,
        ] {
            let rate = Rate::from_units_per_second(units_per_s).expect("a fine rate");
            let error = rate.per_second() / units_per_s - 1.0;
            assert!(error < 1e-12 && error > -1e-6, "{units_per_s}: {error}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_by_name() {
        use LimitError as E;
        let refused = |units_per_s: f64| Rate::from_units_per_second(units_per_s).err();
        assert_eq!(refused(0.0), Some(E::RateZero));
        assert_eq!(refused(-1.0), Some(E::RateNegative(-1.0)));
        assert_eq!(
            refused(f64::INFINITY),
            Some(E::RateNotFinite(f64::INFINITY))
        );
        assert!(matches!(refused(f64::NAN), Some(E::RateNotFinite(_))));
        assert_eq!(refused(2e9), Some(E::RateTooHigh));
        assert_eq!(refused(1e-300), Some(E::RateTooLow));
        assert_eq!(Rate::new(5, Duration::ZERO), Err(E::PeriodZero));
        assert_eq!(Rate::new(0, Duration::from_secs(1)), Err(E::RateZero));
        assert_eq!(Rate::new(2, Duration::from_nanos(1)), Err(E::RateTooHigh));
        assert_eq!(Rate::new(1, Duration::MAX), Err(E::RateTooLow));
    }
}
