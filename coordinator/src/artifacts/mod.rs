//! Bytes named by their SHA-256: datasets, models, checkpoints.
//!
//! An artifact becomes visible when it is complete, hashed and on disk, never before: a row that names one can rely on
//! it. Files under BESOM_HOME go with SQLite; chunks in a table go with Postgres, so that any coordinator serves them.

mod durable;
mod file;
mod postgres;
mod verify;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use self::{file::FileArtifacts, postgres::PostgresArtifacts};
use crate::{domain::Digest, store::StoreError};

/// The largest chunk that a store gives out, in bytes: small beside what a message may hold.
pub const CHUNK: usize = 1 << 20;

/// What an artifact is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactKind {
    /// A canonical dataset.
    Dataset,
    /// Weights, as safetensors.
    Model,
    /// A training state.
    Checkpoint,
}

impl ArtifactKind {
    /// The word in the table `artifacts`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Model => "model",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// Why an artifact was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// No such artifact.
    #[error("no artifact {0}")]
    NotFound(Digest),
    /// The bytes are not those that the digest or the size names.
    #[error("artifact {expected}: the bytes received are {problem}")]
    Mismatch {
        /// What was announced.
        expected: Digest,
        /// How they differ.
        problem: String,
    },
    /// Disk full, or another file error.
    #[error("artifact storage")]
    Io(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ArtifactError {
    fn read_only() -> Self {
        Self::Store(StoreError::InvalidState { what: "the store is open for reading only".to_owned() })
    }
}

/// Where artifacts live.
#[async_trait]
pub trait ArtifactStore: Send + Sync + 'static {
    /// The size in bytes, if it is stored.
    async fn size(&self, digest: &Digest) -> Result<Option<u64>, ArtifactError>;

    /// Takes the bytes of `digest`, `size` of them, and makes them visible once they are verified and durable.
    /// Storing what is there already is fine, also at the same time from two sides.
    async fn put(
        &self,
        digest: &Digest,
        size: u64,
        kind: ArtifactKind,
        chunks: BoxStream<'static, Result<Bytes, std::io::Error>>,
    ) -> Result<(), ArtifactError>;

    /// The bytes in chunks of at most 1 MiB.
    async fn get(&self, digest: &Digest) -> Result<BoxStream<'static, Result<Bytes, ArtifactError>>, ArtifactError>;
}
