//! Plain tables: a header, two spaces between columns, numbers to the right. Lines are never wrapped, so that `grep`,
//! `sort` and `awk` work on them.

use comfy_table::{CellAlignment, ContentArrangement, presets};

/// A table being filled.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// With these column names.
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.into_iter().map(Into::into).collect::<Vec<String>>());
        Self(table)
    }

    /// Adds a row of as many cells. Control characters are shown as `?`: a table is for a terminal.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| cell.replace(|c: char| c.is_control(), "?"));
        self.0.add_row(cells.collect::<Vec<String>>());
    }

    /// The text, without a line feed at its end.
    pub(crate) fn render(mut self) -> String {
        let numeric: Vec<bool> =
            (0..self.0.column_count()).map(|column| self.0.row_iter().all(|row| is_numeric(row, column))).collect();
        let columns = self.0.column_iter_mut().zip(numeric).enumerate();
        for (index, (column, numeric)) in columns {
            // The style has no borders; one space on each side of the inner columns makes two between them.
            column.set_padding((if index == 0 { 0 } else { 1 }, 1));
            column.set_cell_alignment(if numeric { CellAlignment::Right } else { CellAlignment::Left });
        }
        self.0.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }
}

fn is_numeric(row: &comfy_table::Row, column: usize) -> bool {
    let cell = row.cell_iter().nth(column).map(comfy_table::Cell::content).unwrap_or_default();
    cell == "-" || cell.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let mut table = Table::new(["name", "value"]);
        table.row(["a".to_owned(), "1.5".to_owned()]);
        table.row(["bcdef".to_owned(), "10.25".to_owned()]);
        assert_eq!(table.render(), "name   value\na        1.5\nbcdef  10.25");
    }

    #[test]
    fn a_control_character_cannot_reach_the_terminal() {
        let mut table = Table::new(["name"]);
        table.row(["a\u{1b}[31mb\nc".to_owned()]);
        assert_eq!(table.render(), "name\na?[31mb?c");
    }
}
