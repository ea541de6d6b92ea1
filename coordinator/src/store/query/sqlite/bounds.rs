//! What one statement may take of memory and of the disk on SQLite.

/// The largest value, in bytes: the confusion matrix of a thousand classes is one value.
pub(super) const MAX_VALUE: usize = 16 << 20;

/// What SQLite may have in memory for one statement.
pub(super) const MAX_MEMORY: usize = 64 << 20;

/// What the temporary files of all statements may hold.
pub(super) const MAX_SPILL: u64 = 1 << 30;
