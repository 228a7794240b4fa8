//! By how much everybody exceeds the ceiling: by the length of a partition, by size, by setting.

use distributary_report::{
    Axis, Best, Block, Cell, Column, Drawing, Lines, Plot, Section, Series, Style, Table, Text,
};

use super::{Evidence, Partitioned, Setting, of_rank};

/// Excess admitted, absolute and relative.
pub(super) fn divergence(evidence: &Evidence) -> Section {
    let by_length = "The cluster of five is asked for twice its rate, evenly, and is cut in two \
                     halves. Drawn is the furthest that any interval went above C + r·T, with \
                     C = r = 100: 100 units are a whole bucket, or one second of rate.";
    let by_size = "The same with a cut of 20 s, by the number of nodes.";
    let lengths: Vec<f64> = evidence.plan.lengths_s.iter().map(|s| *s as f64).collect();
    let sizes: Vec<f64> = evidence
        .plan
        .sizes
        .iter()
        .map(|nodes| *nodes as f64)
        .collect();
    Section::new(
        "Divergence",
        vec![
            Block::Plot(plot(
                ("Overshoot by the length of a partition", by_length),
                Axis::logarithmic("cut for (s)").ticks_at(&lengths),
                &evidence.lengths,
                |run| run.length_s as f64,
            )),
            Block::Table(relative(evidence)),
            Block::Plot(plot(
                ("Overshoot by the number of nodes", by_size),
                Axis::logarithmic("nodes").ticks_at(&sizes),
                &evidence.sizes,
                |run| run.nodes as f64,
            )),
            Block::Heading("By setting".to_owned()),
            Block::Paragraph(Text::plain(
                "The library through a cut of 20 s. Where members are evicted while they live, \
                 each side counts on its own from then on: κ is 2, and the ceiling is the one for \
                 two groups.",
            )),
            Block::Table(settings(&evidence.settings)),
        ],
    )
}

fn names(runs: &[Partitioned]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.strategy.as_str()) {
            names.push(&run.strategy);
        }
    }
    names
}

fn plot(
    (title, description): (&str, &str),
    x: Axis,
    runs: &[Partitioned],
    at: impl Fn(&Partitioned) -> f64,
) -> Plot {
    let series = names(runs).into_iter().map(|name| {
        let own = runs.iter().filter(|run| run.strategy == name);
        Series {
            name: name.to_owned(),
            points: own
                .map(|run| (at(run), run.overshoot_units.max(0.0)))
                .collect(),
            style: Style::Marked,
        }
    });
    Plot {
        title: title.to_owned(),
        description: description.to_owned(),
        drawing: Drawing::Lines(Lines {
            x,
            y: Axis::logarithmic("units above C + r·T"),
            series: series.collect(),
            shades: Vec::new(),
        }),
    }
}

/// Absolute, and in parts of a bucket, at the longest partition.
fn relative(evidence: &Evidence) -> Table {
    let longest = evidence.plan.lengths_s.iter().max().copied().unwrap_or(0);
    let at_end = evidence
        .lengths
        .iter()
        .filter(|run| run.length_s == longest);
    let burst = evidence.over_time.scenario.cluster.burst_units as f64;
    let rows = at_end.map(|run| {
        vec![
            Cell::from(Text::default().code(&*run.strategy)),
            Cell::number(run.overshoot_units, 1),
            Cell::number(run.overshoot_units / burst * 100.0, 1),
            Cell::from(if run.exceeds { "no" } else { "yes" }),
        ]
    });
    let table = Table {
        caption: format!("At the longest partition, {longest} s"),
        columns: vec![
            Column::words("strategy"),
            Column::numbers("units above C + r·T"),
            Column::numbers("% of C"),
            Column::words("keeps the ceiling at ε = 0"),
        ],
        rows: rows.collect(),
    };
    table.with_best_in_column(1, Best::Lowest)
}

fn settings(settings: &[Setting]) -> Table {
    let rows = settings.iter().map(|setting| {
        vec![
            Cell::from(setting.name.as_str()),
            Cell::standing(of_rank(setting.rank)),
            Cell::number(setting.overshoot_units, 1),
            Cell::number(setting.utilisation, 4),
            Cell::number(f64::from(setting.groups), 0),
            setting
                .converged_ms
                .map_or_else(Cell::none, |ms| Cell::number(ms, 0)),
        ]
    });
    Table {
        caption: "What each setting costs and buys in a partition of 20 s".to_owned(),
        columns: vec![
            Column::words("setting"),
            Column::words("ceiling"),
            Column::numbers("units above C + r·T"),
            Column::numbers("admitted ÷ ideal"),
            Column::numbers("κ at most"),
            Column::numbers("agreed after the load stopped (ms)"),
        ],
        rows: rows.collect(),
    }
}
