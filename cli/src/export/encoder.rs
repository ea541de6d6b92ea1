//! From rows to bytes, in any of the formats.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use besom_sweep::{Column, Row};

#[cfg(feature = "parquet")]
use super::parquet;
use super::{csv, jsonl};

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// RFC 4180 with a header line and line feeds; safe to open in a spreadsheet
    Csv,
    /// One JSON object a line
    Jsonl,
    /// Apache Parquet with typed columns
    Parquet,
}

/// Turns rows into bytes.
pub(crate) trait Encoder {
    /// Takes in one row: its columns are those that the encoder was made with.
    fn row(&mut self, row: Row<'_>) -> anyhow::Result<()>;

    /// Ends the file; nothing may be added then.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// An encoder of rows with these columns, whose bytes collect in `buffer`.
///
/// # Errors
/// The format is not part of this build.
pub(crate) fn encoder(format: Format, columns: &[Column], buffer: Buffer) -> anyhow::Result<Box<dyn Encoder + Send>> {
    Ok(match format {
        Format::Csv => Box::new(csv::Csv::new(columns, buffer)?),
        Format::Jsonl => Box::new(jsonl::Jsonl::new(buffer)),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(parquet::Parquet::new(columns, buffer)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => return Err(crate::output::usage("this build of besom has no Parquet: csv or jsonl")),
    })
}

/// Bytes on their way from an encoder to a file.
#[derive(Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// What has come since the last call.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
