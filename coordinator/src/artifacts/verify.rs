//! Whether bytes are those that a digest and a size name.

use sha2::{Digest as _, Sha256};

use super::contract::ArtifactError;
use crate::domain::Digest;

/// Hashes bytes as they pass.
#[derive(Debug, Clone)]
pub(super) struct Verifier {
    expected: Digest,
    size: u64,
    seen: u64,
    hasher: Sha256,
}

impl Verifier {
    pub(super) fn new(expected: Digest, size: u64) -> Self {
        Self { expected, size, seen: 0, hasher: Sha256::new() }
    }

    /// How many bytes have passed.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// How many have to.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Fails as soon as there are too many bytes, so that nobody can fill the disk under a small
    /// size.
    pub(super) fn update(&mut self, chunk: &[u8]) -> Result<(), ArtifactError> {
        self.seen += chunk.len() as u64;
        if self.seen > self.size {
            return Err(self.mismatch(format!("more than the {} announced", self.size)));
        }
        self.hasher.update(chunk);
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), ArtifactError> {
        if self.seen < self.size {
            return Err(self.mismatch(format!("only {} of {}", self.seen, self.size)));
        }
        let hash = self.hasher.finalize_reset();
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        if hex != self.expected.as_str() {
            return Err(self.mismatch(format!("those of {hex}")));
        }
        Ok(())
    }

    fn mismatch(&self, problem: String) -> ArtifactError {
        ArtifactError::Mismatch { expected: self.expected.clone(), problem }
    }
}
