//! The worker's agent: registers, acquires jobs for its free slots, trains them, reports, and
//! delivers results.
//!
//! A lease is all that a worker holds. Renewals run on an OS thread of their own ([`report`])
//! whatever the trainers do; a worker that cannot renew stops by its own clock before the lease is
//! over ([`ledger`]); a finished result stays until the coordinator acknowledged it ([`attempt`]).
//! A coordinator that is away is waited for, without end.

mod assignment;
mod attempt;
mod backoff;
mod clock;
mod config;
mod hindrance;
mod ledger;
mod link;
mod register;
mod report;
mod run;
mod signal;
mod slot;
mod watchdog;
mod wish;

pub(crate) use backoff::{again, rest};
pub(crate) use clock::Clock;
pub(crate) use config::Events;
pub use config::{Connect, Shutdown, WorkerConfig, WorkerError, WorkerEvent, default_slots};
pub(crate) use ledger::{Directive, Ledger, Phase};
pub(crate) use link::{ACQUIRE_WAIT, Link, Refusal, Session, SessionKey, call};
pub use run::{run, run_with};
pub(crate) use signal::{DropReason, Signal};
pub use watchdog::Patience;
