//! The worker's side of besom: datasets, the trainer and the loop that pulls jobs.

pub mod data;
