//! Every kind of block and of picture on one page, to look at: prints HTML.
//!
//! `cargo run -p distributary-report --example gallery > gallery.html`

use distributary_report::{
    Axis, BarSeries, Bars, Best, Block, Cell, Column, Document, Drawing, Fact, Finding, Lane,
    Lines, Mark, Plot, Schedule, Section, Series, Shade, Standing, Style, Table, Text, html,
};

fn main() {
    println!("{}", html(&document()));
}

fn document() -> Document {
    Document {
        question: "Does a page with every kind of picture read well everywhere?".to_owned(),
        standing: Some(Standing::Pass),
        facts: vec![
            Fact::new(
                "command",
                "cargo run -p distributary-report --example gallery",
            ),
            Fact::new("numbers", "made up, for their looks"),
        ],
        summary: vec![
            Text::plain("Look at it in the light, in the dark and on a phone. ")
                .strong("Nothing here was measured."),
        ],
        sections: vec![
            Section::new("Words", words()),
            Section::new("Over time", vec![Block::Plot(over_time())]),
            Section::new("By parameter", vec![Block::Plot(by_parameter())]),
            Section::new("By name", vec![Block::Plot(by_name())]),
            Section::new("What happened", vec![Block::Plot(happened())]),
        ],
    }
}

fn words() -> Vec<Block> {
    let row = |name: &str, standing, value| {
        vec![
            Cell::from(Text::default().code(name)),
            Cell::standing(standing),
            Cell::number(value, 3),
        ]
    };
    let table = Table {
        caption: "Three ways to stand".to_owned(),
        columns: vec![
            Column::words("claim"),
            Column::words("verdict"),
            Column::numbers("worst (units)"),
        ],
        rows: vec![
            row("first", Standing::Pass, 0.0),
            row("second", Standing::Unknown, 1234.5),
            row("third", Standing::Fail, 17.0),
        ],
    };
    let finding = Finding {
        title: "the third claim is false".to_owned(),
        standing: Standing::Fail,
        text: "It took three events.".into(),
        timeline: ["0.000 s  one", "1.250 s  two", "1.300 s  three"]
            .map(str::to_owned)
            .into(),
        command: Some("cargo run --example gallery".to_owned()),
    };
    vec![
        Block::Table(table.with_best_in_column(2, Best::Lowest)),
        Block::Finding(finding),
    ]
}

fn series(name: &str, style: Style, point: impl Fn(f64) -> f64, xs: &[f64]) -> Series {
    Series {
        name: name.to_owned(),
        points: xs.iter().map(|x| (*x, point(*x))).collect(),
        style,
    }
}

fn plot(title: &str, drawing: Drawing) -> Plot {
    Plot {
        title: title.to_owned(),
        description: "What is to be seen in it stands here, in a sentence or two.".to_owned(),
        drawing,
    }
}

fn over_time() -> Plot {
    let xs: Vec<f64> = (0..=120).map(|step| f64::from(step) * 0.5).collect();
    let shade = |from, to, label: &str| Shade {
        from,
        to,
        label: label.to_owned(),
    };
    let lines = Lines {
        x: Axis::from_zero("time (s)"),
        y: Axis::from_zero("units admitted since the start"),
        series: vec![
            series("shares", Style::Line, |x| 100.0 + 98.0 * x, &xs),
            series("ideal", Style::Line, |x| 100.0 + 99.5 * x, &xs),
            series(
                "merged",
                Style::Line,
                |x| 100.0 + 100.0 * (x + (x - 20.0).clamp(0.0, 20.0)),
                &xs,
            ),
            series("bound", Style::Limit, |x| 120.0 + 100.0 * x, &xs),
        ],
        shades: vec![
            shade(20.0, 40.0, "partition 2 | 3"),
            shade(44.0, 45.0, "node 3 crashed"),
        ],
    };
    plot("Admitted over time", Drawing::Lines(lines))
}

fn by_parameter() -> Plot {
    let xs = [1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 600.0];
    let names = [
        "shares",
        "ideal",
        "static",
        "margin",
        "merged",
        "live-members",
        "central-open",
        "central-closed",
        "rateguard",
        "rateguard-full-burst",
        "placement",
    ];
    let all = names.iter().enumerate().map(|(index, name)| {
        let factor = [0.0, 0.0, 0.0, 0.0, 100.0, 60.0, 320.0, 0.0, 0.0, 88.0, 0.0][index];
        series(name, Style::Marked, |x| factor * x, &xs)
    });
    let lines = Lines {
        x: Axis::logarithmic("partition (s)").ticks_at(&xs),
        y: Axis::logarithmic("units above the bound"),
        series: all.collect(),
        shades: Vec::new(),
    };
    plot("Overshoot by partition length", Drawing::Lines(lines))
}

fn by_name() -> Plot {
    let groups = [
        "even-2x",
        "even-0.8x",
        "skew-0.9x",
        "moving-0.9x",
        "partition-2x-600s",
    ];
    let series = [0.0, 0.2, 1.0].map(|overshoot| BarSeries {
        name: format!("ε = {overshoot}"),
        values: (0..5)
            .map(|index| Some(0.95 + 0.01 * f64::from(index) * overshoot))
            .collect(),
    });
    let bars = Bars {
        value: Axis::from_zero("admitted ÷ ideal"),
        groups: groups.map(str::to_owned).into(),
        series: series.into(),
    };
    plot("Utilisation", Drawing::Bars(bars))
}

fn happened() -> Plot {
    let lane = |name: &str, from, to, label: &str, at| Lane {
        name: name.to_owned(),
        is_calm: name == "network",
        shades: vec![Shade {
            from,
            to,
            label: label.to_owned(),
        }],
        marks: vec![Mark {
            at,
            label: "restart".to_owned(),
        }],
    };
    let schedule = Schedule {
        x: Axis::from_zero("time (s)"),
        lanes: vec![
            lane("network", 5.0, 25.0, "nodes 0 1 | nodes 2 3 4", 50.0),
            lane("node 3", 12.0, 14.0, "crashed", 14.0),
            lane("node 4", 30.0, 41.0, "clock 1 % fast", 45.0),
        ],
    };
    plot("A schedule", Drawing::Schedule(schedule))
}
