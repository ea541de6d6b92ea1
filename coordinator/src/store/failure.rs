//! What can go wrong inside a transaction, before it is an answer to anybody.
//!
//! The runner of transactions looks at a [`Failure`] and either tries the whole transaction again or turns it into a
//! [`StoreError`]. Which database error is which stands in one small function per database, `classify`.

use std::time::Duration;

use super::{StoreError, trouble::plain};

/// Why a transaction did not commit.
#[derive(Debug)]
pub(super) enum Failure {
    /// The answer to the caller.
    Store(StoreError),
    /// The database said so.
    Database(sqlx::Error),
    /// Another transaction came first: the same one, run again, will see what that did.
    Raced(sqlx::Error),
    /// The same, where no statement failed for it.
    Overtaken(&'static str),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// What a database error means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing happened; the whole transaction may be run again at once.
    Again,
    /// The database is away or busy.
    Away,
    /// Its disk is full.
    Full,
    /// A bug or a damaged database.
    Broken,
}

/// How often a transaction runs before a conflict becomes `Unavailable`.
pub(super) const MAX_RUNS: u32 = 8;

/// The wait before run `run` (from 1) of a transaction that met another one: up to 5 ms, doubling, at random.
pub(super) fn backoff(run: u32) -> Duration {
    let full = 5_000_u64 << run.min(6);
    Duration::from_micros(full / 2 + random_bits() % (full / 2))
}

/// Good enough to keep those apart that met, and for nothing else.
pub(crate) fn random_bits() -> u64 {
    // The low bits of a version 7 UUID are random.
    uuid::Uuid::now_v7().as_u64_pair().1
}

/// The answer for a failure that is final.
pub(super) fn answer(error: sqlx::Error, class: Class, operation: &'static str) -> StoreError {
    match class {
        Class::Again | Class::Away => StoreError::Unavailable(plain(&error).into()),
        Class::Full => StoreError::Full(plain(&error).into()),
        Class::Broken => {
            StoreError::Corrupt { table: "?", id: "?".to_owned(), problem: format!("{operation}: {error}") }
        }
    }
}

/// What the database says, without codes.
pub(super) fn words(error: &sqlx::Error) -> String {
    plain(error)
}

/// The same failure for another caller that shared the transaction.
pub(super) fn again(error: &StoreError) -> StoreError {
    let source = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    match error {
        StoreError::Full(_) => StoreError::Full(source.into()),
        _ => StoreError::Unavailable(source.into()),
    }
}

/// Refuses a change to a store that is open for reading.
pub(super) fn read_only() -> StoreError {
    StoreError::InvalidState { what: "the store is open for reading only".to_owned() }
}
