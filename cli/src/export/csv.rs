//! CSV, RFC 4180 but for the ends of lines, which are line feeds. Null is empty; floats are the
//! shortest text that reads back as the same number.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a
//! formula, and a cell may hold what a worker wrote: such a cell gets an apostrophe in front,
//! unless it is a number.

use std::borrow::Cow;

use besom_sweep::{Cell, Column, Row};

use super::{Buffer, Encoder};
use crate::render::sql;

/// See the module.
pub(super) struct Csv(csv::Writer<Buffer>);

impl Csv {
    pub(super) fn new(columns: &[Column], buffer: Buffer) -> anyhow::Result<Self> {
        let mut writer = csv::WriterBuilder::new().from_writer(buffer);
        writer.write_record(columns.iter().map(|column| &column.name))?;
        Ok(Self(writer))
    }
}

impl Encoder for Csv {
    fn row(&mut self, row: Row<'_>) -> anyhow::Result<()> {
        for (_, cell) in row.cells() {
            let text: Cow<'_, str> = match cell {
                Cell::Null => "".into(),
                Cell::Text(text) => harmless(text),
                cell => sql::text(cell).into(),
            };
            self.0.write_field(text.as_bytes())?;
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.0.flush()?)
    }
}

/// `text` as no spreadsheet computes it.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() {
        return format!("'{text}").into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_gets_an_apostrophe_and_numbers_stay() {
        for text in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["-1", "+1.5", "-1e-7", "a=b", "", "'=1", "[32, 32]"] {
            assert_eq!(harmless(text), text);
        }
    }
}
