//! The worker: pulls jobs from a coordinator, trains them and reports.

pub mod data;
pub mod train;
