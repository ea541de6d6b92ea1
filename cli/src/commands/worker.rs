//! `besom worker`: joins a coordinator and trains its jobs until it is told to stop.
//!
//! It never ends because a coordinator is away. The first signal gives its jobs back, the second
//! ends it at once.

use std::sync::Arc;

use besom_worker::Patience;
use besom_worker::agent::{self, Connect, Shutdown, WorkerConfig, WorkerEvent};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    connect,
    output::Exit,
    settings::{self, Settings},
    signals,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The coordinator to join [env: BESOM_COORDINATOR] [default: http://127.0.0.1:7070]
    #[arg(long, value_name = "URL")]
    coordinator: Option<String>,
    /// Jobs trained at once [env: BESOM_SLOTS] [default: the cores this process may use]
    #[arg(long, value_parser = settings::parse_slots)]
    slots: Option<u32>,
    /// Name of this worker [default: host and process]
    #[arg(long)]
    name: Option<String>,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let drain = signals::first_signal("draining: jobs go back to the coordinator (again: stop at once)")?;
    let endpoint = connect::endpoint(&settings.coordinator(args.coordinator.as_deref()))?;
    let slots = settings.slots(args.slots).unwrap_or_else(agent::default_slots);
    info!(coordinator = %endpoint.uri(), slots, "worker started");
    let coordinator = endpoint.uri().to_string();
    let connect: Connect = Arc::new(move || besom_client::endpoint::lazy(&endpoint));
    let config = WorkerConfig {
        name: args.name,
        coordinator: coordinator.trim_end_matches('/').to_owned(),
        slots,
        home: settings.home.clone(),
        sweep: None,
        patience: Patience::default(),
    };
    agent::run(connect, config, Shutdown { drain, stop: CancellationToken::new() }, log).await?;
    info!("worker stopped");
    Ok(Exit::Success)
}

/// Adds to the agent's own log, which tells of the connection and of each attempt's end.
fn log(event: WorkerEvent) {
    match event {
        WorkerEvent::Waiting => info!("waiting for jobs"),
        WorkerEvent::FetchingDataset { digest } => info!(digest, "fetching the dataset"),
        WorkerEvent::Started { slot, job, attempt, params, seed, epochs } => {
            let params = serde_json::Value::Object(params);
            info!(slot, job.id = job, job.attempt = attempt, seed, epochs, %params, "attempt started");
        }
        WorkerEvent::Epoch { slot, job, record } => {
            let metrics = serde_json::json!(record.metrics);
            debug!(slot, job.id = job, step = record.step, %metrics, "epoch");
        }
        WorkerEvent::Notice(notice) => warn!("{notice}"),
        WorkerEvent::Connected { .. } | WorkerEvent::Away { .. } | WorkerEvent::Ended { .. } => {}
    }
}
