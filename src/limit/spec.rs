//! Limits as users state them.

use std::time::Duration;

use super::{LimitError, Rate};
use crate::units::{Share, UNITS_MAX};

/// A limit: how many units may come at once (burst) and how fast they come back (rate).
///
/// It is the leaky bucket as a meter, which is the token bucket seen from the other side. A limit
/// that exists is valid: building one is where mistakes are found.
///
/// ```
/// use distributary::Limit;
/// use std::time::Duration;
///
/// let api = Limit::per_second(100).burst(200);
/// let login = Limit::per_minute(5); // burst 5 as well
/// assert_eq!(api.burst_units(), 200);
/// assert!(Limit::try_per(0, Duration::from_secs(1)).is_err());
/// assert_eq!(login, Limit::try_rate(5.0 / 60.0, 5).unwrap_or(login));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    burst_units: u64,
    rate: Rate,
}

impl Limit {
    /// `units` per second, with a burst of as many.
    ///
    /// # Panics
    /// Only on a rate that [`Limit::try_per`] would refuse: zero, or above 10⁹ per second. In a
    /// `const` that is an error at compile time.
    #[must_use]
    pub const fn per_second(units: u64) -> Self {
        Self::per(units, Duration::from_secs(1))
    }

    /// `units` per minute, with a burst of as many. Panics as [`Limit::per_second`] does.
    #[must_use]
    pub const fn per_minute(units: u64) -> Self {
        Self::per(units, Duration::from_secs(60))
    }

    /// `units` per hour, with a burst of as many. Panics as [`Limit::per_second`] does.
    #[must_use]
    pub const fn per_hour(units: u64) -> Self {
        Self::per(units, Duration::from_secs(3600))
    }

    /// `units` per day, with a burst of as many. Panics as [`Limit::per_second`] does.
    #[must_use]
    pub const fn per_day(units: u64) -> Self {
        Self::per(units, Duration::from_secs(86_400))
    }

    /// `units` per `period`, with a burst of as many. Panics as [`Limit::per_second`] does.
    #[must_use]
    pub const fn per(units: u64, period: Duration) -> Self {
        match Self::try_per(units, period) {
            Ok(limit) => limit,
            Err(_) => panic!("not a limit: use `try_per` for input that may be wrong"),
        }
    }

    /// `units` per `period`, with a burst of as many; for input.
    ///
    /// # Errors
    /// Says which part of it cannot be.
    pub const fn try_per(units: u64, period: Duration) -> Result<Self, LimitError> {
        match Rate::new(units, period) {
            Ok(rate) => Self::try_new(rate, units),
            Err(error) => Err(error),
        }
    }

    /// A rate of `units_per_s`, fractional if need be, and a burst; for input.
    ///
    /// # Errors
    /// Says which part of it cannot be: a rate that is zero, negative, NaN, infinite or beyond what
    /// can be counted, a burst of zero or above 2⁴⁰.
    pub fn try_rate(units_per_s: f64, burst_units: u64) -> Result<Self, LimitError> {
        Self::try_new(Rate::from_units_per_second(units_per_s)?, burst_units)
    }

    /// A rate and a burst.
    ///
    /// # Errors
    /// A burst of zero or above 2⁴⁰.
    pub const fn try_new(rate: Rate, burst_units: u64) -> Result<Self, LimitError> {
        if burst_units == 0 {
            return Err(LimitError::BurstZero);
        }
        if burst_units > UNITS_MAX {
            return Err(LimitError::BurstTooLarge(burst_units));
        }
        Ok(Self { burst_units, rate })
    }

    /// The same rate with another burst. Panics, as [`Limit::per_second`] does, on a burst of zero
    /// or above 2⁴⁰.
    #[must_use]
    pub const fn burst(self, units: u64) -> Self {
        match Self::try_new(self.rate, units) {
            Ok(limit) => limit,
            Err(_) => panic!("not a burst: it must lie between 1 and 2^40 units"),
        }
    }

    /// The same rate with another burst; for input.
    ///
    /// # Errors
    /// A burst of zero or above 2⁴⁰.
    pub const fn try_burst(self, units: u64) -> Result<Self, LimitError> {
        Self::try_new(self.rate, units)
    }

    /// How many units may come at once.
    #[must_use]
    pub const fn burst_units(self) -> u64 {
        self.burst_units
    }

    /// How fast units come back.
    #[must_use]
    pub const fn rate(self) -> Rate {
        self.rate
    }
}

/// How far a cluster may admit above the burst: ε, as a right of overdraft in parts of the burst.
///
/// 0 is strict. 1 lets the cluster as a whole admit two bursts at worst. What is overdrawn is
/// repaid from the rate, so the long-run rate is exact whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overshoot(Share);

impl Overshoot {
    /// Never a unit above the burst.
    pub const NONE: Self = Self(Share::NONE);

    /// `fraction` of the burst, counted to a billionth, rounded down.
    ///
    /// # Errors
    /// A fraction that is negative, NaN or above 1000.
    pub fn new(fraction: f64) -> Result<Self, LimitError> {
        if !(0.0..=1000.0).contains(&fraction) {
            return Err(LimitError::OvershootOutOfRange(fraction));
        }
        // The small addend undoes a decimal fraction's binary error, nothing more.
        let billionths = (fraction * 1e9 + 1e-3).floor() as u128;
        let parts = billionths * u128::from(Share::WHOLE.parts()) / 1_000_000_000;
        Ok(Self(Share::from_parts(
            u64::try_from(parts).unwrap_or(u64::MAX),
        )))
    }

    /// The right of overdraft that all nodes together have.
    #[must_use]
    pub const fn right(self) -> Share {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_exactly_a_fifth() {
        let fifth = Overshoot::new(0.2).expect("in range");
        assert_eq!(fifth.right().parts() * 5, Share::WHOLE.parts());
        assert_eq!(Overshoot::new(1.0).expect("in range").right(), Share::WHOLE);
        for bad in [-0.1, f64::NAN, 1001.0] {
            assert!(Overshoot::new(bad).is_err());
        }
    }

    #[test]
    fn bursts_out_of_range_are_refused_by_name() {
        let rate = Limit::per_second(1);
        assert_eq!(rate.try_burst(0), Err(LimitError::BurstZero));
        assert_eq!(
            rate.try_burst(UNITS_MAX + 1),
            Err(LimitError::BurstTooLarge(UNITS_MAX + 1))
        );
        assert_eq!(Limit::try_rate(1.0, 0), Err(LimitError::BurstZero));
    }
}
