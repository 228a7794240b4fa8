//! No interval would admit more than the promise allows, were every node asked at once for all that its
//! own rights allow.
//!
//! The ceiling judges what was admitted: a node that comes to hold too much shows there only if
//! somebody asks for it before it is right again. What nodes may admit is right or wrong by itself:
//! together with what was admitted it is never more than the bound of any interval. It is looked at
//! once a second and whenever a view is complete.

use std::collections::BTreeMap;

use super::ceiling::pass::{Change, Taken, Tightest, changes, tightest};
use super::ledger::{Admission, admissions};
use super::terms::Terms;
use super::timeline;
use crate::history::{Run, What};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// Parts of a unit that rooms are told in.
const UNIT_PARTS: i128 = 1 << 20;
/// One thousandth of a unit is forgiven, as for the ceiling: each node's reading is rounded.
const GRAIN: i128 = 1_000;
/// With very high rates the library keeps time in coarser steps; a bound is a million of them at least.
const BOUND_STEPS: i128 = 1_000_000;

/// What all may admit at once, with what was admitted, is within every interval's bound.
pub struct Room;

impl Checker for Room {
    fn name(&self) -> &'static str {
        "room"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let terms = Terms::of(scenario, run.clock_error_ppm);
        let changes = changes(scenario, run);
        let keys = admissions(scenario, run);
        let judged = looks(run).into_iter().filter_map(|(key, looks)| {
            let admitted = keys.get(&key).map_or(&[][..], Vec::as_slice);
            Some((key, worst(&terms, &changes, admitted, &looks)?))
        });
        let Some((key, worst)) = judged.min_by_key(|(_, worst)| worst.tightest.slack()) else {
            return Verdict::Unknown("nobody looked at what nodes may admit".to_owned());
        };
        let forgiven = terms.unit() / GRAIN + worst.tightest.bound / BOUND_STEPS;
        let finding = found(&terms, key, &worst, run);
        if worst.tightest.slack() < -forgiven {
            Verdict::Fail(finding)
        } else {
            Verdict::Pass(finding)
        }
    }
}

/// By key: when it was looked, and what all could have admitted then, in parts of a unit.
fn looks(run: &Run) -> BTreeMap<u32, Vec<(u64, u64)>> {
    let mut looks: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    for note in &run.notes {
        if let What::Room { key, parts } = note.what {
            looks.entry(key).or_default().push((note.at_ns, parts));
        }
    }
    looks
}

/// The look that came nearest to its bound, or furthest beyond it.
struct Worst {
    tightest: Tightest,
    look: Taken,
}

/// Each look is the end of intervals in which all that could have been admitted then was.
fn worst(
    terms: &Terms,
    changes: &[(u64, bool, Change)],
    admitted: &[Admission],
    looks: &[(u64, u64)],
) -> Option<Worst> {
    let mut unsure = Unsure::of(admitted);
    let look = |(at_ns, parts): &(u64, u64)| Taken {
        at_ns: *at_ns,
        units: terms.unit() / UNIT_PARTS * i128::from(*parts) - terms.cost(unsure.at(*at_ns)),
        stays: false,
        is_judged: true,
    };
    let mut taken: Vec<Taken> = looks.iter().map(look).collect();
    taken.extend(admitted.iter().map(|one| Taken {
        is_judged: false,
        ..Taken::of(one, terms)
    }));
    // At one instant the look comes first: it may have seen what was admitted then gone already.
    taken.sort_by_key(|one| (one.at_ns, one.stays));
    let tightest = tightest(terms, changes, &taken)?;
    Some(Worst {
        tightest,
        look: taken[tightest.last],
    })
}

/// What was charged, as far as is known, and not answered yet: by a clock that stood still it may be
/// dated before it was charged, so that a look between may have found it still there.
struct Unsure<'a> {
    coming: std::iter::Peekable<std::slice::Iter<'a, Admission>>,
    open: Vec<&'a Admission>,
}

impl<'a> Unsure<'a> {
    fn of(admitted: &'a [Admission]) -> Self {
        Self {
            coming: admitted.iter().peekable(),
            open: Vec::new(),
        }
    }

    /// Units of that kind at an instant; instants come in order.
    fn at(&mut self, at_ns: u64) -> u64 {
        while let Some(one) = self.coming.next_if(|one| one.at_ns < at_ns) {
            self.open.push(one);
        }
        self.open.retain(|one| one.answered_ns >= at_ns);
        self.open.iter().map(|one| one.cost).sum()
    }
}

fn found(terms: &Terms, key: u32, worst: &Worst, run: &Run) -> Finding {
    let Worst { tightest, look } = worst;
    let (level, bound) = (
        terms.in_units(tightest.level),
        terms.in_units(tightest.bound),
    );
    let text = format!(
        "key {key}: all could have admitted {:.6} units at once after {:.6} beyond the rate; \
         {bound:.6} are allowed (κ ≤ {})",
        terms.in_units(look.units),
        terms.in_units(tightest.level - look.units),
        tightest.groups
    );
    let mut timeline = timeline::notes(run, tightest.from_ns, look.at_ns);
    timeline.push(timeline::line(look.at_ns, &text));
    Finding {
        text,
        measured: level,
        bound,
        unit: "units".to_owned(),
        slack: terms.in_units(tightest.slack()),
        at_ns: look.at_ns,
        timeline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::plain;
    use crate::history::{Arrival, Basis, Note, Outcome};

    const S: u64 = 1_000_000_000;

    /// C = 3, one a second; what was admitted at 0, and what is left at an instant.
    fn judged(admitted: u64, answered_ns: u64, at_ns: u64, left: f64) -> u8 {
        let mut scenario = plain();
        (scenario.cluster.burst_units, scenario.cluster.rate_units) = (3, 1);
        let arrival = Arrival {
            at_ns: 0,
            place: 0,
            key: 0,
            cost: admitted,
        };
        let outcome = Outcome {
            arrival: 0,
            charged_ns: 0,
            answered_ns,
            admitted: true,
            basis: Basis::OwnShare,
        };
        let parts = (left * UNIT_PARTS as f64) as u64;
        let run = Run {
            arrivals: vec![arrival],
            outcomes: vec![outcome],
            notes: vec![Note {
                at_ns,
                what: What::Room { key: 0, parts },
            }],
            ..Run::default()
        };
        Room.check(&scenario, &run).rank()
    }

    #[test]
    fn what_is_left_with_what_was_admitted_is_one_bucket() {
        assert_eq!(judged(2, 0, S / 2, 1.5), 0);
        assert_eq!(judged(2, 0, S / 2, 1.502), 2);
        assert_eq!(judged(2, 0, 9 * S, 3.0), 0, "it has drained, and no more");
        assert_eq!(judged(2, 0, 9 * S, 3.002), 2);
    }

    #[test]
    fn what_may_not_have_been_charged_yet_may_still_be_left() {
        assert_eq!(judged(2, S, S / 2, 3.0), 0);
        assert_eq!(judged(2, S / 2 - 1, S / 2, 3.0), 2);
        assert_eq!(judged(2, 0, 0, 3.0), 0, "at one instant");
    }

    #[test]
    fn where_nobody_looked_nothing_is_known() {
        let (scenario, run) = (plain(), Run::default());
        assert_eq!(Room.check(&scenario, &run).rank(), 1);
    }
}
