//! Shares are moved, never made: what all hold and what is on its way is at most the whole while
//! everybody counts with one group, and exactly the whole again once all is healed and nothing dead
//! holds a part.

use super::timeline;
use super::weather::{gone_after_ms, ns};
use crate::history::{Holdings, Part, Run, What};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// After healing, or after the dead were evicted, views are made anew: so long that may take.
const SETTLE_MS: u64 = 10_000;

/// Σ shares ≤ 1 always, = 1 in the end.
pub struct Conservation;

impl Checker for Conservation {
    fn name(&self) -> &'static str {
        "conservation"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let mut groups = 1;
        let mut worst: Option<(u64, &Holdings, i128)> = None;
        for note in &run.notes {
            match &note.what {
                What::Groups(now) => groups = (*now).max(1),
                What::Holdings(held) if groups == 1 => {
                    let slack = slack(held);
                    if worst.is_none_or(|(.., least)| slack < least) {
                        worst = Some((note.at_ns, held, slack));
                    }
                }
                _ => {}
            }
        }
        let Some((at_ns, held, slack)) = worst else {
            return Verdict::Unknown("nobody's holdings were seen while κ was 1".to_owned());
        };
        let finding = found(at_ns, held, run);
        if slack < 0 {
            return Verdict::Fail(finding);
        }
        match missing(scenario, run, groups) {
            Some(lost) => Verdict::Fail(lost),
            None => Verdict::Pass(finding),
        }
    }
}

fn slack(held: &Holdings) -> i128 {
    let sum = i128::from(held.held_parts) + i128::from(held.in_flight_parts);
    i128::from(held.whole_parts) - sum
}

fn found(at_ns: u64, held: &Holdings, run: &Run) -> Finding {
    let whole = held.whole_parts.max(1) as f64;
    let measured = (held.whole_parts as i128 - slack(held)) as f64 / whole;
    let text = format!(
        "key {}'s {}: {} parts held and {} in flight, of {}",
        held.key,
        match held.of {
            Part::Burst => "burst",
            Part::Rate => "rate",
            Part::Overdraft => "overdraft",
        },
        held.held_parts,
        held.in_flight_parts,
        held.whole_parts
    );
    let mut timeline = timeline::notes(run, 0, at_ns);
    timeline.push(timeline::line(at_ns, &text));
    Finding {
        text,
        measured,
        bound: 1.0,
        unit: "of a whole share".to_owned(),
        slack: slack(held) as f64 / whole,
        at_ns,
        timeline,
    }
}

/// The last look at a key, if parts of it are still missing that nothing dead can hold.
fn missing(scenario: &Scenario, run: &Run, groups: u32) -> Option<Finding> {
    if groups != 1 || scenario.heal_ms < settle_ms(scenario) {
        return None;
    }
    let mut last = std::collections::BTreeMap::new();
    for note in &run.notes {
        // Rights of overdraft are rounded down where shares are not equal: a few parts may be lost.
        if let What::Holdings(held) = &note.what
            && held.of != Part::Overdraft
        {
            last.insert((held.key, held.of), (note.at_ns, held));
        }
    }
    let settled_ns = ns(scenario.duration_ms + settle_ms(scenario));
    let late = last.into_values().filter(|(at_ns, _)| *at_ns >= settled_ns);
    let (at_ns, held) = late.max_by_key(|(_, held)| slack(held))?;
    (slack(held) > 0).then(|| {
        let mut finding = found(at_ns, held, run);
        finding.text = format!("after healing {} are left", finding.text);
        finding.slack = -finding.slack;
        finding
    })
}

/// How long after healing the whole is together again: the dead are evicted, or given up by an
/// operator.
fn settle_ms(scenario: &Scenario) -> u64 {
    SETTLE_MS + gone_after_ms(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{plain, rank_of_notes};
    use crate::history::Note;

    fn holds(at_ms: u64, held_parts: u64, in_flight_parts: u64) -> Note {
        let held = Holdings {
            key: 7,
            of: Part::Burst,
            held_parts,
            in_flight_parts,
            whole_parts: 100,
            counters: vec![],
        };
        Note {
            at_ns: ns(at_ms),
            what: What::Holdings(held),
        }
    }

    fn judged(scenario: &Scenario, notes: Vec<Note>) -> u8 {
        rank_of_notes(&Conservation, scenario, notes)
    }

    #[test]
    fn one_part_too_many_is_seen_but_not_between_groups() {
        let scenario = plain();
        assert_eq!(judged(&scenario, vec![]), 1, "nothing seen is unknown");
        assert_eq!(judged(&scenario, vec![holds(5, 60, 40)]), 0);
        assert_eq!(judged(&scenario, vec![holds(5, 60, 41)]), 2);
        let two = Note {
            at_ns: 1,
            what: What::Groups(2),
        };
        let one = Note {
            at_ns: ns(6),
            what: What::Groups(1),
        };
        let apart = vec![holds(0, 100, 0), two, holds(5, 60, 41), one];
        assert_eq!(judged(&scenario, apart), 0);
    }

    #[test]
    fn rights_of_overdraft_may_be_lost_by_rounding_and_never_made() {
        let mut scenario = plain();
        scenario.heal_ms = 20_000;
        let late = scenario.duration_ms + 15_000;
        let rights = |parts| {
            let mut note = holds(late, parts, 0);
            if let What::Holdings(held) = &mut note.what {
                held.of = Part::Overdraft;
            }
            vec![note]
        };
        assert_eq!(judged(&scenario, rights(99)), 0);
        assert_eq!(judged(&scenario, rights(101)), 2);
    }

    #[test]
    fn a_part_lost_for_good_is_seen_after_healing() {
        let mut scenario = plain();
        scenario.heal_ms = 20_000;
        let late = scenario.duration_ms + 15_000;
        assert_eq!(
            judged(&scenario, vec![holds(5, 90, 0), holds(late, 100, 0)]),
            0
        );
        assert_eq!(
            judged(&scenario, vec![holds(5, 90, 0), holds(late, 99, 0)]),
            2
        );
        scenario.cluster.evict_after_ms = Some(10_000);
        assert_eq!(
            judged(&scenario, vec![holds(late, 99, 0)]),
            0,
            "the dead may hold it yet"
        );
        scenario.cluster.evict_after_ms = Some(4_000);
        assert_eq!(
            judged(&scenario, vec![holds(late, 99, 0)]),
            2,
            "they were evicted"
        );
    }
}
