//! The rivals against what is known of each, on cells of the tables and on small stories.

use super::*;
use crate::history::What;
use crate::measure::{Overshoot, admitted_units, ideal_units};
use crate::scenario::{Fault, FaultKind, Mode};
use crate::tables::{self, Selection};
use crate::workload::arrivals;

const SECOND_NS: u64 = 1_000_000_000;

/// A table's run on five nodes over a fast network, with the load that its name says.
fn cell(workload: &str) -> Scenario {
    let selection = Selection {
        only: Some(workload.to_owned()),
        ..Selection::default()
    };
    let cells = tables::cells(&selection).expect("a workload of the tables");
    cells[0].scenario(1, 0, Mode::Check)
}

fn decided(rival: &str, scenario: &Scenario) -> Run {
    let rivals = rivals();
    let rival = rivals.iter().find(|known| known.name() == rival);
    let arrivals = arrivals(scenario).expect("arrivals");
    rival.expect("a rival").run(scenario, &arrivals)
}

/// Utilisation and overshoot.
fn figures(rival: &str, scenario: &Scenario) -> (f64, f64) {
    let run = decided(rival, scenario);
    let ideal = ideal_units(&scenario.cluster, &run.arrivals);
    let overshoot = Overshoot::of(scenario, &run).units();
    (admitted_units(&run) as f64 / ideal as f64, overshoot)
}

fn assert_near(found: (f64, f64), utilisation: f64, overshoot: f64) {
    let (width, height) = (0.02 * utilisation, 0.1 * overshoot);
    assert!(
        (found.0 - utilisation).abs() <= width,
        "{found:?}, not {utilisation}"
    );
    assert!(
        (found.1 - overshoot).abs() <= height,
        "{found:?}, not {overshoot}"
    );
}

fn fault(at_ms: u64, kind: FaultKind) -> Fault {
    Fault { at_ms, kind }
}

#[test]
fn every_rival_gives_the_same_run_again_and_answers_every_request() {
    let mut scenario = cell("partition-2x-20s");
    scenario.faults.extend([
        fault(41_000, FaultKind::Pause(1)),
        fault(44_000, FaultKind::Resume(1)),
        fault(45_000, FaultKind::Crash(2)),
        fault(46_000, FaultKind::Restart(2)),
        fault(47_000, FaultKind::Join),
        fault(50_000, FaultKind::Leave(3)),
    ]);
    for rival in rivals() {
        let run = decided(rival.name(), &scenario);
        assert_eq!(run, decided(rival.name(), &scenario), "{}", rival.name());
        let answers = run.outcomes.len() + run.unanswered.len();
        assert_eq!(answers, run.arrivals.len(), "{}", rival.name());
        assert!(run.outcomes.is_sorted_by_key(|outcome| outcome.charged_ns));
        let faults = run
            .notes
            .iter()
            .filter(|note| matches!(note.what, What::Fault(_)));
        assert_eq!(faults.count(), scenario.faults.len());
    }
}

#[test]
fn the_ideal_is_what_everybody_is_measured_by() {
    for workload in [
        "even-2x",
        "burst-moving",
        "partition-2x-20s",
        "restart-loop",
    ] {
        assert_eq!(figures("ideal", &cell(workload)), (1.0, 0.0), "{workload}");
    }
    let mut costly = cell("even-2x");
    costly.workload.costs = vec![1, 3, 7];
    assert_eq!(figures("ideal", &costly), (1.0, 0.0));
}

#[test]
fn a_static_split_wastes_what_no_traffic_reaches() {
    assert_near(figures("static", &cell("even-2x")), 0.999, 0.0);
    assert_near(figures("static", &cell("skew-0.9x")), 0.340, 0.0);
    assert_near(figures("static", &cell("moving-2x")), 0.290, 0.0);
    assert_near(figures("static", &cell("burst-moving")), 0.200, 0.0);
    assert_near(figures("static", &cell("burst-all")), 1.0, 0.0);
    assert_near(figures("margin", &cell("even-2x")), 0.949, 0.0);
}

#[test]
fn parts_that_do_not_divide_sum_to_the_limit() {
    let mut scenario = cell("burst-all");
    scenario.cluster.nodes = 3;
    scenario.duration_ms = 1_000;
    let run = decided("static", &scenario);
    assert_eq!(admitted_units(&run), 100);
    // Fewer units than nodes: as many nodes admit one each.
    scenario.cluster.nodes = 150;
    assert_eq!(admitted_units(&decided("static", &scenario)), 100);
}

#[test]
fn a_static_split_forgets_what_it_admitted_when_it_restarts() {
    let mut scenario = cell("burst-same");
    scenario.workload.placement = crate::scenario::Placement::Skewed(1000);
    scenario.faults = vec![
        fault(100, FaultKind::Crash(0)),
        fault(110, FaultKind::Restart(0)),
    ];
    scenario.duration_ms = 1_000;
    let arrival = |at_ns| Arrival {
        at_ns,
        place: 0,
        key: 0,
        cost: 20,
    };
    let asked = [
        arrival(0),
        arrival(1),
        arrival(105_000_000),
        arrival(120_000_000),
    ];
    let run = drive(Split::new(&scenario, 100), &scenario, &asked);
    let admitted: Vec<u32> = run
        .outcomes
        .iter()
        .filter(|o| o.admitted)
        .map(|o| o.arrival)
        .collect();
    assert_eq!(admitted, [0, 3]);
    assert_eq!(run.outcomes.len(), 3, "nobody ran at 105 ms");
}

#[test]
fn merged_counters_admit_the_limit_once_per_node_or_side() {
    assert_near(figures("merged", &cell("burst-all")), 4.992, 400.0);
    assert_near(figures("merged", &cell("partition-2x-20s")), 0.999, 1_540.0);
    // Where the hot spot moves, the next node has not heard of the last tick: r·0.1 s and more.
    let (utilisation, overshoot) = figures("merged", &cell("moving-2x"));
    assert!(utilisation > 0.995, "{utilisation}");
    assert!((5.0..20.0).contains(&overshoot), "{overshoot}");
}

#[test]
fn a_newcomer_to_merged_counters_does_not_pay_for_what_drained_long_ago() {
    let (utilisation, _) = figures("merged", &cell("rolling"));
    assert!((0.98..1.2).contains(&utilisation), "{utilisation}");
}

#[test]
fn live_members_admit_the_limit_once_per_side_of_a_cut_after_three_seconds() {
    let scenario = cell("partition-2x-20s");
    let run = decided("live-members", &scenario);
    let admitted_in = |from_s: u64, to_s: u64| {
        let span = from_s * SECOND_NS..to_s * SECOND_NS;
        let admitted = run.outcomes.iter().filter(|outcome| outcome.admitted);
        admitted.filter(|o| span.contains(&o.charged_ns)).count()
    };
    assert!(admitted_in(21, 22).abs_diff(100) < 15, "not yet detected");
    // Two of five nodes get 80 of 200 requests a second, three of them have 100.
    assert!(
        admitted_in(25, 35).abs_diff(1_800) < 120,
        "{}",
        admitted_in(25, 35)
    );
    assert!(
        admitted_in(45, 55).abs_diff(1_000) < 60,
        "{}",
        admitted_in(45, 55)
    );
}

#[test]
fn a_central_store_that_is_cut_off_opens_or_closes() {
    let mut scenario = cell("partition-2x-20s");
    assert_near(figures("central-open", &scenario), 1.33, 2_000.0);
    let (utilisation, overshoot) = figures("central-closed", &scenario);
    // Two fifths of the traffic, 80 a second, still reach it for 20 of 60 s.
    assert!((0.92..0.95).contains(&utilisation), "{utilisation}");
    assert!(overshoot <= 0.0, "{overshoot}");
    scenario.faults = vec![
        fault(20_000, FaultKind::Crash(0)),
        fault(40_000, FaultKind::Restart(0)),
    ];
    let (closed, _) = figures("central-closed", &scenario);
    let (open, _) = figures("central-open", &scenario);
    assert!((0.66..0.70).contains(&closed), "{closed}");
    assert!(open > 1.3, "{open}");
}

#[test]
fn a_central_store_answers_after_a_round_trip() {
    let run = decided("central-closed", &cell("even-0.8x"));
    let trips = run.outcomes.iter().map(|outcome| {
        let asked_ns = run.arrivals[outcome.arrival as usize].at_ns;
        outcome.answered_ns - asked_ns
    });
    assert!(
        trips
            .clone()
            .all(|ns| (2_000_000..=6_000_000).contains(&ns))
    );
    assert!(trips.max() > Some(5_000_000));
    assert!(run.outcomes.iter().all(|o| o.charged_ns < o.answered_ns));
}

#[test]
fn rateguard_is_what_it_was_measured_to_be() {
    for (workload, utilisation) in [
        ("even-2x", 0.915),
        ("skew-0.9x", 0.980),
        ("skew-3x", 0.953),
        ("moving-2x", 0.267),
        ("moving-0.9x", 0.291),
    ] {
        let found = figures("rateguard", &cell(workload));
        assert!(
            (found.0 - utilisation).abs() < 0.01,
            "{workload}: {found:?}"
        );
    }
    let (_, overshoot) = figures("rateguard-full-burst", &cell("burst-all"));
    assert!((390.0..=400.0).contains(&overshoot), "{overshoot}");
    let (_, overshoot) = figures("rateguard", &cell("partition-2x-20s"));
    assert!((100.0..300.0).contains(&overshoot), "{overshoot}");
}

#[test]
fn rateguard_talks_the_same_whatever_the_traffic() {
    let run = decided("rateguard", &cell("even-2x"));
    let per_node_s = run.traffic.datagrams as f64 / run.traffic.nodes / 60.0;
    assert!((9.0..12.0).contains(&per_node_s), "{per_node_s}");
    assert_eq!(run.traffic.nodes, 5.0);
}

#[test]
fn placement_is_bounded_by_its_units_and_exact_where_the_next_place_is_known() {
    for workload in ["moving-2x", "burst-moving", "low-limit-rr", "burst-same"] {
        let (utilisation, overshoot) = figures("placement", &cell(workload));
        assert!(utilisation > 0.998, "{workload}: {utilisation}");
        assert!(overshoot <= 0.0, "{workload}: {overshoot}");
    }
    // Five units on ten nodes: at most every other request of a trickle meets one.
    let (utilisation, _) = figures("placement", &cell("low-limit-random"));
    assert!((0.38..0.5).contains(&utilisation), "{utilisation}");
}

#[test]
fn placement_admits_by_the_units_at_hand() {
    let mut scenario = cell("low-limit-random");
    scenario.cluster.nodes = 5;
    let asked = |place, cost| Arrival {
        at_ns: 0,
        place,
        key: 0,
        cost,
    };
    let run = |arrivals: &[Arrival]| -> Vec<bool> {
        let run = drive(WholeUnits::new(&scenario), &scenario, arrivals);
        run.outcomes
            .iter()
            .map(|outcome| outcome.admitted)
            .collect()
    };
    // Five units at five places; then four, which do not reach the last; then none that is there.
    assert_eq!(
        run(&[asked(4, 1), asked(4, 1), asked(3, 1), asked(0, 1)]),
        [true, false, true, true]
    );
    // Units for two requests of two: the first two places have them.
    assert_eq!(run(&[asked(2, 2), asked(1, 2)]), [false, true]);
}
