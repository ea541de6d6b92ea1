//! JSON lines: one object a row, null where SQL has NULL, JSON columns as JSON.

use std::io::Write;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::{Buffer, Cell, Column, Encoder, rows::Kind};

/// See the module.
pub(super) struct Jsonl {
    columns: &'static [Column],
    buffer: Buffer,
}

impl Jsonl {
    pub(super) fn new(columns: &'static [Column], buffer: Buffer) -> Self {
        Self { columns, buffer }
    }
}

impl Encoder for Jsonl {
    fn row(&mut self, cells: &[Cell<'_>]) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&Row { columns: self.columns, cells })?;
        line.push(b'\n');
        Ok(self.buffer.write_all(&line)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

struct Row<'a> {
    columns: &'a [Column],
    cells: &'a [Cell<'a>],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            match cell {
                Cell::Null => object.serialize_entry(column.name, &())?,
                Cell::Integer(value) => object.serialize_entry(column.name, value)?,
                Cell::Float(value) => object.serialize_entry(column.name, value)?,
                Cell::Text(text) if column.kind == Kind::Json => {
                    // Text that is no JSON is null, as in `runs --json`.
                    object.serialize_entry(column.name, &serde_json::from_str::<&RawValue>(text).ok())?;
                }
                Cell::Text(text) => object.serialize_entry(column.name, text)?,
            }
        }
        object.end()
    }
}
