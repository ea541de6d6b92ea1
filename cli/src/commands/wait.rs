//! `besom wait SWEEP`: ends when the sweep does, with the exit code that `besom run` would have ended with.

use std::time::Duration;

use crate::{
    connect::{Access, Connection},
    output::Exit,
    settings::{Settings, Where},
    watching,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 if every job ended well, 1 if one failed or the sweep was cancelled.")]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// Wait no longer than this (a number with s, m or h), and end with exit code 1 if the sweep has not ended by then
    #[arg(long, value_name = "TIME", value_parser = super::coordinator::parse_time)]
    timeout: Option<Duration>,
    /// Print JSON: the sweep as it ended
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let connection = Connection::open(settings, &args.at, Access::Read).await?;
    let exit = watching::wait(connection.sweeps(), &args.sweep, args.timeout, args.json).await?;
    connection.close().await;
    Ok(exit)
}
