//! What each workload of the tables is, and on which clusters it runs.
//!
//! C = r = 100 over 60 s with Poisson arrivals of one key, unless a workload says otherwise.

use anyhow::{Context, Result};

use crate::scenario::{Fault, FaultKind, Placement, Timing, Workload};
use crate::workload::log_span_s;

use super::Shape;

/// All workloads, in the tables' order.
pub const NAMES: [&str; 22] = [
    "even-2x",
    "even-0.8x",
    "skew-0.9x",
    "skew-3x",
    "moving-2x",
    "moving-0.9x",
    "burst-moving",
    "burst-same",
    "burst-all",
    "partition-2x-20s",
    "partition-2x-600s",
    "low-limit-random",
    "low-limit-rr",
    "log",
    "log-600x",
    "log-600x-cut",
    "keys-1000-3x",
    "keys-4000-sticky",
    "keys-10000",
    "cold-to-hot",
    "restart-loop",
    "rolling",
];

const MINUTE_MS: u64 = 60_000;

/// A log of half a day in 77 s: a small burst then comes back within two ticks.
const LOG_SPEED: u64 = 600;

/// How long runs with many keys are: they make up to 800,000 requests a second.
const MANY_KEYS_MS: u64 = 20_000;

/// In which networks and at which sizes a workload runs.
pub(super) fn clusters(name: &str) -> &'static [(&'static str, usize)] {
    match name {
        "even-2x" => &[
            ("lan", 5),
            ("lan", 20),
            ("lan", 50),
            ("wan", 5),
            ("wan", 20),
        ],
        "moving-0.9x" => &[("lan", 5), ("lan", 20), ("lan", 50), ("wan", 5)],
        "moving-2x" => &[("lan", 5), ("wan", 5)],
        "even-0.8x" | "skew-0.9x" | "burst-all" | "cold-to-hot" => {
            &[("lan", 5), ("lan", 20), ("lan", 50)]
        }
        "low-limit-random" | "low-limit-rr" => &[("lan", 10)],
        "log" => &[("lan", 3), ("lan", 5)],
        // As the demo plays it.
        "log-600x" => &[("host", 3)],
        "log-600x-cut" => &[("host", 5)],
        _ => &[("lan", 5)],
    }
}

/// At which multiples of the rate it runs, in thousandths.
pub(super) fn loads_milli(name: &str) -> &'static [u64] {
    match name {
        "even-0.8x" | "keys-4000-sticky" | "keys-10000" => &[800],
        "skew-0.9x" | "moving-0.9x" => &[900],
        "skew-3x" | "keys-1000-3x" | "cold-to-hot" => &[3000],
        "low-limit-random" => &[800, 2000, 5000],
        "burst-moving" | "burst-same" | "burst-all" => &[0],
        "log" | "log-600x" | "log-600x-cut" => &[0],
        _ => &[2000],
    }
}

/// Whether a run of it on five nodes takes no more than some seconds.
pub(super) fn is_quick(name: &str) -> bool {
    !name.starts_with("keys-") && !is_log(name) && name != "partition-2x-600s"
}

/// Whether it plays an access log.
pub(super) fn is_log(name: &str) -> bool {
    name.starts_with("log")
}

/// What it is on so many nodes.
pub(super) fn shape(name: &str, nodes: usize, load: u64, log: Option<&str>) -> Result<Shape> {
    let mut shape = plain(load);
    let workload = &mut shape.workload;
    match name {
        "skew-0.9x" => workload.placement = Placement::Skewed(890),
        "skew-3x" => workload.placement = Placement::Skewed(800),
        "moving-2x" | "moving-0.9x" => workload.placement = Placement::Moving(2_000),
        "burst-moving" => workload.placement = Placement::Moving(2_000),
        "burst-same" => workload.placement = Placement::Skewed(1000),
        "partition-2x-20s" => partition(&mut shape, nodes, 20_000, 40_000, 60_000),
        "partition-2x-600s" => partition(&mut shape, nodes, 30_000, 630_000, 660_000),
        "low-limit-random" => low_limit(&mut shape, Placement::Even),
        "low-limit-rr" => low_limit(&mut shape, Placement::RoundRobin),
        name if is_log(name) => play_log(name, &mut shape, log)?,
        "keys-1000-3x" => keys(&mut shape, 1_000, Placement::Even),
        "keys-4000-sticky" => keys(&mut shape, 4_000, Placement::Sticky),
        "keys-10000" => keys(&mut shape, 10_000, Placement::Sticky),
        "cold-to-hot" => {
            // Nothing was ever asked of the key; then all comes to one place. The run is as long
            // as the figure allows for, so that its utilisation is the figure.
            workload.placement = Placement::Skewed(1000);
            shape.duration_ms = if nodes > 20 { 2_000 } else { 1_000 };
        }
        "restart-loop" => restart_loop(&mut shape),
        "rolling" => rolling(&mut shape, nodes),
        _ => {}
    }
    if let Some(timing) = bursts(name) {
        shape.workload.timing = timing;
    }
    Ok(shape)
}

fn plain(load_milli: u64) -> Shape {
    Shape {
        burst_units: 100,
        rate_units: 100,
        rate_period_ms: 1_000,
        duration_ms: MINUTE_MS,
        heal_ms: 0,
        faults: Vec::new(),
        workload: Workload::plain(load_milli),
    }
}

/// C within 50 ms each 2 s, when a central bucket has regained all of it; or C at every node at
/// once, each 10 s, when even one to which all that was admitted has drained.
fn bursts(name: &str) -> Option<Timing> {
    let everywhere = name == "burst-all";
    name.starts_with("burst-").then_some(Timing::Bursts {
        count: 100,
        within_ms: if everywhere { 1 } else { 50 },
        each_ms: if everywhere { 10_000 } else { 2_000 },
        everywhere,
    })
}

/// The lesser half of the nodes on one side; after the run all is quiet, for the rows to agree.
fn partition(shape: &mut Shape, nodes: usize, cut_ms: u64, heal_ms: u64, duration_ms: u64) {
    let (one, other): (Vec<usize>, Vec<usize>) = (0..nodes).partition(|place| *place < nodes / 2);
    shape.duration_ms = duration_ms;
    shape.heal_ms = 2_000;
    shape.faults = vec![
        fault(cut_ms, FaultKind::Partition(vec![one, other])),
        fault(heal_ms, FaultKind::Heal),
    ];
}

/// 5 per minute, for two hours: 600 units.
fn low_limit(shape: &mut Shape, placement: Placement) {
    shape.workload.placement = placement;
    shape.burst_units = 5;
    shape.rate_units = 5;
    shape.rate_period_ms = MINUTE_MS;
    shape.duration_ms = 120 * MINUTE_MS;
}

/// All of a log, each request at any node, at its own speed or at [`LOG_SPEED`] times it; or most at one
/// node, which is cut off with another for a while.
fn play_log(name: &str, shape: &mut Shape, path: Option<&str>) -> Result<()> {
    let path = path.with_context(|| format!("the workload {name} needs --log"))?;
    let speed = if name == "log" { 1 } else { LOG_SPEED };
    if name == "log-600x-cut" {
        shape.workload.placement = Placement::Skewed(800);
        partition(shape, 5, 20_000, 45_000, 0);
    }
    shape.burst_units = 10;
    shape.rate_units = 5 * speed;
    shape.rate_period_ms = MINUTE_MS;
    shape.duration_ms = (log_span_s(path)? * 1_000).div_ceil(speed);
    shape.workload.timing = Timing::Log {
        path: path.to_owned(),
        seconds: None,
        speed,
    };
    Ok(())
}

fn keys(shape: &mut Shape, keys: usize, placement: Placement) {
    shape.duration_ms = MANY_KEYS_MS;
    shape.workload.keys = keys;
    shape.workload.placement = placement;
}

/// The process at place 1 is killed every 2 s, and a new one starts 100 ms later; the same host
/// proves that the old one is dead.
fn restart_loop(shape: &mut Shape) {
    for at_ms in (2_000..shape.duration_ms).step_by(2_000) {
        shape.faults.extend([
            fault(at_ms, FaultKind::Crash(1)),
            fault(at_ms + 100, FaultKind::Forget(1)),
            fault(at_ms + 100, FaultKind::Restart(1)),
        ]);
    }
}

/// Every node leaves in order and comes back two seconds later, one after the other.
fn rolling(shape: &mut Shape, nodes: usize) {
    let step_ms = (shape.duration_ms - 10_000) / nodes as u64;
    for place in 0..nodes {
        let at_ms = 5_000 + step_ms * place as u64;
        shape.faults.extend([
            fault(at_ms, FaultKind::Leave(place)),
            fault(at_ms + 2_000, FaultKind::Restart(place)),
        ]);
    }
}

const fn fault(at_ms: u64, kind: FaultKind) -> Fault {
    Fault { at_ms, kind }
}
