//! When requests come, for all timings but a log's.

use anyhow::{Result, ensure};

use crate::dice::Dice;
use crate::scenario::{Scenario, Timing, Workload};

use super::keys::Keys;
use super::{ARRIVALS_MAX, Asked, unit_interval};

const MS_NS: u64 = 1_000_000;

/// From when to when there are requests.
#[derive(Clone, Copy)]
struct Window {
    from_ns: u64,
    until_ns: u64,
}

/// Requests per nanosecond, as a fraction of whole numbers.
#[derive(Clone, Copy)]
struct Pace {
    requests: u128,
    per_ns: u128,
}

/// A burst's shape.
#[derive(Clone, Copy)]
struct Burst {
    count: u64,
    within_ns: u64,
    each_ns: u64,
    everywhere: bool,
}

/// The requests of a scenario in order of time.
pub(super) fn asked(scenario: &Scenario) -> Result<Vec<Asked>> {
    let workload = &scenario.workload;
    let window = window(scenario);
    let pace = pace(scenario);
    let mut dice = Dice::split(scenario.seed, "workload times", 0);
    let instants = match workload.timing {
        Timing::Bursts {
            count,
            within_ms,
            each_ms,
            everywhere,
        } => {
            let burst = Burst {
                count,
                within_ns: within_ms * MS_NS,
                each_ns: (each_ms * MS_NS).max(1),
                everywhere,
            };
            return bursts(scenario, window, burst, &mut dice);
        }
        Timing::Regular => regular(window, pace)?,
        Timing::OnOff(phase_ms) => on_off(window, pace, phase_ms * MS_NS, &mut dice)?,
        Timing::Poisson | Timing::Log { .. } => poisson(window, pace, &mut dice)?,
    };
    let mut keys = keys(scenario, workload);
    let asked = instants.into_iter().map(|at_ns| Asked {
        at_ns,
        hot_ns: at_ns,
        key: keys.draw(),
        place: None,
    });
    Ok(asked.collect())
}

fn keys(scenario: &Scenario, workload: &Workload) -> Keys {
    let dice = Dice::split(scenario.seed, "workload keys", 0);
    Keys::new(workload.keys, workload.popularity, dice)
}

fn window(scenario: &Scenario) -> Window {
    let last_ms = scenario.workload.until_ms.unwrap_or(scenario.duration_ms);
    Window {
        from_ns: scenario.workload.from_ms * MS_NS,
        until_ns: last_ms.min(scenario.duration_ms) * MS_NS,
    }
}

/// How fast units are asked for, in requests of mean cost.
fn pace(scenario: &Scenario) -> Pace {
    let (cluster, workload) = (&scenario.cluster, &scenario.workload);
    let costs: u128 = workload.costs.iter().map(|cost| u128::from(*cost)).sum();
    let units = u128::from(workload.load_milli)
        .saturating_mul(u128::from(cluster.rate_units))
        .saturating_mul(workload.keys as u128);
    let period_ns = u128::from(cluster.rate_period_ms) * u128::from(MS_NS);
    Pace {
        requests: units.saturating_mul(workload.costs.len() as u128),
        per_ns: (period_ns * 1000).saturating_mul(costs),
    }
}

/// Evenly spaced, the first at the window's start.
fn regular(window: Window, pace: Pace) -> Result<Vec<u64>> {
    if pace.requests == 0 {
        return Ok(Vec::new());
    }
    let mut instants = Vec::new();
    loop {
        let passed_ns = (instants.len() as u128).saturating_mul(pace.per_ns) / pace.requests;
        let passed_ns = u64::try_from(passed_ns).unwrap_or(u64::MAX);
        let at_ns = window.from_ns.saturating_add(passed_ns);
        if at_ns >= window.until_ns {
            return Ok(instants);
        }
        push(&mut instants, at_ns)?;
    }
}

/// One independent of the other: the gaps between them are exponential.
fn poisson(window: Window, pace: Pace, dice: &mut Dice) -> Result<Vec<u64>> {
    if pace.requests == 0 {
        return Ok(Vec::new());
    }
    let mean_ns = pace.per_ns as f64 / pace.requests as f64;
    let mut instants = Vec::new();
    // Counted from the window's start in whole and broken nanoseconds: a gap may be below one.
    let mut passed_ns = 0.0;
    loop {
        passed_ns -= (1.0 - unit_interval(dice)).ln() * mean_ns;
        let at_ns = window.from_ns.saturating_add(passed_ns as u64);
        if at_ns >= window.until_ns {
            return Ok(instants);
        }
        push(&mut instants, at_ns)?;
    }
}

/// Poisson for a phase, silence for the next.
fn on_off(window: Window, pace: Pace, phase_ns: u64, dice: &mut Dice) -> Result<Vec<u64>> {
    let phase_ns = phase_ns.max(1);
    let mut instants = Vec::new();
    let mut from_ns = window.from_ns;
    while from_ns < window.until_ns {
        let until_ns = from_ns.saturating_add(phase_ns).min(window.until_ns);
        for at_ns in poisson(Window { from_ns, until_ns }, pace, dice)? {
            push(&mut instants, at_ns)?;
        }
        from_ns = until_ns.saturating_add(phase_ns);
    }
    Ok(instants)
}

fn push(instants: &mut Vec<u64>, at_ns: u64) -> Result<()> {
    ensure!(
        (instants.len() as u64) < ARRIVALS_MAX,
        "more than {ARRIVALS_MAX} requests: let each cost more units, or the run be shorter"
    );
    instants.push(at_ns);
    Ok(())
}

/// Bursts, each of one key, with its requests at independent instants.
fn bursts(
    scenario: &Scenario,
    window: Window,
    burst: Burst,
    dice: &mut Dice,
) -> Result<Vec<Asked>> {
    let mut keys = keys(scenario, &scenario.workload);
    let running = super::places::Running::of(scenario);
    let mut asked = Vec::new();
    let mut from_ns = window.from_ns;
    while from_ns < window.until_ns {
        let key = keys.draw();
        let everywhere = burst.everywhere.then(|| running.at(from_ns).to_vec());
        let places: Vec<Option<u32>> = match everywhere {
            Some(places) => places.into_iter().map(Some).collect(),
            None => vec![None],
        };
        let more = burst.count.saturating_mul(places.len() as u64);
        ensure!(
            more.saturating_add(asked.len() as u64) <= ARRIVALS_MAX,
            "more than {ARRIVALS_MAX} requests: bursts are too large or too many"
        );
        for place in places {
            asked.extend((0..burst.count).map(|_| Asked {
                at_ns: from_ns + dice.within(0, burst.within_ns),
                hot_ns: from_ns,
                key,
                place,
            }));
        }
        from_ns = from_ns.saturating_add(burst.each_ns);
    }
    asked.sort_by_key(|asked| asked.at_ns);
    asked.retain(|asked| asked.at_ns < window.until_ns);
    Ok(asked)
}
