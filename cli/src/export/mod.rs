//! Rows of the SQL views as files for other programs: CSV, JSON lines, Parquet.
//!
//! A row comes in, bytes go out, and nothing else is kept: an export of any size takes the memory
//! of one page. Columns, names and order are those of the result.

mod csv;
mod encoder;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;

pub(crate) use self::encoder::{Buffer, Encoder, Format, encoder};
