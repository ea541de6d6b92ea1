//! Datasets: from a source of any supported format to one canonical artifact.
//!
//! A source (local path, https URL or `builtin:sketches`) is parsed once, by whoever submits a sweep; everything
//! after that knows the artifact only, names it by its SHA-256 and holds its bytes once in memory. Every parser
//! here reads hostile input: lengths are checked before they are used, nothing is allocated on a header's word
//! alone, and what is refused is refused by name. The trainer (`train`) reads rows as bytes or as
//! 32-bit floats, and labels as 16-bit numbers.

mod arrays;
mod blocking;
mod cache;
mod columnar;
mod columns;
mod dataset;
mod describe;
mod download;
mod error;
mod folder;
mod form;
mod glance;
mod hosts;
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
mod samples;
mod scaling;
mod sketches;
mod source;
mod split;
mod strips;
mod table;
mod unfinished;

pub use cache::DatasetCache;
pub(crate) use dataset::hex;
pub use dataset::{Dataset, Header, Kind, Rows};
pub use describe::{Description, SplitDescription, describe};
pub use error::DataError;
pub use glance::{Glance, glance};
pub use images::{Images, read_images};
pub use load::{LoadOptions, LoadProgress, Loaded, load};
pub use notes::{Survey, note_on_batches, notes};
pub use samples::Values;
pub use scaling::Scaling;
pub use source::expand;
pub(crate) use strips::{HALF, STRIP, Strips};
