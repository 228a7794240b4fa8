//! `simulate table`: every strategy on every workload, against what must be shown.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::measure::ideal_units;
use crate::say::{self, say};
use crate::scenario::Mode;
use crate::strategy::{self, Strategy};
use crate::tables::bars::OURS;
use crate::tables::{self, Cell, EPSILONS_MILLI, Row, Selection, bars, shown};
use crate::workload::arrivals;

/// Runs at once: one for each core that may be counted on.
const WORKERS: usize = 2;

/// Most seeds of one table.
const SEEDS_MAX: u64 = 1_000;

/// Which runs to make, and where to write what they showed.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Writes every row as a list of JSON objects.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only these workloads: names with `*` for anything, parted by commas.
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// Only clusters of these sizes.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    nodes: Vec<usize>,
    /// Only what runs in seconds.
    #[arg(long)]
    quick: bool,
    /// Only these strategies.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    strategies: Vec<String>,
    /// The access log that the workload `log` plays, in Common Log Format.
    #[arg(long, value_name = "FILE", env = "DISTRIBUTARY_LOG")]
    log: Option<String>,
    /// How many seeds each cell runs with.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seeds: u64,
    /// The first of them.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

type Strategies = Vec<Box<dyn Strategy + Send + Sync>>;

/// All runs on the same arrivals.
#[derive(Clone, Copy)]
struct Job<'a> {
    cell: &'a Cell,
    seed: u64,
}

impl Options {
    /// Makes the table and prints it. Code 1 if anybody who promises a bound went above it.
    ///
    /// # Errors
    /// A log or file that cannot be used; names that are not there.
    pub fn execute(self) -> Result<ExitCode> {
        ensure!(
            (1..=SEEDS_MAX).contains(&self.seeds),
            "--seeds takes 1 to {SEEDS_MAX}"
        );
        let strategies = self.chosen()?;
        let cells = tables::cells(&Selection {
            only: self.only.clone(),
            nodes: self.nodes.clone(),
            quick: self.quick,
            log: self.log.clone(),
        })?;
        let rows = rows(&jobs(&cells, self.seed, self.seeds), &strategies)?;
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(&rows)?;
            std::fs::write(path, text + "\n")
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        say!("{}\n{}", shown::table(&rows), shown::traffic(&rows));
        if rows.iter().any(|row| row.strategy == OURS) {
            say::text(format_args!("{}", shown::bars(&bars::judge(&rows))));
        }
        let broken = rows.iter().any(|row| row.strategy == OURS && row.exceeds);
        Ok(ExitCode::from(u8::from(broken)))
    }

    fn chosen(&self) -> Result<Strategies> {
        let mut all = strategy::all();
        if self.strategies.is_empty() {
            return Ok(all);
        }
        for name in &self.strategies {
            let known = all.iter().any(|strategy| strategy.name() == name);
            ensure!(known, "no strategy is called {name}");
        }
        all.retain(|strategy| self.strategies.iter().any(|name| name == strategy.name()));
        Ok(all)
    }
}

/// Cells with seeds, the longest runs first so that workers end together.
fn jobs(cells: &[Cell], first: u64, seeds: u64) -> Vec<Job<'_>> {
    let mut jobs: Vec<Job<'_>> = cells
        .iter()
        .flat_map(|cell| (first..first.saturating_add(seeds)).map(move |seed| Job { cell, seed }))
        .collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.cell.weight()));
    jobs
}

/// Which budgets and modes a strategy runs with: rivals know neither.
fn variants(strategy: &str) -> Vec<(u64, Mode)> {
    if strategy != OURS {
        return vec![(0, Mode::Check)];
    }
    let checks = EPSILONS_MILLI.iter().map(|milli| (*milli, Mode::Check));
    checks.chain([(0, Mode::Acquire)]).collect()
}

/// Runs all jobs and brings their rows into the tables' order.
fn rows(jobs: &[Job<'_>], strategies: &Strategies) -> Result<Vec<Row>> {
    let runs: usize = strategies.iter().map(|s| variants(s.name()).len()).sum();
    let progress = progress((jobs.len() * runs) as u64);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Result<Vec<Row>>>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let rows = play(job, strategies, &progress);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(rows);
                }
            });
        }
    });
    progress.finish_and_clear();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows: Result<Vec<Vec<Row>>> = done.into_iter().collect();
    let mut rows: Vec<Row> = rows?.into_iter().flatten().collect();
    rows.sort_by_key(|row| {
        let place = tables::NAMES.iter().position(|name| *name == row.workload);
        (
            place,
            row.network.clone(),
            row.nodes,
            (row.load * 1000.0) as u64,
            row.seed,
        )
    });
    Ok(rows)
}

/// All strategies on the same arrivals.
fn play(job: &Job<'_>, strategies: &Strategies, progress: &ProgressBar) -> Result<Vec<Row>> {
    let cell = job.cell;
    progress.set_message(cell.base.name.clone());
    let arrivals = arrivals(&cell.scenario(job.seed, 0, Mode::Check))?;
    let ideal = ideal_units(&cell.base.cluster, &arrivals);
    let mut rows = Vec::new();
    for strategy in strategies {
        for (overshoot_milli, mode) in variants(strategy.name()) {
            let scenario = cell.scenario(job.seed, overshoot_milli, mode);
            let run = strategy.run(&scenario, &arrivals);
            rows.push(Row::of(cell, &scenario, strategy.name(), &run, ideal));
            progress.inc(1);
        }
    }
    Ok(rows)
}

fn progress(runs: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr());
    let template = "{bar:30} {pos}/{len} runs, {elapsed} of about {duration}: {msg}";
    bar.with_style(ProgressStyle::with_template(template).expect("the template is right"))
}
