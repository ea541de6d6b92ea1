//! Decides who trains what, and keeps every result.
//!
//! Data flows one way: `rpc` converts a request and calls `dispatcher` or `store`; the store
//! compares and sets in one transaction, with decisions taken by `domain`; the reaper expires
//! leases. A store and the bytes of its artifacts are put together in `open`. Only this crate
//! writes state. It never trains, and never sees the worker crate.

pub mod artifacts;
mod catch_up;
mod config;
mod descriptors;
mod dispatcher;
pub mod domain;
mod error_chain;
mod expander;
mod expansions;
mod failed_sync;
mod full_disk;
mod in_process;
mod jitter;
mod keeper;
mod listener;
pub mod open;
mod patience;
mod queue;
mod reaper;
mod remover;
mod rpc;
mod server;
mod settling;
pub mod store;
mod weigher;

pub use config::{ConfigError, CoordinatorConfig};
pub use descriptors::raise_descriptor_limit;
pub use failed_sync::{failed_sync, sync_failure};
pub use in_process::InProcess;
pub use server::Coordinator;
pub use settling::query;
