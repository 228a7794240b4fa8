//! For tests: a scenario without surprises, and an honest bucket that decides it.

use std::collections::BTreeMap;

use crate::Scenario;
use crate::history::{Arrival, Basis, Note, Outcome, Run};
use crate::scenario::{Fault, FaultKind};
use crate::verdict::Checker;

/// Three nodes, C = 100, r = 100/s, twice the limit for a minute.
pub fn plain() -> Scenario {
    toml::from_str(
        r#"
        name = "plain"
        seed = 1
        duration_ms = 60000
        [cluster]
        nodes = 3
        burst_units = 100
        rate_units = 100
        [workload]
        load_milli = 2000
        "#,
    )
    .expect("a scenario")
}

/// How a checker ranks a run of which these notes are all that was seen.
pub fn rank_of_notes(checker: &dyn Checker, scenario: &Scenario, notes: Vec<Note>) -> u8 {
    let run = Run {
        notes,
        ..Run::default()
    };
    checker.check(scenario, &run).rank()
}

/// One fault.
pub fn fault(at_ms: u64, kind: FaultKind) -> Fault {
    Fault { at_ms, kind }
}

/// Evenly spaced requests, one place after the other.
pub fn arrivals(scenario: &Scenario) -> Vec<Arrival> {
    let (cluster, workload) = (&scenario.cluster, &scenario.workload);
    let per_period = cluster.rate_units * workload.load_milli;
    let gap_ns = (cluster.rate_period_ms * 1_000_000_000)
        .checked_div(per_period)
        .expect("a load");
    let count = scenario.duration_ms * 1_000_000 / gap_ns;
    let arrival = |index: u64| Arrival {
        at_ns: index * gap_ns,
        place: (index % cluster.nodes as u64) as u32,
        key: 0,
        cost: 1,
    };
    (0..count).map(arrival).collect()
}

/// What one bucket of (1 + ε)·C per key, refilled in whole nanoseconds, answers at once.
pub fn honest_on(scenario: &Scenario, arrivals: &[Arrival]) -> Run {
    let cluster = &scenario.cluster;
    let unit = u128::from(cluster.rate_period_ms) * 1_000_000 * 1000;
    let rate = u128::from(cluster.rate_units) * 1000;
    let full =
        u128::from(cluster.burst_units) * unit / 1000 * u128::from(1000 + cluster.overshoot_milli);
    let mut buckets: BTreeMap<u32, (u64, u128)> = BTreeMap::new();
    let mut outcomes = Vec::new();
    for (index, arrival) in (0u32..).zip(arrivals) {
        let (last_ns, balance) = buckets.entry(arrival.key).or_insert((arrival.at_ns, full));
        let refill = u128::from(arrival.at_ns - *last_ns) * rate;
        *balance = (*balance + refill).min(full);
        *last_ns = arrival.at_ns;
        let cost = u128::from(arrival.cost) * unit;
        let admitted = cost <= *balance;
        *balance -= if admitted { cost } else { 0 };
        outcomes.push(Outcome {
            arrival: index,
            charged_ns: arrival.at_ns,
            answered_ns: arrival.at_ns,
            admitted,
            basis: Basis::OwnShare,
        });
    }
    let ended_ns = (scenario.duration_ms + scenario.heal_ms) * 1_000_000;
    Run {
        arrivals: arrivals.to_vec(),
        outcomes,
        ended_ns,
        ..Run::default()
    }
}

/// The honest bucket on the plain arrivals.
pub fn honest(scenario: &Scenario) -> Run {
    honest_on(scenario, &arrivals(scenario))
}
