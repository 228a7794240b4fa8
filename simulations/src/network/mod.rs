//! What becomes of a datagram between two places.
//!
//! A network is a list of rules, asked in the order in which they were laid down; the first that
//! decides is heeded, and the last, the network's quality, always does. A partition is a rule, so
//! are a one-way cut, a clog and a narrow link. Each directed pair of places has its own stream of
//! random numbers, so that what happens to one pair moves no other.
//!
//! What a datagram meets is settled when it is sent: a cut stops what is sent after it, and lets
//! through what was on its way.

mod rules;

use crate::dice::Dice;
use crate::scenario::{FaultKind, Quality, Scenario};

pub use rules::{Clog, Cut, Narrow, Partition, Rule, Ruling, Weather};

/// Something sent from one place to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// When.
    pub at_ns: u64,
    /// From which place.
    pub from: usize,
    /// To which place.
    pub to: usize,
    /// How large it is.
    pub bytes: usize,
}

/// When the copies of a datagram arrive, counted from its sending: none, one or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    delays_ns: [u64; 2],
    copies: u8,
}

impl Fate {
    /// It is lost.
    pub const LOST: Self = Self {
        delays_ns: [0; 2],
        copies: 0,
    };

    /// It arrives once.
    #[must_use]
    pub const fn once(delay_ns: u64) -> Self {
        Self {
            delays_ns: [delay_ns, 0],
            copies: 1,
        }
    }

    /// It arrives twice.
    #[must_use]
    pub const fn twice(first_ns: u64, second_ns: u64) -> Self {
        Self {
            delays_ns: [first_ns, second_ns],
            copies: 2,
        }
    }

    /// The delay of each copy.
    #[must_use]
    pub fn delays_ns(&self) -> &[u64] {
        &self.delays_ns[..usize::from(self.copies)]
    }
}

/// What a directed pair of places has of its own.
#[derive(Debug)]
struct Pair {
    dice: Dice,
    /// When what was sent last arrives: nothing overtakes it where nothing may.
    arrives_ns: u64,
}

/// The network between all places.
pub struct Network {
    rules: Vec<Box<dyn Rule + Send>>,
    weather: Weather,
    pairs: Vec<Vec<Pair>>,
    heals_ns: Vec<u64>,
    seed: u64,
}

impl Network {
    /// A network without any fault. Where it will be healed is not known, so what is clogged
    /// never arrives.
    #[must_use]
    pub fn new(quality: Quality, seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            weather: Weather::new(quality),
            pairs: Vec::new(),
            heals_ns: Vec::new(),
            seed,
        }
    }

    /// The same for a scenario: it knows when it will be healed, and so when clogs end. Time
    /// counts from the first request, as in the scenario.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let heals = scenario
            .faults
            .iter()
            .filter(|fault| fault.kind == FaultKind::Heal)
            .map(|fault| fault.at_ms)
            .chain([scenario.duration_ms]);
        let mut network = Self::new(scenario.network, scenario.seed);
        network.heals_ns = heals.map(|at_ms| at_ms * 1_000_000).collect();
        network.heals_ns.sort_unstable();
        network
    }

    /// The same where time counts from so long before the first request.
    #[must_use]
    pub fn starting_at(mut self, zero_ns: u64) -> Self {
        self.heals_ns
            .iter_mut()
            .for_each(|heal_ns| *heal_ns += zero_ns);
        self
    }

    /// Does what a fault does to the network; what is not of the network is left to others.
    pub fn apply(&mut self, at_ns: u64, fault: &FaultKind) {
        match fault {
            FaultKind::CutOneWay(from, to) => self.add(Cut::new(from, to)),
            FaultKind::Partition(groups) => self.add(Partition::new(groups)),
            FaultKind::Clog(from, to) => {
                let ends_ns = self.heals_ns.iter().copied().find(|heal| *heal > at_ns);
                self.add(Clog::new(from, to, ends_ns));
            }
            FaultKind::Network(quality) => self.weather = Weather::new(*quality),
            FaultKind::Heal => self.rules.clear(),
            FaultKind::Crash(_)
            | FaultKind::Restart(_)
            | FaultKind::Pause(_)
            | FaultKind::Resume(_)
            | FaultKind::Join
            | FaultKind::Leave(_)
            | FaultKind::Forget(_)
            | FaultKind::ClockRate(..)
            | FaultKind::ClockFreeze(..)
            | FaultKind::ClockStep(..) => {}
        }
    }

    /// Lays down a rule, to be asked after those that are there. It ends when all is healed.
    pub fn add(&mut self, rule: impl Rule + Send + 'static) {
        self.rules.push(Box::new(rule));
    }

    /// Whether anything sent now would ever get through.
    #[must_use]
    pub fn passes(&self, from: usize, to: usize) -> bool {
        self.rules.iter().all(|rule| rule.passes(from, to))
    }

    /// The weather that is not a fault.
    #[must_use]
    pub const fn quality(&self) -> Quality {
        self.weather.quality()
    }

    /// When the copies of a datagram arrive that is sent now.
    pub fn fate(&mut self, now_ns: u64, from: usize, to: usize, bytes: usize) -> Fate {
        let datagram = Datagram {
            at_ns: now_ns,
            from,
            to,
            bytes,
        };
        make_room(&mut self.pairs, self.seed, from, to);
        let pair = &mut self.pairs[from][to];
        let mut extra_ns = 0;
        for rule in &mut self.rules {
            match rule.on_datagram(&datagram, &mut pair.dice) {
                Ruling::Pass => {}
                Ruling::Delay(delay_ns) => extra_ns += delay_ns,
                Ruling::Drop => return Fate::LOST,
                Ruling::DeliverAfter(delay_ns) => return Fate::once(extra_ns + delay_ns),
                Ruling::Duplicate(first, second) => {
                    return Fate::twice(extra_ns + first, extra_ns + second);
                }
            }
        }
        let fate = self.weather.fate(&datagram, &mut pair.dice);
        pair.in_order(now_ns, extra_ns, fate, self.weather.quality().reorders)
    }
}

impl Pair {
    /// The fate with what the rules have added, and nothing overtaking where nothing may.
    fn in_order(&mut self, now_ns: u64, extra_ns: u64, fate: Fate, reorders: bool) -> Fate {
        let mut fate = fate;
        for delay_ns in &mut fate.delays_ns[..usize::from(fate.copies)] {
            *delay_ns += extra_ns;
            if !reorders {
                *delay_ns = (*delay_ns).max(self.arrives_ns.saturating_sub(now_ns));
                self.arrives_ns = now_ns + *delay_ns;
            }
        }
        fate
    }
}

fn make_room(pairs: &mut Vec<Vec<Pair>>, seed: u64, from: usize, to: usize) {
    while pairs.len() <= from {
        pairs.push(Vec::new());
    }
    let row = &mut pairs[from];
    while row.len() <= to {
        let number = ((from as u64) << 32) | row.len() as u64;
        row.push(Pair {
            dice: Dice::split(seed, "network", number),
            arrives_ns: 0,
        });
    }
}

#[cfg(test)]
mod tests;
