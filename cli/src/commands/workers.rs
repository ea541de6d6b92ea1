//! `besom workers`

use std::time::Duration;

use besom_proto::v1::ListWorkersRequest;

use crate::{
    connect::{self, Access, Connection},
    output::Exit,
    render::{json, table::Table},
    settings::{Settings, Where},
    text::{number, state},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Also list those that last called more than a day ago, if they ever held a job
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Read, async |connection| {
        let answer =
            connection.sweeps().list_workers(ListWorkersRequest { all: args.all }).await.map_err(connect::refused)?;
        let workers = answer.into_inner().workers;
        if args.json {
            json::print(&workers.iter().map(json::Worker::from).collect::<Vec<_>>())?;
        } else {
            let mut table =
                Table::new(["worker_id", "worker", "state", "host", "slots", "running", "build", "last_seen"]);
            for worker in &workers {
                table.row([
                    worker.id.to_string(),
                    worker.name.clone(),
                    state::worker(worker).to_owned(),
                    worker.host.clone(),
                    worker.slots.to_string(),
                    worker.running.to_string(),
                    worker.build.clone(),
                    format!("{} ago", number::duration(Duration::from_millis(worker.last_seen_ms_ago))),
                ]);
            }
            table.print(&["worker_id", "build", "host", "slots"])?;
        }
        Ok(())
    })
    .await?;
    Ok(Exit::Success)
}
