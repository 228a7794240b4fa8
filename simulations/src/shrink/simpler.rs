//! Ways to make a scenario simpler. Each gives candidates, the boldest first; none ever gives back
//! what another took away.

use crate::Scenario;
use crate::scenario::{Fallback, Fault, FaultKind, Mode, Placement, Popularity, Quality, Timing};
use crate::swarm::possible;

/// From a scenario, and the instant at which its claim was seen to be false, to simpler ones.
pub type Way = fn(&Scenario, u64) -> Vec<Scenario>;

/// All of them, in the order in which they save most.
pub const WAYS: [Way; 9] = [
    sooner,
    fewer_faults,
    fewer_nodes,
    fewer_keys,
    less_load,
    plainer,
    plainer_network,
    smaller_faults,
    rounder,
];

/// Ends soon after the failure was seen, or halfway, or without a second phase.
fn sooner(scenario: &Scenario, at_ns: u64) -> Vec<Scenario> {
    let seen_ms = at_ns / 1_000_000 + 1;
    let ends = |duration_ms: u64, heal_ms: u64| {
        let fits = |fault: &&Fault| fault.at_ms <= duration_ms;
        let faults = scenario.faults.iter().filter(fits).cloned().collect();
        Scenario {
            duration_ms,
            heal_ms,
            faults,
            ..scenario.clone()
        }
    };
    let (duration_ms, heal_ms) = (scenario.duration_ms, scenario.heal_ms);
    let mut candidates = Vec::new();
    if heal_ms > 0 {
        candidates.push(ends(duration_ms, 0));
        candidates.push(ends(duration_ms, heal_ms / 2));
    }
    for shorter_ms in [seen_ms, duration_ms / 2, duration_ms * 4 / 5] {
        if shorter_ms < duration_ms && shorter_ms > 0 {
            candidates.push(ends(shorter_ms, heal_ms));
        }
    }
    candidates
}

/// Without half of the faults, a quarter, …, one of them.
fn fewer_faults(scenario: &Scenario, _: u64) -> Vec<Scenario> {
    let count = scenario.faults.len();
    let mut candidates = Vec::new();
    let mut width = count;
    while width > 0 {
        for from in (0..count).step_by(width) {
            let keeps = |(index, _): &(usize, &Fault)| !(from..from + width).contains(index);
            let kept = scenario.faults.iter().enumerate().filter(keeps);
            let kept: Vec<Fault> = kept.map(|(_, fault)| fault.clone()).collect();
            let faults = possible(scenario.cluster.nodes, &kept);
            candidates.push(Scenario {
                faults,
                ..scenario.clone()
            });
        }
        width /= 2;
    }
    candidates.extend(founder(scenario));
    candidates
}

/// The first who joins is there from the start instead: its place has the same number.
fn founder(scenario: &Scenario) -> Option<Scenario> {
    let join = scenario
        .faults
        .iter()
        .position(|fault| fault.kind == FaultKind::Join)?;
    Some(changed(scenario, |simpler| {
        simpler.faults.remove(join);
        simpler.cluster.nodes += 1;
    }))
}

/// With three or two nodes at once, else without the last, the second, …
fn fewer_nodes(scenario: &Scenario, _: u64) -> Vec<Scenario> {
    let nodes = scenario.cluster.nodes;
    let mut candidates = Vec::new();
    for wanted in [1, 2, 3, nodes / 2] {
        if (1..nodes).contains(&wanted) {
            candidates.push((wanted..nodes).rev().fold(scenario.clone(), without));
        }
    }
    if nodes > 1 {
        candidates.extend(
            (0..nodes)
                .rev()
                .map(|place| without(scenario.clone(), place)),
        );
    }
    candidates
}

/// One place less among those at the start: those after it move up.
fn without(mut scenario: Scenario, gone: usize) -> Scenario {
    scenario.cluster.nodes -= 1;
    let moved = |place: usize| match place.cmp(&gone) {
        std::cmp::Ordering::Less => Some(place),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(place - 1),
    };
    let faults = scenario.faults.iter().filter_map(|fault| {
        let kind = renamed(&fault.kind, &moved)?;
        Some(Fault {
            at_ms: fault.at_ms,
            kind,
        })
    });
    let faults: Vec<Fault> = faults.collect();
    scenario.faults = possible(scenario.cluster.nodes, &faults);
    scenario
}

/// A fault with its places under new names; none where it has lost its meaning.
fn renamed(kind: &FaultKind, moved: &impl Fn(usize) -> Option<usize>) -> Option<FaultKind> {
    let all = |places: &[usize]| {
        let left: Vec<usize> = places.iter().filter_map(|place| moved(*place)).collect();
        (!left.is_empty()).then_some(left)
    };
    Some(match kind {
        FaultKind::CutOneWay(from, to) => FaultKind::CutOneWay(all(from)?, all(to)?),
        FaultKind::Clog(from, to) => FaultKind::Clog(all(from)?, all(to)?),
        FaultKind::Partition(groups) => {
            let left: Vec<Vec<usize>> = groups.iter().filter_map(|group| all(group)).collect();
            if left.len() < 2 {
                return None;
            }
            FaultKind::Partition(left)
        }
        FaultKind::Crash(place) => FaultKind::Crash(moved(*place)?),
        FaultKind::Restart(place) => FaultKind::Restart(moved(*place)?),
        FaultKind::Pause(place) => FaultKind::Pause(moved(*place)?),
        FaultKind::Resume(place) => FaultKind::Resume(moved(*place)?),
        FaultKind::Leave(place) => FaultKind::Leave(moved(*place)?),
        FaultKind::Forget(place) => FaultKind::Forget(moved(*place)?),
        FaultKind::ClockRate(place, ppm) => FaultKind::ClockRate(moved(*place)?, *ppm),
        FaultKind::ClockFreeze(place, ms) => FaultKind::ClockFreeze(moved(*place)?, *ms),
        FaultKind::ClockStep(place, ms) => FaultKind::ClockStep(moved(*place)?, *ms),
        FaultKind::Network(_) | FaultKind::Heal | FaultKind::Join => kind.clone(),
    })
}

fn fewer_keys(scenario: &Scenario, _: u64) -> Vec<Scenario> {
    let keys = scenario.workload.keys;
    let fewer = [1, keys / 4, keys / 2, keys.saturating_sub(1)];
    let fewer = fewer
        .into_iter()
        .filter(|wanted| (1..keys).contains(wanted));
    fewer
        .map(|wanted| changed(scenario, |simpler| simpler.workload.keys = wanted))
        .collect()
}

fn less_load(scenario: &Scenario, _: u64) -> Vec<Scenario> {
    let load = scenario.workload.load_milli;
    let mut candidates = Vec::new();
    for less in [load / 4, load / 2, load * 4 / 5] {
        if less > 0 && less < load {
            candidates.push(changed(scenario, |simpler| {
                simpler.workload.load_milli = less;
            }));
        }
    }
    let mut fewer = scenario.clone();
    if let Timing::Bursts { count, .. } = &mut fewer.workload.timing {
        *count = (*count / 2).max(1);
    }
    if fewer != *scenario {
        candidates.push(fewer);
    }
    candidates
}

/// Settings as they are when nobody sets them.
fn plainer(scenario: &Scenario, _: u64) -> Vec<Scenario> {
    let cost = scenario.workload.costs.iter().min().copied().unwrap_or(1);
    let changes: [fn(&mut Scenario); 11] = [
        |simpler| simpler.mode = Mode::Check,
        |simpler| simpler.cluster.overshoot_milli = 0,
        |simpler| simpler.cluster.owners = None,
        |simpler| simpler.cluster.fallback = Fallback::OwnShare,
        |simpler| simpler.cluster.tick_ms = 100,
        |simpler| simpler.cluster.keys_max = 200_000,
        |simpler| simpler.cluster.evict_after_ms = None,
        |simpler| simpler.warm_up_ms = 3_000,
        |simpler| simpler.workload.popularity = Popularity::Even,
        |simpler| simpler.workload.placement = Placement::Even,
        |simpler| simpler.workload.timing = Timing::Poisson,
    ];
    let mut candidates: Vec<Scenario> = changes
        .iter()
        .map(|change| changed(scenario, change))
        .collect();
    if scenario.workload.costs.len() > 1 {
        candidates.push(changed(scenario, |simpler| {
            simpler.workload.costs = vec![cost];
        }));
    }
    candidates.retain(|candidate| candidate != scenario);
    candidates
}

fn plainer_network(scenario: &Scenario, _: u64) -> Vec<Scenario> {
    let changes: [fn(&mut Quality); 6] = [
        |quality| *quality = Quality::LAN,
        |quality| quality.loss_milli = 0,
        |quality| quality.double_milli = 0,
        |quality| quality.tail_milli = 0,
        |quality| quality.bandwidth_bytes = 0,
        |quality| quality.reorders = true,
    ];
    let mut candidates = Vec::new();
    for change in changes {
        candidates.push(changed(scenario, |simpler| change(&mut simpler.network)));
    }
    candidates.retain(|candidate| candidate != scenario);
    candidates
}

/// Clocks that are right, and cuts between fewer groups.
fn smaller_faults(scenario: &Scenario, _: u64) -> Vec<Scenario> {
    let mut candidates = Vec::new();
    for (index, fault) in scenario.faults.iter().enumerate() {
        let FaultKind::Partition(groups) = &fault.kind else {
            continue;
        };
        for gone in (0..groups.len()).filter(|_| groups.len() > 2) {
            let mut fewer = groups.clone();
            fewer.remove(gone);
            let kind = FaultKind::Partition(fewer);
            candidates.push(changed(scenario, |simpler| {
                simpler.faults[index].kind = kind;
            }));
        }
    }
    candidates
}

/// Faults at whole seconds, earlier ones, for people to read.
fn rounder(scenario: &Scenario, _: u64) -> Vec<Scenario> {
    let mut candidates = Vec::new();
    for (index, fault) in scenario.faults.iter().enumerate() {
        let before_ms = index
            .checked_sub(1)
            .map_or(0, |before| scenario.faults[before].at_ms);
        for unit_ms in [1_000, 100] {
            let round_ms = fault.at_ms / unit_ms * unit_ms;
            if round_ms < fault.at_ms && round_ms >= before_ms {
                let change = |simpler: &mut Scenario| simpler.faults[index].at_ms = round_ms;
                candidates.push(changed(scenario, change));
            }
        }
    }
    candidates
}

fn changed(scenario: &Scenario, change: impl FnOnce(&mut Scenario)) -> Scenario {
    let mut simpler = scenario.clone();
    change(&mut simpler);
    simpler
}
