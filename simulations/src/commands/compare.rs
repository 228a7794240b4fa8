//! `simulate compare`: what changed from one table to another, worst first.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::say;
use crate::tables::Row;

/// Differences that are printed; the JSON has all.
const LINES_MAX: usize = 60;

/// Two tables, and what may differ between them.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The table that was, as `table --json` writes it.
    before: PathBuf,
    /// The table that is.
    after: PathBuf,
    /// Writes all differences as a list of JSON objects.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    thresholds: Thresholds,
}

/// By how much a figure may get worse.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Thresholds {
    /// Utilisation may fall by so much.
    #[arg(long, value_name = "PART", default_value_t = 0.005)]
    utilisation: f64,
    /// Overshoot may grow by so many units; above its bound it never may.
    #[arg(long, value_name = "UNITS", default_value_t = 0.5)]
    overshoot: f64,
    /// Grants, datagrams and bytes may grow by this part of what they were.
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    traffic: f64,
    /// Convergence may take so many milliseconds longer.
    #[arg(long, value_name = "MS", default_value_t = 200.0)]
    converged: f64,
}

/// A figure of one cell that is not what it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The cell, in words.
    pub cell: String,
    /// The figure's name.
    pub figure: &'static str,
    /// What it was.
    pub before: Option<f64>,
    /// What it is.
    pub after: Option<f64>,
    /// How much worse, in multiples of what is permitted; below zero it is better.
    pub severity: f64,
}

/// What two tables say of each other.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// The worst first.
    pub differences: Vec<Difference>,
    /// Cells of both.
    pub cells: usize,
    /// Cells of the first alone.
    pub lost: Vec<String>,
    /// Cells of the second alone.
    pub new: Vec<String>,
}

impl Options {
    /// Compares and prints. Code 1 if anything is worse by more than is permitted.
    ///
    /// # Errors
    /// Files that are no tables, or that have no cell in common.
    pub fn execute(self) -> Result<ExitCode> {
        let comparison = compare(&read(&self.before)?, &read(&self.after)?, &self.thresholds);
        ensure!(comparison.cells > 0, "the tables have no cell in common");
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(&comparison.differences)?;
            std::fs::write(path, text + "\n").with_context(|| cannot("write", path))?;
        }
        say::text(format_args!("{}", shown(&comparison)));
        Ok(ExitCode::from(u8::from(comparison.is_worse())))
    }
}

fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

fn read(path: &Path) -> Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| cannot("read", path))?;
    let rows: Vec<Row> =
        serde_json::from_str(&text).with_context(|| format!("{} is no table", path.display()))?;
    ensure!(!rows.is_empty(), "{} has no rows", path.display());
    Ok(rows)
}

/// Compares two tables.
#[must_use]
pub fn compare(before: &[Row], after: &[Row], thresholds: &Thresholds) -> Comparison {
    let mut comparison = Comparison::default();
    for old in before {
        match after.iter().find(|new| is_same(old, new)) {
            Some(new) => {
                comparison.cells += 1;
                comparison
                    .differences
                    .extend(thresholds.differences(old, new));
            }
            None => comparison.lost.push(name(old)),
        }
    }
    let is_new = |row: &&Row| !before.iter().any(|old| is_same(old, row));
    comparison.new = after.iter().filter(is_new).map(name).collect();
    let order = |a: &Difference, b: &Difference| b.severity.total_cmp(&a.severity);
    comparison.differences.sort_by(order);
    comparison
}

impl Comparison {
    /// Whether anything is worse by more than is permitted.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.differences
            .iter()
            .any(|difference| difference.severity > 1.0)
    }
}

impl Thresholds {
    fn differences(&self, old: &Row, new: &Row) -> Vec<Difference> {
        let traffic = |before: f64| (before * self.traffic).max(1.0);
        // Name, before, after, and by how much it may change; below zero where more is better.
        let figures = [
            (
                "utilisation",
                old.utilisation,
                new.utilisation,
                -self.utilisation,
            ),
            (
                "overshoot_units",
                old.overshoot_units,
                new.overshoot_units,
                self.overshoot,
            ),
            (
                "grants_per_node_s",
                old.grants_per_node_s,
                new.grants_per_node_s,
                traffic(old.grants_per_node_s),
            ),
            (
                "datagrams_per_node_s",
                old.datagrams_per_node_s,
                new.datagrams_per_node_s,
                traffic(old.datagrams_per_node_s),
            ),
            (
                "bytes_per_node_s",
                old.bytes_per_node_s,
                new.bytes_per_node_s,
                traffic(old.bytes_per_node_s),
            ),
        ];
        let figures = figures
            .into_iter()
            .map(|(figure, before, after, permitted)| {
                let severity = (after - before) / nonzero(permitted);
                difference(old, figure, (Some(before), Some(after)), severity)
            });
        let mut found: Vec<Difference> = figures.collect();
        found.push(self.convergence(old, new));
        found.extend(broken(old, new));
        found.retain(|difference| difference.severity != 0.0);
        found
    }

    fn convergence(&self, old: &Row, new: &Row) -> Difference {
        let severity = match (old.converged_ms, new.converged_ms) {
            (Some(before), Some(after)) => (after - before) / nonzero(self.converged),
            (Some(_), None) => f64::MAX,
            (None, Some(_)) => -1.0,
            (None, None) => 0.0,
        };
        let figures = (old.converged_ms, new.converged_ms);
        difference(old, "converged_ms", figures, severity)
    }
}

/// A bound that was kept and is not any more is worse than anything that can be measured.
fn broken(old: &Row, new: &Row) -> Option<Difference> {
    let beyond = |row: &Row| row.overshoot_units > row.bound_units + 1e-6;
    let figures = (
        Some(old.overshoot_units - old.bound_units),
        Some(new.overshoot_units - new.bound_units),
    );
    let found = difference(old, "units above the bound", figures, f64::MAX);
    (beyond(new) && !beyond(old)).then_some(found)
}

/// Where nothing is permitted, the least change is too much.
fn nonzero(permitted: f64) -> f64 {
    match permitted == 0.0 {
        true => 1e-9_f64.copysign(permitted),
        false => permitted,
    }
}

fn difference(
    row: &Row,
    figure: &'static str,
    (before, after): (Option<f64>, Option<f64>),
    severity: f64,
) -> Difference {
    Difference {
        cell: name(row),
        figure,
        before,
        after,
        severity,
    }
}

fn is_same(old: &Row, new: &Row) -> bool {
    old.same_cell(new)
        && (&old.strategy, &old.mode, old.tick_ms) == (&new.strategy, &new.mode, new.tick_ms)
        && old.epsilon.total_cmp(&new.epsilon).is_eq()
        && old.duration_s.total_cmp(&new.duration_s).is_eq()
}

fn name(row: &Row) -> String {
    format!(
        "{} {} n={} load={} {} ε={} {} seed={}",
        row.workload,
        row.network,
        row.nodes,
        row.load,
        row.strategy,
        row.epsilon,
        row.mode,
        row.seed
    )
}

fn shown(comparison: &Comparison) -> String {
    let differences = &comparison.differences;
    let mut text = format!(
        "{} cells in both, {} figures differ, {} are worse than permitted\n",
        comparison.cells,
        differences.len(),
        differences.iter().filter(|d| d.severity > 1.0).count()
    );
    for difference in differences.iter().take(LINES_MAX) {
        text += &line(difference);
    }
    if let Some(more) = differences
        .len()
        .checked_sub(LINES_MAX)
        .filter(|more| *more > 0)
    {
        text += &format!("and {more} more\n");
    }
    for (cells, whose) in [(&comparison.lost, "first"), (&comparison.new, "second")] {
        if let Some(cell) = cells.first() {
            text += &format!(
                "{} cells only in the {whose}, such as {cell}\n",
                cells.len()
            );
        }
    }
    text
}

fn line(difference: &Difference) -> String {
    let mark = match difference.severity {
        severity if severity > 1.0 => "WORSE ",
        severity if severity < -1.0 => "better",
        _ => "      ",
    };
    let value = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    format!(
        "{mark} {:<22} {:>12} -> {:>12}  {}\n",
        difference.figure,
        value(difference.before),
        value(difference.after),
        difference.cell
    )
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
