//! The runs that a report rests on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow};

use crate::history::{Arrival, What};
use crate::measure::{self, Overshoot, ideal_units};
use crate::scenario::{Fault, FaultKind, Mode};
use crate::shrink::{Witness, shrink};
use crate::swarm::{self, Summary, hunt};
use crate::tables::bars::OURS;
use crate::tables::{self, EPSILONS_MILLI, Row, Selection};
use crate::trial::{PANIC, Trial, trial};
use crate::workload::arrivals;
use crate::world::MARKS;
use crate::{Run, Scenario, Strategy, Verdict};

/// Runs at once: one for each core that may be counted on.
const WORKERS: usize = 2;

/// When the network is cut, in every run about partitions.
const CUT_MS: u64 = 10_000;

/// How long requests go on once it is healed.
const AFTER_MS: u64 = 10_000;

/// How long all is quiet then, for the rows to agree.
const QUIET_MS: u64 = 3_000;

/// Failing runs that are made small.
const WITNESSES_MAX: usize = 3;

/// Runs that making one small may take.
const SHRINK_RUNS_MAX: usize = 150;

/// How much to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first seed of the swarm, and the seed of all other runs.
    pub seed: u64,
    /// Runs of the swarm.
    pub swarm_runs: u64,
    /// Lengths of partitions, in seconds.
    pub lengths_s: Vec<u64>,
    /// Sizes of clusters.
    pub sizes: Vec<usize>,
    /// Names of workloads, as patterns parted by commas.
    pub workloads: String,
    /// Rare branches that the swarm has to take.
    pub marks: Vec<String>,
}

impl Plan {
    /// What a report is made of; `is_quick` for one that takes about a minute.
    #[must_use]
    pub fn new(seed: u64, is_quick: bool) -> Self {
        let partitions: (&[u64], &[usize]) = match is_quick {
            true => (&[1, 5, 20], &[3, 5, 10]),
            false => (&[1, 2, 5, 10, 20, 60, 200, 600], &[2, 3, 5, 10, 20, 50]),
        };
        let workloads = match is_quick {
            true => "even-2x,moving-0.9x,burst-moving,partition-2x-20s",
            false => "even-*,skew-*,moving-*,burst-*,partition-2x-20s,restart-loop,rolling",
        };
        Self {
            seed,
            swarm_runs: if is_quick { 12 } else { 300 },
            lengths_s: partitions.0.to_vec(),
            sizes: partitions.1.to_vec(),
            workloads: workloads.to_owned(),
            marks: MARKS.iter().map(|mark| (*mark).to_owned()).collect(),
        }
    }
}

/// One strategy's run through a partition.
#[derive(Clone, Debug)]
pub struct Partitioned {
    /// Who decided.
    pub strategy: String,
    /// How long the network was cut.
    pub length_s: u64,
    /// Nodes.
    pub nodes: usize,
    /// The furthest above `C + r·T`.
    pub overshoot_units: f64,
    /// Whether that is above what is promised.
    pub exceeds: bool,
}

/// One setting of the library, through the same partition.
#[derive(Clone, Debug)]
pub struct Setting {
    /// In words.
    pub name: String,
    /// Admitted ÷ ideal.
    pub utilisation: f64,
    /// The furthest above `C + r·T`.
    pub overshoot_units: f64,
    /// The most groups that counted apart.
    pub groups: u32,
    /// How long after the load had stopped all agreed.
    pub converged_ms: Option<f64>,
    /// How its ceiling stands, for as many groups as there were: 0 pass, 1 unknown, 2 fail.
    pub rank: u8,
    /// What it said, if the run did not come to its end.
    pub panicked: Option<String>,
}

/// One partition, looked at over time.
#[derive(Clone, Debug)]
pub struct OverTime {
    /// What was run.
    pub scenario: Scenario,
    /// What was asked.
    pub arrivals: Vec<Arrival>,
    /// The library first.
    pub runs: Vec<(String, Run)>,
}

/// All that was seen.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What was to be run.
    pub plan: Plan,
    /// Every strategy at every length.
    pub lengths: Vec<Partitioned>,
    /// Every strategy at every size.
    pub sizes: Vec<Partitioned>,
    /// The library's settings.
    pub settings: Vec<Setting>,
    /// Workloads, budgets and strategies.
    pub rows: Vec<Row>,
    /// One partition, looked at over time.
    pub over_time: OverTime,
    /// What the swarm found.
    pub swarm: Summary,
    /// The world of one of its seeds, to show what a schedule looks like.
    pub example: Scenario,
    /// Failing runs made small, with their seeds.
    pub witnesses: Vec<(u64, Witness)>,
    /// Virtual seconds of all runs.
    pub virtual_s: f64,
    /// Runs beside the swarm's.
    pub runs: usize,
}

impl Evidence {
    /// The library's runs through partitions.
    pub fn ours(&self) -> impl Iterator<Item = &Partitioned> {
        let all = self.lengths.iter().chain(&self.sizes);
        all.filter(|run| run.strategy == OURS)
    }
}

/// Everybody who decides, the library among them.
pub type Strategies = [Box<dyn Strategy + Send + Sync>];

/// Makes all runs of a plan. `told` hears what is being done.
///
/// # Errors
/// If the library is not among the strategies, or a run cannot be drawn.
pub fn gather(plan: Plan, strategies: &Strategies, told: &dyn Fn(&str)) -> Result<Evidence> {
    let ours = strategies.iter().find(|strategy| strategy.name() == OURS);
    let ours = ours
        .with_context(|| format!("no strategy is called {OURS}"))?
        .as_ref();
    told("partitions by length");
    let by_length = |length| (length, 5);
    let lengths = partitioned(
        &plan,
        strategies,
        plan.lengths_s.iter().copied().map(by_length),
    )?;
    told("partitions by size");
    let sizes = partitioned(
        &plan,
        strategies,
        plan.sizes.iter().map(|nodes| (20, *nodes)),
    )?;
    told("settings");
    let settings = settings(&plan, ours)?;
    told("one partition over time");
    let over_time = over_time(&plan, strategies)?;
    told("workloads");
    let rows = rows(&plan, strategies)?;
    told("the swarm");
    let swarm = swarm(&plan, ours, told)?;
    told("witnesses");
    let witnesses = witnesses(&swarm, ours)?;
    let cut_s = |run: &Partitioned| (run.length_s * 1000 + CUT_MS + AFTER_MS) as f64 / 1e3;
    let table_s: f64 = rows.iter().map(|row| row.duration_s).sum();
    let partitions_s: f64 = lengths.iter().chain(&sizes).map(cut_s).sum();
    Ok(Evidence {
        runs: lengths.len() + sizes.len() + settings.len() + rows.len() + over_time.runs.len(),
        virtual_s: swarm.virtual_s + table_s + partitions_s,
        example: example(&plan),
        plan,
        lengths,
        sizes,
        settings,
        rows,
        over_time,
        swarm,
        witnesses,
    })
}

/// A cluster at twice its rate that is cut in two halves for so long.
fn partition(seed: u64, length_s: u64, nodes: usize) -> Result<Scenario> {
    let cell = tables::cell(
        "partition-2x-20s",
        "lan",
        nodes,
        2_000,
        &Selection::default(),
    )?;
    let halves = (0..nodes).partition(|place| *place < nodes / 2);
    let heal_ms = CUT_MS + length_s * 1_000;
    let mut scenario = cell.scenario(seed, 0, Mode::Check);
    scenario.name = format!("{nodes} nodes, cut for {length_s} s");
    scenario.duration_ms = heal_ms + AFTER_MS;
    scenario.heal_ms = QUIET_MS;
    let at = |at_ms, kind| Fault { at_ms, kind };
    let (one, other): (Vec<usize>, Vec<usize>) = halves;
    scenario.faults = vec![
        at(CUT_MS, FaultKind::Partition(vec![one, other])),
        at(heal_ms, FaultKind::Heal),
    ];
    Ok(scenario)
}

fn partitioned(
    plan: &Plan,
    strategies: &Strategies,
    cases: impl Iterator<Item = (u64, usize)>,
) -> Result<Vec<Partitioned>> {
    let mut jobs = Vec::new();
    for (length_s, nodes) in cases {
        let scenario = partition(plan.seed, length_s, nodes)?;
        let arrivals = arrivals(&scenario)?;
        jobs.push((length_s, nodes, scenario, arrivals));
    }
    let of = |strategy: usize, job: usize| -> Result<Partitioned> {
        let (length_s, nodes, scenario, arrivals) = &jobs[job];
        let strategy = &strategies[strategy];
        let run = observed(strategy.as_ref(), scenario, arrivals)?;
        let overshoot = Overshoot::of(scenario, &run);
        Ok(Partitioned {
            strategy: strategy.name().to_owned(),
            length_s: *length_s,
            nodes: *nodes,
            overshoot_units: overshoot.units(),
            exceeds: overshoot.exceeds_bound(),
        })
    };
    let count = jobs.len();
    let runs = parallel(strategies.len() * count, |index| {
        of(index / count, index % count)
    });
    runs.into_iter().collect()
}

/// What each setting costs and buys in a partition of 20 s.
fn settings(plan: &Plan, ours: &(dyn Strategy + Send + Sync)) -> Result<Vec<Setting>> {
    let mut scenarios = Vec::new();
    for (name, milli, mode, evict_after_ms) in [
        ("ε = 0", 0, Mode::Check, None),
        ("ε = 0.2", 200, Mode::Check, None),
        ("ε = 1", 1000, Mode::Check, None),
        ("ε = 0, acquire", 0, Mode::Acquire, None),
        ("ε = 0, evicted after 5 s", 0, Mode::Check, Some(5_000)),
        ("ε = 0.2, evicted after 5 s", 200, Mode::Check, Some(5_000)),
    ] {
        let mut scenario = partition(plan.seed, 20, 5)?;
        scenario.name = name.to_owned();
        scenario.mode = mode;
        scenario.cluster.overshoot_milli = milli;
        scenario.cluster.evict_after_ms = evict_after_ms;
        scenarios.push(scenario);
    }
    let asked = arrivals(&scenarios[0])?;
    let ideal = ideal_units(&scenarios[0].cluster, &asked);
    let judged = |index: usize| {
        Ok(setting(
            &scenarios[index],
            &trial(ours, &scenarios[index])?,
            ideal,
        ))
    };
    parallel(scenarios.len(), judged).into_iter().collect()
}

fn setting(scenario: &Scenario, trial: &Trial, ideal: u64) -> Setting {
    let (run, report) = (&trial.run, &trial.report);
    let groups = run.notes.iter().filter_map(|note| match note.what {
        What::Groups(groups) => Some(groups),
        _ => None,
    });
    let panicked = report.of(PANIC).and_then(Verdict::finding);
    let ceiling = report.of("ceiling").map_or(1, Verdict::rank);
    Setting {
        name: scenario.name.clone(),
        utilisation: measure::admitted_units(run) as f64 / ideal.max(1) as f64,
        overshoot_units: Overshoot::of(scenario, run).units(),
        groups: groups.max().unwrap_or(1),
        converged_ms: measure::converged_ms(run),
        rank: if panicked.is_some() { 2 } else { ceiling },
        panicked: panicked.map(|finding| finding.text.clone()),
    }
}

/// The library and those that are drawn beside it, in the order in which they are drawn.
fn over_time(plan: &Plan, strategies: &Strategies) -> Result<OverTime> {
    let scenario = partition(plan.seed, 20, 5)?;
    let arrivals = arrivals(&scenario)?;
    let names = [OURS, "ideal", "merged", "live-members"];
    let wanted = names
        .iter()
        .filter_map(|name| strategies.iter().find(|s| s.name() == *name));
    let runs = wanted.map(|strategy| {
        let run = observed(strategy.as_ref(), &scenario, &arrivals)?;
        Ok((strategy.name().to_owned(), run))
    });
    Ok(OverTime {
        runs: runs.collect::<Result<_>>()?,
        scenario,
        arrivals,
    })
}

/// Each workload on five nodes: the library at each budget, rivals as they are.
fn rows(plan: &Plan, strategies: &Strategies) -> Result<Vec<Row>> {
    let mut cells = tables::cells(&Selection {
        only: Some(plan.workloads.clone()),
        nodes: vec![5],
        quick: true,
        log: None,
    })?;
    cells.retain(|cell| cell.network == "lan");
    let mut jobs = Vec::new();
    for (index, _) in cells.iter().enumerate() {
        for strategy in strategies {
            let budgets = if strategy.name() == OURS {
                &EPSILONS_MILLI[..]
            } else {
                &[0]
            };
            jobs.extend(budgets.iter().map(|milli| (index, strategy, *milli)));
        }
    }
    let play = |index: usize| -> Result<Row> {
        let (cell, strategy, milli) = &jobs[index];
        let cell = &cells[*cell];
        let scenario = cell.scenario(plan.seed, *milli, Mode::Check);
        let asked = arrivals(&scenario)?;
        let ideal = ideal_units(&scenario.cluster, &asked);
        let run = observed(strategy.as_ref(), &scenario, &asked)?;
        Ok(Row::of(cell, &scenario, strategy.name(), &run, ideal))
    };
    parallel(jobs.len(), play).into_iter().collect()
}

fn swarm(plan: &Plan, ours: &(dyn Strategy + Send + Sync), told: &dyn Fn(&str)) -> Result<Summary> {
    let marks: Vec<&str> = plan.marks.iter().map(String::as_str).collect();
    let mut done = 0;
    hunt(
        ours,
        (plan.seed, plan.swarm_runs),
        WORKERS,
        &marks,
        |_, _| {
            done += 1;
            told(&format!("the swarm, {done} of {}", plan.swarm_runs));
        },
    )
}

/// The first seed whose world is cut and has a process die, to show what a schedule looks like.
fn example(plan: &Plan) -> Scenario {
    let scenarios = (plan.seed..).take(50).map(swarm::draw);
    let shows = |scenario: &Scenario| {
        let families = swarm::families(scenario);
        let is_small = scenario.cluster.nodes <= 8;
        is_small && families.contains("partition") && families.contains("crash")
    };
    let found = scenarios.into_iter().find(shows);
    found.unwrap_or_else(|| swarm::draw(plan.seed))
}

fn witnesses(summary: &Summary, ours: &dyn Strategy) -> Result<Vec<(u64, Witness)>> {
    let mut claims = std::collections::BTreeSet::new();
    let first = summary
        .losses
        .iter()
        .filter(|loss| claims.insert(&loss.checker));
    let chosen = first.take(WITNESSES_MAX).map(|loss| {
        let scenario = swarm::draw(loss.seed);
        let witness = shrink(ours, &scenario, Some(&loss.checker), SHRINK_RUNS_MAX)?;
        Ok((loss.seed, witness))
    });
    chosen.collect()
}

/// A run, or that it panicked: not every run is judged, and none may be lost without a word.
fn observed(strategy: &dyn Strategy, scenario: &Scenario, arrivals: &[Arrival]) -> Result<Run> {
    let run = || strategy.run(scenario, arrivals);
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|_| anyhow!("{} panics in {}", strategy.name(), scenario.name))
}

/// Answers by number, made on a few threads.
fn parallel<T: Send>(count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let made = make(index);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, made));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, made)| made).collect()
}
