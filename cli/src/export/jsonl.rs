//! JSON lines: one object a row, null where SQL has NULL, JSON columns as JSON.

use std::io::Write;

use besom_sweep::Row;

use super::{Buffer, Encoder};
use crate::render::rows::Object;

/// See the module.
pub(super) struct Jsonl(Buffer);

impl Jsonl {
    pub(super) fn new(buffer: Buffer) -> Self {
        Self(buffer)
    }
}

impl Encoder for Jsonl {
    fn row(&mut self, row: Row<'_>) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&Object(row))?;
        line.push(b'\n');
        Ok(self.0.write_all(&line)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
