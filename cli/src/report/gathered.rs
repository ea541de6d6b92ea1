//! What a report tells, fetched from a coordinator.

use besom_figures::Figure;
use besom_proto::v1::{ListWorkersRequest, Sweep, Worker};
use besom_sweep::{Row, Table, TableError};

use super::models::{Asked, Models};
use crate::{
    configurations,
    connect::{Connection, refused},
    figures::{Drawn, Figures},
    results,
    settings::Settings,
};

/// A sweep as far as it got.
pub(crate) struct Gathered {
    /// The sweep.
    pub(super) sweep: Sweep,
    /// All its runs, best first: rows of the view `runs`.
    pub(super) runs: Table,
    /// What its figures are drawn from.
    pub(super) figures: Figures,
    /// The best mean first: see [`configurations::ranked`].
    pub(super) configs: Table,
    /// Those that ever held one of its jobs.
    pub(super) workers: Vec<Worker>,
    /// Its dataset and the models to ask, or why they are not there.
    pub(super) models: Models,
}

impl Gathered {
    /// Everything about the sweep of this name or number, each row once.
    ///
    /// # Errors
    /// No such sweep, no model of a job that was asked for, or the coordinator is away.
    pub(crate) async fn fetch(
        connection: &Connection,
        settings: &Settings,
        sweep: &str,
        asked: &Asked<'_>,
    ) -> anyhow::Result<Self> {
        let reader = connection.reader();
        let sweep = reader.sweep(sweep).await?;
        let (mut runs, configs) = (reader.runs(&sweep).await?, reader.configs(&sweep).await?);
        let drawn = Drawn { runs: &runs, configs: &configs };
        let figures = Figures::of(&reader, &sweep, drawn, &Figure::ALL).await?;
        results::rank(&mut runs, &sweep)?;
        let configs = configurations::ranked(configs, &sweep)?;
        let workers = connection.sweeps().list_workers(ListWorkersRequest::default()).await.map_err(refused)?;
        let mut workers = workers.into_inner().workers;
        workers.retain(|worker| figures.data().attempts().iter().any(|attempt| attempt.worker == worker.name));
        let models = Models::fetch(connection, settings, &sweep, &runs, asked).await?;
        Ok(Self { sweep, runs, figures, configs, workers, models })
    }

    /// The sweep's name.
    pub(crate) fn sweep(&self) -> &str {
        &self.sweep.name
    }

    /// Whether configurations are ranked, and not single runs.
    pub(super) fn is_by_config(&self) -> bool {
        configurations::has_several_seeds(&self.sweep) && !self.configs.rows.is_empty()
    }

    /// The best run, if one has a result.
    pub(super) fn best(&self) -> Result<Option<Row<'_>>, TableError> {
        best_of(&self.runs)
    }
}

/// The first of ranked runs, if it has a result.
pub(super) fn best_of(runs: &Table) -> Result<Option<Row<'_>>, TableError> {
    let Some(first) = runs.row(0) else { return Ok(None) };
    Ok(first.maybe_float("objective")?.map(|_| first))
}
