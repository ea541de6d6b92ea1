//! Plain tables: a header, two spaces between columns, numbers to the right. Lines are never wrapped, so that `grep`,
//! `sort` and `awk` work on them; a table for a terminal may be fitted to its width.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, presets};
use console::{measure_text_width, truncate_str};

/// Letters of a cell, at most, since all rows are as wide as the widest one: any name is shorter. CSV and JSON have the
/// whole text.
const LONGEST: usize = 200;
/// Of the last one in a row, which may be a reason: nothing stands behind it.
const LONGEST_AT_THE_END: usize = 500;

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

    /// Adds a row of as many cells. Control characters are shown as `?`: a table is for a terminal. What no person reads to
    /// its end is cut.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        let last = cells.len().saturating_sub(1);
        for (at, cell) in cells.iter_mut().enumerate() {
            let most = if at == last { LONGEST_AT_THE_END } else { LONGEST };
            *cell = cut_at(std::mem::take(cell), most).replace(besom_sweep::steers_terminal, "?");
        }
        self.0.add_row(cells);
    }

    /// The column names and the rows, for another form than text.
    pub(crate) fn cells(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let texts = |row: &comfy_table::Row| row.cell_iter().map(|cell| cell.content()).collect();
        (self.0.header().map(texts).unwrap_or_default(), self.0.row_iter().map(texts).collect())
    }

    /// The text in at most `width` columns, without a line feed at its end, and the columns that were left out for it:
    /// as many of `expendable`, in that order, as needed. What is still too long is cut.
    pub(crate) fn render_within<'a>(mut self, width: usize, expendable: &[&'a str]) -> (String, Vec<&'a str>) {
        let mut left_out = Vec::new();
        let mut text = self.lines();
        for &name in expendable {
            if text.iter().all(|line| measure_text_width(line) <= width) {
                break;
            }
            let found = self.0.header().and_then(|row| row.cell_iter().position(|cell| cell.content() == name));
            if let Some(column) = found.and_then(|index| self.0.column_mut(index)) {
                column.set_constraint(ColumnConstraint::Hidden);
                left_out.push(name);
                text = self.lines();
            }
        }
        let text: Vec<_> = text.iter().map(|line| truncate_str(line, width, "…")).collect();
        (text.join("\n"), left_out)
    }

    /// The text, without a line feed at its end.
    pub(crate) fn render(mut self) -> String {
        self.lines().join("\n")
    }

    fn lines(&mut self) -> Vec<String> {
        let numeric: Vec<bool> =
            (0..self.0.column_count()).map(|column| self.0.row_iter().all(|row| is_numeric(row, column))).collect();
        let mut first = true;
        for (column, numeric) in self.0.column_iter_mut().zip(numeric) {
            if column.constraint() == Some(&ColumnConstraint::Hidden) {
                continue;
            }
            // The style has no borders; one space on each side of the inner columns makes two between them.
            column.set_padding((if first { 0 } else { 1 }, 1));
            column.set_cell_alignment(if numeric { CellAlignment::Right } else { CellAlignment::Left });
            first = false;
        }
        self.0.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// A long text's beginning and how long it is.
pub(crate) fn cut(text: String) -> String {
    cut_at(text, LONGEST_AT_THE_END)
}

fn cut_at(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text,
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
    fn a_narrow_terminal_gets_fewer_columns_and_no_broken_lines() {
        let table = || {
            let mut table = Table::new(["rank", "job", "optimizer", "seconds"]);
            table.row(["1", "12", "adam", "0.5"].map(str::to_owned));
            table
        };
        let within = |width| table().render_within(width, &["rank", "seconds"]);
        assert_eq!(within(80), (table().render(), vec![]));
        assert_eq!(within(23), ("job  optimizer  seconds\n 12  adam           0.5".to_owned(), vec!["rank"]));
        assert_eq!(within(20), ("job  optimizer\n 12  adam".to_owned(), vec!["rank", "seconds"]));
        assert_eq!(within(10).0, "job  opti…\n 12  adam");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let mut table = Table::new(["a", "b"]);
        table.row(["ä".repeat(1 << 16), "1".to_owned()]);
        table.row(["1".to_owned(), "ü".repeat(1 << 16)]);
        let text = table.render();
        let line = |n: usize| text.lines().nth(n).unwrap().chars().count();
        assert!(text.contains("ä… (65536 characters)") && text.contains("ü… (65536 characters)"), "{text}");
        assert!(line(1) <= 225 + 525 && line(2) <= 225 + 525, "{text}");
        assert_eq!(cut("x".repeat(500)), "x".repeat(500));
    }

    #[test]
    fn a_control_character_cannot_reach_the_terminal() {
        let mut table = Table::new(["name"]);
        table.row(["a\u{1b}[31mb\nc".to_owned()]);
        assert_eq!(table.render(), "name\na?[31mb?c");
    }
}
