//! One partition, looked at over time.

use distributary_report::{Axis, Block, Drawing, Lines, Plot, Section, Series, Shade, Style};

use super::{Evidence, OverTime, picture};
use crate::history::{Run, What};
use crate::scenario::FaultKind;

/// Points of a line.
const POINTS: u64 = 240;

/// Admitted against ideal and bound, how near the bound, and the views.
pub(super) fn over_time(evidence: &Evidence) -> Section {
    let seen = &evidence.over_time;
    let mut blocks = vec![
        Block::Plot(Plot {
            title: "Admitted over a partition, against the ideal and the bound".to_owned(),
            description: "Units admitted since the start, by five nodes that are asked for twice \
                          the rate. Each side of the cut that counts on its own admits the rate \
                          once more; shares are rights, and there are no more of them than before."
                .to_owned(),
            drawing: drawing(seen, "units admitted since the start", admitted(seen)),
        }),
        Block::Plot(Plot {
            title: "How full one bucket would be".to_owned(),
            description: "The level of a bucket that is fed all that was admitted and refuses \
                          nothing. Above the bound is overshoot."
                .to_owned(),
            drawing: drawing(seen, "units in the bucket", levels(seen)),
        }),
    ];
    blocks.push(views(seen));
    Section::new("One partition over time", blocks)
}

fn drawing(seen: &OverTime, label: &str, series: Vec<Series>) -> Drawing {
    Drawing::Lines(Lines {
        x: Axis::from_zero("virtual time (s)"),
        y: Axis::from_zero(label),
        series,
        shades: shades(seen),
    })
}

/// When the network was cut, and until when the views disagreed after it was healed.
fn shades(seen: &OverTime) -> Vec<Shade> {
    let mut shades: Vec<Shade> = Vec::new();
    for fault in &seen.scenario.faults {
        let at = fault.at_ms as f64 / 1e3;
        match (picture::cut(&fault.kind), &fault.kind) {
            (Some(label), _) => shades.push(Shade {
                from: at,
                to: seen.scenario.duration_ms as f64 / 1e3,
                label,
            }),
            (None, FaultKind::Heal) => shades.iter_mut().for_each(|shade| shade.to = at),
            _ => {}
        }
    }
    shades
}

fn admitted(seen: &OverTime) -> Vec<Series> {
    let mut series: Vec<Series> = seen
        .runs
        .iter()
        .map(|(name, run)| {
            let charged = charged(seen, run);
            let mut sum = 0.0;
            let mut next = charged.iter().peekable();
            let points = instants(seen).map(|at_ns| {
                while let Some((_, cost)) = next.next_if(|(ns, _)| *ns <= at_ns) {
                    sum += cost;
                }
                (seconds(at_ns), sum)
            });
            line(name, Style::Line, points.collect())
        })
        .collect();
    let (burst, per_ns) = limit(seen);
    let bound =
        instants(seen).map(|ns| (seconds(ns), bound_units(seen, burst) + ns as f64 * per_ns));
    series.push(line("bound", Style::Limit, bound.collect()));
    series
}

/// The highest level in each step.
fn levels(seen: &OverTime) -> Vec<Series> {
    let (burst, per_ns) = limit(seen);
    let mut series: Vec<Series> = seen
        .runs
        .iter()
        .map(|(name, run)| {
            let (mut level, mut then_ns, mut points) = (0.0_f64, 0, Vec::new());
            let charged = charged(seen, run);
            let mut next = charged.iter().peekable();
            for at_ns in instants(seen) {
                let mut highest = (level - (at_ns - then_ns.min(at_ns)) as f64 * per_ns).max(0.0);
                while let Some((ns, cost)) = next.next_if(|(ns, _)| *ns <= at_ns) {
                    level = (level - (ns - then_ns) as f64 * per_ns).max(0.0) + cost;
                    then_ns = *ns;
                    highest = highest.max(level);
                }
                points.push((seconds(at_ns), highest));
            }
            line(name, Style::Line, points)
        })
        .collect();
    let flat = [0, end_ns(seen)].map(|ns| (seconds(ns), bound_units(seen, burst)));
    series.push(line("bound", Style::Limit, flat.to_vec()));
    series
}

/// How far the library's views were apart.
fn views(seen: &OverTime) -> Block {
    let notes = seen.runs.first().map_or(&[][..], |(_, run)| &run.notes);
    let points: Vec<(f64, f64)> = notes
        .iter()
        .filter_map(|note| match note.what {
            What::Apart { units, .. } => Some((seconds(note.at_ns), units as f64)),
            _ => None,
        })
        .collect();
    if points.is_empty() {
        return Block::text("How far the nodes' views were apart was not looked at in this run.");
    }
    let converged = seen
        .runs
        .first()
        .and_then(|(_, run)| crate::measure::converged_ms(run));
    let healed = converged.map_or_else(String::new, |ms| {
        format!(" Rows and merged views were seen equal {ms:.0} ms after the load had stopped.")
    });
    let description = format!(
        "What nodes think the cluster still has of the key, the most less the least. It grows \
         while nothing passes, and is gone within a few ticks of healing.{healed}"
    );
    Block::Plot(Plot {
        title: "How far the merged views were apart".to_owned(),
        description,
        drawing: drawing(
            seen,
            "units between the views",
            vec![line("apart", Style::Area, points)],
        ),
    })
}

/// What was charged, by instant.
fn charged(seen: &OverTime, run: &Run) -> Vec<(u64, f64)> {
    let admitted = run.outcomes.iter().filter(|outcome| outcome.admitted);
    let charged = admitted.map(|outcome| {
        let cost = seen.arrivals[outcome.arrival as usize].cost;
        (outcome.charged_ns, cost as f64)
    });
    let mut charged: Vec<(u64, f64)> = charged.collect();
    charged.sort_by_key(|(at_ns, _)| *at_ns);
    charged
}

/// Burst in units, and rate in units per nanosecond.
fn limit(seen: &OverTime) -> (f64, f64) {
    let cluster = &seen.scenario.cluster;
    let period_ns = cluster.rate_period_ms as f64 * 1e6;
    (
        cluster.burst_units as f64,
        cluster.rate_units as f64 / period_ns,
    )
}

fn bound_units(seen: &OverTime, burst: f64) -> f64 {
    burst * (1.0 + seen.scenario.cluster.overshoot_milli as f64 / 1e3)
}

fn line(name: &str, style: Style, points: Vec<(f64, f64)>) -> Series {
    Series {
        name: name.to_owned(),
        points,
        style,
    }
}

fn end_ns(seen: &OverTime) -> u64 {
    seen.scenario.duration_ms * 1_000_000
}

fn instants(seen: &OverTime) -> impl Iterator<Item = u64> {
    let end_ns = end_ns(seen);
    (0..=POINTS).map(move |index| end_ns / POINTS * index + end_ns % POINTS * index / POINTS)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
