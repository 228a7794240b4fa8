//! Tables for people.

use std::fmt::Write as _;

use super::Row;
use super::bars::{Bar, OURS};

/// Width of the column that names cells.
const NAME_WIDTH: usize = 34;

/// Width of the others.
const COLUMN_WIDTH: usize = 18;

/// Utilisation of each cell by strategy, with overshoot in units behind it where there is any:
/// means over seeds, and the worst overshoot.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut columns: Vec<String> = Vec::new();
    let mut cells: Vec<&Row> = Vec::new();
    for row in rows {
        let column = column(row);
        if !columns.contains(&column) {
            columns.push(column);
        }
        if !cells.iter().any(|cell| cell.same_place(row)) {
            cells.push(row);
        }
    }
    let mut text = format!("{:NAME_WIDTH$}", "utilisation (overshoot)");
    for column in &columns {
        _ = write!(text, "{column:>COLUMN_WIDTH$}");
    }
    text.push('\n');
    for cell in cells {
        _ = write!(text, "{:NAME_WIDTH$}", cell_name(cell));
        for wanted in &columns {
            let here = rows.iter().filter(|row| row.same_place(cell));
            let here: Vec<&Row> = here.filter(|row| column(row) == *wanted).collect();
            _ = write!(text, "{:>COLUMN_WIDTH$}", figure(&here));
        }
        text.push('\n');
    }
    text
}

/// Who decided, and how.
fn column(row: &Row) -> String {
    if row.strategy != OURS {
        return row
            .strategy
            .clone()
            .replace("rateguard-full-burst", "rg-full-burst");
    }
    let mode = if row.mode == "check" { "" } else { " acq." };
    format!("shares ε={}{mode}", row.epsilon)
}

fn cell_name(row: &Row) -> String {
    let load = if row.workload.starts_with("low-limit") {
        format!(" {}×", row.load)
    } else {
        String::new()
    };
    format!("{}{load} {} {}", row.workload, row.network, row.nodes)
}

fn figure(rows: &[&Row]) -> String {
    if rows.is_empty() {
        return "·".to_owned();
    }
    let mean = rows.iter().map(|row| row.utilisation).sum::<f64>() / rows.len() as f64;
    let overshoots = rows.iter().map(|row| row.overshoot_units);
    let worst = overshoots.fold(0.0, f64::max);
    if worst > 0.0 {
        format!("{mean:.3} ({worst:.1})")
    } else {
        format!("{mean:.3}")
    }
}

/// What traffic our cells cost, at ε = 0 by `check`.
#[must_use]
pub fn traffic(rows: &[Row]) -> String {
    let ours = rows.iter().filter(|row| row.strategy == OURS);
    let mut text = String::new();
    for row in ours.filter(|row| row.epsilon == 0.0 && row.mode == "check") {
        _ = writeln!(
            text,
            "{:NAME_WIDTH$} grants {:8.1}  datagrams {:8.1}  bytes {:10.0}  per node and second",
            cell_name(row),
            row.grants_per_node_s,
            row.datagrams_per_node_s,
            row.bytes_per_node_s
        );
    }
    text
}

/// The bars, those missed first.
#[must_use]
pub fn bars(bars: &[Bar]) -> String {
    let met = bars.iter().filter(|bar| bar.met).count();
    let mut text = String::new();
    for (missed, word) in [(true, "MISSED"), (false, "met   ")] {
        for bar in bars.iter().filter(|bar| bar.met != missed) {
            let Bar {
                claim,
                measured,
                bar,
                ..
            } = bar;
            _ = writeln!(text, "{word} {measured:10.4} of {bar:10.4}  {claim}");
        }
    }
    _ = writeln!(text, "{met} of {} bars met", bars.len());
    text
}
