//! Which runs show what each choice costs and buys.
//!
//! C = r = 100, five nodes on a local network, one key, a minute of Poisson arrivals, unless said.

use anyhow::Result;

use super::{Seen, Table};
use crate::Scenario;
use crate::scenario::{Fault, FaultKind, Mode};
use crate::tables::{Selection, cell};

/// All tables, in the document's order.
///
/// # Errors
/// None that a test would not have found: workloads are named by words.
pub fn all(seed: u64) -> Result<Vec<Table>> {
    Ok(vec![
        overshoot(seed)?,
        low_limits(seed)?,
        nodes(seed)?,
        tick(seed)?,
        outages(seed)?,
        clocks(seed)?,
    ])
}

/// The ways to decide: ε in thousandths, and by what.
const WAYS: [(&str, u64, Mode); 4] = [
    ("`check`, ε = 0", 0, Mode::Check),
    ("`check`, ε = 0.2 (default)", 200, Mode::Check),
    ("`check`, ε = 1", 1000, Mode::Check),
    ("`acquire`, ε = 0", 0, Mode::Acquire),
];

const DEFAULT_MILLI: u64 = 200;

fn scenario(name: &str, nodes: usize, load_milli: u64, seed: u64) -> Result<Scenario> {
    let cell = cell(name, "lan", nodes, load_milli, &Selection::default())?;
    Ok(cell.scenario(seed, DEFAULT_MILLI, Mode::Check))
}

fn part(figure: f64) -> String {
    format!("{figure:.3}")
}

fn utilisations(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| part(seen.utilisation)).collect()
}

fn with_most_above(seen: &[Seen]) -> Vec<String> {
    let mut cells = utilisations(seen);
    let most = seen.iter().map(|seen| seen.above_units).fold(0.0, f64::max);
    cells.push(format!("{most:.1}"));
    cells
}

fn overshoot(seed: u64) -> Result<Table> {
    let workloads = [
        ("even-2x", 2000),
        ("skew-3x", 3000),
        ("moving-2x", 2000),
        ("burst-moving", 0),
        ("partition-2x-20s", 2000),
        ("rolling", 2000),
    ];
    let row = |(label, milli, mode): (&str, u64, Mode)| {
        let runs = workloads.iter().map(|(name, load)| {
            let mut run = scenario(name, 5, *load, seed)?;
            (run.cluster.overshoot_milli, run.mode) = (milli, mode);
            Ok(run)
        });
        Ok((label.to_owned(), runs.collect::<Result<_>>()?))
    };
    Ok(Table {
        name: "overshoot",
        head: vec![
            "choice",
            "everywhere, 2×",
            "80 % at one node, 3×",
            "hot spot that moves, 2×",
            "bursts of C, elsewhere each time",
            "cut 2\\|3 for 20 s, 2×",
            "rolling deploy, 2×",
            "most above C + r·T, units",
            "ceiling",
        ],
        rows: WAYS.into_iter().map(row).collect::<Result<_>>()?,
        cells: with_most_above,
    })
}

/// How long the runs of five a minute are: an hour, so 300 units.
const LOW_LIMIT_MS: u64 = 3_600_000;

fn low_limits(seed: u64) -> Result<Table> {
    let row = |(label, milli, mode): (&str, u64, Mode)| {
        let runs = [800, 2000, 5000].map(|load| {
            let mut run = scenario("low-limit-random", 10, load, seed)?;
            run.duration_ms = LOW_LIMIT_MS;
            (run.cluster.overshoot_milli, run.mode) = (milli, mode);
            Ok(run)
        });
        Ok((label.to_owned(), runs.into_iter().collect::<Result<_>>()?))
    };
    Ok(Table {
        name: "low-limits",
        head: vec![
            "choice",
            "0.8×",
            "2×",
            "5×",
            "most above C + r·T, units",
            "ceiling",
        ],
        rows: WAYS.into_iter().map(row).collect::<Result<_>>()?,
        cells: with_most_above,
    })
}

fn nodes(seed: u64) -> Result<Table> {
    let workloads = [("even-2x", 2000), ("skew-0.9x", 900), ("moving-0.9x", 900)];
    let row = |count: usize| {
        let runs = workloads.map(|(name, load)| scenario(name, count, load, seed));
        Ok((count.to_string(), runs.into_iter().collect::<Result<_>>()?))
    };
    Ok(Table {
        name: "nodes",
        head: vec![
            "nodes",
            "everywhere, 2×",
            "89 % at one node, 0.9×",
            "hot spot that moves, 0.9×",
            "datagrams per node and second, at most",
            "ceiling",
        ],
        rows: [3, 5, 10, 20].map(row).into_iter().collect::<Result<_>>()?,
        cells: with_datagrams,
    })
}

fn with_datagrams(seen: &[Seen]) -> Vec<String> {
    let mut cells = utilisations(seen);
    let most = seen.iter().map(|seen| seen.datagrams).fold(0.0, f64::max);
    cells.push(format!("{most:.0}"));
    cells
}

fn tick(seed: u64) -> Result<Table> {
    let workloads = [("even-2x", 2000), ("moving-2x", 2000), ("burst-moving", 0)];
    let row = |tick_ms: u64| {
        let runs = workloads.map(|(name, load)| {
            let mut run = scenario(name, 5, load, seed)?;
            run.cluster.tick_ms = tick_ms;
            Ok(run)
        });
        Ok((
            format!("{tick_ms} ms"),
            runs.into_iter().collect::<Result<_>>()?,
        ))
    };
    Ok(Table {
        name: "tick",
        head: vec![
            "tick",
            "everywhere, 2×",
            "hot spot that moves, 2×",
            "bursts of C, elsewhere each time",
            "datagrams per node and second, at most",
            "ceiling",
        ],
        rows: [50, 100, 200, 500]
            .map(row)
            .into_iter()
            .collect::<Result<_>>()?,
        cells: with_datagrams,
    })
}

/// Two minutes, so that the default of a minute is over before the end.
const OUTAGE_MS: u64 = 120_000;

fn outages(seed: u64) -> Result<Table> {
    let fault = |at_ms, kind| Fault { at_ms, kind };
    let killed = vec![fault(20_000, FaultKind::Crash(1))];
    let cut = vec![
        fault(
            20_000,
            FaultKind::Partition(vec![vec![0, 1], vec![2, 3, 4]]),
        ),
        fault(50_000, FaultKind::Heal),
    ];
    let row = |(label, after_ms): (&str, Option<u64>)| {
        let runs = [killed.clone(), cut.clone()].map(|faults| {
            let mut run = scenario("even-2x", 5, 2000, seed)?;
            (run.duration_ms, run.faults) = (OUTAGE_MS, faults);
            run.cluster.evict_after_ms = after_ms;
            Ok(run)
        });
        Ok((label.to_owned(), runs.into_iter().collect::<Result<_>>()?))
    };
    let choices = [
        ("`After(5 s)`", Some(5_000)),
        ("`After(60 s)` (default)", Some(60_000)),
        ("`Never`", None),
    ];
    Ok(Table {
        name: "outages",
        head: vec![
            "`evict_after`",
            "a node killed",
            "above C + r·T, units",
            "cut 2\\|3 for 30 s",
            "above C + r·T, units",
            "ceiling",
        ],
        rows: choices.map(row).into_iter().collect::<Result<_>>()?,
        cells: |seen| {
            let cells = seen
                .iter()
                .flat_map(|seen| [part(seen.utilisation), format!("{:.1}", seen.above_units)]);
            cells.collect()
        },
    })
}

fn clocks(seed: u64) -> Result<Table> {
    let choices: [(&str, Vec<FaultKind>); 6] = [
        ("all right", vec![]),
        ("one 1 % fast", vec![FaultKind::ClockRate(1, 10_000)]),
        (
            "all 1 % fast",
            (0..5)
                .map(|place| FaultKind::ClockRate(place, 10_000))
                .collect(),
        ),
        ("one 1 % slow", vec![FaultKind::ClockRate(1, -10_000)]),
        (
            "one stands still for 10 s",
            vec![FaultKind::ClockFreeze(1, 10_000)],
        ),
        (
            "one steps back by 10 s",
            vec![FaultKind::ClockStep(1, -10_000)],
        ),
    ];
    let row = |(label, kinds): (&str, Vec<FaultKind>)| {
        let mut run = scenario("even-2x", 5, 2000, seed)?;
        let faults = kinds.into_iter().map(|kind| Fault { at_ms: 5_000, kind });
        run.faults = faults.collect();
        Ok((label.to_owned(), vec![run]))
    };
    Ok(Table {
        name: "clocks",
        head: vec![
            "monotonic clocks",
            "everywhere, 2×",
            "above C + r·T after a minute, units",
            "ceiling",
        ],
        rows: choices.into_iter().map(row).collect::<Result<_>>()?,
        cells: |seen| {
            vec![
                part(seen[0].utilisation),
                format!("{:.1}", seen[0].above_units),
            ]
        },
    })
}
