//! Rows as the statements give them, and the one way from there to the domain.
//!
//! The same structs serve both databases. A row that a change depends on is
//! [`Corrupt`](super::StoreError::Corrupt) where it does not parse, never a default. What is only
//! shown is more forgiving, since one odd value must not hide the rows beside it: a number beyond
//! its range becomes the end of the range, and JSON that does not parse is left out with a warning.

mod confusions;
mod epochs;
mod leases;
mod place;
mod statistics;
mod sweeps;
mod workers;

pub(super) use confusions::{ConfusionRow, stored_counts};
pub(super) use epochs::{BestRow, EpochRow, RunningRow};
pub(super) use leases::{AssignmentRow, Expired, ExpiredRow, Held, HeldRow, LeaseRow, Renewed, RenewedRow};
pub(super) use place::unhex;
pub(super) use statistics::{ConfigRunRow, ImportanceStanding};
pub(super) use sweeps::{CountRow, QueueRow, RetryRow, SweepRow, Totals};
pub(super) use workers::{RegisteredRow, SessionRow, WorkersRow};
