//! `besom cancel SWEEP`

use besom_proto::v1::SweepRef;

use crate::{
    connect::{self, Access, Connection},
    output::Exit,
    render::sweeps,
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
    let connection = Connection::open(settings, &args.at, Access::Change).await?;
    let answer = connection.sweeps().cancel_sweep(SweepRef { sweep: args.sweep }).await.map_err(connect::refused)?;
    sweeps::print_one(&answer.into_inner(), args.json)?;
    connection.close().await;
    Ok(Exit::Success)
}
