//! One pass over a key's history for each form of the promise: the fullest interval that ends at an
//! admission is what a leaky bucket would show there.

use std::collections::BTreeSet;

use super::super::ledger::Admission;
use super::super::terms::Terms;
use crate::Scenario;
use crate::history::{Run, What};
use crate::scenario::FaultKind;

/// Units that went out at an instant, or that could have gone.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Taken {
    pub at_ns: u64,
    pub units: i128,
    /// Whether they went: what could have gone counts at its own instant only.
    pub stays: bool,
    /// Whether the interval that ends with it is judged.
    pub is_judged: bool,
}

impl Taken {
    /// What was admitted.
    pub fn of(admission: &Admission, terms: &Terms) -> Self {
        Self {
            at_ns: admission.at_ns,
            units: terms.cost(admission.cost),
            stays: true,
            is_judged: true,
        }
    }
}

/// What changes how much may be admitted.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Change {
    /// κ from now on.
    Groups(u32),
    /// One more burst, out of nothing.
    Founded,
    /// One node's clock went ahead by so much at once.
    Ahead(u64),
}

/// All changes, in order. At one instant, what allows more comes before an admission and what
/// allows less after it (the flag): which was first can't be known. Who founds anew beside the living
/// makes one group more at that instant, whichever was noted first: no interval starts between the
/// two, with the new burst there already and κ still 1.
pub(in super::super) fn changes(scenario: &Scenario, run: &Run) -> Vec<(u64, bool, Change)> {
    let mut groups = 1;
    let mut changes = Vec::new();
    for note in &run.notes {
        match note.what {
            What::Groups(now) => {
                let now = now.max(1);
                changes.push((note.at_ns, now < groups, Change::Groups(now)));
                groups = now;
            }
            What::Founded => changes.push((note.at_ns, false, Change::Founded)),
            _ => {}
        }
    }
    for fault in &scenario.faults {
        if let FaultKind::ClockStep(_, ms @ 1..) = fault.kind {
            let ahead = Change::Ahead(ms.unsigned_abs() * 1_000_000);
            changes.push((fault.at_ms * 1_000_000, false, ahead));
        }
    }
    let counts = |change: &Change| matches!(change, Change::Groups(_));
    changes.sort_by_key(|(at_ns, after, change)| (*at_ns, *after, !counts(change)));
    changes
}

/// The interval that came nearest to its bound, or furthest beyond it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Tightest {
    /// Admitted, less what was regained.
    pub level: i128,
    pub bound: i128,
    /// The most groups in it.
    pub groups: u32,
    pub from_ns: u64,
    pub first: usize,
    pub last: usize,
}

impl Tightest {
    pub const fn slack(&self) -> i128 {
        self.bound.saturating_sub(self.level)
    }
}

/// Over all forms of the promise.
pub(in super::super) fn tightest(
    terms: &Terms,
    changes: &[(u64, bool, Change)],
    taken: &[Taken],
) -> Option<Tightest> {
    let mut counts = BTreeSet::from([1]);
    counts.extend(changes.iter().filter_map(|(.., change)| match change {
        Change::Groups(groups) => Some(*groups),
        _ => None,
    }));
    let forms = counts
        .iter()
        .flat_map(|most| [(*most, true), (*most, false)]);
    let passes = forms.filter_map(|(most, from_one)| {
        let bound = if from_one {
            terms.bursts(1, most)
        } else {
            terms.bursts(most, most)
        };
        Pass::new(terms, most, from_one, bound).over(changes, taken)
    });
    passes.min_by_key(Tightest::slack)
}

/// One pass over a key's history for one form of the promise.
struct Pass<'a> {
    terms: &'a Terms,
    /// Intervals in which κ is at most this.
    most: u32,
    /// Only those that start while κ is 1.
    from_one: bool,
    bound: i128,
    groups: u32,
    now_ns: u64,
    /// The fullest interval that ends now; none where none may.
    level: Option<i128>,
    from_ns: u64,
    first: usize,
}

impl<'a> Pass<'a> {
    const fn new(terms: &'a Terms, most: u32, from_one: bool, bound: i128) -> Self {
        Self {
            terms,
            most,
            from_one,
            bound,
            groups: 1,
            now_ns: 0,
            level: Some(0),
            from_ns: 0,
            first: 0,
        }
    }

    fn over(mut self, changes: &[(u64, bool, Change)], taken: &[Taken]) -> Option<Tightest> {
        let mut changes = changes.iter().peekable();
        let mut worst: Option<Tightest> = None;
        for (index, one) in taken.iter().enumerate() {
            let due = |(at_ns, after, _): &&(u64, bool, Change)| {
                *at_ns < one.at_ns || (*at_ns == one.at_ns && !after)
            };
            while let Some((at_ns, _, change)) = changes.next_if(due) {
                self.advance(*at_ns, index);
                self.change(*change);
            }
            self.advance(one.at_ns, index);
            let seen = self.admit(one, index).filter(|_| one.is_judged);
            worst = worst.into_iter().chain(seen).min_by_key(Tightest::slack);
        }
        worst
    }

    /// Time goes on; a fuller interval may start here. By a clock that jumped ahead of all bounds what
    /// is regained is more than can be counted: then nothing is claimed until one starts.
    fn advance(&mut self, to_ns: u64, index: usize) {
        let ns = to_ns.saturating_sub(self.now_ns);
        self.now_ns = to_ns;
        let regained = self.terms.regained(self.groups, ns);
        self.level = self.level.map(|level| level.saturating_sub(regained));
        let starts = self.groups <= self.most && (!self.from_one || self.groups == 1);
        if starts && self.level.is_none_or(|level| level <= 0) {
            (self.level, self.from_ns, self.first) = (Some(0), to_ns, index);
        }
    }

    fn change(&mut self, change: Change) {
        let freed = match change {
            Change::Groups(groups) => {
                self.groups = groups;
                if groups > self.most {
                    self.level = None;
                }
                return;
            }
            Change::Founded => self.terms.bursts(1, 1),
            Change::Ahead(ns) => self.terms.regained(1, ns),
        };
        self.level = self.level.map(|level| level.saturating_sub(freed));
    }

    fn admit(&mut self, taken: &Taken, index: usize) -> Option<Tightest> {
        let level = self.level?.saturating_add(taken.units);
        if taken.stays {
            self.level = Some(level);
        }
        Some(Tightest {
            level,
            bound: self.bound,
            groups: self.most,
            from_ns: self.from_ns,
            first: self.first,
            last: index,
        })
    }
}
