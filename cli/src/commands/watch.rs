//! `besom watch SWEEP`: follows a sweep until it ends, then shows its runs.

use crate::{
    again::At,
    connect::{Access, Connection},
    output::Exit,
    settings::{Settings, Where},
    watching,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// Print JSON: one line for each change
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let exit = Connection::with(settings, &args.at, Access::Read, async |connection| {
        watching::watch(connection.reader(), &args.sweep, At::of(&args.at), args.json).await
    })
    .await?;
    Ok(exit)
}
