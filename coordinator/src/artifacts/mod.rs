//! Bytes named by their SHA-256: datasets, models, checkpoints.
//!
//! An artifact becomes visible when it is complete, hashed and on disk, never before: a row that names one can rely on
//! it. Files under BESOM_HOME go with SQLite; chunks in a table go with Postgres, so that any coordinator serves them.
//! Until it is complete, an upload is collected in a file of its own ([`spool`]), whichever database it is for: no sender,
//! however slow, holds a transaction or a connection. An artifact goes with the last row that names it.

mod contract;
mod durable;
mod file;
pub(crate) mod folder;
mod postgres;
mod spool;
mod verify;

pub use self::{
    contract::{ArtifactError, ArtifactStore, CHUNK, Chunks, NewUpload, Sender},
    file::FileArtifacts,
    postgres::PostgresArtifacts,
};
pub use crate::domain::{ArtifactKind, Stored, UNNAMED};
