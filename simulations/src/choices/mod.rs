//! What each choice of an operator costs and buys, as the tables of docs/consistency.md.
//!
//! Every figure there is made by `cargo simulate choices`, and put between two marks of the
//! document: none is written by hand.

mod tables;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::checker::Ceiling;
use crate::measure::{Overshoot, admitted_units, ideal_units};
use crate::strategy::Shares;
use crate::verdict::Checker;
use crate::{Scenario, Strategy, Verdict, workload};

pub use tables::all;

/// Runs at once.
const WORKERS: usize = 2;

/// One table: a choice in each row, and what became of it.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name: of the marks in the document, and of `--only`.
    pub name: &'static str,
    /// What stands above its columns; the last is always whether the ceiling was kept.
    pub head: Vec<&'static str>,
    /// By choice, the runs that show it.
    pub rows: Vec<(String, Vec<Scenario>)>,
    /// What of a row's runs stands in its columns.
    pub cells: fn(&[Seen]) -> Vec<String>,
}

/// What one run showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Units admitted ÷ units that one central bucket admits of the same requests.
    pub utilisation: f64,
    /// The furthest above `C + r·T` that any interval came, in units.
    pub above_units: f64,
    /// Datagrams sent per node and second.
    pub datagrams: f64,
    /// Whether the checker of the ceiling found nothing false.
    pub kept: bool,
}

impl Table {
    /// Makes its runs and lays them out as Markdown. `done` is called after each run.
    ///
    /// # Errors
    /// Arrivals that can't be drawn.
    pub fn markdown(&self, done: &(dyn Fn() + Sync)) -> Result<String> {
        let scenarios: Vec<_> = self.rows.iter().flat_map(|(_, runs)| runs).collect();
        let seen = see_all(&scenarios, done)?;
        let mut seen = seen.as_slice();
        let mut lines = vec![line(self.head.iter().copied()), rule(self.head.len())];
        for (label, runs) in &self.rows {
            let (row, rest) = seen.split_at(runs.len());
            seen = rest;
            let mut cells = vec![label.clone()];
            cells.extend((self.cells)(row));
            let kept = row.iter().all(|seen| seen.kept);
            cells.push(if kept { "kept" } else { "**broken**" }.to_owned());
            lines.push(line(cells.iter().map(String::as_str)));
        }
        Ok(lines.join("\n"))
    }
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn rule(columns: usize) -> String {
    format!("|{}", "---|".repeat(columns))
}

/// Runs all, some at a time; what was seen of each, in order.
fn see_all(scenarios: &[&Scenario], done: &(dyn Fn() + Sync)) -> Result<Vec<Seen>> {
    let next = AtomicUsize::new(0);
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(index) else {
                        return;
                    };
                    let one = see(scenario);
                    seen.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, one));
                    done();
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    seen.sort_by_key(|(index, _)| *index);
    seen.into_iter().map(|(_, one)| one).collect()
}

fn see(scenario: &Scenario) -> Result<Seen> {
    let arrivals = workload::arrivals(scenario)?;
    let ideal = ideal_units(&scenario.cluster, &arrivals);
    let run = Shares.run(scenario, &arrivals);
    let node_s = run.traffic.nodes * run.traffic.span_ns as f64 / 1e9;
    Ok(Seen {
        utilisation: admitted_units(&run) as f64 / ideal.max(1) as f64,
        above_units: Overshoot::of(scenario, &run).units(),
        datagrams: run.traffic.datagrams as f64 / node_s.max(f64::MIN_POSITIVE),
        kept: matches!(Ceiling.check(scenario, &run), Verdict::Pass(_)),
    })
}

/// A document with a table between its marks in place of what stood there.
///
/// # Errors
/// A document without those marks.
pub fn filled(document: &str, name: &str, table: &str) -> Result<String> {
    let (begin, end) = (mark(name, "begin"), mark(name, "end"));
    let missing = || format!("the document has no {begin} … {end}");
    let (before, rest) = document.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}\n{table}\n{end}{after}"))
}

fn mark(name: &str, at: &str) -> String {
    format!("<!-- {name}:{at} -->")
}

#[cfg(test)]
mod tests;
