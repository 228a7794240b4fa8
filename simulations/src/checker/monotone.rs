//! Within one life the counters of a key only grow: rows' sequence, what went in, what went out.

use std::collections::BTreeMap;

use super::timeline;
use crate::history::{Run, What};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// Entries never fall.
pub struct Monotone;

impl Checker for Monotone {
    fn name(&self) -> &'static str {
        "monotone"
    }

    fn check(&self, _: &Scenario, run: &Run) -> Verdict {
        let mut seen: BTreeMap<(u32, u64), (u64, u64, u64)> = BTreeMap::new();
        let mut compared = 0u64;
        for note in &run.notes {
            let What::Holdings(held) = &note.what else {
                continue;
            };
            for (life, seq, inward, outward) in &held.counters {
                let now = (*seq, *inward, *outward);
                let Some(before) = seen.insert((held.key, *life), now) else {
                    continue;
                };
                compared += 1;
                if now.0 < before.0 || now.1 < before.1 || now.2 < before.2 {
                    return Verdict::Fail(fell(run, note.at_ns, held.key, *life, before, now));
                }
            }
        }
        if compared == 0 {
            return Verdict::Unknown("no key's counters were seen twice".to_owned());
        }
        Verdict::Pass(Finding {
            text: format!("{compared} pairs of readings, none fell"),
            unit: "falls".to_owned(),
            ..Finding::default()
        })
    }
}

type Counters = (u64, u64, u64);

fn fell(run: &Run, at_ns: u64, key: u32, life: u64, before: Counters, now: Counters) -> Finding {
    let text = format!("key {key}, life {life:x}: (seq, P, N) went from {before:?} to {now:?}");
    let mut timeline = timeline::notes(run, 0, at_ns);
    timeline.push(timeline::line(at_ns, &text));
    Finding {
        text,
        measured: 1.0,
        unit: "falls".to_owned(),
        slack: -1.0,
        at_ns,
        timeline,
        ..Finding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::plain;
    use crate::history::{Holdings, Note};

    #[test]
    fn a_counter_that_falls_within_a_life_is_seen() {
        let note = |at_ns, key, counters: &[(u64, u64, u64, u64)]| Note {
            at_ns,
            what: What::Holdings(Holdings {
                key,
                counters: counters.to_vec(),
                ..Holdings::default()
            }),
        };
        let judged = |notes: Vec<Note>| {
            Monotone
                .check(
                    &plain(),
                    &Run {
                        notes,
                        ..Run::default()
                    },
                )
                .rank()
        };
        assert_eq!(
            judged(vec![note(0, 1, &[(9, 1, 5, 5)])]),
            1,
            "nothing to compare"
        );
        let first = note(0, 1, &[(9, 1, 5, 5), (8, 4, 0, 0)]);
        assert_eq!(
            judged(vec![
                first.clone(),
                note(1, 1, &[(9, 1, 5, 5), (8, 5, 1, 0)])
            ]),
            0
        );
        assert_eq!(judged(vec![first.clone(), note(1, 1, &[(9, 2, 4, 5)])]), 2);
        assert_eq!(
            judged(vec![first.clone(), note(1, 1, &[(7, 0, 0, 0)])]),
            1,
            "another life"
        );
        assert_eq!(
            judged(vec![first, note(1, 2, &[(9, 0, 0, 0)])]),
            1,
            "another key"
        );
    }
}
