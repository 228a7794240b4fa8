//! A run as a page to keep: what it was, what it did, and pictures of the hottest client.

use std::io::Write;

use anyhow::{Context, Result};
use distributary_report::{
    Axis, Block, Cell, Column, Document, Drawing, Fact, Lines, Plot, Section, Series, Shade,
    Standing, Style, Table, Text,
};

use super::{
    judge::{self, Bound, Charge},
    options::Options,
    report::{self, Figures},
    run::{Plan, Seen},
    samples::Sample,
    verdict::{self, Verdict},
};

/// Points of a line: about two for each pixel of a wide screen would be too many.
const POINTS: u64 = 300;

/// Most nodes whose shares are drawn: more lines cannot be told apart.
const NODES_DRAWN_MAX: usize = 8;

/// Writes the page.
///
/// # Errors
/// What cannot be written.
pub(crate) fn write(
    plan: &Plan,
    seen: &Seen,
    figures: &Figures,
    verdict: Verdict,
    mut output: impl Write,
) -> Result<()> {
    let page = distributary_report::html(&document(plan, seen, figures, verdict));
    output
        .write_all(page.as_bytes())
        .context("cannot write the report")
}

fn document(plan: &Plan, seen: &Seen, figures: &Figures, verdict: Verdict) -> Document {
    let mut sections = vec![Section::new("Figures", vec![Block::Table(table(figures))])];
    if !seen.driven.outcomes.is_empty() {
        let hottest = Hottest::new(plan, seen);
        sections.push(Section::new("The hottest client", hottest.blocks()));
        sections.push(Section::new("What the nodes knew", hottest.views()));
    }
    sections.push(Section::new("Limits of this page", limits()));
    Document {
        question: "Did the cluster keep its bound, and what did it cost?".to_owned(),
        standing: Some(standing(figures, verdict)),
        facts: facts(&plan.options),
        summary: vec![summary(figures, verdict)],
        sections,
    }
}

/// Nothing asked is nothing shown.
fn standing(figures: &Figures, verdict: Verdict) -> Standing {
    match verdict {
        Verdict::Exceeded => Standing::Fail,
        Verdict::Kept if figures.requests == 0 => Standing::Unknown,
        Verdict::Kept => Standing::Pass,
    }
}

fn summary(figures: &Figures, verdict: Verdict) -> Text {
    let admitted = format!(
        "{} of {} requests were admitted; one ideal bucket for each client would have admitted {}. ",
        figures.admitted, figures.requests, figures.ideal_admitted
    );
    let overshoot = format!(
        "What was admitted filled an ideal bucket at most {:.1} units above the burst, where the \
         promise allows {:.1}: ",
        figures.overshoot_units, figures.bound_units
    );
    let kept = match verdict {
        Verdict::Kept => "the bound was kept.",
        Verdict::Exceeded => "the bound was exceeded.",
    };
    Text::plain(admitted).and(overshoot).strong(kept)
}

fn facts(options: &Options) -> Vec<Fact> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rate = options.rate.units as f64 * 1e9 / options.rate.per_ns as f64;
    let evicts = options
        .evict_after
        .map_or("never".to_owned(), |delay| format!("{delay:?}"));
    vec![
        Fact::new("date", distributary_report::date(unix_s())),
        Fact::new("version", env!("CARGO_PKG_VERSION")),
        Fact::new("command", format!("distributary {}", arguments.join(" "))),
        Fact::new("seed", options.seed.to_string()),
        Fact::new("nodes", options.nodes.to_string()),
        Fact::new("rate in the run", format!("{rate:.3} units/s")),
        Fact::new("burst", format!("{} units", options.limit.burst_units)),
        Fact::new("overshoot ε", options.overshoot.as_f64().to_string()),
        Fact::new("tick", format!("{:?}", options.tick)),
        Fact::new("eviction", evicts),
    ]
}

#[expect(
    clippy::disallowed_methods,
    reason = "people want to know when a page was made"
)]
fn unix_s() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn table(figures: &Figures) -> Table {
    let rows = report::rows(figures).into_iter();
    let rows = rows.map(|(name, value)| vec![Cell::from(name), Cell::from(value)]);
    Table {
        caption: "What the run was seen to do".to_owned(),
        columns: vec![Column::words("figure"), Column::words("value")],
        rows: rows.collect(),
    }
}

fn limits() -> Vec<Block> {
    vec![Block::List(vec![
        Text::plain("All nodes share one machine and one clock: its load is in every time here."),
        Text::plain(
            "The nodes' views are looked at every 20 ms, one node after the other: what differs \
             for less than that may be missed, and what is spent between two looks shows as \
             difference.",
        ),
        Text::plain("The judge of the bound shares no code with what it judges."),
    ])]
}

/// What the pictures of the hottest client are drawn from.
struct Hottest<'a> {
    plan: &'a Plan,
    seen: &'a Seen,
    admitted: Vec<Charge>,
    ideal: Vec<Charge>,
    bound: Bound,
}

impl<'a> Hottest<'a> {
    fn new(plan: &'a Plan, seen: &'a Seen) -> Self {
        let (options, client) = (&plan.options, plan.schedule.hottest);
        let (rate, burst_units) = (options.rate, options.limit.burst_units);
        let mut admitted = verdict::admitted(&seen.driven.outcomes);
        admitted.retain(|charge| charge.client == client);
        for charge in &mut admitted {
            charge.at_ns = charge.at_ns.saturating_sub(seen.start_ns);
        }
        admitted.sort_by_key(|charge| charge.at_ns);
        let mut arrivals = verdict::arrivals(&plan.schedule);
        arrivals.retain(|charge| charge.client == client);
        Self {
            plan,
            seen,
            admitted,
            ideal: judge::ideal_admissions(rate, burst_units, &mut arrivals),
            bound: verdict::bound(options, seen.duration_ns),
        }
    }

    fn blocks(&self) -> Vec<Block> {
        vec![
            Block::Plot(Plot {
                title: "Admitted against the ideal and the bound".to_owned(),
                description: "Units admitted to the hottest client since the start, beside what \
                              one ideal bucket would have admitted of the same requests. The \
                              dashed line is what the promise allows from the start on."
                    .to_owned(),
                drawing: self.drawing("units admitted since the start", self.admitted_lines()),
            }),
            Block::Plot(Plot {
                title: "How near the bound it came".to_owned(),
                description: "How full an ideal bucket is that is fed what the cluster admitted \
                              to the hottest client and refuses nothing. Above the burst is \
                              overshoot; above the bound is a broken promise."
                    .to_owned(),
                drawing: self.drawing("units in the bucket", self.level_lines()),
            }),
        ]
    }

    fn views(&self) -> Vec<Block> {
        let samples = &self.seen.watched.samples.samples;
        let mut blocks = vec![Block::Plot(Plot {
            title: "How far the nodes' views were apart".to_owned(),
            description: "What nodes think the cluster still has for the hottest client: the \
                          highest less the lowest. It grows while packets do not pass, and is \
                          gone within a few ticks of healing."
                .to_owned(),
            drawing: self.drawing("units between the views", vec![apart(samples)]),
        })];
        if self.plan.options.nodes <= NODES_DRAWN_MAX {
            blocks.push(Block::Plot(Plot {
                title: "Who held the hottest client's limit".to_owned(),
                description: "Each node's part of the limit. It follows the demand; it never \
                              sums to more than one."
                    .to_owned(),
                drawing: self.drawing("part of the limit", self.share_lines()),
            }));
        }
        blocks
    }

    fn drawing(&self, label: &str, series: Vec<Series>) -> Drawing {
        Drawing::Lines(Lines {
            x: Axis::from_zero("time (s)"),
            y: Axis::from_zero(label),
            series,
            shades: self.shades(),
        })
    }

    fn shades(&self) -> Vec<Shade> {
        let partition = self.plan.options.partition.map(|partition| Shade {
            from: seconds(partition.from_ns),
            to: seconds(partition.to_ns),
            label: "partition".to_owned(),
        });
        partition.into_iter().collect()
    }

    fn admitted_lines(&self) -> Vec<Series> {
        let end_ns = self.seen.duration_ns;
        let burst = self.plan.options.limit.burst_units as f64 + self.bound.units();
        let rate = self.bound.rate;
        let allowed = |ns: u64| burst + ns as f64 * rate.units as f64 / rate.per_ns as f64;
        let bound = [0, end_ns].map(|ns| (seconds(ns), allowed(ns)));
        vec![
            line("admitted", Style::Line, counted(&self.admitted, end_ns)),
            line("ideal", Style::Line, counted(&self.ideal, end_ns)),
            line("bound", Style::Limit, bound.to_vec()),
        ]
    }

    fn level_lines(&self) -> Vec<Series> {
        let options = &self.plan.options;
        let burst_units = options.limit.burst_units;
        let mut admitted = self.admitted.clone();
        let levels = judge::levels(options.rate, burst_units, &mut admitted);
        let end_ns = self.seen.duration_ns;
        let flat = |units: f64| [0, end_ns].map(|ns| (seconds(ns), units)).to_vec();
        let burst = burst_units as f64;
        vec![
            line("level", Style::Area, highest(&levels, end_ns)),
            line("burst", Style::Line, flat(burst)),
            line("bound", Style::Limit, flat(burst + self.bound.units())),
        ]
    }

    fn share_lines(&self) -> Vec<Series> {
        let samples = &self.seen.watched.samples.samples;
        let nodes = 0..self.plan.options.nodes;
        let series = nodes.map(|node| {
            let share = |sample: &Sample| (seconds(sample.at_ns), sample.shares[node]);
            let points = samples.iter().map(share).collect();
            line(&format!("node {node}"), Style::Line, points)
        });
        series.collect()
    }
}

fn apart(samples: &[Sample]) -> Series {
    let point = |sample: &Sample| (seconds(sample.at_ns), sample.apart_units as f64);
    line("apart", Style::Area, samples.iter().map(point).collect())
}

fn line(name: &str, style: Style, points: Vec<(f64, f64)>) -> Series {
    Series {
        name: name.to_owned(),
        points,
        style,
    }
}

/// How many there were by each of the line's instants. Sorted by instant.
fn counted(charges: &[Charge], end_ns: u64) -> Vec<(f64, f64)> {
    let points = instants(end_ns).map(|at_ns| {
        let count = charges.partition_point(|charge| charge.at_ns <= at_ns);
        (seconds(at_ns), count as f64)
    });
    points.collect()
}

/// The highest level between each two of the line's instants; nothing where there is none.
fn highest(levels: &[(u64, f64)], end_ns: u64) -> Vec<(f64, f64)> {
    let mut start = 0;
    let points = instants(end_ns).filter_map(|at_ns| {
        let end = levels.partition_point(|(ns, _)| *ns <= at_ns);
        let between = levels[start..end].iter().map(|(_, level)| *level);
        start = end;
        let highest = between.max_by(f64::total_cmp)?;
        Some((seconds(at_ns), highest))
    });
    points.collect()
}

fn instants(end_ns: u64) -> impl Iterator<Item = u64> {
    (0..=POINTS).map(move |index| {
        let at_ns = u128::from(end_ns) * u128::from(index) / u128::from(POINTS);
        u64::try_from(at_ns).unwrap_or(end_ns)
    })
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charges(instants_ns: &[u64]) -> Vec<Charge> {
        let charge = |at_ns: &u64| Charge {
            client: 0,
            cost_units: 1,
            at_ns: *at_ns,
        };
        instants_ns.iter().map(charge).collect()
    }

    #[test]
    fn a_count_starts_with_the_first_and_ends_with_all() {
        let points = counted(&charges(&[0, 3_000, 3_000, 6_000]), 6_000);
        assert_eq!(points.first(), Some(&(0.0, 1.0)));
        assert_eq!(points[POINTS as usize / 2].1, 3.0);
        assert_eq!(points.last(), Some(&(6e-6, 4.0)));
    }

    #[test]
    fn a_short_peak_is_not_lost_between_points() {
        let levels: Vec<(u64, f64)> = (0..60_000)
            .map(|ns| (ns, if ns == 12_345 { 9.0 } else { 1.0 }))
            .collect();
        let points = highest(&levels, 60_000);
        let peaks = points.iter().filter(|(_, level)| *level == 9.0);
        assert_eq!(peaks.count(), 1);
        assert!(points.len() <= POINTS as usize + 1);
    }
}
