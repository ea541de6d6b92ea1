//! How long a sync of the disk takes, without which no other figure means much.

use std::{
    fs::File,
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::{Value, json};

use super::numbers::Latencies;

/// About what a commit appends to a log.
const BYTES: [u8; 8192] = [7; 8192];

/// Where, and how often.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A folder on the disk
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Syncs
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
}

/// Appends and syncs a file, and removes it again.
///
/// # Errors
/// The folder admits no file.
pub fn run(args: &Args) -> anyhow::Result<Value> {
    let mut file: File = tempfile::tempfile_in(&args.folder).with_context(|| args.folder.display().to_string())?;
    let mut latencies = Latencies::default();
    let limit = Instant::now() + Duration::from_secs(60);
    for _ in 0..args.rounds {
        file.write_all(&BYTES)?;
        let start = Instant::now();
        file.sync_data()?;
        latencies.add(start.elapsed());
        if Instant::now() > limit {
            break;
        }
    }
    Ok(json!({"part": "disk", "sync_ms": latencies.to_json()}))
}
