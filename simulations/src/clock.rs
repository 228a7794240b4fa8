//! What a place's monotonic clock says at a true time.
//!
//! A clock runs at a rate of its own from an origin of its own, may stand still for a while, and
//! may jump. A node sees it through the library's guard: never a time before the latest it was
//! given, so that a jump back is a clock that stands still until it has caught up.

/// A stretch of true time in which a clock runs evenly.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from_ns: u64,
    /// What the clock reads at its start.
    reads_ns: u64,
    /// Millionths of a second that the clock gains per second.
    pace: u64,
}

/// The pace of a clock without error.
const TRUE_PACE: u64 = 1_000_000;

impl Stretch {
    fn at(&self, true_ns: u64) -> u64 {
        let passed = u128::from(true_ns.saturating_sub(self.from_ns));
        let gained = passed * u128::from(self.pace) / u128::from(TRUE_PACE);
        self.reads_ns + gained as u64
    }

    /// The first true time at which it reads `local_ns`, if it ever does.
    fn first_at(&self, local_ns: u64) -> Option<u64> {
        let ahead = u128::from(local_ns.saturating_sub(self.reads_ns));
        if ahead == 0 {
            return Some(self.from_ns);
        }
        let takes = (ahead * u128::from(TRUE_PACE)).checked_div(u128::from(self.pace))?;
        let exact = takes * u128::from(self.pace) == ahead * u128::from(TRUE_PACE);
        Some(self.from_ns + takes as u64 + u64::from(!exact))
    }
}

/// A place's clock.
#[derive(Clone, Debug)]
pub struct Clock {
    stretches: Vec<Stretch>,
    pace: u64,
    latest_ns: u64,
    error_ppm: u64,
    jumped_ahead: bool,
    held_back: u64,
}

impl Clock {
    /// A clock without error that reads `offset_ns` at true time 0.
    #[must_use]
    pub fn new(offset_ns: u64) -> Self {
        let stretch = Stretch {
            from_ns: 0,
            reads_ns: offset_ns,
            pace: TRUE_PACE,
        };
        Self {
            stretches: vec![stretch],
            pace: TRUE_PACE,
            latest_ns: 0,
            error_ppm: 0,
            jumped_ahead: false,
            held_back: 0,
        }
    }

    /// What a node is told at a true time.
    pub fn now(&mut self, true_ns: u64) -> u64 {
        let raw_ns = self.raw(true_ns);
        self.held_back += u64::from(raw_ns < self.latest_ns);
        self.latest_ns = self.latest_ns.max(raw_ns);
        self.latest_ns
    }

    /// What a node would be told, without its having asked.
    #[must_use]
    pub fn peek(&self, true_ns: u64) -> u64 {
        self.latest_ns.max(self.raw(true_ns))
    }

    fn raw(&self, true_ns: u64) -> u64 {
        let begun = |stretch: &&Stretch| stretch.from_ns <= true_ns;
        let current = self.stretches.iter().rev().find(begun);
        current.unwrap_or(&self.stretches[0]).at(true_ns)
    }

    /// The first true time at which a node could be told `local_ns`. Where the clock stood still
    /// that is the beginning of the standstill.
    #[must_use]
    pub fn true_ns(&self, local_ns: u64) -> u64 {
        let ends = self.stretches.iter().skip(1).map(|next| next.from_ns);
        let stretches = self.stretches.iter().zip(ends.chain([u64::MAX]));
        let mut found = stretches.filter_map(|(stretch, ends_ns)| {
            let at_ns = stretch.first_at(local_ns)?;
            (at_ns <= ends_ns).then_some(at_ns)
        });
        found.next().unwrap_or(u64::MAX)
    }

    /// The first true time not before `from_ns` at which a node could be told `local_ns`; the time
    /// before it if the clock had gone past that by then.
    #[must_use]
    pub fn true_ns_from(&self, local_ns: u64, from_ns: u64) -> u64 {
        let first_ns = self.true_ns(local_ns);
        if first_ns < from_ns && self.guarded(from_ns) <= local_ns {
            return from_ns;
        }
        first_ns
    }

    /// The first true time after `true_ns` at which a node is told a later time than any before: a clock
    /// that stands still, or has jumped back, goes on then.
    #[must_use]
    pub fn goes_on_ns(&self, true_ns: u64) -> u64 {
        self.true_ns(self.guarded(true_ns) + 1)
    }

    /// The latest time that the clock has read by a true time.
    fn guarded(&self, true_ns: u64) -> u64 {
        let ends = self.stretches.iter().skip(1).map(|next| next.from_ns);
        let stretches = self.stretches.iter().zip(ends.chain([u64::MAX]));
        let begun = stretches.filter(|(stretch, _)| stretch.from_ns <= true_ns);
        let read = begun.map(|(stretch, ends_ns)| stretch.at(ends_ns.min(true_ns)));
        read.max().unwrap_or(0)
    }

    /// How long a timer set for so much of this clock's time takes.
    #[must_use]
    pub fn true_span_ns(&self, local_ns: u64) -> u64 {
        let span = u128::from(local_ns) * u128::from(TRUE_PACE) / u128::from(self.pace.max(1));
        u64::try_from(span).unwrap_or(u64::MAX)
    }

    /// From now on so many millionths too fast, or too slow.
    pub fn set_rate(&mut self, true_ns: u64, error_ppm: i64) {
        self.pace = TRUE_PACE.saturating_add_signed(error_ppm).max(1);
        let too_fast = u64::try_from(error_ppm).unwrap_or(0);
        self.error_ppm = self.error_ppm.max(too_fast);
        let (reads_ns, pace) = (self.raw(true_ns), self.pace);
        match self.thaw(true_ns) {
            Some(thaw) => thaw.pace = pace,
            None => self.begin(true_ns, reads_ns, pace),
        }
    }

    /// Stands still for so long.
    pub fn freeze(&mut self, true_ns: u64, span_ns: u64) {
        let reads_ns = self.raw(true_ns);
        self.stretches.retain(|stretch| stretch.from_ns <= true_ns);
        self.begin(true_ns, reads_ns, 0);
        self.begin(true_ns + span_ns, reads_ns, self.pace);
    }

    /// Jumps, back below zero. It is read just before, so that what the guard holds a node at after a
    /// jump back is what the clock had come to, and not what the node had happened to see.
    pub fn step(&mut self, true_ns: u64, jump_ns: i64) {
        self.now(true_ns);
        let reads_ns = self.raw(true_ns).saturating_add_signed(jump_ns);
        self.jumped_ahead |= jump_ns > 0;
        let (pace, thaw) = match self.thaw(true_ns) {
            Some(thaw) => (0, Some((thaw.from_ns, thaw.pace))),
            None => (self.pace, None),
        };
        self.stretches.retain(|stretch| stretch.from_ns <= true_ns);
        self.begin(true_ns, reads_ns, pace);
        if let Some((from_ns, pace)) = thaw {
            self.begin(from_ns, reads_ns, pace);
        }
    }

    /// The end of a standstill that lasts on.
    fn thaw(&mut self, true_ns: u64) -> Option<&mut Stretch> {
        let last = self.stretches.last_mut()?;
        (last.from_ns > true_ns).then_some(last)
    }

    fn begin(&mut self, from_ns: u64, reads_ns: u64, pace: u64) {
        self.stretches.push(Stretch {
            from_ns,
            reads_ns,
            pace,
        });
    }

    /// By how many millionths it ever ran too fast. One that jumped ahead has no rate that could be
    /// stated: then it is the largest number, and a promise that rests on the rate says nothing.
    #[must_use]
    pub const fn error_ppm(&self) -> u64 {
        if self.jumped_ahead {
            return u64::MAX;
        }
        self.error_ppm
    }

    /// How often a node was told an older time than the clock read, because it had jumped back.
    #[must_use]
    pub const fn held_back(&self) -> u64 {
        self.held_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_clock_runs_at_its_own_rate_from_its_own_origin() {
        let mut clock = Clock::new(70 * SECOND_NS);
        clock.set_rate(10 * SECOND_NS, 10_000);
        assert_eq!(clock.now(10 * SECOND_NS), 80 * SECOND_NS);
        assert_eq!(clock.now(110 * SECOND_NS), 181 * SECOND_NS);
        assert_eq!(clock.true_ns(181 * SECOND_NS), 110 * SECOND_NS);
        assert_eq!(clock.error_ppm(), 10_000);
    }

    #[test]
    fn a_jump_back_is_a_standstill_and_a_freeze_is_one() {
        let mut clock = Clock::new(0);
        assert_eq!(clock.now(5 * SECOND_NS), 5 * SECOND_NS);
        clock.step(5 * SECOND_NS, -2 * SECOND_NS as i64);
        assert_eq!(clock.now(6 * SECOND_NS), 5 * SECOND_NS);
        assert_eq!(clock.now(8 * SECOND_NS), 6 * SECOND_NS);
        clock.freeze(8 * SECOND_NS, 3 * SECOND_NS);
        assert_eq!(clock.now(10 * SECOND_NS), 6 * SECOND_NS);
        assert_eq!(clock.now(12 * SECOND_NS), 7 * SECOND_NS);
        assert_eq!(
            clock.true_ns_from(6 * SECOND_NS, 9 * SECOND_NS),
            9 * SECOND_NS
        );
        assert_eq!(
            clock.true_ns_from(6 * SECOND_NS, 12 * SECOND_NS),
            8 * SECOND_NS
        );
        assert_eq!((clock.error_ppm(), clock.held_back()), (0, 1));
    }

    #[test]
    fn what_happens_in_a_standstill_does_not_end_it() {
        let mut clock = Clock::new(0);
        clock.freeze(SECOND_NS, 4 * SECOND_NS);
        clock.step(2 * SECOND_NS, SECOND_NS as i64);
        clock.set_rate(3 * SECOND_NS, -500_000);
        assert_eq!(clock.now(4 * SECOND_NS), 2 * SECOND_NS);
        assert_eq!(clock.now(7 * SECOND_NS), 3 * SECOND_NS);
        assert_eq!(clock.error_ppm(), u64::MAX);
    }

    #[test]
    fn what_is_told_after_a_jump_back_is_dated_to_when_it_was_told() {
        let mut clock = Clock::new(0);
        assert_eq!(clock.now(1_000), 1_000);
        clock.step(5_000, -3_000);
        let told = clock.now(6_000);
        assert_eq!(clock.true_ns_from(told, 5_500), 5_500);
    }
}
