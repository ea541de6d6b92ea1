//! Datasets: from a source of any supported format to one canonical artifact.
//!
//! A source (files, a folder, or `builtin:sketches`) is parsed once, by whoever submits a sweep;
//! everything after that knows the artifact only, names it by its SHA-256 and holds its bytes once
//! in memory. Every parser here reads hostile input: lengths are checked before they are used,
//! nothing is allocated on a header's word alone, and what is refused is refused by name.
//!
//! The crate reads, splits and describes. It may use the sweep file's types and the file system; it
//! is synchronous and knows no network, no runtime and no coordinator: who fetches a source from
//! the web hands its file over ([`Located`]).
//!
//! ```
//! use besom_dataset::{describe, load_local};
//! use besom_sweep::DatasetSpec;
//!
//! let spec = DatasetSpec { samples: Some(200), ..DatasetSpec::new("builtin:sketches") };
//! let data = load_local(&spec, std::path::Path::new(".")).unwrap().dataset;
//! assert_eq!(data.header().shape, [28, 28]);
//! assert_eq!(describe(&data).train.samples + describe(&data).test.samples, 200);
//! ```

// Unit tests and integration tests share helpers, which name the crate as a user would.
#[cfg(test)]
extern crate self as besom_dataset;

mod arrays;
mod columnar;
mod columns;
mod dataset;
mod describe;
pub mod digest;
mod error;
mod folder;
mod form;
mod glance;
mod idx;
mod images;
mod kind;
mod labels;
mod limits;
mod load;
mod memory;
mod notes;
mod npy;
mod npz;
mod pictures;
pub mod random;
mod samples;
mod scaling;
mod sketches;
mod source;
mod split;
mod table;

pub use dataset::{Dataset, Header, Kind, Rows};
pub use describe::{Description, SplitDescription, describe};
pub use error::DataError;
pub use glance::{Glance, glance};
pub use images::{Images, read_images};
pub use limits::MAX_SOURCE;
pub use load::{Loaded, Located, check, load, load_local};
pub use notes::{Survey, note_on_batches, notes};
pub use samples::Values;
pub use scaling::Scaling;
pub use source::expand;
