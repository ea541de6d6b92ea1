//! `besom runs SWEEP`

use crate::{
    connect::{Access, Connection},
    output::Exit,
    render,
    results::{self, Order},
    settings::{Settings, Where},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Read, async |connection| {
        let results = results::fetch(&connection.reader(), &args.sweep, Order::Job, None).await?;
        render::results::print(&results, args.json)?;
        Ok(())
    })
    .await?;
    Ok(Exit::Success)
}
