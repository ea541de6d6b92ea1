//! What commands read of one sweep: the sweep itself, and its results in SQL.

use besom_client::queries::{JobLength, OfJob, Paging, Parts, Queries};
use besom_proto::v1::{Sweep, SweepRef, sweep_service_client::SweepServiceClient};
use besom_sweep::{Row, Table, TableError, statements};
use tonic::transport::Channel;

use crate::connect::{self, refused};

/// Clients of the services that tell of sweeps.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    sweeps: SweepServiceClient<Channel>,
    queries: Queries,
}

impl Reader {
    /// Of the coordinator at the other end of `channel`.
    pub(crate) fn new(channel: Channel) -> Self {
        Self { sweeps: connect::sweeps(channel.clone()), queries: Queries::new(channel) }
    }

    /// The client of the sweeps.
    pub(crate) fn sweeps(&self) -> SweepServiceClient<Channel> {
        self.sweeps.clone()
    }

    /// The client of the results.
    pub(crate) fn queries(&self) -> &Queries {
        &self.queries
    }

    /// The sweep of this name or number.
    ///
    /// # Errors
    /// No such sweep, or the coordinator is away.
    pub(crate) async fn sweep(&self, asked: &str) -> anyhow::Result<Sweep> {
        let asked = SweepRef { sweep: asked.to_owned() };
        Ok(self.sweeps().get_sweep(asked).await.map_err(refused)?.into_inner())
    }

    /// How a statement on the jobs of the sweep is read in pages.
    ///
    /// # Errors
    /// The coordinator is away.
    pub(crate) async fn paging(&self, statement: &'static str, sweep: &Sweep) -> anyhow::Result<Paging> {
        let first = self.queries.query(statements::FIRST_JOB, vec![sweep.id.into()]).await?;
        let first = first.row(0).map(|row| row.integer("job")).transpose()?;
        let after = first.map_or(0, |job| job.saturating_sub(1));
        Ok(Paging { after, ..Paging::of_jobs(statement, sweep.id) })
    }

    /// All runs of the sweep, by job.
    ///
    /// # Errors
    /// The coordinator is away.
    pub(crate) async fn runs(&self, sweep: &Sweep) -> anyhow::Result<Table> {
        Ok(self.queries.pages(self.paging(statements::RUNS, sweep).await?).all().await?)
    }

    /// What is drawn of all runs of the sweep, by job.
    ///
    /// # Errors
    /// The coordinator is away.
    pub(crate) async fn points(&self, sweep: &Sweep) -> anyhow::Result<Table> {
        Ok(self.queries.pages(self.paging(statements::POINTS, sweep).await?).all().await?)
    }

    /// All configurations of the sweep with an ended run, by first job.
    ///
    /// # Errors
    /// The coordinator is away.
    pub(crate) async fn configs(&self, sweep: &Sweep) -> anyhow::Result<Table> {
        Ok(self.queries.pages(Paging::of_jobs(statements::CONFIGS, sweep.id)).all().await?)
    }

    /// The records of these runs, in the columns of the view `history`.
    pub(crate) fn history(&self, sweep: &Sweep, runs: &Table) -> Result<Parts, TableError> {
        let one = OfJob { steps: statements::STEPS_OF_JOB, rows: statements::HISTORY_OF_JOB };
        Ok(Parts::new(&self.queries, statements::HISTORY, Some(one), sweep.name.as_str(), lengths(runs, records)?))
    }

    /// What is drawn of the records of these runs.
    pub(crate) fn curves(&self, sweep: &Sweep, runs: &Table) -> Result<Parts, TableError> {
        let one = OfJob { steps: statements::STEPS_OF_JOB, rows: statements::CURVES_OF_JOB };
        Ok(Parts::new(&self.queries, statements::CURVES, Some(one), sweep.name.as_str(), lengths(runs, records)?))
    }

    /// The attempts at these runs.
    pub(crate) fn attempts(&self, sweep: &Sweep, runs: &Table) -> Result<Parts, TableError> {
        let attempts = |run: Row<'_>| Ok(length(run.integer("n_attempts")?));
        Ok(Parts::new(&self.queries, statements::ATTEMPTS, None, sweep.id, lengths(runs, attempts)?))
    }
}

fn lengths(runs: &Table, rows: impl Fn(Row<'_>) -> Result<u64, TableError>) -> Result<Vec<JobLength>, TableError> {
    runs.iter().map(|run| Ok(JobLength { job: run.integer("job")?, rows: rows(run)? })).collect()
}

/// As many records as the run has or may have; of a run that tells no number, very many.
fn records(run: Row<'_>) -> Result<u64, TableError> {
    let most = run.maybe_integer("epochs")?.max(run.maybe_integer("epochs_done")?);
    Ok(most.map_or(u64::MAX, length))
}

/// A number that is none counts as very many.
fn length(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
