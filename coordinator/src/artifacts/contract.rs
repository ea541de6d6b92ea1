//! What every store of artifacts does, and the values that its methods take and give.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{
    domain::{ArtifactKind, Digest, Stored, WorkerId},
    full_disk::{FullDisk, is_no_space},
    store::StoreError,
};

/// The largest chunk that a store gives out, in bytes.
pub const CHUNK: usize = besom_proto::transfer::PIECE;

/// Who sends an upload: each has room of its own, so that strangers cannot use up what workers need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// A worker that the store knows.
    Worker(WorkerId),
    /// Anybody else.
    Stranger,
}

impl Sender {
    /// Whether both have the same room: that of workers, or that of strangers.
    pub(super) fn is_like(self, other: Self) -> bool {
        matches!(self, Self::Worker(_)) == matches!(other, Self::Worker(_))
    }
}

/// An upload as its head announces it.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Of the whole artifact.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// What it is for.
    pub kind: ArtifactKind,
    /// Whose it is.
    pub sender: Sender,
    /// The name under which its sender goes on with it after a break; `None`: a break ends it.
    pub name: Option<String>,
    /// Where the bytes that follow begin.
    pub offset: u64,
}

/// The bytes of an artifact on their way out.
pub type Chunks = BoxStream<'static, Result<Bytes, ArtifactError>>;

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
    /// It is stored as something else.
    #[error("artifact {digest}: expected a {expected}, but it is stored as a {stored}")]
    OtherKind {
        /// Which.
        digest: Digest,
        /// What was announced.
        expected: &'static str,
        /// What is there.
        stored: String,
    },
    /// The upload does not go on where it stopped, or a download begins behind the end.
    #[error("artifact {digest}: expected an offset of {expected}, got {offset}")]
    Offset {
        /// Which.
        digest: Digest,
        /// What would do.
        expected: String,
        /// What was asked for.
        offset: u64,
    },
    /// The sender itself went on with this upload in another call, or asked what came of it.
    #[error("artifact {0}: the sender goes on with this upload in another call")]
    Superseded(Digest),
    /// More unfinished uploads than there is room for.
    #[error("artifact {0}: too many uploads are unfinished here, and this one came or moved last; try again later")]
    Crowded(Digest),
    /// Disk full, or another file error.
    #[error("artifact storage")]
    Io(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ArtifactError {
    pub(super) fn read_only() -> Self {
        Self::Store(StoreError::InvalidState { what: "the store is open for reading only".to_owned() })
    }
}

/// What a disk with artifacts is written for.
const UPLOAD: &str = "upload";

/// Tells of a disk that had no room for an upload of this size, or has some again.
pub(super) fn heed<T>(disk: &FullDisk, size: u64, stored: &Result<T, ArtifactError>) {
    match stored {
        Ok(_) => disk.room(UPLOAD),
        Err(ArtifactError::Io(error)) if is_no_space(error) => {
            disk.full(UPLOAD, format_args!("an artifact needs {} MiB", size.div_ceil(1 << 20)), error);
        }
        Err(_) => {}
    }
}

impl NewUpload {
    /// Refuses what is stored under the upload's digest with other bytes, or for another purpose.
    pub(super) fn refuse_other(&self, stored: &Stored) -> Result<(), ArtifactError> {
        let digest = self.digest.clone();
        if stored.size != self.size {
            let problem = format!("{}, but stored are {}", self.size, stored.size);
            return Err(ArtifactError::Mismatch { expected: digest, problem });
        }
        if stored.kind != self.kind.as_str() {
            let (expected, stored) = (self.kind.as_str(), stored.kind.clone());
            return Err(ArtifactError::OtherKind { digest, expected, stored });
        }
        Ok(())
    }
}

/// Where artifacts live.
#[async_trait]
pub trait ArtifactStore: Send + Sync + 'static {
    /// What is stored under the digest.
    async fn find(&self, digest: &Digest) -> Result<Option<Stored>, ArtifactError>;

    /// As [`ArtifactStore::find`], for somebody who is about to name it: it then stays for [`super::UNNAMED`], whatever else
    /// drops it.
    async fn claim(&self, digest: &Digest) -> Result<Option<Stored>, ArtifactError>;

    /// How much of an upload was received. One that still is, stops.
    async fn received(&self, digest: &Digest, upload: &str) -> Result<u64, ArtifactError>;

    /// Takes the bytes of an upload and makes them visible once they are verified and durable. Storing what is there
    /// already is fine, also at the same time from two sides.
    async fn put(
        &self,
        upload: NewUpload,
        chunks: BoxStream<'static, Result<Bytes, std::io::Error>>,
    ) -> Result<(), ArtifactError>;

    /// The size, and the bytes from `offset` on in chunks of at most [`CHUNK`].
    async fn get(&self, digest: &Digest, offset: u64) -> Result<(u64, Chunks), ArtifactError>;

    /// Forgets uploads that nobody went on with, and removes the bytes of artifacts that were dropped.
    async fn tidy(&self) -> Result<(), ArtifactError>;

    /// Removes artifacts that no row has named for [`super::UNNAMED`]; says how many.
    async fn remove_unnamed(&self) -> Result<u64, ArtifactError>;
}
