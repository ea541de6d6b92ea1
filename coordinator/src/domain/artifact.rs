//! What is known of stored bytes, apart from the bytes.

use std::time::Duration;

/// An artifact that no row names stays for so long: whoever has just stored it, or was told that it is there, is about to
/// name it.
pub const UNNAMED: Duration = Duration::from_secs(60 * 60);

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

/// What is known of a stored artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// In bytes.
    pub size: u64,
    /// The word for its kind.
    pub kind: String,
}
