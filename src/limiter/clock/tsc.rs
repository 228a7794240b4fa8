//! The processor's own counter, kept honest by the operating system's clock.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::{Clock, MonotonicClock};

/// A clock that reads the processor's time stamp counter, and the operating system's monotonic clock
/// whenever the counter has moved on by 20 ms since that was read last: 10 ns instead of 27.
///
/// What the counter is worth in nanoseconds was measured once by the process, to some parts in a
/// million, so that the two are apart by less than a microsecond when they are compared. After a gap,
/// such as a suspended machine, the operating system's clock decides. Where the counter cannot be
/// trusted to run evenly the operating system's clock is read each time.
///
/// The first one that a process makes may take up to 200 ms.
#[derive(Debug)]
pub struct TscClock {
    counter: quanta::Clock,
    system: MonotonicClock,
    /// Odd while the two below are being written.
    version: AtomicU64,
    counted: AtomicU64,
    read_ns: AtomicU64,
}

/// For how long the counter alone is believed.
const ALONE_NS: u64 = 20_000_000;

impl TscClock {
    /// A clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        let counter = quanta::Clock::new();
        let counted = AtomicU64::new(counter.raw());
        Self {
            counter,
            system: MonotonicClock::new(),
            version: AtomicU64::new(0),
            counted,
            read_ns: AtomicU64::new(0),
        }
    }

    /// What the operating system's clock said last, if the counter can be believed since.
    fn by_counter(&self, counted: u64) -> Option<u64> {
        let version = self.version.load(Ordering::Acquire);
        let since = self.counted.load(Ordering::Relaxed);
        let read_ns = self.read_ns.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let whole = version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version;
        let passed_ns = self.counter.delta_as_nanos(since, counted);
        (whole && counted >= since && passed_ns < ALONE_NS).then(|| read_ns + passed_ns)
    }

    /// Reads the operating system's clock; one thread at a time notes it.
    #[cold]
    fn by_system(&self) -> u64 {
        let version = self.version.load(Ordering::Relaxed);
        let now_ns = self.system.now_ns();
        // After it: a thread that sleeps in between makes the clock late, never early.
        let counted = self.counter.raw();
        let next = version.wrapping_add(1);
        let begins = version.is_multiple_of(2)
            && self
                .version
                .compare_exchange(version, next, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if begins {
            fence(Ordering::Release);
            self.counted.store(counted, Ordering::Relaxed);
            self.read_ns.store(now_ns, Ordering::Relaxed);
            self.version.store(next.wrapping_add(1), Ordering::Release);
        }
        now_ns
    }
}

impl Default for TscClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TscClock {
    fn now_ns(&self) -> u64 {
        let counted = self.counter.raw();
        self.by_counter(counted).unwrap_or_else(|| self.by_system())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_has_gone_back_or_far_ahead_is_not_believed() {
        let clock = TscClock::new();
        assert_eq!(clock.by_counter(u64::MAX), None);
        assert_eq!(clock.by_counter(0), None);
        let now_ns = clock.by_system();
        assert!(
            clock
                .by_counter(clock.counter.raw())
                .is_some_and(|ns| ns >= now_ns)
        );
    }
}
