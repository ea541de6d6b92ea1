//! The store's work: what each method does inside its transaction.
//!
//! This folder is compiled twice, as a module of `sqlite` and of `postgres`, because a function
//! that is generic over sqlx's databases needs a page of bounds. What differs between the two comes
//! from `super::dialect` and from nowhere else: the SQL text of few statements, the locks that only
//! Postgres needs, and the clock.

mod acquire;
mod artifacts;
mod complete;
mod epochs;
mod expire;
mod importance;
mod jobs;
mod lane;
mod reads;
mod release;
mod remove;
mod report;
mod retry;
mod session;
mod statistics;
mod store;
mod sweep_rows;
mod sweeps;
mod tally;
mod transaction;
mod workers;

use super::dialect;

pub use artifacts::ArtifactIndex;
pub use store::Backend;
pub(super) use store::Lanes;
pub(super) use transaction::Handle;
