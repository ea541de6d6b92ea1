//! Plain tables: a header, two spaces between columns, numbers to the right. Lines are never
//! wrapped, so that `grep`, `sort` and `awk` work on them. On a terminal a table is fitted to its
//! width, since a wrapped line cannot be read.

use comfy_table::{CellAlignment, ContentArrangement, presets};
use console::{measure_text_width, truncate_str};

use crate::{
    output::{self, say},
    text::{LONGEST, cut_at, wrapped},
};

/// Letters of a cell, at most, since all rows are as wide as the widest one. The last one in a row
/// may be a reason: nothing stands behind it.
const LONGEST_CELL: usize = 200;

/// Between two columns.
const GAP: usize = 2;
/// The last column is often a long text, such as a reason: it is cut to so many cells before
/// another column is left out for it.
const LEAST_OF_LAST: usize = 24;
/// No column is cut to fewer cells.
const LEAST: usize = 4;

/// A table being filled.
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these column names.
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells. Control characters are shown as `?`: a table is for a terminal.
    /// What no person reads to its end is cut.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        let last = cells.len().saturating_sub(1);
        for (at, cell) in cells.iter_mut().enumerate() {
            let most = if at == last { LONGEST } else { LONGEST_CELL };
            *cell = cut_at(std::mem::take(cell), most).replace(besom_sweep::steers_terminal, "?");
        }
        self.rows.push(cells);
    }

    /// The column names and the rows, for another form than text.
    pub(crate) fn cells(&self) -> (Vec<String>, Vec<Vec<String>>) {
        (self.header.clone(), self.rows.clone())
    }

    /// Prints the table. Where stdout is a terminal, no line is wider than it: as many of the
    /// `expendable` columns, in that order, are left out as needed, which is told.
    ///
    /// # Errors
    /// Stdout.
    pub(crate) fn print(self, expendable: &[&str]) -> anyhow::Result<()> {
        let Some(width) = output::stdout_width() else { return output::line(self.render()) };
        let (text, left_out) = self.render_within(width, expendable);
        output::line(text)?;
        if !left_out.is_empty() {
            let told = format!("(too narrow for {}; a file or a pipe gets all)", left_out.join(", "));
            say(wrapped(&told, width));
        }
        Ok(())
    }

    /// Whether no line is wider.
    pub(crate) fn fits(&self, width: usize) -> bool {
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.width(column)).collect();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) <= width
    }

    /// The text in at most `width` cells, without a line feed at its end, and the columns that were
    /// left out for it: as many of `expendable`, in that order, as needed. What is still too long
    /// is cut, in the widest columns of words first: half a number is none.
    pub(crate) fn render_within<'a>(self, width: usize, expendable: &[&'a str]) -> (String, Vec<&'a str>) {
        let mut columns: Vec<usize> = (0..self.header.len()).collect();
        let mut widths: Vec<usize> = columns.iter().map(|column| self.width(*column)).collect();
        let total = |columns: &[usize], widths: &[usize]| {
            columns.iter().map(|column| widths[*column]).sum::<usize>() + GAP * columns.len().saturating_sub(1)
        };
        let mut left_out = Vec::new();
        for &name in expendable {
            let mut least = widths.clone();
            if let Some(last) = columns.last().copied() {
                least[last] = least[last].min(LEAST_OF_LAST.max(measure_text_width(&self.header[last])));
            }
            if total(&columns, &least) <= width {
                break;
            }
            if let Some(at) = columns.iter().position(|column| self.header[*column] == name) {
                columns.remove(at);
                left_out.push(name);
            }
        }
        let mut excess = total(&columns, &widths).saturating_sub(width);
        let words: Vec<usize> = columns.iter().copied().filter(|column| !self.is_numeric(*column)).collect();
        while excess > 0 {
            // Of equally wide columns the last: what a row is stands at its beginning.
            let widest = words.iter().copied().max_by_key(|column| widths[*column]);
            let Some(widest) = widest.filter(|widest| widths[*widest] > LEAST) else { break };
            widths[widest] -= 1;
            excess -= 1;
        }
        // The names of columns of numbers last, and no number.
        while excess > 0 {
            let numbers = columns.iter().copied().filter(|column| self.is_numeric(*column));
            let widest = numbers
                .filter(|column| widths[*column] > self.width_of_rows(*column))
                .max_by_key(|column| widths[*column]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
            excess -= 1;
        }
        let lines = self.lines(&columns, Some(&widths));
        let lines: Vec<_> = lines.iter().map(|line| truncate_str(line, width, "…")).collect();
        (lines.join("\n"), left_out)
    }

    /// The text, without a line feed at its end.
    pub(crate) fn render(self) -> String {
        let columns: Vec<usize> = (0..self.header.len()).collect();
        self.lines(&columns, None).join("\n")
    }

    /// Cells that the widest text of a column takes.
    fn width(&self, column: usize) -> usize {
        self.width_of_rows(column).max(self.header.get(column).map_or(0, |text| measure_text_width(text)))
    }

    /// Cells that the widest text of a column below its name takes.
    fn width_of_rows(&self, column: usize) -> usize {
        let texts = self.rows.iter().filter_map(|row| row.get(column));
        texts.map(|text| measure_text_width(text)).max().unwrap_or(0)
    }

    /// These columns, cut to `widths` where they are given.
    fn lines(&self, columns: &[usize], widths: Option<&[usize]>) -> Vec<String> {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let shown = |row: &[String]| -> Vec<String> {
            let cell = |column: &usize| {
                let text = row.get(*column).map(String::as_str).unwrap_or_default();
                widths.map_or_else(|| text.to_owned(), |widths| truncate_str(text, widths[*column], "…").into_owned())
            };
            columns.iter().map(cell).collect()
        };
        table.set_header(shown(&self.header));
        for row in &self.rows {
            table.add_row(shown(row));
        }
        for (at, (column, index)) in table.column_iter_mut().zip(columns).enumerate() {
            // The style has no borders; one space on each side of the inner columns makes two
            // between them.
            column.set_padding((u16::from(at > 0), 1));
            column.set_cell_alignment(if self.is_numeric(*index) { CellAlignment::Right } else { CellAlignment::Left });
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Whether all cells of the column are numbers.
    fn is_numeric(&self, column: usize) -> bool {
        let number = |cell: &String| cell == "-" || cell.parse::<f64>().is_ok();
        self.rows.iter().all(|row| row.get(column).is_some_and(number))
    }
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
    fn names_of_columns_of_numbers_are_cut_before_a_number_is() {
        let mut table = Table::new(["label_smoothing", "final_val_accuracy"]);
        table.row(["0.1", "0.8125"].map(str::to_owned));
        let text = table.render_within(20, &[]).0;
        assert!(text.lines().all(|line| measure_text_width(line) <= 20), "{text}");
        assert_eq!(text.lines().nth(1).map(|line| line.split_whitespace().collect()), Some(vec!["0.1", "0.8125"]));
    }

    #[test]
    fn a_long_reason_at_the_end_is_cut_before_a_column_is_left_out_for_it() {
        let mut table = Table::new(["job", "seconds", "state"]);
        table.row(["1".to_owned(), "0.5".to_owned(), format!("failed: {}", "reason ".repeat(20))]);
        let (text, left_out) = table.render_within(40, &["seconds"]);
        assert!(left_out.is_empty(), "{text}");
        assert_eq!(text.lines().nth(1).map(measure_text_width), Some(40), "{text}");
    }

    #[test]
    fn wide_characters_count_twice() {
        let mut table = Table::new(["sweep", "state"]);
        table.row(["学习率扫描".to_owned(), "completed".to_owned()]);
        assert!(table.fits(21) && !table.fits(20));
        let (text, _) = table.render_within(20, &[]);
        assert!(text.lines().all(|line| measure_text_width(line) <= 20), "{text}");
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
    }

    #[test]
    fn a_control_character_cannot_reach_the_terminal() {
        let mut table = Table::new(["name"]);
        table.row(["a\u{1b}[31mb\nc".to_owned()]);
        assert_eq!(table.render(), "name\na?[31mb?c");
    }
}
