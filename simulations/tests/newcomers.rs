//! What a death and a birth cost: how soon the dead are known and their rate is back, and how soon
//! newcomers hold their share.

use simulations::history::What;
use simulations::scenario::{Cluster, Fault, FaultKind, Workload};
use simulations::strategy::Shares;
use simulations::trial::trial;
use simulations::{Run, Scenario};

const SECOND_NS: u64 = 1_000_000_000;

/// Five or six nodes, one key of C = r = 100 at twice the rate.
fn busy(name: &str, nodes: usize, evict_after_ms: Option<u64>, faults: Vec<Fault>) -> Scenario {
    Scenario {
        name: name.to_owned(),
        seed: 7,
        duration_ms: 40_000,
        warm_up_ms: 3_000,
        heal_ms: 0,
        cluster: Cluster {
            nodes,
            burst_units: 100,
            rate_units: 100,
            rate_period_ms: 1_000,
            overshoot_milli: 0,
            tick_ms: 100,
            evict_after_ms,
            fallback: Default::default(),
            acquire_deadline_ms: 50,
            owners: None,
            keys_max: 200_000,
        },
        mode: Default::default(),
        network: Default::default(),
        faults,
        workload: Workload::plain(2_000),
    }
}

const fn fault(at_ms: u64, kind: FaultKind) -> Fault {
    Fault { at_ms, kind }
}

/// Runs it; every claim must hold.
fn ran(scenario: &Scenario) -> Run {
    let seen = trial(&Shares, scenario).expect("it can be drawn");
    let failed: Vec<_> = seen.report.failed().collect();
    assert!(failed.is_empty(), "{}: {failed:?}", scenario.name);
    seen.run
}

/// Units admitted per second between two instants.
fn admitted_per_s(run: &Run, from_ms: u64, to_ms: u64) -> f64 {
    let span_ns = from_ms * 1_000_000..to_ms * 1_000_000;
    let admitted = run
        .outcomes
        .iter()
        .filter(|outcome| outcome.admitted && span_ns.contains(&outcome.charged_ns));
    admitted.count() as f64 * 1_000.0 / (to_ms - from_ms) as f64
}

/// How long after their start those born so late came to hold something, by place.
fn held_after_ms(run: &Run, from_ms: u64) -> Vec<(u32, u64)> {
    let held = run.notes.iter().filter_map(|note| match note.what {
        What::Holding { place, after_ns } => Some((note.at_ns, place, after_ns)),
        _ => None,
    });
    let mut held: Vec<_> = held
        .filter(|(at_ns, ..)| *at_ns > from_ms * 1_000_000)
        .map(|(_, place, after_ns)| (place, after_ns / 1_000_000))
        .collect();
    held.sort_unstable();
    held
}

fn counts_as_one(run: &Run) -> bool {
    let apart = |note: &simulations::history::Note| matches!(note.what, What::Groups(2..));
    !run.notes.iter().any(apart)
}

#[test]
fn a_holder_killed_at_full_load_is_seen_dead_within_3_s_and_its_rate_is_back_after_eviction() {
    for evict_after_ms in [5_000, 10_000] {
        let faults = vec![fault(20_000, FaultKind::Crash(3))];
        let run = ran(&busy("killed", 5, Some(evict_after_ms), faults));
        let known = run.notes.iter().filter_map(|note| match note.what {
            What::Suspected {
                of: 3,
                alive: false,
                by,
                ..
            } => Some((by, note.at_ns)),
            _ => None,
        });
        let known: std::collections::BTreeMap<u32, u64> = known.collect();
        assert_eq!(known.len(), 4, "all know it");
        let last_ns = known.values().max().expect("four of them");
        assert!(*last_ns <= 23 * SECOND_NS, "known by {last_ns} ns");
        let back_ms = 20_000 + evict_after_ms + 1_000;
        let rate = admitted_per_s(&run, back_ms, back_ms + 3_000);
        assert!(rate >= 90.0, "{rate} units per second, {evict_after_ms} ms");
    }
}

#[test]
fn who_joins_beside_one_that_was_killed_holds_its_share_within_2_s() {
    for evict_after_ms in [None, Some(30_000)] {
        let faults = vec![
            fault(10_000, FaultKind::Crash(1)),
            fault(13_500, FaultKind::Join),
        ];
        let run = ran(&busy("killed then joined", 5, evict_after_ms, faults));
        let held = held_after_ms(&run, 10_000);
        let [(place, after_ms)] = held[..] else {
            panic!("one newcomer, not {held:?}")
        };
        assert!(place == 5 && after_ms <= 2_000, "after {after_ms} ms");
        assert!(counts_as_one(&run));
    }
}

#[test]
fn each_side_of_a_cut_loses_a_member_and_gains_one_within_2_s() {
    let faults = vec![
        fault(
            10_000,
            FaultKind::Partition(vec![vec![0, 1, 2], vec![3, 4, 5]]),
        ),
        fault(15_000, FaultKind::Crash(2)),
        fault(15_200, FaultKind::Crash(5)),
        fault(19_000, FaultKind::Restart(2)),
        fault(19_500, FaultKind::Restart(5)),
        fault(32_000, FaultKind::Heal),
    ];
    let run = ran(&busy("both sides", 6, None, faults));
    let held = held_after_ms(&run, 10_000);
    let places: Vec<u32> = held.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [2, 5]);
    let late = held.iter().find(|(_, after_ms)| *after_ms > 2_000);
    assert_eq!(late, None);
    assert!(counts_as_one(&run));
}
