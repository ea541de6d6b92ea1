//! Trained models as a user has them: predictions, reports, one's own drawings, exported files.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test and says where")]

#[path = "../support/mod.rs"]
mod support;

mod data;
mod export;
mod files;
#[cfg(feature = "parquet")]
mod parquet_files;
mod predict;
mod refusals;
mod tutorial;

use support::{Home, tiny_sweep};

/// A home whose sweep `tiny` of 300 synthetic sketches has `jobs` trained jobs.
fn trained(jobs: u32) -> Home {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", jobs, 3));
    home.besom(["run".as_ref(), file.as_os_str()]).expect(0);
    home
}
