//! A table as the template sets it.

use crate::{output::printable, render::table::Table, text::cut};

/// The longest text of a cell that is kept in one line.
const LINE: usize = 48;

/// A header and rows of as many cells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Grid {
    /// What a screen reader calls it.
    pub(super) label: &'static str,
    pub(super) header: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// What the table leaves out; empty: nothing.
    pub(super) note: String,
}

/// A column's head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Set to the right.
    pub(super) numeric: bool,
}

/// One cell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) numeric: bool,
    /// Broken into lines.
    pub(super) long: bool,
}

impl Grid {
    /// Of rows as long as the header.
    pub(super) fn new(label: &'static str, header: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self::of(label, header.iter().map(|&name| name.to_owned()).collect(), rows)
    }

    /// The cells of a table for the terminal.
    pub(super) fn of_table(label: &'static str, table: &Table) -> Self {
        let (header, rows) = table.cells();
        Self::of(label, header, rows)
    }

    /// With a line on what is left out.
    pub(super) fn with_note(self, note: String) -> Self {
        Self { note, ..self }
    }

    /// With the column of this name at `place`, if there is one.
    pub(super) fn moved(mut self, name: &str, place: usize) -> Self {
        if let Some(at) = self.header.iter().position(|column| column.name == name) {
            let column = self.header.remove(at);
            self.header.insert(place, column);
            for row in &mut self.rows {
                let cell = row.remove(at);
                row.insert(place, cell);
            }
        }
        self
    }

    fn of(label: &'static str, header: Vec<String>, rows: Vec<Vec<String>>) -> Self {
        let is_number = |text: &str| text == "-" || text.parse::<f64>().is_ok();
        let numeric: Vec<bool> = (0..header.len())
            .map(|column| {
                let mut cells = rows.iter().filter_map(|row| row.get(column)).peekable();
                cells.peek().is_some() && cells.all(|cell| is_number(cell))
            })
            .collect();
        let cell = |(text, numeric): (String, bool)| {
            let text = printable(&cut(text));
            Cell { numeric, long: text.chars().count() > LINE, text }
        };
        Self {
            label,
            header: header
                .into_iter()
                .zip(&numeric)
                .map(|(name, &numeric)| Column { name: printable(&name), numeric })
                .collect(),
            rows: rows
                .into_iter()
                .map(|row| row.into_iter().zip(numeric.iter().copied()).map(cell).collect())
                .collect(),
            note: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_of_numbers_are_set_to_the_right() {
        let rows = vec![vec!["1".into(), "-".into(), "a".into()], vec!["2".into(), "0.5".into(), "3".into()]];
        let grid = Grid::new("x", &["job", "loss", "state"], rows);
        assert_eq!(grid.header.iter().map(|column| column.numeric).collect::<Vec<_>>(), [true, true, false]);
        assert!(grid.rows[1][1].numeric && !grid.rows[1][2].numeric);
        let moved = grid.moved("state", 0);
        let texts = |row: usize| moved.rows[row].iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>();
        assert_eq!((moved.header[0].name.as_str(), texts(0)), ("state", vec!["a", "1", "-"]));
    }
}
