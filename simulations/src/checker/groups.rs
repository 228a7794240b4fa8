//! Groups that count apart come of eviction or of founding, and of nothing else: under `Never`
//! there is one group for ever, or as long as anybody runs who remembers it, and elsewhere a second one
//! only where somebody was silent for as long as eviction waits. Without this the ceiling's form for κ
//! groups would excuse anything.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::is_watched;
use super::timeline;
use super::weather::ns;
use crate::history::{Run, What};
use crate::scenario::FaultKind;
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// κ > 1 only where the user's choice allows it.
pub struct Groups;

impl Checker for Groups {
    fn name(&self) -> &'static str {
        "groups"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let allowed_ns = apart_from_ns(scenario);
        let mut most = 0;
        let mut at_ns = 0;
        for note in &run.notes {
            let What::Groups(groups) = note.what else {
                continue;
            };
            if groups > 1 && note.at_ns < allowed_ns {
                return Verdict::Fail(found(run, groups, note.at_ns));
            }
            if groups > most {
                (most, at_ns) = (groups, note.at_ns);
            }
        }
        if most == 0 && is_watched(run) {
            (most, at_ns) = (1, run.ended_ns);
        }
        if most == 0 {
            return Verdict::Unknown("nobody looked who counts with whom".to_owned());
        }
        let mut finding = found(run, most, at_ns);
        finding.bound = f64::from(most.max(1));
        finding.slack = 0.0;
        Verdict::Pass(finding)
    }
}

fn found(run: &Run, groups: u32, at_ns: u64) -> Finding {
    Finding {
        text: format!("at most {groups} groups counted apart"),
        measured: f64::from(groups),
        bound: 1.0,
        unit: "groups".to_owned(),
        slack: 1.0 - f64::from(groups),
        at_ns,
        timeline: timeline::notes(run, 0, at_ns),
    }
}

/// From when on somebody may have been silent long enough to be evicted, wrongly or not.
fn apart_from_ns(scenario: &Scenario) -> u64 {
    let silences = |kind: &FaultKind| match kind {
        FaultKind::CutOneWay(..)
        | FaultKind::Partition(_)
        | FaultKind::Clog(..)
        | FaultKind::Network(_)
        | FaultKind::Pause(_)
        | FaultKind::ClockFreeze(..)
        | FaultKind::ClockStep(..)
        | FaultKind::ClockRate(..) => true,
        // A life that ends says nothing, and admits nothing either: it makes no second group.
        FaultKind::Crash(_)
        | FaultKind::Restart(_)
        | FaultKind::Join
        | FaultKind::Leave(_)
        | FaultKind::Forget(_)
        | FaultKind::Resume(_)
        | FaultKind::Heal => false,
    };
    let operator = scenario
        .faults
        .iter()
        .find(|f| matches!(f.kind, FaultKind::Forget(_)));
    let forgotten = operator.map_or(u64::MAX, |fault| ns(fault.at_ms));
    let forgotten = forgotten.min(nobody_runs_from_ns(scenario));
    let Some(evict_after_ms) = scenario.cluster.evict_after_ms else {
        return forgotten;
    };
    let lossy = scenario.network.loss_milli > LOSS_MILLI_HARMLESS;
    let first = scenario.faults.iter().find(|fault| silences(&fault.kind));
    let silent_ms = if lossy {
        Some(0)
    } else {
        first.map(|fault| fault.at_ms)
    };
    let waited_ns = ns(evict_after_ms) / 100 * CLOCKS_PERCENT;
    let waited_ns = waited_ns.saturating_sub(ns(leapt_ms(scenario)));
    let evicted = silent_ms.map_or(u64::MAX, |ms| ns(ms).saturating_add(waited_ns));
    evicted.min(forgotten).min(founded_anew_from_ns(scenario))
}

/// By how much some clock has leapt ahead in all: its node takes it for time in which it heard nothing.
fn leapt_ms(scenario: &Scenario) -> u64 {
    let mut leapt: BTreeMap<usize, u64> = BTreeMap::new();
    for fault in &scenario.faults {
        if let FaultKind::ClockStep(place, ms) = fault.kind {
            *leapt.entry(place).or_default() += u64::try_from(ms).unwrap_or(0);
        }
    }
    leapt.into_values().max().unwrap_or(0)
}

/// From when on a majority of the founders lives anew: it has forgotten the cluster, and founds one if
/// it cannot reach the rest.
fn founded_anew_from_ns(scenario: &Scenario) -> u64 {
    let founders = scenario.cluster.nodes;
    let mut forgetful = BTreeSet::new();
    for fault in &scenario.faults {
        if let FaultKind::Restart(place) = fault.kind
            && place < founders
        {
            forgetful.insert(place);
        }
        if 2 * forgetful.len() > founders {
            return ns(fault.at_ms);
        }
    }
    u64::MAX
}

/// From when on nobody remembers the cluster but lives that are paused: all others have crashed, left,
/// or began anew. A new cluster is founded once all places have new lives, under `Never` too, as
/// nothing is kept anywhere that could tell them of the old one; a life that was replaced while it
/// slept is counted apart from it.
fn nobody_runs_from_ns(scenario: &Scenario) -> u64 {
    let mut places = scenario.cluster.nodes;
    let mut running: BTreeSet<usize> = (0..places).collect();
    for fault in &scenario.faults {
        match fault.kind {
            FaultKind::Crash(place) | FaultKind::Pause(place) | FaultKind::Leave(place) => {
                running.remove(&place);
            }
            FaultKind::Restart(place) | FaultKind::Resume(place) => {
                running.insert(place);
            }
            FaultKind::Join => {
                running.insert(places);
                places += 1;
            }
            _ => {}
        }
        if running.is_empty() {
            return ns(fault.at_ms);
        }
    }
    u64::MAX
}

/// Up to a fifth lost nobody may be thought dead.
const LOSS_MILLI_HARMLESS: u32 = 200;
/// The waiting is by the waiting node's clock, which may be a little fast.
const CLOCKS_PERCENT: u64 = 97;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{fault, plain, rank_of_notes};
    use crate::history::Note;

    fn judged(scenario: &Scenario, groups: &[(u64, u32)]) -> u8 {
        let note = |(at_ms, groups): &(u64, u32)| Note {
            at_ns: ns(*at_ms),
            what: What::Groups(*groups),
        };
        let notes = groups.iter().map(note).collect();
        rank_of_notes(&Groups, scenario, notes)
    }

    #[test]
    fn a_second_group_needs_a_silence_as_long_as_eviction_waits() {
        let mut scenario = plain();
        scenario.faults = vec![fault(
            1_000,
            FaultKind::Partition(vec![vec![0], vec![1, 2]]),
        )];
        assert_eq!(judged(&scenario, &[]), 1);
        assert_eq!(judged(&scenario, &[(0, 1)]), 0);
        assert_eq!(
            judged(&scenario, &[(0, 1), (50_000, 2)]),
            2,
            "never means never"
        );
        scenario.cluster.evict_after_ms = Some(10_000);
        assert_eq!(judged(&scenario, &[(0, 1), (11_000, 2)]), 0);
        assert_eq!(judged(&scenario, &[(0, 1), (9_000, 2)]), 2, "too early");
        let leap = |ms| fault(2_000, FaultKind::ClockStep(1, ms));
        for (leaps, rank) in [([1_000, 900], 0), ([1_000, -5_000], 2)] {
            scenario.faults.extend(leaps.map(leap));
            assert_eq!(judged(&scenario, &[(0, 1), (9_000, 2)]), rank, "{leaps:?}");
            scenario.faults.truncate(1);
        }
        scenario.faults = vec![fault(1_000, FaultKind::Crash(0))];
        assert_eq!(
            judged(&scenario, &[(0, 1), (50_000, 2)]),
            2,
            "the dead make no group"
        );
        scenario.faults = [0, 1, 2, 1]
            .map(|place| fault(1_000 * (1 + place as u64), FaultKind::Restart(place)))
            .to_vec();
        scenario.cluster.nodes = 5;
        assert_eq!(judged(&scenario, &[(0, 1), (3_500, 2)]), 0);
        assert_eq!(
            judged(&scenario, &[(0, 1), (2_500, 2)]),
            2,
            "two of five are no majority"
        );
    }

    #[test]
    fn nobody_is_told_of_who_sleeps_by_lives_that_began_after_all_others_had_ended() {
        let mut scenario = plain();
        scenario.cluster.nodes = 2;
        scenario.faults = [
            (1_000, FaultKind::Pause(0)),
            (1_500, FaultKind::Restart(0)),
            (2_000, FaultKind::Crash(0)),
            (2_500, FaultKind::Restart(1)),
            (3_000, FaultKind::Restart(0)),
        ]
        .map(|(at_ms, kind)| fault(at_ms, kind))
        .to_vec();
        let apart = [(0, 1), (3_500, 2)];
        assert_eq!(judged(&scenario, &apart), 2, "place 1 was there all along");
        scenario.faults.insert(3, fault(2_200, FaultKind::Crash(1)));
        assert_eq!(judged(&scenario, &apart), 0);
        assert_eq!(judged(&scenario, &[(0, 1), (2_100, 2)]), 2);
    }
}
