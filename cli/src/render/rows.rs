//! Rows of the views as JSON: the columns under their names, in their order, null where SQL has
//! NULL, and JSON as JSON.

use besom_sweep::{Cell, Row, Table};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, value::RawValue};

use super::sql;
use crate::text::columns::is_json;

/// A list of objects.
pub(crate) struct Objects<'a>(pub(crate) &'a Table);

/// One object.
pub(crate) struct Object<'a>(pub(crate) Row<'a>);

impl Serialize for Objects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.0.iter();
        let mut list = serializer.serialize_seq(Some(rows.len()))?;
        for row in rows {
            list.serialize_element(&Object(row))?;
        }
        list.end()
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells = self.0.cells();
        let mut object = serializer.serialize_map(Some(cells.len()))?;
        for (column, cell) in cells {
            object.serialize_key(&column.name)?;
            match cell {
                Cell::Null => object.serialize_value(&())?,
                Cell::Integer(value) => object.serialize_value(value)?,
                Cell::Float(value) => object.serialize_value(value)?,
                Cell::Boolean(value) => object.serialize_value(value)?,
                Cell::Text(text) if is_json(&column.name) => {
                    object.serialize_value(&json(self.0, &column.name, text))?
                }
                Cell::Text(text) => object.serialize_value(text)?,
                Cell::Bytes(_) => object.serialize_value(&sql::text(cell))?,
            }
        }
        object.end()
    }
}

/// Text that is no JSON, or that has a number which readers of JSON do not take, is null, and its
/// place is told: the row is damaged.
fn json<'a>(row: Row<'_>, column: &str, text: &'a str) -> Option<&'a RawValue> {
    let parsed = serde_json::from_str::<Value>(text).and_then(|_| serde_json::from_str(text));
    if let Err(error) = &parsed {
        let job = row.maybe_integer("job").ok().flatten();
        tracing::warn!(job, column, %error, "a cell of a result is no JSON and is shown as null");
    }
    parsed.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_their_order_and_json_is_embedded() {
        let mut table = Table::new(["params", "a", "error", "metrics"]);
        let text = |text: &str| Cell::Text(text.to_owned());
        table.push(vec![text(r#"{"b":[1.0]}"#), Cell::Float(0.5), Cell::Null, text("[1e999]")]);
        let written = serde_json::to_string(&Objects(&table)).unwrap();
        assert_eq!(written, r#"[{"params":{"b":[1.0]},"a":0.5,"error":null,"metrics":null}]"#);
    }
}
