//! Ten ticks after the last cut heals, rows and merged views are equal everywhere. In large clusters
//! that is promised to those who hold some of a key or want some; the others hear when there is time.
//!
//! Healing makes no clock go on that has jumped back or stands still. Its node knows of no tick until
//! it does: what it has not told by then, or others have forgotten, it can tell only after.

use std::collections::BTreeSet;

use super::timeline;
use super::weather::{Weather, gone_after_ms, ns};
use crate::history::{Note, Run, What};
use crate::scenario::FaultKind;
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// Ticks from the first datagram that passes until all rows are equal.
pub(crate) const TICKS_MAX: u64 = 10;
/// Up to so many members all hear everything at once.
pub(crate) const MEMBERS_ALL_HEAR: usize = 8;
/// With more, who is not concerned hears a row within 40 ticks; if that is lost it is told again after
/// 45 more.
pub(crate) const TICKS_UNHURRIED: u64 = 40 + 45;
/// A row is told again after so many ticks, though nothing has changed.
const TICKS_TOLD_AGAIN: u64 = 50;
/// What was to be told again so many ticks ago may be forgotten: rows are kept for 160.
const TICKS_KEPT: u64 = 160 - TICKS_TOLD_AGAIN;
/// Before that, those who lost each other call again: at least once a second, a handshake of two
/// round trips included.
const RECONNECT_MS: u64 = 2_500;
/// Where members came, went or were replaced, views are made anew first, once the dead are gone.
const VIEWS_MS: u64 = 6_000;

/// Rows and merged views are equal soon after healing.
pub struct Convergence;

impl Checker for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let Some(healed) = run.notes.iter().find(|note| note.what == What::Healed) else {
            return Verdict::Unknown("nothing was healed".to_owned());
        };
        let allowed_ns = ns(allowed_ms(scenario, run));
        let after = run.notes.iter().filter(|note| note.at_ns >= healed.at_ns);
        let told = after.filter_map(|note| match &note.what {
            What::Converged => Some((note.at_ns - healed.at_ns, None)),
            What::NotConverged(why) => Some((note.at_ns - healed.at_ns, Some(why.as_str()))),
            _ => None,
        });
        match told.min_by_key(|(_, why)| why.is_some()) {
            Some((after_ns, None)) if after_ns <= allowed_ns => {
                Verdict::Pass(found(scenario, run, after_ns, "rows are equal"))
            }
            Some((after_ns, None)) => {
                Verdict::Fail(found(scenario, run, after_ns, "rows are equal, too late"))
            }
            Some((after_ns, Some(why))) if after_ns > allowed_ns => {
                Verdict::Fail(found(scenario, run, after_ns, why))
            }
            _ => Verdict::Unknown("the run ended too early to tell".to_owned()),
        }
    }
}

/// How long it may take.
fn allowed_ms(scenario: &Scenario, run: &Run) -> u64 {
    let trips_ms = scenario.network.delay_us_max * 8 / 1000;
    let apart = |note: &Note| matches!(note.what, What::Groups(2..) | What::Founded);
    let moves = |kind: &FaultKind| {
        use FaultKind::{Crash, Forget, Join, Leave, Pause, Restart};
        matches!(
            kind,
            Crash(_) | Forget(_) | Join | Leave(_) | Pause(_) | Restart(_)
        )
    };
    let churned = scenario.faults.iter().any(|fault| moves(&fault.kind));
    let views_ms = if churned || run.notes.iter().any(apart) {
        VIEWS_MS + gone_after_ms(scenario)
    } else {
        0
    };
    let ticks = match members_max(scenario) > MEMBERS_ALL_HEAR {
        true => TICKS_MAX + TICKS_UNHURRIED,
        false => TICKS_MAX,
    };
    let healed_ns = ns(scenario.duration_ms);
    let weather = Weather::of(scenario);
    let in_ticks = |ticks| ns(ticks * scenario.cluster.tick_ms);
    let untold_ns = weather.untold_ns(healed_ns, in_ticks(TICKS_KEPT), in_ticks(TICKS_TOLD_AGAIN));
    let still_ms = weather.stands_still_ns(healed_ns).max(untold_ns) / 1_000_000;
    RECONNECT_MS + ticks * scenario.cluster.tick_ms + trips_ms + views_ms + still_ms
}

/// How many members there may be at once, at most. A life that begins where another stands still is
/// one more: that one may go on.
pub(crate) fn members_max(scenario: &Scenario) -> usize {
    let (mut members, mut paused) = (scenario.cluster.nodes, BTreeSet::new());
    for fault in &scenario.faults {
        match fault.kind {
            FaultKind::Pause(place) => {
                paused.insert(place);
            }
            FaultKind::Resume(place) | FaultKind::Crash(place) => {
                paused.remove(&place);
            }
            FaultKind::Restart(place) => members += usize::from(paused.remove(&place)),
            FaultKind::Join => members += 1,
            _ => {}
        }
    }
    members
}

fn found(scenario: &Scenario, run: &Run, after_ns: u64, what: &str) -> Finding {
    let (measured, bound) = (after_ns as f64 / 1e6, allowed_ms(scenario, run) as f64);
    let text = format!("{measured:.1} ms after healing: {what}");
    Finding {
        timeline: timeline::notes(
            run,
            run.ended_ns.saturating_sub(ns(scenario.heal_ms)),
            run.ended_ns,
        ),
        text,
        measured,
        bound,
        unit: "ms".to_owned(),
        slack: bound - measured,
        at_ns: run.ended_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{fault, plain};
    use crate::scenario::Fault;

    #[test]
    fn a_life_beside_one_that_stands_still_is_one_member_more() {
        let mut scenario = plain();
        let nodes = scenario.cluster.nodes;
        let members = |scenario: &mut Scenario, kinds: &[FaultKind]| {
            let fault = |kind: &FaultKind| Fault {
                at_ms: 1,
                kind: kind.clone(),
            };
            scenario.faults = kinds.iter().map(fault).collect();
            members_max(scenario)
        };
        let (pause, crash) = (FaultKind::Pause(1), FaultKind::Crash(1));
        let restart = FaultKind::Restart(1);
        let both = [pause.clone(), restart.clone()];
        assert_eq!(members(&mut scenario, &both), nodes + 1);
        let ended = [pause, crash, restart];
        assert_eq!(members(&mut scenario, &ended), nodes);
        assert_eq!(members(&mut scenario, &[FaultKind::Join]), nodes + 1);
    }

    #[test]
    fn who_is_still_behind_its_former_clock_has_until_it_goes_on() {
        let mut scenario = plain();
        let usual = allowed_ms(&scenario, &Run::default());
        let jump = FaultKind::ClockStep(1, -10_000);
        scenario.faults = vec![fault(scenario.duration_ms - 1_000, jump.clone())];
        assert_eq!(allowed_ms(&scenario, &Run::default()), usual + 9_000);
        scenario.faults = vec![fault(scenario.duration_ms - 10_000, jump)];
        assert_eq!(allowed_ms(&scenario, &Run::default()), usual);
    }

    #[test]
    fn too_late_is_a_failure_and_silence_is_unknown() {
        let scenario = plain();
        let judged = |notes: &[(u64, What)]| {
            let note = |(at_ms, what): &(u64, What)| Note {
                at_ns: ns(*at_ms),
                what: what.clone(),
            };
            let notes = notes.iter().map(note).collect();
            Convergence
                .check(
                    &scenario,
                    &Run {
                        notes,
                        ..Run::default()
                    },
                )
                .rank()
        };
        let allowed = allowed_ms(&scenario, &Run::default());
        let healed = (5_000, What::Healed);
        assert_eq!(judged(&[(4_000, What::Converged)]), 1);
        assert_eq!(judged(std::slice::from_ref(&healed)), 1);
        assert_eq!(
            judged(&[healed.clone(), (5_000 + allowed, What::Converged)]),
            0
        );
        assert_eq!(
            judged(&[healed.clone(), (5_001 + allowed, What::Converged)]),
            2
        );
        let not = |at_ms| (at_ms, What::NotConverged("key 1 differs".to_owned()));
        assert_eq!(
            judged(&[healed.clone(), not(5_100)]),
            1,
            "too early to tell"
        );
        assert_eq!(judged(&[healed, not(60_000)]), 2);
    }
}
