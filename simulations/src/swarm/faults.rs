//! What goes wrong in a swarm's run: a few families of faults, each as it comes in life.

use crate::Scenario;
use crate::dice::Dice;
use crate::scenario::{Fault, FaultKind, Quality};

/// Nothing goes wrong before.
const FROM_MS: u64 = 2_000;
/// Now and then nothing goes wrong for long, so that what holds in fair weather is seen too.
const LATE_FROM_MS: u64 = 32_000;
/// The last faults come so long before the end.
const REST_MS: u64 = 4_000;
/// Places that may join.
const JOINS_MAX: usize = 3;

/// At least two faults, sorted, each possible when it comes.
pub fn draw(dice: &mut Dice, scenario: &Scenario) -> Vec<Fault> {
    let from_ms = if dice.is_milli(80) {
        LATE_FROM_MS
    } else {
        FROM_MS
    };
    let mut drawn = Drawn {
        nodes: scenario.cluster.nodes,
        from_ms,
        until_ms: scenario.duration_ms - REST_MS,
        network: scenario.network,
        faults: Vec::new(),
    };
    for _ in 0..dice.within(2, 4) {
        drawn.family(dice);
    }
    let mut faults = drawn.possible();
    if faults.iter().filter(|fault| harms(&fault.kind)).count() < 2 {
        drawn.cut(dice);
        drawn.pause(dice);
        faults = drawn.possible();
    }
    faults
}

const fn harms(kind: &FaultKind) -> bool {
    !matches!(
        kind,
        FaultKind::Heal | FaultKind::Resume(_) | FaultKind::Forget(_)
    )
}

struct Drawn {
    nodes: usize,
    from_ms: u64,
    until_ms: u64,
    network: Quality,
    faults: Vec<Fault>,
}

impl Drawn {
    fn family(&mut self, dice: &mut Dice) {
        match dice.within(0, 17) {
            0 | 1 => self.cut(dice),
            2 => self.one_way(dice),
            3 => self.bridge(dice),
            4 => self.ring(dice),
            5 => self.flapping(dice),
            6 => self.swizzle(dice),
            7 => self.crash(dice),
            8 | 9 => self.restart(dice),
            10 if dice.is_milli(300) => self.replaced_in_pause(dice),
            10 => self.pause(dice),
            11 => self.join(dice),
            12 if dice.is_milli(300) => self.all_die(dice),
            12 if dice.is_milli(600) => self.leave_in_cut(dice),
            12 => self.leave(dice),
            13 => self.rolling(dice),
            14 => self.clock(dice),
            15 => self.bad_network(dice),
            16 => self.death_then_join(dice),
            _ => self.both_sides_change(dice),
        }
    }

    fn add(&mut self, at_ms: u64, kind: FaultKind) {
        let at_ms = at_ms.min(self.until_ms);
        self.faults.push(Fault { at_ms, kind });
    }

    fn at(&self, dice: &mut Dice) -> u64 {
        dice.within(self.from_ms, self.until_ms)
    }

    fn place(&self, dice: &mut Dice) -> usize {
        dice.within(0, self.nodes as u64 - 1) as usize
    }

    /// Mostly some seconds; now and then longer than eviction waits.
    fn length(dice: &mut Dice) -> u64 {
        match dice.within(0, 3) {
            0 => dice.within(200, 2_000),
            1 | 2 => dice.within(2_000, 15_000),
            _ => dice.within(15_000, 45_000),
        }
    }

    /// Two sides, each with somebody.
    fn sides(&self, dice: &mut Dice) -> (Vec<usize>, Vec<usize>) {
        let first = self.place(dice);
        let (mut one, mut other) = (vec![first], Vec::new());
        for place in (0..self.nodes).filter(|place| *place != first) {
            if dice.is_milli(500) {
                one.push(place);
            } else {
                other.push(place);
            }
        }
        if other.is_empty() {
            other.extend(one.pop());
        }
        (one, other)
    }

    fn cut(&mut self, dice: &mut Dice) {
        let at_ms = self.at(dice);
        let (one, other) = self.sides(dice);
        self.add(at_ms, FaultKind::Partition(vec![one, other]));
        self.add(at_ms + Self::length(dice), FaultKind::Heal);
    }

    fn one_way(&mut self, dice: &mut Dice) {
        let at_ms = self.at(dice);
        let (one, other) = self.sides(dice);
        self.add(at_ms, FaultKind::CutOneWay(one, other));
        self.add(at_ms + Self::length(dice), FaultKind::Heal);
    }

    fn bridge(&mut self, dice: &mut Dice) {
        let at_ms = self.at(dice);
        let bridge = self.place(dice);
        let (mut one, mut other) = self.sides(dice);
        one.retain(|place| *place != bridge);
        other.retain(|place| *place != bridge);
        self.add(at_ms, FaultKind::Partition(vec![one, other]));
        self.add(at_ms + Self::length(dice), FaultKind::Heal);
    }

    /// Each reaches its two neighbours only.
    fn ring(&mut self, dice: &mut Dice) {
        let at_ms = self.at(dice);
        let nodes = self.nodes;
        let pair = |place: usize| vec![place, (place + 1) % nodes];
        self.add(at_ms, FaultKind::Partition((0..nodes).map(pair).collect()));
        self.add(at_ms + Self::length(dice), FaultKind::Heal);
    }

    fn flapping(&mut self, dice: &mut Dice) {
        let (one, other) = self.sides(dice);
        let mut at_ms = self.at(dice);
        for _ in 0..dice.within(3, 8) {
            self.add(
                at_ms,
                FaultKind::Partition(vec![one.clone(), other.clone()]),
            );
            at_ms += dice.within(100, 3_000);
            self.add(at_ms, FaultKind::Heal);
            at_ms += dice.within(100, 3_000);
        }
    }

    /// One after the other is clogged; then all comes at once.
    fn swizzle(&mut self, dice: &mut Dice) {
        let mut at_ms = self.at(dice);
        let (some, _) = self.sides(dice);
        for place in some {
            let others = (0..self.nodes).filter(|other| *other != place).collect();
            self.add(at_ms, FaultKind::Clog(vec![place], others));
            at_ms += dice.within(50, 1_500);
        }
        self.add(at_ms + dice.within(100, 5_000), FaultKind::Heal);
    }

    fn crash(&mut self, dice: &mut Dice) {
        let (at_ms, place) = (self.at(dice), self.place(dice));
        self.add(at_ms, FaultKind::Crash(place));
        if dice.is_milli(300) {
            self.add(at_ms + dice.within(1_000, 10_000), FaultKind::Forget(place));
        }
    }

    fn restart(&mut self, dice: &mut Dice) {
        let (mut at_ms, place) = (self.at(dice), self.place(dice));
        for _ in 0..dice.pick(&[1, 1, 2, 5]) {
            self.add(at_ms, FaultKind::Crash(place));
            at_ms += dice.within(50, 4_000);
            self.add(at_ms, FaultKind::Restart(place));
            at_ms += dice.within(500, 4_000);
        }
    }

    fn pause(&mut self, dice: &mut Dice) {
        let (at_ms, place) = (self.at(dice), self.place(dice));
        self.add(at_ms, FaultKind::Pause(place));
        self.add(at_ms + Self::length(dice), FaultKind::Resume(place));
    }

    /// Somebody begins a new life at its place though the old one is only paused.
    fn replaced_in_pause(&mut self, dice: &mut Dice) {
        let (at_ms, place) = (self.at(dice), self.place(dice));
        self.add(at_ms, FaultKind::Pause(place));
        let at_ms = at_ms + dice.within(200, 5_000);
        self.add(at_ms, FaultKind::Restart(place));
        self.add(at_ms + Self::length(dice), FaultKind::Resume(place));
    }

    /// Nobody is left who remembers anything: the cluster is founded anew.
    fn all_die(&mut self, dice: &mut Dice) {
        let at_ms = self.at(dice).min(self.from_ms + 30_000);
        for place in 0..self.nodes {
            self.add(at_ms + dice.within(0, 1_000), FaultKind::Crash(place));
            self.add(at_ms + dice.within(1_200, 4_000), FaultKind::Restart(place));
        }
    }

    fn join(&mut self, dice: &mut Dice) {
        for _ in 0..dice.pick(&[1, 1, 2]) {
            let at_ms = self.at(dice);
            self.add(at_ms, FaultKind::Join);
        }
    }

    fn leave(&mut self, dice: &mut Dice) {
        let (at_ms, place) = (self.at(dice), self.place(dice));
        self.add(at_ms, FaultKind::Leave(place));
    }

    /// One that nobody hears wants to leave: it has nobody to hand anything to.
    fn leave_in_cut(&mut self, dice: &mut Dice) {
        let (at_ms, place) = (self.at(dice), self.place(dice));
        let others = (0..self.nodes).filter(|other| *other != place).collect();
        self.add(at_ms, FaultKind::Partition(vec![vec![place], others]));
        self.add(at_ms + dice.within(0, 3_000), FaultKind::Leave(place));
        self.add(at_ms + dice.within(10_000, 40_000), FaultKind::Heal);
    }

    /// One after the other leaves in order and begins anew.
    fn rolling(&mut self, dice: &mut Dice) {
        let mut at_ms = self.at(dice).min(self.from_ms + 20_000);
        for place in 0..self.nodes.min(12) {
            self.add(at_ms, FaultKind::Leave(place));
            at_ms += dice.within(1_500, 3_000);
            self.add(at_ms, FaultKind::Restart(place));
            at_ms += dice.within(1_000, 3_000);
            if at_ms >= self.until_ms {
                return;
            }
        }
    }

    fn clock(&mut self, dice: &mut Dice) {
        let (at_ms, place) = (self.at(dice), self.place(dice));
        let rate = dice.within(0, 20_000) as i64 - 10_000;
        self.add(at_ms, FaultKind::ClockRate(place, rate));
        let (at_ms, place) = (self.at(dice), self.place(dice));
        match dice.within(0, 3) {
            0 => self.add(
                at_ms,
                FaultKind::ClockFreeze(place, dice.within(100, 10_000)),
            ),
            1 => self.add(
                at_ms,
                FaultKind::ClockStep(place, dice.within(1, 5_000) as i64),
            ),
            _ => self.add(
                at_ms,
                FaultKind::ClockStep(place, -(dice.within(1, 20_000) as i64)),
            ),
        }
    }

    fn bad_network(&mut self, dice: &mut Dice) {
        let at_ms = self.at(dice);
        let bad = Quality {
            delay_us_max: dice.pick(&[3_000, 100_000, 500_000]),
            loss_milli: dice.pick(&[100, 200, 400, 600]),
            double_milli: dice.pick(&[0, 100, 300]),
            tail_milli: dice.pick(&[0, 50]),
            ..self.network
        };
        let delay_us_max = bad.delay_us_max.max(bad.delay_us_min);
        self.add(
            at_ms,
            FaultKind::Network(Quality {
                delay_us_max,
                ..bad
            }),
        );
        self.add(at_ms + Self::length(dice), FaultKind::Network(self.network));
    }

    /// A member dies and is not yet evicted when another joins.
    fn death_then_join(&mut self, dice: &mut Dice) {
        let (at_ms, place) = (self.at(dice), self.place(dice));
        self.add(at_ms, FaultKind::Crash(place));
        self.add(at_ms + dice.within(100, 5_000), FaultKind::Join);
    }

    /// Each side of a cut loses a member and gains one.
    fn both_sides_change(&mut self, dice: &mut Dice) {
        let at_ms = self
            .at(dice)
            .min(self.until_ms.saturating_sub(20_000))
            .max(self.from_ms);
        let (one, other) = self.sides(dice);
        let (dead, left) = (one[0], other[0]);
        self.add(at_ms, FaultKind::Partition(vec![one, other]));
        self.add(at_ms + dice.within(500, 5_000), FaultKind::Crash(dead));
        self.add(at_ms + dice.within(500, 5_000), FaultKind::Leave(left));
        self.add(at_ms + dice.within(5_500, 9_000), FaultKind::Restart(dead));
        self.add(at_ms + dice.within(5_500, 9_000), FaultKind::Restart(left));
        self.add(at_ms + dice.within(10_000, 25_000), FaultKind::Heal);
    }

    /// In order, without those that can't happen when their time comes.
    fn possible(&mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.at_ms);
        possible(self.nodes, &self.faults)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Runs,
    Paused,
    /// A new life, beside an old one that is only paused.
    Twice,
    Dead,
    Left,
}

/// Those faults that can happen when their time comes: nobody dies twice, and the last
/// who runs neither leaves nor pauses.
pub fn possible(nodes: usize, faults: &[Fault]) -> Vec<Fault> {
    let mut places = vec![Place::Runs; nodes];
    let mut possible = Vec::new();
    for fault in faults {
        let running = places.iter().filter(|place| **place == Place::Runs).count();
        let is = |place: &usize, state| places.get(*place) == Some(&state);
        let ends = |place: &usize| is(place, Place::Runs) || is(place, Place::Twice);
        let (can, change) = match &fault.kind {
            FaultKind::Crash(place) => (
                ends(place) || is(place, Place::Paused),
                Some((*place, Place::Dead)),
            ),
            FaultKind::Leave(place) => (ends(place) && running > 1, Some((*place, Place::Left))),
            FaultKind::Restart(place) if is(place, Place::Paused) => {
                (true, Some((*place, Place::Twice)))
            }
            FaultKind::Restart(place) => {
                let can = is(place, Place::Dead) || is(place, Place::Left);
                (can, Some((*place, Place::Runs)))
            }
            FaultKind::Pause(place) => (
                is(place, Place::Runs) && running > 1,
                Some((*place, Place::Paused)),
            ),
            FaultKind::Resume(place) => {
                let can = is(place, Place::Paused) || is(place, Place::Twice);
                (can, Some((*place, Place::Runs)))
            }
            FaultKind::Forget(place) => (is(place, Place::Dead), None),
            FaultKind::Join => (places.len() < nodes + JOINS_MAX, None),
            FaultKind::ClockRate(place, _)
            | FaultKind::ClockFreeze(place, _)
            | FaultKind::ClockStep(place, _) => (*place < places.len(), None),
            _ => (true, None),
        };
        if !can {
            continue;
        }
        if let Some((place, state)) = change {
            places[place] = state;
        }
        if fault.kind == FaultKind::Join {
            places.push(Place::Runs);
        }
        possible.push(fault.clone());
    }
    possible
}
