//! How much a node is asked for, remembered over three spans.

use serde::{Deserialize, Serialize};

/// Arrivals at one node for one key, in units, refused ones included, each an exponentially fading
/// sum. Demand needs a memory that fits its rate: one span is too slow for a hot spot or too noisy
/// for a client who comes once a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Over about three ticks: what is happening now, when arrivals are dense.
    pub dense: u64,
    /// Over about thirty ticks: the same for arrivals rarer than the tick.
    pub sparse: u64,
    /// Over about 1,200 ticks: where this key's requests usually land, in finer parts of a unit.
    pub habit: u64,
}

impl Demand {
    /// What is left of it so many ticks later if nothing was asked for since.
    #[must_use]
    pub fn faded(self, ticks: u64) -> Self {
        Self {
            dense: faded(self.dense, DENSE_TICKS, ticks),
            sparse: faded(self.sparse, SPARSE_TICKS, ticks),
            habit: faded(self.habit, HABIT_TICKS, ticks),
        }
    }
}

/// Counts are kept in 1/256 of a unit, so that fading does not round small ones away at once.
pub(crate) const COUNT_SCALE: u64 = 256;

/// Habits are kept in finer parts of a unit: who comes once a minute is remembered for minutes.
pub(crate) const HABIT_SCALE: u64 = COUNT_SCALE << 6;

/// Ticks after which a dense count has faded to a third.
pub(crate) const DENSE_TICKS: u64 = 3;
/// Ticks after which a sparse count has faded to a third.
pub(crate) const SPARSE_TICKS: u64 = 30;
/// Ticks after which a habit has faded to a third: two minutes at the default tick.
pub(crate) const HABIT_TICKS: u64 = 1200;

/// Nobody asks for a limit that is asked for less than this part of what it gives back. Counts fade by
/// a part: of a thousand million units a second the last would be gone after ninety seconds.
const NOTHING_PART_BITS: u32 = 16;

/// The largest sparse count that is nothing of a limit that gives back so much, times
/// [`COUNT_SCALE`], in a tick. Of a small limit nothing is nothing but zero.
pub(crate) const fn nothing_count(rate_count_per_tick: u64) -> u64 {
    rate_count_per_tick.saturating_mul(SPARSE_TICKS) >> NOTHING_PART_BITS
}

/// Counts arrivals and lets them fade, tick by tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    demand: Demand,
    tick: u64,
    /// Units asked for within this very tick.
    lately_units: u64,
    /// Requests, and the units they asked for, over as long as the sparse count: what an entry was
    /// opened with is in neither.
    requests: u64,
    requested: u64,
}

impl Meter {
    /// A meter that has seen nothing.
    #[must_use]
    pub const fn new(tick: u64) -> Self {
        Self {
            demand: Demand {
                dense: 0,
                sparse: 0,
                habit: 0,
            },
            tick,
            lately_units: 0,
            requests: 0,
            requested: 0,
        }
    }

    /// Units asked for within the tick in which it was last looked at.
    #[must_use]
    pub const fn lately_units(&self) -> u64 {
        self.lately_units
    }

    /// Units in a request of late, on average and rounded; 1 if there were none.
    #[must_use]
    pub fn cost_units(&self) -> u64 {
        let half = self.requests / 2;
        let average = self.requested.saturating_add(half);
        average.checked_div(self.requests).unwrap_or(1).max(1)
    }

    /// Counts an arrival of `cost_units` at `tick`.
    pub fn count(&mut self, cost_units: u64, tick: u64) {
        self.start_from(cost_units, tick);
        if cost_units > 0 {
            let count = cost_units.saturating_mul(COUNT_SCALE);
            self.requested = self.requested.saturating_add(count);
            self.requests = self.requests.saturating_add(COUNT_SCALE);
        }
    }

    /// Counts so many units of which is not known how many each request needed.
    pub fn start_from(&mut self, units: u64, tick: u64) {
        self.fade(tick);
        self.lately_units = self.lately_units.saturating_add(units);
        let count = units.saturating_mul(COUNT_SCALE);
        let Demand {
            dense,
            sparse,
            habit,
        } = &mut self.demand;
        for span in [dense, sparse] {
            *span = span.saturating_add(count);
        }
        *habit = habit.saturating_add(units.saturating_mul(HABIT_SCALE));
    }

    /// The demand as of `tick`.
    pub fn at(&mut self, tick: u64) -> Demand {
        self.fade(tick);
        self.demand
    }

    fn fade(&mut self, tick: u64) {
        let ticks = tick.saturating_sub(self.tick);
        if ticks == 0 {
            return;
        }
        self.demand = self.demand.faded(ticks);
        self.fade_requests(ticks);
        self.lately_units = 0;
        self.tick = tick;
    }

    /// What is left counts as one request at least, of what they cost last: fewer would round away long
    /// before the units that they asked for do.
    fn fade_requests(&mut self, ticks: u64) {
        let requests = faded(self.requests, SPARSE_TICKS, ticks);
        if requests >= COUNT_SCALE {
            self.requests = requests;
            self.requested = faded(self.requested, SPARSE_TICKS, ticks);
        } else if self.requests > COUNT_SCALE {
            self.requested = self.cost_units().saturating_mul(COUNT_SCALE);
            self.requests = COUNT_SCALE;
        }
    }
}

/// `count · (1 − 1/span)^ticks`, in integers; rounds up the loss, so that it does reach zero.
fn faded(mut count: u64, span: u64, mut ticks: u64) -> u64 {
    if ticks > span * 64 {
        return 0;
    }
    while ticks > 0 && count > 0 {
        count -= count.div_ceil(span);
        ticks -= 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_reads_as_its_span() {
        let mut meter = Meter::new(0);
        for tick in 1..400 {
            meter.count(7, tick);
        }
        let dense = meter.at(399).dense / COUNT_SCALE;
        assert!(
            (18..=21).contains(&dense),
            "7 a tick over three ticks, read {dense}"
        );
    }

    #[test]
    fn everything_is_forgotten_in_the_end() {
        let mut meter = Meter::new(0);
        meter.count(1_000_000, 0);
        assert_eq!(meter.at(80).dense, 0);
        assert!(meter.at(80).sparse > 0);
        assert_eq!(meter.at(HABIT_TICKS * 65), Demand::default());
    }

    #[test]
    fn the_cost_of_a_request_is_their_average() {
        let mut meter = Meter::new(0);
        assert_eq!(meter.cost_units(), 1);
        for tick in 1..20 {
            meter.count(2, tick);
            meter.count(5, tick);
            meter.count(0, tick);
        }
        assert_eq!(meter.cost_units(), 4, "3.5, rounded");
        (20..2000).for_each(|tick| meter.count(20, tick));
        assert_eq!(meter.cost_units(), 20);
        let mut found = Meter::new(0);
        found.start_from(50, 0);
        assert_eq!(found.cost_units(), 1, "nobody knows");
        found.count(3, 0);
        assert_eq!(found.cost_units(), 3);
        for tick in 1..400 {
            let known = (found.cost_units(), found.at(tick).sparse > 0);
            assert!(known.0 == 3, "forgotten at tick {tick}, {known:?}");
        }
    }

    /// However large a limit is, and asked for six times over.
    #[test]
    fn nothing_is_left_of_any_load_within_400_ticks() {
        for units_per_tick in [1, 10, 100, 10_000, 100_000_000] {
            let mut meter = Meter::new(0);
            (0..200).for_each(|tick| meter.count(units_per_tick * 6, tick));
            let nothing = nothing_count(units_per_tick * COUNT_SCALE);
            assert!(meter.at(400).sparse > nothing, "{units_per_tick}");
            assert!(meter.at(600).sparse <= nothing, "{units_per_tick}");
        }
        assert_eq!(
            nothing_count(COUNT_SCALE),
            0,
            "a unit is something of ten a second"
        );
    }

    #[test]
    fn a_tick_that_goes_back_changes_nothing() {
        let mut meter = Meter::new(10);
        meter.count(1, 10);
        let before = meter.at(12);
        assert_eq!(meter.at(3), before);
    }
}
