//! What safety costs: how much of the ideal is admitted, by workload and by ε.

use distributary_report::{
    Axis, BarSeries, Bars, Best, Block, Cell, Column, Drawing, Plot, Section, Table, Text,
};

use super::Evidence;
use crate::tables::Row;
use crate::tables::bars::OURS;

/// Those who know everything in advance: nobody can deploy them.
const ORACLES: [&str; 2] = ["ideal", "placement"];

/// Bars by ε, and everybody's figures.
pub(super) fn usage(evidence: &Evidence) -> Section {
    let workloads = names(&evidence.rows, |row| &row.workload);
    let text = "Of what one ideal bucket admits of the same requests, how much was admitted. In \
                bold is the best of those that can be deployed and kept the ceiling of ε = 0 in \
                that run; † marks who did not keep it.";
    Section::new(
        "What it costs",
        vec![
            Block::Plot(plot(evidence, &workloads)),
            Block::text(text),
            Block::Table(table(evidence, &workloads)),
        ],
    )
}

fn names<'a>(rows: &'a [Row], name: impl Fn(&'a Row) -> &'a str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for row in rows {
        if !names.contains(&name(row)) {
            names.push(name(row));
        }
    }
    names
}

fn found<'a>(evidence: &'a Evidence, workload: &str, who: (&str, f64)) -> Option<&'a Row> {
    let mut rows = evidence.rows.iter();
    rows.find(|row| {
        row.workload == workload && row.strategy == who.0 && row.epsilon.total_cmp(&who.1).is_eq()
    })
}

fn plot(evidence: &Evidence, workloads: &[&str]) -> Plot {
    let series = crate::tables::EPSILONS_MILLI.map(|milli| {
        let epsilon = milli as f64 / 1000.0;
        let row = |workload: &&str| found(evidence, workload, (OURS, epsilon));
        BarSeries {
            name: format!("ε = {epsilon}"),
            values: workloads
                .iter()
                .map(|w| row(w).map(|row| row.utilisation))
                .collect(),
        }
    });
    Plot {
        title: "Utilisation by ε".to_owned(),
        description: "Admitted by the library ÷ admitted by one ideal bucket, on five nodes in a \
                      local network. Above 1 a larger ε admits what an ideal bucket of burst C \
                      would have refused."
            .to_owned(),
        drawing: Drawing::Bars(Bars {
            value: Axis::from_zero("admitted ÷ ideal"),
            groups: workloads.iter().map(|name| (*name).to_owned()).collect(),
            series: series.into(),
        }),
    }
}

fn table(evidence: &Evidence, workloads: &[&str]) -> Table {
    let mut strategies = names(&evidence.rows, |row| &row.strategy);
    // The library first, those who cannot be deployed last.
    strategies.sort_by_key(|name| (ORACLES.contains(name), *name != OURS));
    let deployable = strategies
        .iter()
        .filter(|name| !ORACLES.contains(name))
        .count();
    let rows = workloads.iter().map(|workload| {
        let cells = strategies
            .iter()
            .map(|name| cell(found(evidence, workload, (name, 0.0))));
        let first = Cell::from(Text::default().code(*workload));
        [first].into_iter().chain(cells).collect()
    });
    let titles = strategies.iter().map(|name| Column::numbers(*name));
    let table = Table {
        caption: "Admitted ÷ ideal at ε = 0, five nodes".to_owned(),
        columns: [Column::words("workload")]
            .into_iter()
            .chain(titles)
            .collect(),
        rows: rows.collect(),
    };
    let among: Vec<usize> = (1..=deployable).collect();
    table.with_best_in_rows(&among, Best::Highest)
}

/// Who broke the ceiling is shown and never the best.
fn cell(row: Option<&Row>) -> Cell {
    match row {
        Some(row) if row.exceeds => Cell::from(format!("{:.3} †", row.utilisation)),
        Some(row) => Cell::number(row.utilisation, 3),
        None => Cell::none(),
    }
}
