//! What can be wrong with a limit.

use crate::units::UNITS_MAX;

/// A limit that cannot exist. Nothing was changed by the attempt.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The rate is zero, so no refused request could ever be told when to come back.
    #[error("a rate of 0 admits nothing; to refuse everything, do not call the limiter")]
    RateZero,
    /// The rate is negative.
    #[error("a rate of {0} units per second is negative")]
    RateNegative(f64),
    /// The rate is NaN or infinite.
    #[error("a rate of {0} is not a number of units per second")]
    RateNotFinite(f64),
    /// The rate is above one unit a nanosecond.
    #[error("a rate above 1,000,000,000 units per second cannot be counted")]
    RateTooHigh,
    /// The rate is below one unit in about three years.
    #[error("a rate below one unit in 10^17 nanoseconds (three years) cannot be counted")]
    RateTooLow,
    /// The burst is zero, so no request could ever fit.
    #[error("a burst of 0 admits nothing; the smallest burst is 1")]
    BurstZero,
    /// The burst is above 2^40 units.
    #[error("a burst of {0} units is above the largest, {UNITS_MAX}")]
    BurstTooLarge(u64),
    /// The period of the rate is zero.
    #[error("a period of 0 has no rate")]
    PeriodZero,
    /// The overshoot is negative, NaN, or above 1000.
    #[error("an overshoot of {0} is not between 0 and 1000")]
    OvershootOutOfRange(f64),
}
