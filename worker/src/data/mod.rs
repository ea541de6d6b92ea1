<<<<<<< HEAD
//! Datasets in memory.

/// What a dataset is.
#[derive(Debug, Clone)]
pub struct Header {
    /// Values a row.
    pub features: u32,
    /// Class names in label order.
    pub classes: Vec<String>,
    /// Rows of the training split.
    pub train: u32,
    /// Rows of the test split.
    pub test: u32,
    /// Largest value of the training split.
    pub max: u8,
}

/// Rows and labels.
#[derive(Debug, Clone)]
pub struct Dataset {
    header: Header,
    rows: Vec<u8>,
    labels: Vec<u8>,
}

impl Dataset {
    /// From parts.
    pub fn new(header: Header, rows: Vec<u8>, labels: Vec<u8>) -> Self {
        Self { header, rows, labels }
    }
    /// What it is.
    pub fn header(&self) -> &Header {
        &self.header
    }
    /// Training rows first, then test rows.
    pub fn rows(&self) -> &[u8] {
        &self.rows
    }
    /// A class index a row.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}
=======
//! Datasets: from a source of any supported format to one canonical artifact.
//!
//! A source (local path, https URL or `builtin:sketches`) is parsed once, by whoever submits a sweep; everything
//! after that knows the artifact only, names it by its SHA-256 and holds its bytes once in memory. Every parser
//! here reads hostile input: lengths are checked before they are used, nothing is allocated on a header's word
//! alone, and what is refused is refused by name. The trainer (`train`) reads rows and labels as bytes.

mod blocking;
mod cache;
mod dataset;
mod describe;
mod download;
mod error;
mod hosts;
mod idx;
mod limits;
mod load;
mod npy;
mod npz;
mod random;
mod samples;
mod sketches;
mod split;
mod table;

pub use cache::DatasetCache;
pub use dataset::{Dataset, Header};
pub use describe::{Description, SplitDescription, describe};
pub use error::DataError;
pub use load::{LoadOptions, LoadProgress, Loaded, load};
>>>>>>> data
