//! Rows that are wider than the terminal, each as a record: a line for each column.

use besom_sweep::Table;
use console::{Alignment, measure_text_width, pad_str};

use super::sql;
use crate::text::{cut_at, pieces, wrapped};

/// Between a name and its value.
const BAR: &str = " | ";
/// Letters of a value, at most: a screenful.
const LONGEST_VALUE: usize = 3_000;
/// Dashes of the line above a record, at most.
const RULE: usize = 40;

/// The rows as lines of at most `width` cells. Long values go on in the next line, below
/// themselves.
pub(crate) fn text(result: &Table, width: usize) -> String {
    let names: Vec<String> = result.names().map(sql::escaped).collect();
    if result.rows.is_empty() {
        return wrapped(&format!("no rows; the columns are {}", names.join(", ")), width);
    }
    let room = names.iter().map(|name| measure_text_width(name)).max().unwrap_or(0).min(width / 2);
    let mut lines = Vec::new();
    for (at, row) in result.rows.iter().enumerate() {
        let title = format!("-[ row {} ]-", at + 1);
        lines.push(format!("{title:-<0$}", RULE.min(width)));
        for (name, cell) in names.iter().zip(row) {
            lines.extend(field(name, &cut_at(sql::escaped(&sql::text(cell)), LONGEST_VALUE), room, width));
        }
    }
    lines.join("\n")
}

/// A name in `room` cells and its value beside it, in lines of at most `width` cells.
fn field(name: &str, value: &str, room: usize, width: usize) -> Vec<String> {
    let beside = width.saturating_sub(room + BAR.len()).max(1);
    let lines = pieces(value, beside).into_iter().enumerate().map(|(at, piece)| {
        let name = pad_str(if at == 0 { name } else { "" }, room, Alignment::Left, Some("…"));
        format!("{name}{BAR}{piece}").trim_end().to_owned()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use besom_sweep::Cell;

    use super::*;

    #[test]
    fn each_row_is_a_record_and_no_line_is_wider_than_the_terminal() {
        let mut table = Table::new(["sweep", "名"]);
        table.push(vec![Cell::Text("x".into()), Cell::Text("学习率扫描学习率扫描".into())]);
        table.push(vec![Cell::Null, Cell::Integer(7)]);
        let text = text(&table, 18);
        assert_eq!(
            text,
            "-[ row 1 ]--------\nsweep | x\n名    | 学习率扫描\n      | 学习率扫描\n-[ row 2 ]--------\nsweep | NULL\n名    | 7"
        );
    }

    #[test]
    fn a_result_without_rows_names_its_columns() {
        assert_eq!(text(&Table::new(["a", "b"]), 20), "no rows; the columns\nare a, b");
    }
}
