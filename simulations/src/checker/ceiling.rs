//! No interval admits more than the promise allows.
//!
//! With one group: `(1 + ε)·C + (1 + ρ)·r·T`, for every interval. With κ groups: an interval in
//! which κ is at most k holds `k·(1 + ε)·C + (1 + ρ)·∫κ·r dt`, and one that starts while κ is 1
//! holds `(1 + k·ε)·C + (1 + ρ)·∫κ·r dt`. Every interval is judged, in one pass per form and k: the
//! fullest interval that ends at an admission is what a leaky bucket would show there.
//!
//! What may or may not have been charged (an answer that never came) is not counted: whatever the
//! truth, what surely was admitted has to hold.

use std::collections::BTreeSet;

use super::ledger::{Admission, admissions};
use super::terms::Terms;
use super::timeline;
use crate::history::{Run, What};
use crate::scenario::FaultKind;
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// The library keeps time in 2⁻²⁰ of a unit and rounds it at each node's two readings, never adding
/// that up: an interval can gain at most one such step per node, 64 · 2⁻²⁰ < 1/16,000 unit in the
/// largest cluster. One thousandth of a unit per key is forgiven; whole units never are.
const GRAIN: i128 = 1000;

/// `(1 + ε)·C + (1 + ρ)·r·T`, over every interval, for each key.
pub struct Ceiling;

impl Checker for Ceiling {
    fn name(&self) -> &'static str {
        "ceiling"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let terms = Terms::of(scenario, run.clock_error_ppm);
        let changes = changes(scenario, run);
        let keys = admissions(scenario, run);
        let judged = keys.iter().filter_map(|(key, admitted)| {
            let tightest = tightest(&terms, &changes, admitted)?;
            Some((*key, tightest))
        });
        let Some((key, worst)) = judged.min_by_key(|(_, tightest)| tightest.slack()) else {
            return Verdict::Unknown("nothing was admitted".to_owned());
        };
        let admitted = &keys[&key][worst.first..=worst.last];
        let finding = found(&terms, key, &worst, admitted, run);
        if worst.slack() < -terms.unit() / GRAIN {
            Verdict::Fail(finding)
        } else {
            Verdict::Pass(finding)
        }
    }
}

/// What changes how much may be admitted.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// κ from now on.
    Groups(u32),
    /// One more burst, out of nothing.
    Founded,
    /// One node's clock went ahead by so much at once.
    Ahead(u64),
}

/// All changes, in order. At one instant, what allows more comes before an admission and what
/// allows less after it (the flag): which was first can't be known.
fn changes(scenario: &Scenario, run: &Run) -> Vec<(u64, bool, Change)> {
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
    changes.sort_by_key(|(at_ns, after, _)| (*at_ns, *after));
    changes
}

/// The interval that came nearest to its bound, or furthest beyond it.
#[derive(Clone, Copy, Debug)]
struct Tightest {
    /// Admitted, less what was regained.
    level: i128,
    bound: i128,
    /// The most groups in it.
    groups: u32,
    from_ns: u64,
    first: usize,
    last: usize,
}

impl Tightest {
    const fn slack(&self) -> i128 {
        self.bound - self.level
    }
}

/// Over all forms of the promise.
fn tightest(
    terms: &Terms,
    changes: &[(u64, bool, Change)],
    admitted: &[Admission],
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
        Pass::new(terms, most, from_one, bound).over(changes, admitted)
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

    fn over(mut self, changes: &[(u64, bool, Change)], admitted: &[Admission]) -> Option<Tightest> {
        let mut changes = changes.iter().peekable();
        let mut worst: Option<Tightest> = None;
        for (index, one) in admitted.iter().enumerate() {
            let due = |(at_ns, after, _): &&(u64, bool, Change)| {
                *at_ns < one.at_ns || (*at_ns == one.at_ns && !after)
            };
            while let Some((at_ns, _, change)) = changes.next_if(due) {
                self.advance(*at_ns, index);
                self.change(*change);
            }
            self.advance(one.at_ns, index);
            let seen = self.admit(one.cost, index);
            worst = worst.into_iter().chain(seen).min_by_key(Tightest::slack);
        }
        worst
    }

    /// Time goes on; a fuller interval may start here.
    fn advance(&mut self, to_ns: u64, index: usize) {
        let ns = to_ns.saturating_sub(self.now_ns);
        self.now_ns = to_ns;
        let regained = self.terms.regained(self.groups, ns);
        self.level = self.level.map(|level| level - regained);
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
        self.level = self.level.map(|level| level - freed);
    }

    fn admit(&mut self, cost: u64, index: usize) -> Option<Tightest> {
        let level = self.level?.saturating_add(self.terms.cost(cost));
        self.level = Some(level);
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

fn found(terms: &Terms, key: u32, worst: &Tightest, admitted: &[Admission], run: &Run) -> Finding {
    let at_ns = admitted.last().map_or(0, |one| one.at_ns);
    let measured = terms.in_units(worst.level);
    let bound = terms.in_units(worst.bound);
    let slack = terms.in_units(worst.slack());
    let length_s = at_ns.saturating_sub(worst.from_ns) as f64 / 1e9;
    let side = if slack < 0.0 { "above" } else { "below" };
    let text = format!(
        "key {key}: an interval of {length_s:.3} s admitted {:.6} units {side} the bound (κ ≤ {}): \
         {measured:.6} beyond the rate, {bound:.6} allowed",
        slack.abs(),
        worst.groups
    );
    Finding {
        text,
        measured,
        bound,
        unit: "units".to_owned(),
        slack,
        at_ns,
        timeline: timeline::witness(run, key, worst.from_ns, admitted),
    }
}

#[cfg(test)]
mod tests;
