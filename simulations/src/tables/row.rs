//! One line of a table.

use serde::{Deserialize, Serialize};

use crate::history::Run;
use crate::measure::{self, Overshoot};
use crate::scenario::{Mode, Scenario};

use super::Cell;

/// What one run showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The workload's name.
    pub workload: String,
    /// `lan` or `wan`.
    pub network: String,
    /// Nodes at the start.
    pub nodes: usize,
    /// What is asked as a multiple of the rate; 0 where bursts or a log say.
    pub load: f64,
    /// Who decided.
    pub strategy: String,
    /// ε.
    pub epsilon: f64,
    /// `check` or `acquire`.
    pub mode: String,
    /// The run's seed.
    pub seed: u64,
    /// The gossip tick.
    pub tick_ms: u64,
    /// How long requests came.
    pub duration_s: f64,
    /// Units admitted.
    pub admitted: u64,
    /// Units that a central bucket admits of the same arrivals.
    pub ideal_admitted: u64,
    /// One by the other; 1 where neither admits anything.
    pub utilisation: f64,
    /// The furthest excess over `C + r·T` of any interval and key.
    pub overshoot_units: f64,
    /// ε·C.
    pub bound_units: f64,
    /// Grants sent per node and second.
    pub grants_per_node_s: f64,
    /// Datagrams sent per node and second.
    pub datagrams_per_node_s: f64,
    /// Bytes sent per node and second.
    pub bytes_per_node_s: f64,
    /// How long after healing rows and merged views were equal.
    pub converged_ms: Option<f64>,
    /// Whether the overshoot is above the bound, exactly.
    #[serde(skip)]
    pub exceeds: bool,
}

impl Row {
    /// Measures a run.
    #[must_use]
    pub fn of(cell: &Cell, scenario: &Scenario, strategy: &str, run: &Run, ideal: u64) -> Self {
        let admitted = measure::admitted_units(run);
        let overshoot = Overshoot::of(scenario, run);
        let node_s = run.traffic.nodes * run.traffic.span_ns as f64 / 1e9;
        let per_node_s = |count: u64| {
            if node_s > 0.0 {
                count as f64 / node_s
            } else {
                0.0
            }
        };
        Self {
            workload: cell.workload.to_owned(),
            network: cell.network.to_owned(),
            nodes: cell.nodes,
            load: cell.load(),
            strategy: strategy.to_owned(),
            epsilon: scenario.cluster.overshoot_milli as f64 / 1000.0,
            mode: mode_name(scenario.mode).to_owned(),
            seed: scenario.seed,
            tick_ms: scenario.cluster.tick_ms,
            duration_s: scenario.duration_ms as f64 / 1000.0,
            admitted,
            ideal_admitted: ideal,
            utilisation: if ideal > 0 {
                admitted as f64 / ideal as f64
            } else {
                1.0
            },
            overshoot_units: overshoot.units(),
            bound_units: overshoot.bound_units(),
            grants_per_node_s: per_node_s(run.traffic.grants),
            datagrams_per_node_s: per_node_s(run.traffic.datagrams),
            bytes_per_node_s: per_node_s(run.traffic.bytes),
            converged_ms: measure::converged_ms(run),
            exceeds: overshoot.exceeds_bound(),
        }
    }

    /// Whether both are of the same run of the same table, but for who decided, ε and mode.
    #[must_use]
    pub fn same_cell(&self, other: &Self) -> bool {
        self.same_place(other) && self.seed == other.seed
    }

    /// Whether both are of the same cell, with any seed.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        (&self.workload, &self.network, self.nodes)
            == (&other.workload, &other.network, other.nodes)
            && self.load.total_cmp(&other.load).is_eq()
    }
}

/// As tables call it.
#[must_use]
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Check => "check",
        Mode::Acquire => "acquire",
        Mode::Mixed(_) => "mixed",
    }
}
