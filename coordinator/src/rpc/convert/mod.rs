//! The only place that knows both the wire's types and the domain's.
//!
//! What comes in is refused by the name of its field; what goes out never fails.

mod bounds;
mod incoming;
mod outgoing;

pub(super) use incoming::{
    acquire, artifact_kind, check_text, completions, digest, leases, new_worker, peer, reports, session, text,
};
pub(super) use outgoing::{acquired, directives, plan, progress, results, sweep, sweep_with_text, worker_row};
