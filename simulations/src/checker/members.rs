//! Nobody is thought dead who runs and can be reached; whoever died is thought dead by all, soon.

use std::collections::BTreeSet;

use super::convergence::{MEMBERS_ALL_HEAR, members_max};
use super::ledger::is_watched;
use super::timeline;
use super::weather::{Weather, ns};
use crate::history::{Run, What};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// A death is known everywhere after so long, if somebody else is asked for a contended key: rows
/// and grants to the dead stay without an answer then. In large clusters those rows press only for
/// who holds some of the key, and the dead may have held none.
const BUSY_MS: u64 = 3_000;
/// Where nobody is, connections tell: they end after three seconds without a sign of life.
const IDLE_MS: u64 = 5_500;
/// In a lossy or slow network, and in a large cluster, signs of life and rumours take longer.
const ROUGH_MS: u64 = 9_000;
/// Above a fifth lost, deaths may be imagined, or missed.
const LOSS_MILLI_MAX: u32 = 200;
/// So long after something was wrong, what it started may still be believed.
const AFTERMATH_MS: u64 = 15_000;
const LOSS_MILLI_SWIFT: u32 = 10;
const DELAY_US_SWIFT: u64 = 20_000;
const NODES_SWIFT: usize = 20;
/// Who is asked for a key at least this often is busy with it.
const PAUSE_MS: u64 = 500;
/// How often it is noted which keys are contended, with room.
const NOTED_MS: u64 = 1_100;

/// How soon the death of a place is known everywhere.
fn detected_ms(scenario: &Scenario, run: &Run, (of, died_ns): (u32, u64)) -> u64 {
    let network = &scenario.network;
    let swift = network.loss_milli <= LOSS_MILLI_SWIFT
        && network.delay_us_max <= DELAY_US_SWIFT
        && network.tail_milli == 0
        && scenario.cluster.nodes <= NODES_SWIFT;
    let all_hear = members_max(scenario) <= MEMBERS_ALL_HEAR;
    match (swift, all_hear && is_busy(run, of, died_ns)) {
        (true, true) => BUSY_MS,
        (true, false) => IDLE_MS,
        (false, _) => ROUGH_MS,
    }
}

/// Whether others are asked without a pause for keys that are contended when a place dies.
fn is_busy(run: &Run, of: u32, died_ns: u64) -> bool {
    let until_ns = died_ns + ns(BUSY_MS);
    let noted_ns = died_ns.saturating_sub(ns(NOTED_MS))..=died_ns;
    let noted = run
        .notes
        .iter()
        .filter(|note| noted_ns.contains(&note.at_ns));
    let contended: BTreeSet<u32> = noted
        .filter_map(|note| match &note.what {
            What::Holdings(holdings) => Some(holdings.key),
            _ => None,
        })
        .collect();
    let first = run.arrivals.partition_point(|of| of.at_ns < died_ns);
    let asked = run.arrivals[first..].iter();
    let asked = asked.take_while(|asked| asked.at_ns < until_ns);
    let elsewhere = asked.filter(|asked| asked.place != of && contended.contains(&asked.key));
    let (mut last_ns, mut longest_ns) = (died_ns, 0);
    for at_ns in elsewhere.map(|asked| asked.at_ns).chain([until_ns]) {
        longest_ns = longest_ns.max(at_ns - last_ns);
        last_ns = at_ns;
    }
    longest_ns <= ns(PAUSE_MS)
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
    if scenario.network.loss_milli > LOSS_MILLI_MAX || !run.notes.iter().any(|note| tells(&note)) {
        return Ok(None);
    }
    let mut slowest: Option<Finding> = None;
    for (of, died_ns) in weather.deaths(ns(BUSY_MS)) {
        let within_ns = ns(detected_ms(scenario, run, (of, died_ns)));
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
                .is_none_or(|slow| finding.slack < slow.slack)
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
    use crate::history::{Arrival, Holdings, Note};
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

    /// What a death at 20 s is judged to be, heard of so late, where requests come so often.
    fn judged_when(each_ms: u64, heard: &[u64]) -> u8 {
        let mut scenario = plain();
        scenario.faults = vec![fault(20_000, FaultKind::Crash(1))];
        let arrivals = (0..60_000 / each_ms).map(|number| Arrival {
            at_ns: ns(number * each_ms),
            place: 0,
            key: 0,
            cost: 1,
        });
        let contended = Note {
            at_ns: ns(19_500),
            what: What::Holdings(Holdings::default()),
        };
        let thoughts = [(0, heard[0])].into_iter();
        let thoughts = thoughts.chain(heard.get(1).map(|late| (2, *late)));
        let thoughts = thoughts.map(|(by, at_ms)| thinks(at_ms, by, 1, false));
        let run = Run {
            arrivals: arrivals.collect(),
            notes: [contended].into_iter().chain(thoughts).collect(),
            ended_ns: ns(60_000),
            ..Run::default()
        };
        Members.check(&scenario, &run).rank()
    }

    #[test]
    fn a_death_that_one_did_not_hear_of_in_time_is_seen() {
        assert_eq!(judged_when(400, &[21_000, 23_000]), 0);
        assert_eq!(judged_when(400, &[21_000, 23_001]), 2);
        assert_eq!(judged_when(400, &[21_000]), 2, "place 2 never heard");
        assert_eq!(judged_when(600, &[21_000, 25_500]), 0, "nobody was busy");
        assert_eq!(judged_when(600, &[21_000, 25_501]), 2);
    }
}
