//! Which processes ran when, and when something was wrong, read off the scenario alone.

use std::collections::BTreeMap;

use crate::Scenario;
use crate::clock::Clock;
use crate::scenario::{FaultKind, Quality};

/// Where nobody is evicted, an operator gives the dead up so long after healing.
const GIVEN_UP_MS: u64 = 4_000;

/// How long after healing the dead are evicted, or given up by an operator.
pub fn gone_after_ms(scenario: &Scenario) -> u64 {
    scenario.cluster.evict_after_ms.unwrap_or(GIVEN_UP_MS)
}

/// What clocks read at first: so much that none jumps back below zero.
const CLOCK_BEGINS_NS: u64 = 1_000_000_000_000_000;

/// The end of what does not end.
const NEVER: u64 = u64::MAX;

/// One life at a place.
#[derive(Clone, Copy, Debug)]
struct Life {
    from_ns: u64,
    to_ns: u64,
    /// It was told to leave: it ends when it has, which may take a while.
    leaves: bool,
}

impl Life {
    const fn from(from_ns: u64) -> Self {
        Self {
            from_ns,
            to_ns: NEVER,
            leaves: false,
        }
    }
}

/// A spell in which a place does not behave.
#[derive(Clone, Copy, Debug)]
struct Stall {
    place: usize,
    from_ns: u64,
    to_ns: u64,
}

/// A spell in which datagrams do not pass as usual.
#[derive(Clone, Copy, Debug)]
struct Rough {
    from_ns: u64,
    to_ns: u64,
    /// Cuts end by healing, a bad network by a better one.
    is_cut: bool,
}

/// When which process ran.
#[derive(Debug)]
pub struct Weather {
    places: Vec<Vec<Life>>,
    stalls: Vec<Stall>,
    /// Clocks that were meddled with, by place.
    clocks: BTreeMap<usize, Clock>,
    /// Spells in which datagrams do not pass as usual.
    rough: Vec<Rough>,
    /// Instants at which membership is disturbed: crashes, joins, leaves.
    churn: Vec<u64>,
}

impl Weather {
    /// As the scenario has it.
    pub fn of(scenario: &Scenario) -> Self {
        let mut weather = Self {
            places: vec![vec![Life::from(0)]; scenario.cluster.nodes],
            stalls: Vec::new(),
            clocks: BTreeMap::new(),
            rough: Vec::new(),
            churn: Vec::new(),
        };
        let healed_ns = ns(scenario.duration_ms);
        for fault in &scenario.faults {
            weather.fault(ns(fault.at_ms), &fault.kind, &scenario.network);
        }
        // Who is paused goes on then; whose clock stands still does not.
        let paused = |stall: &&mut Stall| stall.to_ns == NEVER;
        for stall in weather.stalls.iter_mut().filter(paused) {
            stall.to_ns = healed_ns.max(stall.from_ns);
        }
        for spell in &mut weather.rough {
            spell.to_ns = spell.to_ns.min(healed_ns.max(spell.from_ns));
        }
        weather
    }

    fn fault(&mut self, at_ns: u64, kind: &FaultKind, usual: &Quality) {
        match kind {
            FaultKind::Crash(place) | FaultKind::Leave(place) => {
                self.churn.push(at_ns);
                self.ends(*place, at_ns, matches!(kind, FaultKind::Leave(_)));
            }
            FaultKind::Restart(place) => {
                self.churn.push(at_ns);
                self.begins(*place, at_ns);
            }
            FaultKind::Join => {
                self.churn.push(at_ns);
                self.places.push(vec![Life::from(at_ns)]);
            }
            FaultKind::Pause(place) => self.stall(*place, at_ns, NEVER),
            FaultKind::Resume(place) => {
                let paused = |stall: &&mut Stall| stall.place == *place && stall.to_ns == NEVER;
                for stall in self.stalls.iter_mut().filter(paused) {
                    stall.to_ns = at_ns;
                }
            }
            FaultKind::ClockRate(place, ppm) => self.clock(*place).set_rate(at_ns, *ppm),
            FaultKind::ClockFreeze(place, ms) => {
                self.clock(*place).freeze(at_ns, ns(*ms));
                self.stands_still(*place, at_ns);
            }
            FaultKind::ClockStep(place, ms @ ..=0) => {
                self.clock(*place).step(at_ns, signed_ns(*ms));
                self.stands_still(*place, at_ns);
            }
            FaultKind::ClockStep(place, ms) => {
                self.clock(*place).step(at_ns, signed_ns(*ms));
                self.stall(*place, at_ns, at_ns + ns(ms.unsigned_abs()));
            }
            FaultKind::CutOneWay(..) | FaultKind::Partition(_) | FaultKind::Clog(..) => {
                self.roughens(at_ns, true);
            }
            FaultKind::Network(quality) if quality == usual => self.clears(at_ns, false),
            FaultKind::Network(_) => self.roughens(at_ns, false),
            FaultKind::Heal => self.clears(at_ns, true),
            FaultKind::Forget(_) => {}
        }
    }

    fn ends(&mut self, place: usize, at_ns: u64, leaves: bool) {
        if let Some(life) = self
            .places
            .get_mut(place)
            .and_then(|lives| lives.last_mut())
        {
            life.leaves |= leaves && at_ns < life.to_ns;
            life.to_ns = life.to_ns.min(at_ns);
        }
    }

    fn begins(&mut self, place: usize, at_ns: u64) {
        let Some(lives) = self.places.get_mut(place) else {
            return;
        };
        if lives.last().is_none_or(|life| life.to_ns <= at_ns) {
            lives.push(Life::from(at_ns));
        }
    }

    fn stall(&mut self, place: usize, from_ns: u64, to_ns: u64) {
        self.stalls.push(Stall {
            place,
            from_ns,
            to_ns,
        });
    }

    fn clock(&mut self, place: usize) -> &mut Clock {
        let clock = || Clock::new(CLOCK_BEGINS_NS);
        self.clocks.entry(place).or_insert_with(clock)
    }

    /// From now on until its clock goes on.
    fn stands_still(&mut self, place: usize, from_ns: u64) {
        let to_ns = self.clock(place).goes_on_ns(from_ns);
        self.stall(place, from_ns, to_ns);
    }

    fn roughens(&mut self, from_ns: u64, is_cut: bool) {
        self.rough.push(Rough {
            from_ns,
            to_ns: NEVER,
            is_cut,
        });
    }

    fn clears(&mut self, at_ns: u64, is_cut: bool) {
        let open = |spell: &&mut Rough| spell.to_ns == NEVER && spell.is_cut == is_cut;
        for spell in self.rough.iter_mut().filter(open) {
            spell.to_ns = at_ns;
        }
    }

    /// Whether one life ran at a place from one instant to another.
    pub fn runs(&self, place: u32, from_ns: u64, to_ns: u64) -> bool {
        let spans = |life: &Life| life.from_ns <= from_ns && to_ns < life.to_ns;
        self.places
            .get(place as usize)
            .is_some_and(|lives| lives.iter().any(spans))
    }

    /// Whether it neither stood still nor had its clock moved in between.
    pub fn steady(&self, place: u32, from_ns: u64, to_ns: u64) -> bool {
        let hit = |stall: &Stall| {
            stall.place == place as usize && stall.from_ns <= to_ns && from_ns <= stall.to_ns
        };
        !self.stalls.iter().any(hit)
    }

    /// For how long after an instant the clock of some place still stands still.
    pub fn stands_still_ns(&self, from_ns: u64) -> u64 {
        let goes_on = self.clocks.values().map(|clock| clock.goes_on_ns(from_ns));
        goes_on
            .max()
            .map_or(0, |at_ns| at_ns.saturating_sub(from_ns))
    }

    /// For how long after an instant others may lack what who stood still has told: what is not told for
    /// so long is forgotten, and it goes on as if it had told it a moment ago, and tells it when it is due.
    pub fn untold_ns(&self, from_ns: u64, kept_ns: u64, told_again_ns: u64) -> u64 {
        let stood_still = |stall: &Stall| {
            let clock = self.clocks.get(&stall.place);
            let goes_on_ns = clock.map_or(0, |clock| clock.goes_on_ns(stall.from_ns));
            let to_ns = stall.to_ns.max(goes_on_ns);
            (to_ns.saturating_sub(stall.from_ns) >= kept_ns).then_some(to_ns)
        };
        let last_ns = self.stalls.iter().filter_map(stood_still).max();
        last_ns.map_or(0, |at_ns| {
            at_ns.saturating_add(told_again_ns).saturating_sub(from_ns)
        })
    }

    /// Whether datagrams passed as usual between all processes, and all of them went on.
    pub fn calm(&self, from_ns: u64, to_ns: u64) -> bool {
        let rough = self
            .rough
            .iter()
            .any(|spell| spell.from_ns <= to_ns && from_ns <= spell.to_ns);
        let stalls = |stall: &Stall| stall.from_ns <= to_ns && from_ns <= stall.to_ns;
        !rough && !self.stalls.iter().any(stalls)
    }

    /// Whether nobody came or went in between.
    pub fn settled(&self, from_ns: u64, to_ns: u64) -> bool {
        !self
            .churn
            .iter()
            .any(|at_ns| (from_ns..=to_ns).contains(at_ns))
    }

    /// Places there ever were.
    pub fn places(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// Instants at which a process was killed at a place without being followed by another so soon.
    pub fn deaths(&self, rest_ns: u64) -> Vec<(u32, u64)> {
        let mut deaths = Vec::new();
        for (place, lives) in (0u32..).zip(&self.places) {
            let killed = |life: &Life| life.to_ns != NEVER && !life.leaves;
            for (index, life) in lives.iter().enumerate().filter(|(_, life)| killed(life)) {
                let next = lives.get(index + 1).map_or(NEVER, |next| next.from_ns);
                if next.saturating_sub(life.to_ns) >= rest_ns {
                    deaths.push((place, life.to_ns));
                }
            }
        }
        deaths
    }
}

/// Until when nothing went wrong: the first fault, or the end of load.
pub fn fair_until_ns(scenario: &Scenario) -> u64 {
    let first = scenario.faults.iter().map(|fault| fault.at_ms).min();
    ns(first.unwrap_or(u64::MAX).min(scenario.duration_ms))
}

/// A jump of a clock in nanoseconds.
const fn signed_ns(ms: i64) -> i64 {
    ms.saturating_mul(1_000_000)
}

/// Milliseconds of a scenario in nanoseconds of a history.
pub const fn ns(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{fault, plain};

    #[test]
    fn lives_and_spells_are_read_off_the_faults() {
        let mut scenario = plain();
        scenario.faults = vec![
            fault(1_000, FaultKind::Crash(1)),
            fault(2_000, FaultKind::Restart(1)),
            fault(3_000, FaultKind::Partition(vec![vec![0], vec![1, 2]])),
            fault(4_000, FaultKind::Heal),
            fault(5_000, FaultKind::Pause(2)),
            fault(6_000, FaultKind::Resume(2)),
            fault(10_000, FaultKind::CutOneWay(vec![0], vec![1])),
            fault(11_000, FaultKind::Network(scenario.network)),
        ];
        let weather = Weather::of(&scenario);
        assert!(weather.runs(1, 0, ns(999)) && !weather.runs(1, 0, ns(1_000)));
        assert!(!weather.runs(1, ns(1_500), ns(1_600)) && weather.runs(1, ns(2_000), ns(9_000)));
        assert!(!weather.calm(ns(3_500), ns(3_600)) && weather.calm(ns(4_001), ns(4_999)));
        assert!(
            !weather.steady(2, ns(5_500), ns(5_600)) && weather.steady(2, ns(6_001), ns(7_000))
        );
        assert!(
            !weather.calm(ns(12_000), ns(13_000)),
            "no network mends a cut"
        );
        assert_eq!(weather.deaths(ns(500)), vec![(1, ns(1_000))]);
        assert!(weather.deaths(ns(1_500)).is_empty());
    }

    /// Healing resumes who is paused and makes no clock go on: what two jumps back add up to lasts.
    #[test]
    fn a_clock_stands_still_until_it_has_caught_up() {
        let mut scenario = plain();
        let healed_ms = scenario.duration_ms;
        scenario.faults = vec![
            fault(healed_ms - 5_000, FaultKind::ClockStep(1, -7_000)),
            fault(healed_ms - 4_000, FaultKind::ClockFreeze(1, 1_000)),
            fault(healed_ms - 3_000, FaultKind::Pause(2)),
        ];
        let weather = Weather::of(&scenario);
        let still_ms = weather.stands_still_ns(ns(healed_ms)) / 1_000_000;
        assert_eq!(still_ms, 3_000);
        let untold_ms = |kept_ms| {
            let told_again_ns = ns(4_000);
            weather.untold_ns(ns(healed_ms), ns(kept_ms), told_again_ns) / 1_000_000
        };
        assert_eq!((untold_ms(8_000), untold_ms(8_001)), (3_000 + 4_000, 0));
        assert!(!weather.calm(ns(healed_ms + 1_900), ns(healed_ms + 2_000)));
        assert!(weather.steady(2, ns(healed_ms + 1), ns(healed_ms + 2)));
        let later_ms = healed_ms + 10_000;
        assert_eq!(weather.stands_still_ns(ns(later_ms)) / 1_000, 0, "it runs");
        assert!(weather.calm(ns(later_ms), ns(later_ms + 1)));
        scenario.faults.truncate(1);
        let until_ms = |scenario: &Scenario| {
            let still_ns = Weather::of(scenario).stands_still_ns(ns(healed_ms));
            still_ns / 1_000_000
        };
        assert_eq!(until_ms(&scenario), 2_000);
        scenario.faults[0].kind = FaultKind::ClockStep(1, 7_000);
        assert_eq!(until_ms(&scenario), 0, "it jumped ahead");
    }
}
