//! The rules that a network is made of.

use std::collections::BTreeMap;

use super::{Datagram, Fate};
use crate::dice::Dice;
use crate::scenario::Quality;

/// What a rule says of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing: the next rule is asked.
    Pass,
    /// It takes so much longer; the next rule is asked.
    Delay(u64),
    /// It arrives after so long.
    DeliverAfter(u64),
    /// It is lost.
    Drop,
    /// It arrives twice, after so long each.
    Duplicate(u64, u64),
}

/// Decides on datagrams.
pub trait Rule {
    /// What becomes of a datagram, if this rule has a say in it.
    fn on_datagram(&mut self, datagram: &Datagram, dice: &mut Dice) -> Ruling;

    /// Whether anything can pass from one place to another at all.
    fn passes(&self, _from: usize, _to: usize) -> bool {
        true
    }
}

/// Nothing passes from some places to some others.
#[derive(Clone, Debug)]
pub struct Cut {
    from: Vec<usize>,
    to: Vec<usize>,
}

impl Cut {
    /// One way.
    #[must_use]
    pub fn new(from: &[usize], to: &[usize]) -> Self {
        let (from, to) = (from.to_vec(), to.to_vec());
        Self { from, to }
    }
}

impl Rule for Cut {
    fn on_datagram(&mut self, datagram: &Datagram, _dice: &mut Dice) -> Ruling {
        match self.passes(datagram.from, datagram.to) {
            true => Ruling::Pass,
            false => Ruling::Drop,
        }
    }

    fn passes(&self, from: usize, to: usize) -> bool {
        !(self.from.contains(&from) && self.to.contains(&to))
    }
}

/// Nothing passes between groups. A place in two of them is in touch with both, a place in none
/// with everybody.
#[derive(Clone, Debug)]
pub struct Partition(Vec<Vec<usize>>);

impl Partition {
    /// Both ways.
    #[must_use]
    pub fn new(groups: &[Vec<usize>]) -> Self {
        Self(groups.to_vec())
    }

    fn is_in_any(&self, place: usize) -> bool {
        self.0.iter().any(|group| group.contains(&place))
    }
}

impl Rule for Partition {
    fn on_datagram(&mut self, datagram: &Datagram, _dice: &mut Dice) -> Ruling {
        match self.passes(datagram.from, datagram.to) {
            true => Ruling::Pass,
            false => Ruling::Drop,
        }
    }

    fn passes(&self, from: usize, to: usize) -> bool {
        let mut groups = self.0.iter();
        let together = groups.any(|group| group.contains(&from) && group.contains(&to));
        together || !self.is_in_any(from) || !self.is_in_any(to)
    }
}

/// Datagrams of a pair that a clog holds at most; what comes on top is lost.
pub const CLOGGED_MAX: u64 = 4096;

/// From some places to others all waits until the clog ends.
#[derive(Clone, Debug)]
pub struct Clog {
    from: Vec<usize>,
    to: Vec<usize>,
    ends_ns: Option<u64>,
    held: BTreeMap<(usize, usize), u64>,
}

/// How long what was clogged takes to arrive once it can, at most.
const RUSH_NS: u64 = 2_000_000;

impl Clog {
    /// A clog that ends at an instant, or never, which loses everything.
    #[must_use]
    pub fn new(from: &[usize], to: &[usize], ends_ns: Option<u64>) -> Self {
        Self {
            from: from.to_vec(),
            to: to.to_vec(),
            ends_ns,
            held: BTreeMap::new(),
        }
    }
}

impl Rule for Clog {
    fn on_datagram(&mut self, datagram: &Datagram, dice: &mut Dice) -> Ruling {
        let (from, to) = (datagram.from, datagram.to);
        if !(self.from.contains(&from) && self.to.contains(&to)) {
            return Ruling::Pass;
        }
        let held = self.held.entry((from, to)).or_default();
        *held += 1;
        match self.ends_ns {
            Some(ends_ns) if *held <= CLOGGED_MAX => {
                let wait_ns = ends_ns.saturating_sub(datagram.at_ns);
                Ruling::DeliverAfter(wait_ns + dice.within(0, RUSH_NS))
            }
            _ => Ruling::Drop,
        }
    }

    fn passes(&self, from: usize, to: usize) -> bool {
        !(self.from.contains(&from) && self.to.contains(&to))
    }
}

/// How long a datagram may wait for a narrow link before it is dropped.
pub const NARROW_WAIT_NS_MAX: u64 = 200_000_000;

/// Each direction of each pair carries so many bytes per second, with a buffer in front.
#[derive(Clone, Debug)]
pub struct Narrow {
    bytes_per_second: u64,
    free_at_ns: BTreeMap<(usize, usize), u64>,
}

impl Narrow {
    /// A link of so many bytes per second; not 0.
    #[must_use]
    pub const fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            free_at_ns: BTreeMap::new(),
        }
    }
}

impl Rule for Narrow {
    fn on_datagram(&mut self, datagram: &Datagram, _dice: &mut Dice) -> Ruling {
        let free_at = self
            .free_at_ns
            .entry((datagram.from, datagram.to))
            .or_default();
        let wait_ns = free_at.saturating_sub(datagram.at_ns);
        if wait_ns > NARROW_WAIT_NS_MAX {
            return Ruling::Drop;
        }
        let takes_ns = datagram.bytes as u64 * 1_000_000_000 / self.bytes_per_second.max(1);
        *free_at = datagram.at_ns + wait_ns + takes_ns;
        Ruling::Delay(wait_ns + takes_ns)
    }
}

/// The last rule: delay, loss, doubling and bandwidth as a quality says. It always decides.
#[derive(Clone, Debug)]
pub struct Weather {
    quality: Quality,
    narrow: Option<Narrow>,
}

/// A datagram that is late is late by up to so many times the longest delay.
const TAIL_FACTOR: u64 = 10;

impl Weather {
    /// As a quality says.
    #[must_use]
    pub fn new(quality: Quality) -> Self {
        let bandwidth = quality.bandwidth_bytes;
        Self {
            quality,
            narrow: (bandwidth > 0).then(|| Narrow::new(bandwidth)),
        }
    }

    /// The quality.
    #[must_use]
    pub const fn quality(&self) -> Quality {
        self.quality
    }

    pub(super) fn fate(&mut self, datagram: &Datagram, dice: &mut Dice) -> Fate {
        let narrow = self.narrow.as_mut();
        let queued = narrow.map_or(Ruling::Pass, |narrow| narrow.on_datagram(datagram, dice));
        let extra_ns = match queued {
            Ruling::Drop => return Fate::LOST,
            Ruling::Delay(extra_ns) => extra_ns,
            Ruling::Pass | Ruling::DeliverAfter(_) | Ruling::Duplicate(..) => 0,
        };
        if dice.is_milli(self.quality.loss_milli) {
            return Fate::LOST;
        }
        let first_ns = extra_ns + self.delay_ns(dice);
        if dice.is_milli(self.quality.double_milli) {
            return Fate::twice(first_ns, extra_ns + self.delay_ns(dice));
        }
        Fate::once(first_ns)
    }

    fn delay_ns(&self, dice: &mut Dice) -> u64 {
        let (min, max) = (self.quality.delay_us_min, self.quality.delay_us_max);
        if dice.is_milli(self.quality.tail_milli) {
            return dice.within(max * 1_000, max * 1_000 * TAIL_FACTOR);
        }
        dice.within(min * 1_000, max * 1_000)
    }
}

impl Rule for Weather {
    fn on_datagram(&mut self, datagram: &Datagram, dice: &mut Dice) -> Ruling {
        match *self.fate(datagram, dice).delays_ns() {
            [] => Ruling::Drop,
            [delay_ns] => Ruling::DeliverAfter(delay_ns),
            [first, second, ..] => Ruling::Duplicate(first, second),
        }
    }
}
