//! The numbers of a figure as a table, for those who do not see it or do not trust it.

use std::collections::BTreeMap;

use crate::{Bars, Cell, Column, Drawing, Lines, Plot, Schedule, Table, Text, number};

/// Every number that is drawn.
pub(crate) fn of(plot: &Plot) -> Table {
    let mut table = match &plot.drawing {
        Drawing::Lines(lines) => of_lines(lines),
        Drawing::Bars(bars) => of_bars(bars),
        Drawing::Schedule(schedule) => of_schedule(schedule),
    };
    table.caption.clone_from(&plot.title);
    table
}

/// The same with at most so many rows, evenly chosen: for where nothing can be folded away.
pub(crate) fn sampled(plot: &Plot, rows_max: usize) -> Table {
    let mut table = of(plot);
    let count = table.rows.len();
    if count > rows_max {
        let all = std::mem::take(&mut table.rows);
        let last = rows_max.saturating_sub(1).max(1);
        let chosen = (0..rows_max).map(|row| row * (count - 1) / last);
        table.rows = chosen.map(|index| all[index].clone()).collect();
        table.caption = format!("{} ({rows_max} of {count} rows)", table.caption);
    }
    table
}

fn of_lines(lines: &Lines) -> Table {
    // Finite numbers in the order of their values, by a key that sorts as they do.
    let mut rows: BTreeMap<OrderedX, Vec<Option<f64>>> = BTreeMap::new();
    for (index, series) in lines.series.iter().enumerate() {
        for (x, y) in &series.points {
            let row = rows.entry(OrderedX(*x));
            row.or_insert_with(|| vec![None; lines.series.len()])[index] = Some(*y);
        }
    }
    let names = lines
        .series
        .iter()
        .map(|series| Column::numbers(&*series.name));
    let rows = rows.into_iter().map(|(OrderedX(x), values)| {
        let values = values.into_iter().map(cell);
        [cell(Some(x))].into_iter().chain(values).collect()
    });
    Table {
        columns: [Column::numbers(&*lines.x.label)]
            .into_iter()
            .chain(names)
            .collect(),
        rows: rows.collect(),
        ..Table::default()
    }
}

fn of_bars(bars: &Bars) -> Table {
    let names = bars
        .series
        .iter()
        .map(|series| Column::numbers(&*series.name));
    let rows = bars.groups.iter().enumerate().map(|(index, group)| {
        let values = bars.series.iter().map(|series| series.values.get(index));
        let values = values.map(|value| cell(value.copied().flatten()));
        [Cell::from(group.as_str())]
            .into_iter()
            .chain(values)
            .collect()
    });
    Table {
        columns: [Column::words("")].into_iter().chain(names).collect(),
        rows: rows.collect(),
        ..Table::default()
    }
}

fn of_schedule(schedule: &Schedule) -> Table {
    let mut rows = Vec::new();
    for lane in &schedule.lanes {
        let lasting = lane
            .shades
            .iter()
            .map(|shade| (shade.from, Some(shade.to), &shade.label));
        let instants = lane.marks.iter().map(|mark| (mark.at, None, &mark.label));
        rows.extend(lasting.chain(instants).map(|(from, to, label)| {
            let name = Cell::from(lane.name.as_str());
            vec![name, cell(Some(from)), cell(to), Cell::from(label.as_str())]
        }));
    }
    let columns = ["from", "to"].map(|end| Column::numbers(format!("{end}: {}", schedule.x.label)));
    let [from, to] = columns;
    Table {
        columns: vec![Column::words("who"), from, to, Column::words("what")],
        rows,
        ..Table::default()
    }
}

fn cell(value: Option<f64>) -> Cell {
    Cell {
        text: Text::plain(value.map_or_else(String::new, number::brief)),
        value: value.filter(|value| value.is_finite()),
        ..Cell::default()
    }
}

/// A number ordered totally.
#[derive(Clone, Copy)]
struct OrderedX(f64);

impl PartialEq for OrderedX {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for OrderedX {}

impl PartialOrd for OrderedX {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedX {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Series, Style};

    fn series(name: &str, points: &[(f64, f64)]) -> Series {
        Series {
            name: name.to_owned(),
            points: points.to_vec(),
            style: Style::Line,
        }
    }

    fn plot(series: Vec<Series>) -> Plot {
        Plot {
            title: "t".to_owned(),
            description: String::new(),
            drawing: Drawing::Lines(Lines {
                x: Axis::from_zero("s"),
                series,
                ..Lines::default()
            }),
        }
    }

    #[test]
    fn series_share_rows_by_x() {
        let one = series("one", &[(2.0, 5.0), (1.0, 4.0)]);
        let table = of(&plot(vec![one, series("two", &[(2.0, 7.0)])]));
        let shown = |row: &Vec<Cell>| row.iter().map(|cell| cell.text.characters()).collect();
        let rows: Vec<Vec<String>> = table.rows.iter().map(shown).collect();
        assert_eq!(rows, [["1", "4", ""], ["2", "5", "7"]]);
    }

    #[test]
    fn a_sample_keeps_both_ends() {
        let points: Vec<_> = (0..100).map(|x| (f64::from(x), 0.0)).collect();
        let table = sampled(&plot(vec![series("one", &points)]), 5);
        let first = table.rows.iter().map(|row| row[0].value);
        assert_eq!(
            first.collect::<Vec<_>>(),
            [0, 24, 49, 74, 99].map(|x| Some(f64::from(x)))
        );
    }
}
