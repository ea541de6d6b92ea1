//! What a transaction is for, which decides by which connections it goes.

/// See the pools of a `Handle`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// It changes something.
    Write,
    /// It only reads, from one snapshot, apart from what people read.
    Ask,
    /// It only reads, from one snapshot.
    Read,
}
