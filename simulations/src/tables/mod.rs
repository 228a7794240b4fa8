//! The tables that the library answers for: which runs they are made of, and what each must show.

pub mod bars;
pub mod row;
pub mod shown;
mod workloads;

use anyhow::{Context, Result, ensure};

use crate::scenario::{Cluster, Mode, Quality, Scenario, Workload};

pub use row::Row;
pub use workloads::NAMES;

/// Overshoot budgets of every cell, in thousandths.
pub const EPSILONS_MILLI: [u64; 3] = [0, 200, 1000];

/// How long a run goes on after its last request at least: what was asked last is answered too.
const ANSWERS_MS: u64 = 100;

/// One place of a table: a workload on a cluster in a network. Each strategy, budget and mode runs
/// in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// One of [`NAMES`].
    pub workload: &'static str,
    /// `host`, `lan` or `wan`.
    pub network: &'static str,
    /// Nodes at the start.
    pub nodes: usize,
    /// The run at ε = 0 by `check`, with seed 0.
    pub base: Scenario,
}

/// What a workload is, for a cluster of some size.
struct Shape {
    burst_units: u64,
    rate_units: u64,
    rate_period_ms: u64,
    duration_ms: u64,
    /// How long all is quiet after it.
    heal_ms: u64,
    faults: Vec<crate::scenario::Fault>,
    workload: Workload,
}

/// What to leave out.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// A pattern of workload names, `*` for anything; `None` is all.
    pub only: Option<String>,
    /// Sizes of clusters; empty is all.
    pub nodes: Vec<usize>,
    /// Only what runs in seconds: five nodes at most, one key, no log, nothing long.
    pub quick: bool,
    /// The access log: its path, or the environment variable that holds it. Without it the cells
    /// that play it are left out.
    pub log: Option<String>,
}

/// All cells that are selected, in the tables' order.
///
/// # Errors
/// A log that cannot be read; a selection that selects nothing.
pub fn cells(selection: &Selection) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for name in NAMES {
        for (network, nodes) in workloads::clusters(name) {
            for load_milli in workloads::loads_milli(name) {
                let wanted = selection.wants(name, *nodes);
                if wanted {
                    cells.push(cell(name, network, *nodes, *load_milli, selection)?);
                }
            }
        }
    }
    ensure!(!cells.is_empty(), "no cell of the tables is selected");
    Ok(cells)
}

/// One cell by its names; loads beside the workload's own are allowed.
///
/// # Errors
/// A workload that is not there; a log that cannot be read.
pub fn cell(
    name: &str,
    network: &'static str,
    nodes: usize,
    load_milli: u64,
    selection: &Selection,
) -> Result<Cell> {
    let workload = NAMES.iter().find(|known| **known == name);
    let workload = *workload.with_context(|| format!("no workload is called {name}"))?;
    let shape = workloads::shape(name, nodes, load_milli, selection.log.as_deref())?;
    let base = Scenario {
        name: format!("{name}, {network}, {nodes} nodes"),
        seed: 0,
        duration_ms: shape.duration_ms,
        warm_up_ms: 3_000,
        heal_ms: shape.heal_ms.max(ANSWERS_MS),
        cluster: Cluster {
            nodes,
            burst_units: shape.burst_units,
            rate_units: shape.rate_units,
            rate_period_ms: shape.rate_period_ms,
            overshoot_milli: 0,
            tick_ms: 100,
            evict_after_ms: None,
            fallback: crate::scenario::Fallback::OwnShare,
            acquire_deadline_ms: 50,
            owners: None,
            keys_max: 200_000,
        },
        mode: Mode::Check,
        network: match network {
            "host" => Quality::HOST,
            "wan" => Quality::WAN,
            _ => Quality::LAN,
        },
        faults: shape.faults,
        workload: shape.workload,
    };
    Ok(Cell {
        workload,
        network,
        nodes,
        base,
    })
}

impl Cell {
    /// The run with a seed, a budget in thousandths, and a mode.
    #[must_use]
    pub fn scenario(&self, seed: u64, overshoot_milli: u64, mode: Mode) -> Scenario {
        let mut scenario = self.base.clone();
        scenario.seed = seed;
        scenario.mode = mode;
        scenario.cluster.overshoot_milli = overshoot_milli;
        scenario
    }

    /// What is asked as a multiple of the rate; 0 where bursts or a log say.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.base.workload.load_milli as f64 / 1000.0
    }

    /// Roughly how much work a run of it is, to begin with the longest.
    #[must_use]
    pub fn weight(&self) -> u64 {
        let ticks = self.base.duration_ms / 100 * self.nodes as u64;
        let keys = self.base.workload.keys as u64;
        let rate = self.base.cluster.rate_units * self.base.workload.load_milli / 1000;
        ticks + keys * rate * self.base.duration_ms / self.base.cluster.rate_period_ms
    }
}

impl Selection {
    fn wants(&self, name: &str, nodes: usize) -> bool {
        let by_name = self.only.as_deref().is_none_or(|glob| matches(glob, name));
        let by_nodes = self.nodes.is_empty() || self.nodes.contains(&nodes);
        let by_log = !workloads::is_log(name) || self.log.is_some();
        let by_speed = !self.quick || nodes <= 5 && workloads::is_quick(name);
        by_name && by_nodes && by_log && by_speed
    }
}

/// Whether a name fits a pattern in which `*` stands for anything, and commas part alternatives.
fn matches(glob: &str, name: &str) -> bool {
    glob.split(',').any(|glob| matches_one(glob, name))
}

fn matches_one(glob: &str, name: &str) -> bool {
    let Some((head, rest)) = glob.split_once('*') else {
        return glob == name;
    };
    let Some(left) = name.strip_prefix(head) else {
        return false;
    };
    let mut ends = (0..=left.len()).filter(|end| left.is_char_boundary(*end));
    ends.any(|end| matches_one(rest, &left[end..]))
}

#[cfg(test)]
mod tests;
