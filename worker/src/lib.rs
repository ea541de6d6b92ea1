//! The worker: pulls jobs from a coordinator, trains them and reports.

#[cfg(test)]
extern crate self as besom_worker;

pub mod data;
pub mod train;
