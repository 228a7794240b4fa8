//! Nobody is thought dead who runs and can be reached; whoever died is thought dead by all, soon.

use super::ledger::is_watched;
use super::timeline;
use super::weather::{Weather, ns};
use crate::history::{Run, What};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// A death is known everywhere after so long.
const DETECTED_MS: u64 = 3_000;
/// Above a fifth lost, deaths may be imagined.
const LOSS_MILLI_MAX: u32 = 200;
/// So long after something was wrong, what it started may still be believed.
const AFTERMATH_MS: u64 = 15_000;
/// In a lossy or slow network, and in a large cluster, probes and rumours take longer.
const SLACK_MS: u64 = 27_000;
const LOSS_MILLI_SWIFT: u32 = 10;
const DELAY_US_SWIFT: u64 = 20_000;
const NODES_SWIFT: usize = 20;

/// How soon a death is known everywhere.
fn detected_ms(scenario: &Scenario) -> u64 {
    let network = &scenario.network;
    let swift = network.loss_milli <= LOSS_MILLI_SWIFT
        && network.delay_us_max <= DELAY_US_SWIFT
        && network.tail_milli == 0
        && scenario.cluster.nodes <= NODES_SWIFT;
    DETECTED_MS + if swift { 0 } else { SLACK_MS }
}

/// False deaths and missed ones.
pub struct Members;

impl Checker for Members {
    fn name(&self) -> &'static str {
        "members"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let weather = Weather::of(scenario);
        if let Some(finding) = imagined(scenario, run, &weather) {
            return Verdict::Fail(finding);
        }
        match missed(scenario, run, &weather) {
            Ok(Some(slowest)) => Verdict::Pass(slowest),
            Ok(None) if calm_s(run, &weather) > 0 => Verdict::Pass(Finding {
                text: format!("no false death in {} calm seconds", calm_s(run, &weather)),
                unit: "ms".to_owned(),
                ..Finding::default()
            }),
            Ok(None) => Verdict::Unknown("never a calm second, and no clear death".to_owned()),
            Err(finding) => Verdict::Fail(*finding),
        }
    }
}

/// A death that somebody believed in though its life ran and nothing was wrong.
fn imagined(scenario: &Scenario, run: &Run, weather: &Weather) -> Option<Finding> {
    if scenario.network.loss_milli > LOSS_MILLI_MAX {
        return None;
    }
    let note = run.notes.iter().find(|note| match note.what {
        What::Suspected {
            of,
            alive: false,
            runs: true,
            ..
        } => {
            let from_ns = note.at_ns.saturating_sub(ns(AFTERMATH_MS));
            weather.calm(from_ns, note.at_ns)
                && weather.settled(from_ns, note.at_ns)
                && weather.runs(of, from_ns, note.at_ns)
        }
        _ => false,
    })?;
    let text = timeline::told(note).unwrap_or_default() + ", which ran and could be reached";
    Some(Finding {
        timeline: timeline::notes(run, note.at_ns.saturating_sub(ns(60_000)), note.at_ns),
        text,
        measured: 1.0,
        bound: 0.0,
        unit: "false deaths".to_owned(),
        slack: -1.0,
        at_ns: note.at_ns,
    })
}

/// The slowest detection, or a death that somebody did not hear of in time.
fn missed(
    scenario: &Scenario,
    run: &Run,
    weather: &Weather,
) -> Result<Option<Finding>, Box<Finding>> {
    let tells = |note: &&crate::history::Note| matches!(note.what, What::Suspected { .. });
    if scenario.network.loss_milli > LOSS_MILLI_SWIFT || !run.notes.iter().any(|note| tells(&note))
    {
        return Ok(None);
    }
    let within_ns = ns(detected_ms(scenario));
    let mut slowest: Option<Finding> = None;
    for (of, died_ns) in weather.deaths(within_ns) {
        let (from_ns, until_ns) = (
            died_ns.saturating_sub(ns(AFTERMATH_MS)),
            died_ns + within_ns,
        );
        let clear = weather.calm(from_ns, until_ns) && alone(weather, died_ns, from_ns, until_ns);
        if !clear || until_ns > run.ended_ns || died_ns < ns(AFTERMATH_MS) {
            continue;
        }
        for by in (0..weather.places()).filter(|by| weather.runs(*by, from_ns, until_ns)) {
            let heard_ns = heard(run, by, of, died_ns);
            let finding = detection(run, (by, of), (died_ns, heard_ns), within_ns);
            if heard_ns.is_none_or(|heard_ns| heard_ns > until_ns) {
                return Err(Box::new(finding));
            }
            if slowest
                .as_ref()
                .is_none_or(|slow| finding.measured > slow.measured)
            {
                slowest = Some(finding);
            }
        }
    }
    Ok(slowest)
}

/// Whether a death is the only coming and going around it.
fn alone(weather: &Weather, died_ns: u64, from_ns: u64, until_ns: u64) -> bool {
    weather.settled(from_ns, died_ns.saturating_sub(1)) && weather.settled(died_ns + 1, until_ns)
}

/// When a place came to think another dead, at or after an instant.
fn heard(run: &Run, by: u32, of: u32, from_ns: u64) -> Option<u64> {
    let thinks = |what: &What| match what {
        What::Suspected {
            by: b,
            of: o,
            alive: false,
            ..
        } => *b == by && *o == of,
        _ => false,
    };
    let note = run
        .notes
        .iter()
        .find(|note| note.at_ns >= from_ns && thinks(&note.what));
    note.map(|note| note.at_ns)
}

fn detection(
    run: &Run,
    (by, of): (u32, u32),
    (died_ns, heard_ns): (u64, Option<u64>),
    within_ns: u64,
) -> Finding {
    let took_ms = heard_ns.map_or(f64::INFINITY, |heard| (heard - died_ns) as f64 / 1e6);
    let bound = within_ns as f64 / 1e6;
    let text = format!("place {of} died; place {by} knew after {took_ms:.0} ms");
    let end_ns = heard_ns.unwrap_or(run.ended_ns);
    Finding {
        timeline: timeline::notes(run, died_ns, end_ns),
        text,
        measured: took_ms,
        bound,
        unit: "ms".to_owned(),
        slack: bound - took_ms,
        at_ns: end_ns,
    }
}

/// Seconds of the run in which nothing was wrong.
fn calm_s(run: &Run, weather: &Weather) -> u64 {
    let second = 1_000_000_000;
    let calm = |from: &u64| weather.calm(*from * second, (*from + 1) * second);
    if is_watched(run) {
        (0..run.ended_ns / second).filter(calm).count() as u64
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{fault, plain};
    use crate::history::Note;
    use crate::scenario::FaultKind;

    fn thinks(at_ms: u64, by: u32, of: u32, runs: bool) -> Note {
        Note {
            at_ns: ns(at_ms),
            what: What::Suspected {
                by,
                of,
                alive: false,
                runs,
            },
        }
    }

    fn judged(scenario: &Scenario, notes: Vec<Note>) -> u8 {
        let run = Run {
            notes,
            ended_ns: ns(60_000),
            ..Run::default()
        };
        Members.check(scenario, &run).rank()
    }

    #[test]
    fn a_false_death_is_seen_unless_something_was_wrong() {
        let mut scenario = plain();
        assert_eq!(judged(&scenario, vec![]), 1);
        let one = Note {
            at_ns: 0,
            what: What::Groups(1),
        };
        assert_eq!(judged(&scenario, vec![one.clone()]), 0);
        let dead = thinks(20_000, 0, 1, true);
        assert_eq!(judged(&scenario, vec![one.clone(), dead.clone()]), 2);
        scenario.faults = vec![
            fault(18_000, FaultKind::Pause(1)),
            fault(19_000, FaultKind::Resume(1)),
        ];
        assert_eq!(judged(&scenario, vec![one, dead]), 0);
    }

    #[test]
    fn a_death_that_one_did_not_hear_of_in_time_is_seen() {
        let mut scenario = plain();
        scenario.faults = vec![fault(20_000, FaultKind::Crash(1))];
        let heard = |late| vec![thinks(21_000, 0, 1, false), thinks(late, 2, 1, false)];
        assert_eq!(judged(&scenario, heard(23_000)), 0);
        assert_eq!(judged(&scenario, heard(23_001)), 2);
        assert_eq!(
            judged(&scenario, vec![thinks(21_000, 0, 1, false)]),
            2,
            "place 2 never heard"
        );
    }
}
