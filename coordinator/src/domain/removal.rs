//! Removing a sweep.

/// What goes with a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// Its jobs.
    pub jobs: u64,
    /// Epochs that its runs kept.
    pub epochs: u64,
    /// Artifacts that nothing else names.
    pub artifacts: u64,
    /// Their bytes.
    pub bytes: u64,
}
