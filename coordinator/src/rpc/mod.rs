//! The services: each handler converts, calls, converts.
//!
//! Codes of errors stand in `status`, both sides of every type in `convert`; decisions are taken in
//! `dispatcher`, `expander` and the store.

mod artifacts;
mod convert;
mod create;
mod queries;
mod removal;
mod status;
mod sweeps;
mod unreadable;
mod watches;
mod workers;

pub(crate) use artifacts::Artifacts;
pub(crate) use queries::QueryDesk;
pub(crate) use sweeps::Sweeps;
pub(crate) use unreadable::refused;
pub(crate) use watches::Watches;
pub(crate) use workers::Workers;
