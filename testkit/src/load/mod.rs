//! A load client: many simulated workers and people on one coordinator, over real gRPC, and what
//! that costs.
//!
//! Nothing is trained. A simulated worker acquires jobs, makes up the epoch records that a trainer
//! would report, and completes them. Every loop ends by itself, after a number or a time, and only
//! loopback addresses are contacted. Each part prints one JSON object; `scripts/load` starts the
//! coordinators and puts the objects into a table.

pub mod client;
pub mod commands;
pub mod disk;
pub mod fill;
pub mod idle;
pub mod jobs;
pub mod meter;
pub mod numbers;
mod process;
pub mod query;
pub mod submit;
pub mod watch;

use serde_json::Value;

/// Measures a besom coordinator under load; scripts/load runs all of it
#[derive(Debug, clap::Parser)]
#[command(name = "besom-load", version)]
pub struct Cli {
    /// What to measure.
    #[command(subcommand)]
    pub part: Part,
}

/// Does one part, named as on the command line, in this process.
///
/// # Errors
/// The words name no part, or as [`Part::run`].
pub async fn run(words: &[&str]) -> anyhow::Result<Value> {
    let words = std::iter::once("besom-load").chain(words.iter().copied());
    <Cli as clap::Parser>::try_parse_from(words)?.part.run().await
}

/// One part of the load client with its arguments.
#[derive(Debug, clap::Subcommand)]
pub enum Part {
    /// Submit a sweep of many jobs and wait until all of them are written
    Submit(submit::Args),
    /// Work through jobs: acquire, report, complete
    Jobs(jobs::Args),
    /// Wait for jobs with many workers and count what their waiting costs
    Idle(idle::Args),
    /// Follow one sweep with many watches and count what they cost
    Watch(watch::Args),
    /// Pause, resume, cancel, list and rank sweeps, also while another sweep is written
    Commands(commands::Args),
    /// Finish jobs of a sweep by SQL, past the coordinator, which must be stopped
    Fill(fill::Args),
    /// Time the queries that people ask of a large sweep
    Query(query::Args),
    /// Time the syncs of a disk
    Disk(disk::Args),
}

impl Part {
    /// Does the part, within its bounds.
    ///
    /// # Errors
    /// The coordinator or the database does not answer, or answers what it must not.
    pub async fn run(self) -> anyhow::Result<Value> {
        match self {
            Self::Submit(args) => submit::run(&args).await,
            Self::Jobs(args) => jobs::run(args).await,
            Self::Idle(args) => idle::run(&args).await,
            Self::Watch(args) => watch::run(&args).await,
            Self::Commands(args) => commands::run(&args).await,
            Self::Fill(args) => fill::run(&args).await,
            Self::Query(args) => query::run(&args).await,
            Self::Disk(args) => disk::run(&args),
        }
    }
}
