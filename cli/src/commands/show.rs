//! `besom show SWEEP/JOB`: one page of one run.

use crate::{
    connect::{Access, Connection},
    one_run,
    output::Exit,
    render,
    settings::{Settings, Where},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep, and the number of the job
    #[arg(value_name = "SWEEP/JOB")]
    run: String,
    /// Print JSON: the rows of the views runs, attempts and history
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let run = Connection::with(settings, &args.at, Access::Read, async |connection| {
        one_run::fetch(&connection.reader(), &args.run).await
    })
    .await?;
    render::one_run::print(&run, args.json)?;
    Ok(Exit::Success)
}
