//! The only place that knows both the wire's types and the domain's.
//!
//! What comes in is refused by the name of its field; what goes out never fails.

mod bounds;
mod incoming;
mod outgoing;

pub(super) use incoming::{
    acquire, artifact_kind, check_text, completions, digest, leases, limit, new_worker, peer, reports, session, text,
};
pub(super) use outgoing::{
    acquired, attempt_batch, config_stats, confusion, directives, history, importance, plan, progress, results, run,
    sweep, sweep_with_text, worker_row,
};
