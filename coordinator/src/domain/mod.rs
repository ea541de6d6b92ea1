//! States, leases and retries as plain values and functions: no clock, no database, no wire.

mod artifact;
mod attempt;
mod claim;
mod epoch;
mod ids;
mod importance;
pub(crate) mod promoted;
mod removal;
mod retry;
mod statistics;
mod subgrid;
mod sweep;
mod utc;

pub use artifact::{ArtifactKind, Stored, UNNAMED};
pub use attempt::{
    Assignment, AttemptOutcome, Completion, DEFAULT_LEASE_TTL, Directive, Hindrance, JobOutcome, Settled, WriteResult,
};
pub use besom_sweep::{ClassCounts, Confusion, Counts, EpochRecord, ImportanceKind, JobCounts, JobState, SweepState};
pub use claim::{Terms, refuse_outcome, refuse_records, repeats};
pub use epoch::{Summary, summarize};
pub use ids::{AttemptRef, Digest, JobId, Key, Lease, Session, SweepId, Timestamp, WorkerId};
pub use importance::{Importance, Importances, Weighing};
pub use removal::Removal;
pub use retry::{RetryDecision, RetryPolicy, after_hindrance, jitter, spread};
pub use statistics::{ConfigRun, ConfigSums, Estimate, Spread, estimate};
pub use sweep::{
    BestRun, NewJob, NewSweep, NewWorker, Progress, Queue, Retried, RunningJob, StoredSpec, Sweep, Trainers, WorkerRow,
};
pub use utc::utc;
