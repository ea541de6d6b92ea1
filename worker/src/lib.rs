//! The worker's side of besom: datasets, the trainer and the loop that pulls jobs.

// Unit tests and integration tests share helpers, which name the crate as a user would.
#[cfg(test)]
extern crate self as besom_worker;

pub mod agent;
mod assignment;
mod attempt;
pub mod data;
mod hindrance;
mod network;
mod random;
mod room;
mod slot;
pub mod train;
pub mod transfer;
pub mod unfinished;
mod watchdog;

pub use slot::{Mlp, Trainer};
pub use watchdog::Patience;
