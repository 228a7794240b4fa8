//! A swarm: each seed draws a whole world, so that combinations nobody thought of are tried.

mod faults;
mod first;
mod hunt;

pub use faults::possible;
pub use first::first_of;
pub use hunt::{Claim, Loss, Summary, hunt};

use crate::Scenario;
use crate::dice::Dice;
use crate::scenario::{
    Cluster, Fallback, FaultKind, Mode, Placement, Popularity, Quality, Timing, Workload,
};
use crate::workload::arrivals;

/// Requests and faults go on for at least this.
const DURATION_MS_MIN: u64 = 60_000;
/// Requests per second that a run is drawn for: 2,000 in a minute, with room for chance.
const REQUESTS_PER_S: (u64, u64) = (40, 90);
/// Requests of a run, at least.
const REQUESTS_MIN: u64 = 2_000;
/// One in so many runs is of fifty nodes.
const LARGE_ONE_IN: u64 = 20;
/// Units per second from which a request costs thousands of them.
const HUGE_PER_S: u64 = 10_000;
/// Nodes of a large cluster.
const NODES_LARGE: usize = 50;
/// What a contended key costs a run grows with the square of the nodes, and with the ticks: so many
/// keys × nodes² ÷ milliseconds of a tick are enough, mostly, to find what there is to find.
const EFFORT_MAX: u64 = 12;
/// One in so many runs may be of so many times the effort.
const HARD_ONE_IN: u64 = 50;
const HARDER: u64 = 5;
/// Clusters of so many nodes now and then get tables that are too small for their keys.
const NODES_CRAMPED_MAX: usize = 5;
/// Keys that such a table has room for, 64 shards together, and keys that are asked for then.
const KEYS_CRAMPED: usize = 64;
const KEYS_ASKED_CRAMPED: (u64, u64) = (80, 160);

/// The scenario of a seed: always the same one.
#[must_use]
pub fn draw(seed: u64) -> Scenario {
    let dice = |part| Dice::split(seed, part, 0);
    let nodes = nodes(&mut dice("swarm nodes"));
    let large = nodes == NODES_LARGE;
    let longer_ms = 1_000 * dice("swarm duration").within(0, 20);
    let mut scenario = Scenario {
        name: format!("swarm-{seed}"),
        seed,
        duration_ms: DURATION_MS_MIN + if large { 0 } else { longer_ms },
        warm_up_ms: 5_000,
        heal_ms: heal_ms(&mut dice("swarm heal")),
        cluster: cluster(&mut dice("swarm cluster"), nodes),
        mode: mode(&mut dice("swarm mode")),
        network: network(&mut dice("swarm network")),
        faults: Vec::new(),
        workload: Workload::plain(0),
    };
    scenario.workload = workload(&mut dice("swarm workload"), &scenario);
    lengthen(&mut scenario);
    if dice("swarm founding").is_milli(40) {
        // A founding race: requests come before there is a cluster.
        scenario.warm_up_ms = dice("swarm warm-up").within(0, 300);
    }
    scenario.faults = faults::draw(&mut dice("swarm faults"), &scenario);
    scenario
}

/// Chance may leave a run with too few requests: it goes on a little longer then.
fn lengthen(scenario: &mut Scenario) {
    for _ in 0..8 {
        let requests = arrivals(scenario).map_or(0, |arrivals| arrivals.len() as u64);
        if requests >= REQUESTS_MIN {
            return;
        }
        let wanted_ms = scenario.duration_ms * (REQUESTS_MIN + 50) / requests.max(200);
        scenario.duration_ms = wanted_ms.max(scenario.duration_ms + 1_000);
    }
}

fn nodes(dice: &mut Dice) -> usize {
    if dice.within(1, LARGE_ONE_IN) == 1 {
        NODES_LARGE
    } else {
        dice.within(3, 12) as usize
    }
}

/// Mostly as short as convergence needs; now and then so long that buckets drain and demand fades.
fn heal_ms(dice: &mut Dice) -> u64 {
    if dice.is_milli(880) {
        1_000 * dice.within(6, 12)
    } else {
        1_000 * dice.within(60, 130)
    }
}

fn cluster(dice: &mut Dice, nodes: usize) -> Cluster {
    let (rate_units, rate_period_ms) = match dice.within(0, 9) {
        0..=1 => (dice.within(5, 60), 60_000),
        2 => (dice.pick(&[1_000_000, 50_000_000, 1_000_000_000]), 1_000),
        _ => (dice.within(5, 200), 1_000),
    };
    Cluster {
        nodes,
        burst_units: burst(dice, rate_units, rate_period_ms),
        rate_units,
        rate_period_ms,
        overshoot_milli: overshoot(dice, nodes),
        tick_ms: match nodes {
            NODES_LARGE => dice.pick(&[200, 200, 200, 100]),
            _ => dice.pick(&[100, 100, 100, 50, 200]),
        },
        evict_after_ms: match dice.within(0, 9) {
            0..=3 => None,
            4..=6 => Some(dice.within(2_000, 8_000)),
            _ => Some(dice.within(8_000, 40_000)),
        },
        fallback: match dice.within(0, 9) {
            0..=6 => Fallback::OwnShare,
            7..=8 => Fallback::Deny,
            _ => Fallback::Allow,
        },
        acquire_deadline_ms: dice.pick(&[5, 20, 50, 50, 200]),
        owners: dice.pick(&[None, None, None, None, Some(1), Some(2)]),
        keys_max: if nodes <= NODES_CRAMPED_MAX && dice.is_milli(250) {
            KEYS_CRAMPED
        } else {
            200_000
        },
    }
}

/// From a single unit, over less than one for each node, to many seconds' worth.
fn burst(dice: &mut Dice, rate_units: u64, rate_period_ms: u64) -> u64 {
    let per_s = rate_units * 1_000 / rate_period_ms;
    if per_s > HUGE_PER_S {
        // A smaller one would need millions of requests to be put to the test.
        return dice.within(per_s / 4, per_s * 4);
    }
    match dice.within(0, 9) {
        0 => dice.within(1, 3),
        1..=2 => dice.within(4, 20),
        3..=7 => dice.within(per_s.max(8) / 4, per_s.max(8) * 2),
        _ => dice.within(per_s.max(8) * 2, per_s.max(8) * 10),
    }
}

fn overshoot(dice: &mut Dice, nodes: usize) -> u64 {
    match dice.within(0, 9) {
        0..=3 => 0,
        4..=5 => 200,
        6..=7 => dice.within(1, 999),
        8 => 1_000,
        _ => 1_000 * (nodes as u64 - 1),
    }
}

fn mode(dice: &mut Dice) -> Mode {
    match dice.within(0, 9) {
        0..=5 => Mode::Check,
        6..=7 => Mode::Acquire,
        _ => Mode::Mixed(dice.within(10, 90) as u8),
    }
}

fn network(dice: &mut Dice) -> Quality {
    match dice.within(0, 9) {
        0..=4 => Quality::LAN,
        5 => Quality::WAN,
        _ => {
            let delay_us_min = dice.within(100, 20_000);
            Quality {
                delay_us_min,
                delay_us_max: delay_us_min + dice.within(0, 60_000),
                tail_milli: dice.pick(&[0, 0, 10, 50]),
                loss_milli: dice.pick(&[0, 10, 50, 100, 200]),
                double_milli: dice.pick(&[0, 10, 100]),
                reorders: dice.is_milli(700),
                bandwidth_bytes: dice.pick(&[0, 0, 0, 10_000_000]),
            }
        }
    }
}

/// As many keys as may be asked for without the run taking too long.
fn keys_max(dice: &mut Dice, cluster: &Cluster) -> usize {
    let harder = match dice.within(1, HARD_ONE_IN) {
        1 => HARDER,
        _ => 1,
    };
    let each = (cluster.nodes * cluster.nodes) as u64;
    let keys = EFFORT_MAX * harder * cluster.tick_ms / each;
    match cluster.keys_max {
        KEYS_CRAMPED => dice.within(KEYS_ASKED_CRAMPED.0, KEYS_ASKED_CRAMPED.1) as usize,
        _ => keys.clamp(1, 1_000) as usize,
    }
}

/// A load drawn first, and as many keys and as large costs as make it so many requests; where that
/// is too many keys, a larger load.
fn workload(dice: &mut Dice, scenario: &Scenario) -> Workload {
    let cluster = &scenario.cluster;
    let load_milli = dice.pick(&[500, 800, 900, 1_500, 2_000, 3_000, 6_000]);
    let wanted = dice.within(REQUESTS_PER_S.0, REQUESTS_PER_S.1);
    // Units per thousand seconds that one key is asked for.
    let asked = u128::from(cluster.rate_units) * u128::from(load_milli) * 1_000
        / u128::from(cluster.rate_period_ms);
    let wanted_milli = u128::from(wanted) * 1_000;
    let enough = wanted_milli.div_ceil(asked.max(1));
    let keys_max = keys_max(dice, cluster);
    let cramped = cluster.keys_max == KEYS_CRAMPED;
    let keys = match cramped {
        true => keys_max,
        false => (enough as usize).clamp(1, keys_max),
    };
    let load_milli = match (keys as u128) < enough {
        true => (u128::from(load_milli) * enough / keys as u128) as u64,
        false => load_milli,
    };
    let asked = asked * enough.max(keys as u128) / keys as u128;
    let cost = (asked * keys as u128 / wanted_milli).max(1) as u64;
    let cost = cost.min(cluster.burst_units.max(1));
    let load_milli = limited(cluster, load_milli, keys as u64, cost, wanted);
    let costs = match dice.within(0, 19) {
        0 => vec![cost, cost, cost, cluster.burst_units + 1],
        1..=14 => vec![cost],
        _ => vec![cost, cost, (cost * 2).min(cluster.burst_units.max(1))],
    };
    let bursts = dice.is_milli(150);
    Workload {
        load_milli,
        keys,
        popularity: if dice.is_milli(300) {
            Popularity::Zipf(1_000)
        } else {
            Popularity::Even
        },
        placement: placement(dice),
        timing: if bursts {
            burst_timing(dice, scenario.cluster.nodes)
        } else {
            timing(dice)
        },
        costs,
        from_ms: 0,
        until_ms: None,
    }
}

/// Where even the largest cost leaves too many requests, less load.
fn limited(cluster: &Cluster, load_milli: u64, keys: u64, cost: u64, wanted: u64) -> u64 {
    let asked = u128::from(cluster.rate_units) * u128::from(load_milli) * u128::from(keys)
        / u128::from(cluster.rate_period_ms)
        / u128::from(cost.max(1));
    let most = u128::from(2 * wanted);
    if asked <= most {
        load_milli
    } else {
        (u128::from(load_milli) * most / asked).max(1) as u64
    }
}

fn placement(dice: &mut Dice) -> Placement {
    match dice.within(0, 5) {
        0..=1 => Placement::Even,
        2 => Placement::RoundRobin,
        3 => Placement::Skewed(dice.within(300, 950) as u32),
        4 => Placement::Moving(dice.within(500, 10_000)),
        _ => Placement::Sticky,
    }
}

fn timing(dice: &mut Dice) -> Timing {
    match dice.within(0, 5) {
        0..=3 => Timing::Poisson,
        4 => Timing::Regular,
        _ => Timing::OnOff(dice.within(1_000, 8_000)),
    }
}

fn burst_timing(dice: &mut Dice, nodes: usize) -> Timing {
    let everywhere = dice.is_milli(300);
    let each_ms = dice.within(500, 5_000);
    let wanted = dice.within(REQUESTS_PER_S.0, REQUESTS_PER_S.1) * each_ms / 1_000;
    let share = if everywhere { nodes as u64 } else { 1 };
    Timing::Bursts {
        count: (wanted / share).max(1) + 1,
        within_ms: dice.within(1, 200),
        each_ms,
        everywhere,
    }
}

/// Which faults of a scenario are one family's: what a reader wants to know first.
#[must_use]
pub fn families(scenario: &Scenario) -> std::collections::BTreeSet<&'static str> {
    let family = |kind: &FaultKind| match kind {
        FaultKind::CutOneWay(..) => Some("one-way"),
        FaultKind::Partition(_) => Some("partition"),
        FaultKind::Clog(..) => Some("clog"),
        FaultKind::Network(_) => Some("network"),
        FaultKind::Crash(_) => Some("crash"),
        FaultKind::Restart(_) => Some("restart"),
        FaultKind::Pause(_) => Some("pause"),
        FaultKind::Join => Some("join"),
        FaultKind::Leave(_) => Some("leave"),
        FaultKind::Forget(_) => Some("forget"),
        FaultKind::ClockRate(..) | FaultKind::ClockFreeze(..) | FaultKind::ClockStep(..) => {
            Some("clock")
        }
        FaultKind::Heal | FaultKind::Resume(_) => None,
    };
    scenario
        .faults
        .iter()
        .filter_map(|fault| family(&fault.kind))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_draws_a_run_worth_its_time() {
        let mut large = 0;
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let scenario = draw(seed);
            assert_eq!(scenario, draw(seed), "the same again");
            assert!(scenario.duration_ms >= 60_000);
            let harms = families(&scenario).len();
            let kinds = scenario.faults.len();
            assert!(harms >= 1 && kinds >= 2, "seed {seed} has {kinds} faults");
            let requests = arrivals(&scenario).expect("it can be drawn").len();
            assert!(
                (2_000..20_000).contains(&requests),
                "seed {seed}: {requests} requests"
            );
            large += u64::from(scenario.cluster.nodes == NODES_LARGE);
            seen.extend(families(&scenario));
        }
        assert!((3..=20).contains(&large), "{large} of 200 are large");
        assert_eq!(seen.len(), 11, "{seen:?}");
    }

    #[test]
    fn what_is_drawn_can_be_written_down_and_read_again() {
        for seed in 0..50 {
            let scenario = draw(seed);
            let text = toml::to_string(&scenario).expect("written");
            assert_eq!(toml::from_str::<Scenario>(&text).expect("read"), scenario);
        }
    }
}
