//! A rival that mints in a partition is shrunk to one partition.

use super::*;
use crate::checker::reference::{fault, honest_on};
use crate::history::{Arrival, Run};
use crate::scenario::{FaultKind, Quality};
use crate::swarm::draw;

/// Gives every side of a cut the whole limit, as those do who divide it by the members alive.
struct EachSide;

impl Strategy for EachSide {
    fn name(&self) -> &'static str {
        "each-side"
    }

    fn run(&self, scenario: &Scenario, arrivals: &[Arrival]) -> Run {
        let mut sides = arrivals.to_vec();
        for arrival in &mut sides {
            arrival.key = arrival.key * 100 + side(scenario, arrival);
        }
        let mut run = honest_on(scenario, &sides);
        run.arrivals = arrivals.to_vec();
        run
    }
}

/// The number of the group in which a place is, from the first cut on; 0 without one.
fn side(scenario: &Scenario, arrival: &Arrival) -> u32 {
    let before = scenario
        .faults
        .iter()
        .filter(|one| one.at_ms * 1_000_000 <= arrival.at_ns);
    let mut cut = before.filter_map(|one| match &one.kind {
        FaultKind::Partition(groups) => Some(Some(groups)),
        FaultKind::Heal => Some(None),
        _ => None,
    });
    let groups = cut.next_back().flatten();
    let found = groups.and_then(|groups| {
        groups
            .iter()
            .position(|group| group.contains(&(arrival.place as usize)))
    });
    found.map_or(0, |index| index as u32)
}

fn busy() -> Scenario {
    let mut scenario = draw(77);
    scenario.cluster.nodes = 9;
    scenario.cluster.burst_units = 30;
    scenario.cluster.rate_units = 20;
    scenario.cluster.rate_period_ms = 1_000;
    scenario.cluster.overshoot_milli = 200;
    scenario.network = Quality::WAN;
    scenario.workload.load_milli = 3_000;
    scenario.workload.keys = 4;
    scenario.workload.costs = vec![1, 2];
    scenario.workload.timing = crate::scenario::Timing::Poisson;
    scenario.faults = vec![
        fault(3_000, FaultKind::Crash(8)),
        fault(4_321, FaultKind::Pause(7)),
        fault(6_000, FaultKind::Resume(7)),
        fault(9_000, FaultKind::Join),
        fault(
            21_234,
            FaultKind::Partition(vec![vec![0, 1, 2], vec![3, 4], vec![5, 6, 7, 9]]),
        ),
        fault(30_000, FaultKind::Heal),
        fault(33_000, FaultKind::ClockRate(1, 5_000)),
        fault(41_000, FaultKind::Leave(2)),
    ];
    scenario
}

#[test]
fn a_rival_that_mints_in_a_partition_is_shrunk_to_one_partition() {
    let witness = shrink(&EachSide, &busy(), None, 400).expect("the ceiling is broken");
    assert_eq!(witness.checker, "ceiling");
    let scenario = &witness.scenario;
    assert_eq!(scenario.faults.len(), 1, "{:?}", scenario.faults);
    let FaultKind::Partition(groups) = &scenario.faults[0].kind else {
        panic!("not a partition: {:?}", scenario.faults);
    };
    assert_eq!(groups.len(), 2);
    assert!(scenario.cluster.nodes <= 2 && scenario.workload.keys == 1);
    assert_eq!(scenario.network, Quality::LAN);
    assert!(scenario.duration_ms < 60_000 && scenario.heal_ms == 0);
    assert!(witness.runs <= 400 && witness.finding.timeline.len() <= 15);
    let again = trial(&EachSide, scenario).expect("it runs");
    assert_eq!(
        lost(&again, Some("ceiling")).expect("still").1,
        witness.finding
    );
}

#[test]
fn what_is_not_broken_is_not_shrunk() {
    let mut scenario = busy();
    scenario.faults.clear();
    assert!(shrink(&EachSide, &scenario, None, 400).is_err());
    assert!(shrink(&EachSide, &busy(), Some("liveness"), 400).is_err());
}

#[test]
fn the_number_of_runs_is_kept_to() {
    let witness = shrink(&EachSide, &busy(), None, 7).expect("the ceiling is broken");
    assert_eq!(witness.runs, 7);
}
