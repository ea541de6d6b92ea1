//! `besom sweeps`

use besom_proto::v1::ListSweepsRequest;

use crate::{
    connect::{self, Access, Connection},
    output::Exit,
    render::sweeps,
    settings::{Settings, Where},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Read, async |connection| {
        let answer = connection.sweeps().list_sweeps(ListSweepsRequest {}).await.map_err(connect::refused)?;
        sweeps::print(&answer.into_inner().sweeps, args.json)?;
        Ok(())
    })
    .await?;
    Ok(Exit::Success)
}
