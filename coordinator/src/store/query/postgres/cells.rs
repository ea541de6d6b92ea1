//! From the text that Postgres prints to cells, and from cells to the text that it reads.

use besom_sweep::Cell;
use sqlx::{Row, ValueRef, postgres::PgRow};

pub(super) fn cells(row: &PgRow, types: &[String]) -> Result<Vec<Cell>, sqlx::Error> {
    types
        .iter()
        .enumerate()
        .map(|(index, kind)| {
            let value = row.try_get_raw(index)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let text = value.as_str().map_err(sqlx::Error::Decode)?;
            Ok(cell(kind, text))
        })
        .collect()
}

/// Text of a type that is not as expected stays text.
fn cell(kind: &str, text: &str) -> Cell {
    let known = match kind {
        "INT2" | "INT4" | "INT8" | "OID" => text.parse().map(Cell::Integer).ok(),
        "FLOAT4" | "FLOAT8" => text.parse().map(Cell::Float).ok(),
        "NUMERIC" if text.contains(['.', 'N', 'I']) => text.parse().map(Cell::Float).ok(),
        "NUMERIC" => text.parse().map(Cell::Integer).ok(),
        "BOOL" => Some(Cell::Boolean(text == "t")),
        "BYTEA" => bytes(text).map(Cell::Bytes),
        // As SQLite has it: written by besom, with sorted keys and without spaces.
        "JSON" | "JSONB" => {
            serde_json::from_str::<serde_json::Value>(text).ok().map(|json| Cell::Text(json.to_string()))
        }
        "TIMESTAMPTZ" => text.strip_suffix("+00").map(|utc| Cell::Text(format!("{}Z", utc.replacen(' ', "T", 1)))),
        _ => None,
    };
    known.unwrap_or_else(|| Cell::Text(text.to_owned()))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(r"\x")?;
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

/// A value as a literal of SQL, which takes the type of the place where it stands.
pub(super) fn literal(value: &Cell) -> String {
    match value {
        Cell::Null => "NULL".to_owned(),
        Cell::Integer(value) => format!("'{value}'"),
        Cell::Float(value) => format!("'{value:?}'"),
        Cell::Boolean(value) => format!("'{value}'"),
        Cell::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Cell::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(r"'\x{digits}'")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_postgres_becomes_a_cell() {
        for (kind, text, expected) in [
            ("INT8", "-9223372036854775808", Cell::Integer(i64::MIN)),
            ("FLOAT8", "0.1", Cell::Float(0.1)),
            ("FLOAT8", "1e-07", Cell::Float(1e-7)),
            ("FLOAT8", "-Infinity", Cell::Float(f64::NEG_INFINITY)),
            ("NUMERIC", "2.5000000000000000", Cell::Float(2.5)),
            ("NUMERIC", "42", Cell::Integer(42)),
            ("NUMERIC", "9223372036854775808", Cell::Text("9223372036854775808".to_owned())),
            ("BOOL", "t", Cell::Boolean(true)),
            ("BYTEA", r"\x00ff", Cell::Bytes(vec![0, 255])),
            ("JSONB", r#"{"b": [32, 32], "aa": 1e-07}"#, Cell::Text(r#"{"aa":1e-7,"b":[32,32]}"#.to_owned())),
            ("TIMESTAMPTZ", "2026-11-23 17:30:00.5+00", Cell::Text("2026-11-23T17:30:00.5Z".to_owned())),
            ("DATE", "2026-11-23", Cell::Text("2026-11-23".to_owned())),
            ("TEXT[]", "{a,b}", Cell::Text("{a,b}".to_owned())),
        ] {
            assert_eq!(cell(kind, text), expected, "{kind} {text}");
        }
    }

    #[test]
    fn values_are_literals_whose_quotes_hold() {
        assert_eq!(literal(&Cell::Text("it's'); DROP".to_owned())), "'it''s''); DROP'");
        assert_eq!(literal(&Cell::Float(1e-7)), "'1e-7'");
        assert_eq!(literal(&Cell::Bytes(vec![0, 255])), r"'\x00ff'");
        assert_eq!(literal(&Cell::Null), "NULL");
    }
}
