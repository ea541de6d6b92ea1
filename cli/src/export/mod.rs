//! Rows of the SQL views as files for other programs: CSV, JSON lines, Parquet.
//!
//! A row comes in, bytes go out, and nothing else is kept: an export of any size takes the memory of one batch. Names
//! and order of the columns are those of the views.

mod csv;
mod encoder;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;
mod rows;

pub(crate) use self::{
    encoder::{Buffer, Encoder, Format, encoder},
    rows::{Cell, Column, HISTORY, RUNS, history, run},
};
