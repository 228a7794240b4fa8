//! A point on one node's monotonic clock.

use std::time::Duration;

/// Nanoseconds on one node's monotonic clock, from an origin of that node's own.
///
/// Two nodes' values are never compared: only differences of one node's values mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);

    /// The instant `delay` later; saturates at the end of time (584 years).
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(duration_ns(delay)))
    }

    /// How long ago `earlier` was; zero if it lies ahead (a clock that stepped back).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in whole nanoseconds, saturating.
pub(crate) fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(Nanos(5).since(Nanos(9)), Duration::ZERO);
        assert_eq!(
            Nanos(u64::MAX).after(Duration::from_secs(1)),
            Nanos(u64::MAX)
        );
        assert_eq!(
            Nanos(1)
                .after(Duration::from_nanos(2))
                .since(Nanos(1))
                .as_nanos(),
            2
        );
    }
}
