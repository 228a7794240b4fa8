//! Where time comes from: the one file that reads the operating system's clock.

mod tsc;

pub use tsc::TscClock;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::units::Nanos;

/// A monotonic clock in nanoseconds, from any origin.
///
/// Only its rate matters to the promise: ρ, the error of its rate, is in the bound. One that stands
/// still, or steps back, only burns. It is read once for each check, so it should be fast.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds since this clock's origin.
    fn now_ns(&self) -> u64;
}

/// The operating system's monotonic clock, from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock(Instant);

impl MonotonicClock {
    /// A clock that begins now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the OS clock is read"
    )]
    #[must_use]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands still until it is told to move: for tests. Clones share their time.
///
/// ```
/// use distributary::{Limit, Limiter, ManualClock};
/// use std::{sync::Arc, time::Duration};
///
/// let clock = ManualClock::new();
/// let limiter = Limiter::local_with_clock(Limit::per_second(1), Arc::new(clock.clone()));
/// assert!(limiter.check("ann").is_allowed());
/// assert!(!limiter.check("ann").is_allowed());
/// clock.advance(Duration::from_secs(1));
/// assert!(limiter.check("ann").is_allowed());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that reads zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves it forward; at the end of time (584 years) it stops.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let later = |now_ns: u64| Some(now_ns.saturating_add(by));
        let _moved = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    /// Sets it, also back.
    pub fn set_ns(&self, now_ns: u64) {
        self.0.store(now_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A caller's clock, trusted with nothing: if it panics or steps back the latest time it gave is
/// used, and it is counted.
///
/// Buckets count from the clock's era, so that any origin will do: what they count has room for
/// sixty years. At the end of that room time stands still, which refuses.
pub(crate) struct GuardedClock {
    source: Source,
    era_ns: u64,
    latest_ns: AtomicU64,
    panics: AtomicU64,
    steps_back: AtomicU64,
}

/// Our own clock does not panic and is read without a detour.
enum Source {
    Own(TscClock),
    Given(Arc<dyn Clock>),
}

impl Source {
    /// `None` if it panicked.
    fn now_ns(&self) -> Option<u64> {
        match self {
            Self::Own(clock) => Some(clock.now_ns()),
            Self::Given(clock) => catch_unwind(AssertUnwindSafe(|| clock.now_ns())).ok(),
        }
    }
}

impl GuardedClock {
    /// The clock that was given, or one that reads the processor's counter.
    pub(crate) fn new(clock: Option<Arc<dyn Clock>>) -> Self {
        let source = clock.map_or_else(|| Source::Own(TscClock::new()), Source::Given);
        let first = source.now_ns();
        Self {
            source,
            era_ns: first.map_or(0, |now_ns| now_ns - now_ns % ERA_NS),
            latest_ns: AtomicU64::new(0),
            panics: AtomicU64::new(u64::from(first.is_none())),
            steps_back: AtomicU64::new(0),
        }
    }

    /// What to add to [`GuardedClock::now`] to have what the caller's clock said.
    pub(crate) const fn era_ns(&self) -> u64 {
        self.era_ns
    }

    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        let latest_ns = self.latest_ns.load(Ordering::Relaxed);
        let Some(now_ns) = self.source.now_ns() else {
            self.panics.fetch_add(1, Ordering::Relaxed);
            return Nanos(latest_ns);
        };
        let now_ns = now_ns.saturating_sub(self.era_ns).min(NOW_NS_MAX);
        if now_ns < latest_ns {
            return self.stepped_back(now_ns, latest_ns);
        }
        // Not at every reading: threads would wait for each other.
        if now_ns - latest_ns >= GRAIN_NS {
            self.latest_ns.fetch_max(now_ns, Ordering::Relaxed);
        }
        Nanos(now_ns)
    }

    #[cold]
    fn stepped_back(&self, now_ns: u64, latest_ns: u64) -> Nanos {
        if latest_ns - now_ns > STEP_NS {
            self.steps_back.fetch_add(1, Ordering::Relaxed);
        }
        Nanos(latest_ns)
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(crate) fn steps_back(&self) -> u64 {
        self.steps_back.load(Ordering::Relaxed)
    }
}

/// Nine years: nodes that share a clock and start within an era count from the same origin.
const ERA_NS: u64 = 1 << 58;

/// Fifty-seven years: as far as buckets can count.
const NOW_NS_MAX: u64 = 1_800_000_000_000_000_000;

/// How exactly it is remembered up to when the clock has come: a step back by less shows to nobody but
/// the key that is asked for, which drains nothing then.
const GRAIN_NS: u64 = 1_000_000;

/// Threads read the clock in one order and arrive in another: less than this is no step.
const STEP_NS: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// C11: a caller's clock is trusted with nothing.
    #[test]
    fn a_clock_that_steps_back_is_seen_and_not_followed() {
        let manual = ManualClock::new();
        let guarded = GuardedClock::new(Some(Arc::new(manual.clone())));
        manual.set_ns(5_000_000_000);
        assert_eq!(guarded.now(), Nanos(5_000_000_000));
        manual.set_ns(1);
        assert_eq!(guarded.now(), Nanos(5_000_000_000));
        assert_eq!((guarded.steps_back(), guarded.panics()), (1, 0));
    }
}
