//! The services over an in-process channel, on real stores.

#![allow(clippy::unwrap_used, reason = "clippy knows only functions with #[test] as tests")]

mod artifacts;
mod removal;
mod server;
mod shared;
mod silent;
mod support;
mod sweeps;
mod transfers;
mod unreadable;
mod watches;
mod workers;
