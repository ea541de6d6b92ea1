//! Datasets: the canonical artifact in memory.
#![allow(dead_code, unused_imports, reason = "the parsers that use the rest of it are not in this tree yet")]

mod dataset;
mod error;
mod limits;

pub use dataset::{Dataset, Header};
pub use error::DataError;
