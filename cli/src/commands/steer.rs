//! `besom pause SWEEP`, `besom resume SWEEP`, `besom cancel SWEEP`: one request each, answered with
//! the sweep.

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

/// What is asked of the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steer {
    Pause,
    Resume,
    Cancel,
}

pub(super) async fn run(steer: Steer, args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Change, async |connection| {
        let mut client = connection.sweeps();
        let sweep = SweepRef { sweep: args.sweep };
        let answer = match steer {
            Steer::Pause => client.pause_sweep(sweep).await,
            Steer::Resume => client.resume_sweep(sweep).await,
            Steer::Cancel => client.cancel_sweep(sweep).await,
        };
        sweeps::print_one(&answer.map_err(connect::refused)?.into_inner(), args.json)?;
        Ok(())
    })
    .await?;
    Ok(Exit::Success)
}
