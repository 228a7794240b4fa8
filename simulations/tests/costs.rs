//! What is admitted where one request needs several units together, and by `acquire` where a burst
//! comes to all nodes at once, or too much to fifty of them.
//!
//! A limit asked for by requests of five is as good as one a fifth as large asked for by ones: not as
//! good as one as large.

use simulations::Scenario;
use simulations::measure::{admitted_units, ideal_units};
use simulations::scenario::{Cluster, Mode, Placement, Timing, Workload};
use simulations::strategy::Shares;
use simulations::trial::trial;

/// One key at 100 a second, asked for twice the rate.
fn scenario(nodes: usize, burst_units: u64, costs: &[u64]) -> Scenario {
    Scenario {
        name: "costs".to_owned(),
        seed: 1,
        duration_ms: 60_000,
        warm_up_ms: 3_000,
        heal_ms: 0,
        cluster: Cluster {
            nodes,
            burst_units,
            rate_units: 100,
            rate_period_ms: 1_000,
            overshoot_milli: 0,
            tick_ms: 100,
            evict_after_ms: None,
            fallback: Default::default(),
            acquire_deadline_ms: 50,
            owners: None,
            keys_max: 200_000,
        },
        mode: Mode::Check,
        network: Default::default(),
        faults: Vec::new(),
        workload: Workload {
            costs: costs.to_vec(),
            ..Workload::plain(2_000)
        },
    }
}

/// What part of one bucket's units is admitted; every claim must hold.
fn utilisation(scenario: &Scenario) -> f64 {
    let seen = trial(&Shares, scenario).expect("it can be drawn");
    let failed: Vec<_> = seen.report.failed().collect();
    assert!(failed.is_empty(), "{failed:?}");
    let ideal = ideal_units(&scenario.cluster, &seen.run.arrivals);
    admitted_units(&seen.run) as f64 / ideal as f64
}

/// Dealt by ones, 0.33, 0.99, 0.59 and 0.65. The first is 0.67 over 24 seeds, ± 0.013.
#[test]
fn requests_of_several_units_find_them_together() {
    let cells: [(usize, u64, &[u64], f64); 4] = [
        (5, 20, &[5], 0.62),
        (5, 100, &[5], 0.98),
        (20, 100, &[5], 0.9),
        (5, 100, &[20], 0.88),
    ];
    for (nodes, burst_units, costs, least) in cells {
        let part = utilisation(&scenario(nodes, burst_units, costs));
        assert!(
            part >= least,
            "{nodes} nodes, {costs:?} of {burst_units}: {part}"
        );
    }
}

#[test]
fn requests_of_several_sizes_use_most_of_the_limit() {
    let part = utilisation(&scenario(5, 100, &[1, 5, 20]));
    assert!(part >= 0.72, "{part}");
}

/// A hot spot that moves over ten nodes, and uses a twenty-fifth of a limit of 58 such requests.
fn seldom(costs: &[u64]) -> Scenario {
    let mut seldom = scenario(10, 58 * costs[0], costs);
    seldom.duration_ms = 200_000;
    seldom.cluster.rate_units = 41 * costs[0];
    (seldom.network.delay_us_min, seldom.network.delay_us_max) = (30_000, 60_000);
    seldom.workload.load_milli = 40;
    seldom.workload.placement = Placement::Moving(5_078);
    seldom.workload.timing = Timing::OnOff(7_202);
    seldom
}

/// Where a row told what a request needs only of who had refused one lately, 0.97, 0.89 and 0.87.
#[test]
fn rare_requests_find_as_much_of_a_large_limit_as_of_a_small_one() {
    for cost_units in [1, 1_000, 1_000_000] {
        let part = utilisation(&seldom(&[cost_units]));
        assert!(part >= 0.93, "of {cost_units}: {part}");
    }
}

/// 0.87 where a row told what a request needs only of who had refused one lately.
#[test]
fn requests_that_no_bucket_has_room_for_harm_no_others() {
    let mut hopeless = scenario(11, 145, &[3, 3, 3, 146]);
    hopeless.duration_ms = 150_000;
    hopeless.workload.placement = Placement::Moving(9_562);
    let part = utilisation(&hopeless);
    assert!(part >= 0.95, "{part}");
}

#[test]
fn by_acquire_costs_do_not_matter() {
    for costs in [&[5][..], &[1, 5, 20]] {
        let by_acquire = Scenario {
            mode: Mode::Acquire,
            ..scenario(5, 100, costs)
        };
        let part = utilisation(&by_acquire);
        assert!(part >= 0.99, "{costs:?}: {part}");
    }
}

/// A decider that asked others while it gathered lost the key to them, half way: up to an eighth of
/// a burst was in nobody's hands when it was asked for.
#[test]
fn a_burst_at_all_nodes_at_once_finds_all_that_there_is() {
    for seed in [1, 4] {
        let mut bursts = scenario(5, 100, &[1]);
        (bursts.seed, bursts.mode) = (seed, Mode::Acquire);
        bursts.workload.timing = Timing::Bursts {
            count: 100,
            within_ms: 1,
            each_ms: 10_000,
            everywhere: true,
        };
        let part = utilisation(&bursts);
        assert!(part >= 0.999, "seed {seed}: {part}");
    }
}

/// In a large cluster few hold parts of an overloaded key. Who asks does not give up because the
/// decider has none left: others had a quarter of the burst by then.
#[test]
fn an_overloaded_key_is_found_wherever_its_parts_are() {
    let overloaded = Scenario {
        mode: Mode::Acquire,
        ..scenario(50, 100, &[1])
    };
    let part = utilisation(&overloaded);
    assert!(part >= 0.9985, "{part}");
}
