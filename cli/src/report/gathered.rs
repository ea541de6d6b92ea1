//! What a report tells, fetched from a coordinator.

use besom_figures::Figure;
use besom_proto::v1::{ConfigStats, ListWorkersRequest, Sweep, SweepRef, Worker};

use super::models::{Asked, Models};
use crate::{
    connect::{Connection, refused},
    figures::Figures,
    results::{self, Order, Results},
    settings::Settings,
};

/// A sweep as far as it got.
pub(crate) struct Gathered {
    /// The sweep and all its runs, best first.
    pub(super) results: Results,
    /// What its figures are drawn from.
    pub(super) figures: Figures,
    /// By first job.
    pub(super) configs: Vec<ConfigStats>,
    /// Those that ever held one of its jobs.
    pub(super) workers: Vec<Worker>,
    /// Its dataset and the models to ask, or why they are not there.
    pub(super) models: Models,
}

impl Gathered {
    /// Everything about the sweep of this name or number.
    ///
    /// # Errors
    /// No such sweep, no model of a job that was asked for, or the coordinator is away.
    pub(crate) async fn fetch(
        connection: &Connection,
        settings: &Settings,
        sweep: &str,
        asked: &Asked<'_>,
    ) -> anyhow::Result<Self> {
        let mut client = connection.sweeps();
        let results = results::fetch(client.clone(), sweep, Order::BestFirst, None).await?;
        let figures = Figures::fetch(client.clone(), sweep, &Figure::ALL).await?;
        let mut configs = Vec::new();
        let at = SweepRef { sweep: sweep.to_owned() };
        let mut stats = client.stream_config_stats(at).await.map_err(refused)?.into_inner();
        while let Some(batch) = stats.message().await.map_err(refused)? {
            configs.extend(batch.configs);
        }
        let mut workers =
            client.list_workers(ListWorkersRequest::default()).await.map_err(refused)?.into_inner().workers;
        workers.retain(|worker| figures.data().attempts().iter().any(|attempt| attempt.worker == worker.name));
        let models = Models::fetch(connection, settings, &results, asked).await?;
        Ok(Self { results, figures, configs, workers, models })
    }

    pub(super) fn sweep(&self) -> &Sweep {
        &self.results.sweep
    }
}
