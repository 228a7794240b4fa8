//! Who asks for what, where and when: the arrivals of a scenario.
//!
//! Instants, places, keys and costs are drawn from streams of their own, so that a change of one
//! leaves the others as they are; nothing that the cluster does moves any of them.

mod keys;
mod log;
mod places;
mod timing;

use anyhow::{Result, ensure};

pub use log::span_s as log_span_s;

use crate::dice::Dice;
use crate::history::Arrival;
use crate::scenario::{Scenario, Timing};

/// Most requests of one run; a workload with more is refused, not cut off. One takes 24 bytes.
pub const ARRIVALS_MAX: u64 = 60_000_000;

/// A request whose place and cost are still to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    at_ns: u64,
    /// The instant that says where the hot spot is: its burst's start, or its own.
    hot_ns: u64,
    key: u32,
    /// The place, where the workload's timing says so.
    place: Option<u32>,
}

/// Draws a scenario's arrivals, in order of time.
///
/// A place is chosen among those that run at the arrival's instant, as a balancer with health
/// checks would; it does not see pauses and cuts. Loads count units: a load of r with costs of 2
/// is r/2 requests.
///
/// # Errors
/// A log that cannot be read, costs that are missing or 0, more than [`ARRIVALS_MAX`] requests.
pub fn arrivals(scenario: &Scenario) -> Result<Vec<Arrival>> {
    let workload = &scenario.workload;
    let costs = &workload.costs;
    ensure!(
        !costs.is_empty() && costs.iter().all(|cost| *cost > 0),
        "costs must be named, each at least 1"
    );
    let asked = match &workload.timing {
        Timing::Log {
            path,
            seconds,
            speed,
        } => log::asked(scenario, path, *seconds, *speed)?,
        _ => timing::asked(scenario)?,
    };
    let mut places = places::Places::new(scenario);
    let mut cost_dice = Dice::split(scenario.seed, "workload costs", 0);
    let arrivals = asked.into_iter().map(|asked| Arrival {
        at_ns: asked.at_ns,
        place: asked.place.unwrap_or_else(|| places.choose(&asked)),
        key: asked.key,
        cost: if costs.len() == 1 {
            costs[0]
        } else {
            cost_dice.pick(costs)
        },
    });
    Ok(arrivals.collect())
}

/// From 0 to below 1, 53 bits fine.
fn unit_interval(dice: &mut Dice) -> f64 {
    (dice.roll() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests;
