//! The services over an in-process channel, on real stores.

mod artifacts;
mod server;
mod shared;
mod support;
mod sweeps;
mod workers;
