//! Rows and columns, with the best of them found rather than claimed.

use serde::{Deserialize, Serialize};

use crate::{Standing, Text};

/// Rows and columns. The first column names its row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// What each column is.
    pub columns: Vec<Column>,
    /// As many cells each as there are columns; what is missing is shown as nothing.
    pub rows: Vec<Vec<Cell>>,
}

/// What a column is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its title, with its unit.
    pub title: String,
    /// Whether it is set to the right.
    pub is_numeric: bool,
}

impl Column {
    /// A column of words.
    pub fn words(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            is_numeric: false,
        }
    }

    /// A column of numbers.
    pub fn numbers(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            is_numeric: true,
        }
    }
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What is shown.
    pub text: Text,
    /// The number that the text shows, if it is one.
    pub value: Option<f64>,
    /// How the claim in it stands.
    pub standing: Option<Standing>,
    /// Whether none is better.
    pub is_best: bool,
}

impl Cell {
    /// A number, shown with so many places.
    #[must_use]
    pub fn number(value: f64, places: usize) -> Self {
        Self {
            text: Text::plain(crate::number::fixed(value, places)),
            value: value.is_finite().then_some(value),
            ..Self::default()
        }
    }

    /// Nothing to show.
    #[must_use]
    pub fn none() -> Self {
        Self::from("–")
    }

    /// How a claim stands.
    #[must_use]
    pub fn standing(standing: Standing) -> Self {
        Self {
            standing: Some(standing),
            ..Self::from(standing.word())
        }
    }
}

impl<T: Into<Text>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// Which number is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Best {
    /// The highest.
    Highest,
    /// The lowest.
    Lowest,
}

impl Best {
    fn of(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        match self {
            Self::Highest => values.max_by(f64::total_cmp),
            Self::Lowest => values.min_by(f64::total_cmp),
        }
    }
}

impl Table {
    /// Marks the best of each row among these columns; all that look alike are best alike.
    #[must_use]
    pub fn with_best_in_rows(mut self, columns: &[usize], best: Best) -> Self {
        for row in &mut self.rows {
            let cells = row.iter_mut().enumerate();
            let among = cells.filter(|(index, _)| columns.contains(index));
            mark(among.map(|(_, cell)| cell).collect(), best);
        }
        self
    }

    /// Marks the best of a column.
    #[must_use]
    pub fn with_best_in_column(mut self, column: usize, best: Best) -> Self {
        let cells = self.rows.iter_mut();
        mark(cells.filter_map(|row| row.get_mut(column)).collect(), best);
        self
    }

    /// How all the claims in it stand together.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let cells = self.rows.iter().flatten();
        cells.filter_map(|cell| cell.standing).max()
    }
}

/// Two cells that show the same text are as good as each other: what cannot be read does not win.
fn mark(cells: Vec<&mut Cell>, best: Best) {
    let values = cells.iter().filter_map(|cell| cell.value);
    let Some(winner) = best.of(values) else {
        return;
    };
    let shown = cells.iter().find(|cell| cell.value == Some(winner));
    let shown = shown.map(|cell| cell.text.clone());
    for cell in cells {
        cell.is_best = cell.value.is_some() && Some(&cell.text) == shown.as_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[f64]]) -> Table {
        let cells = |row: &&[f64]| row.iter().map(|value| Cell::number(*value, 2)).collect();
        Table {
            rows: rows.iter().map(cells).collect(),
            ..Table::default()
        }
    }

    fn best(table: &Table) -> Vec<(usize, usize)> {
        let rows = table.rows.iter().enumerate();
        let cells = rows.flat_map(|(y, row)| row.iter().enumerate().map(move |(x, c)| (y, x, c)));
        let best = cells.filter(|(_, _, cell)| cell.is_best);
        best.map(|(y, x, _)| (y, x)).collect()
    }

    #[test]
    fn the_best_of_a_row_is_found_among_its_columns_only() {
        let table = table(&[&[9.0, 1.0, 2.0], &[9.0, 4.0, 3.0]]);
        let marked = table.with_best_in_rows(&[1, 2], Best::Highest);
        assert_eq!(best(&marked), [(0, 2), (1, 1)]);
    }

    #[test]
    fn what_looks_alike_is_best_alike() {
        let marked = table(&[&[1.001], &[1.002], &[0.9]]).with_best_in_column(0, Best::Highest);
        assert_eq!(best(&marked), [(0, 0), (1, 0)]);
    }

    #[test]
    fn what_is_no_number_never_wins() {
        let marked = table(&[&[f64::NAN, 2.0, f64::INFINITY]]);
        let marked = marked.with_best_in_rows(&[0, 1, 2], Best::Lowest);
        assert_eq!(best(&marked), [(0, 1)]);
    }

    #[test]
    fn a_table_stands_as_its_worst_cell() {
        let mut table = table(&[&[1.0]]);
        assert_eq!(table.standing(), None);
        table.rows.push(vec![Cell::standing(Standing::Pass)]);
        table.rows.push(vec![Cell::standing(Standing::Unknown)]);
        assert_eq!(table.standing(), Some(Standing::Unknown));
    }
}
