//! Rows of a query for programs: CSV and JSON.
//!
//! Floats are the shortest text that reads back as the same number, integers are plain, blobs are
//! lower-case hex. JSON has no infinities: they are null there.

use std::fmt::Write;

use besom_sweep::{Cell, Column, Table, steers_terminal};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::json;
use crate::text::number;

/// RFC 4180 but for the ends of lines, which are line feeds: a header line, quotes where needed.
/// NULL is empty.
///
/// # Errors
/// None in practice: it writes to memory.
pub(crate) fn csv(result: &Table) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(result.names())?;
    for row in &result.rows {
        writer.write_record(row.iter().map(|cell| match cell {
            Cell::Null => String::new(),
            cell => text(cell),
        }))?;
    }
    Ok(writer.into_inner()?)
}

/// A list of objects, columns in order.
///
/// # Errors
/// Stdout.
pub(crate) fn print_json(result: &Table) -> anyhow::Result<()> {
    json::print(&rows(result))
}

fn rows(result: &Table) -> Vec<Row<'_>> {
    result.rows.iter().map(|cells| Row { columns: &result.columns, cells }).collect()
}

/// A cell as text; `NULL` for none.
pub(crate) fn text(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Integer(value) => value.to_string(),
        Cell::Float(value) => number::exact(*value),
        Cell::Text(text) => text.clone(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Bytes(bytes) => bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
    }
}

/// A text as a person at a terminal may see it: characters that steer the terminal, or turn the
/// direction of writing, are shown as escapes.
pub(crate) fn escaped(text: &str) -> String {
    if !text.contains(steers_terminal) {
        return text.to_owned();
    }
    text.chars().fold(String::new(), |mut shown, character| {
        match steers_terminal(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
        shown
    })
}

/// The same table for a terminal.
pub(crate) fn escaped_table(result: &Table) -> Table {
    let mut shown = Table::new(result.names().map(escaped));
    for row in &result.rows {
        shown.push(
            row.iter()
                .map(|cell| match cell {
                    Cell::Text(text) => Cell::Text(escaped(text)),
                    cell => cell.clone(),
                })
                .collect(),
        );
    }
    shown
}

struct Row<'a> {
    columns: &'a [Column],
    cells: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            object.serialize_key(&column.name)?;
            match cell {
                Cell::Null => object.serialize_value(&())?,
                Cell::Integer(value) => object.serialize_value(value)?,
                Cell::Float(value) => object.serialize_value(value)?,
                Cell::Boolean(value) => object.serialize_value(value)?,
                Cell::Text(_) | Cell::Bytes(_) => object.serialize_value(&text(cell))?,
            }
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> Table {
        let mut table = Table::new(["b", "a", "c"]);
        table.push(vec![Cell::Text("x,\"y\"".into()), Cell::Float(0.1), Cell::Null]);
        table.push(vec![Cell::Bytes(vec![0, 255]), Cell::Integer(7), Cell::Boolean(true)]);
        table
    }

    #[test]
    fn csv_quotes_where_needed_and_leaves_null_empty() {
        let text = String::from_utf8(csv(&result()).unwrap()).unwrap();
        assert_eq!(text, "b,a,c\n\"x,\"\"y\"\"\",0.1,\n00ff,7,true\n");
    }

    #[test]
    fn what_steers_a_terminal_is_shown_as_escapes() {
        assert_eq!(escaped("a\u{1b}[31m\tb\u{202e}c\u{2066}d"), "a\\u{1b}[31m\\tb\\u{202e}c\\u{2066}d");
        assert_eq!(escaped("käse → 1"), "käse → 1");
    }

    #[test]
    fn json_keeps_the_order_of_columns() {
        let text: String = serde_json::to_string_pretty(&rows(&result())).unwrap().split_whitespace().collect();
        assert_eq!(text, r#"[{"b":"x,\"y\"","a":0.1,"c":null},{"b":"00ff","a":7,"c":true}]"#);
    }
}
