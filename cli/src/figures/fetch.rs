//! What the figures of a sweep are drawn from, fetched from a coordinator.
//!
//! Everything comes over the same service as for every other client. Statistics (means, intervals, importance) are the
//! coordinator's.

use besom_figures::{
    AttemptRow, ConfigRow, EpochRow, Figure, ImportanceRow, RunRow, Sweep, SweepData, SweepDataBuilder,
};
use besom_proto::v1::{self, SweepRef, sweep_service_client::SweepServiceClient};
use besom_sweep::{ImportanceKind, Params};
use tonic::transport::Channel;

use crate::{
    connect::refused,
    results::{self, Order},
    text::state,
};

/// A sweep's data, fetched once for all its figures.
pub(crate) struct Figures {
    sweep: v1::Sweep,
    pub(super) data: SweepData,
}

impl Figures {
    /// What `run` draws at its end.
    pub(crate) const OF_A_RUN: [Figure; 3] = [Figure::Curves, Figure::Effects, Figure::Importance];

    /// Fetches what these figures are drawn from, for the sweep of this name or number.
    ///
    /// # Errors
    /// No such sweep, or the coordinator is away.
    pub(crate) async fn fetch(
        mut client: SweepServiceClient<Channel>,
        sweep: &str,
        figures: &[Figure],
    ) -> anyhow::Result<Self> {
        let fetched = results::fetch(client.clone(), sweep, Order::Job, None).await?;
        let (sweep, at) = (fetched.sweep, SweepRef { sweep: sweep.to_owned() });
        // A file that a later build wrote may say what this one does not know.
        let spec = besom_sweep::parse_stored(&sweep.text).ok();
        let runs: Vec<RunRow> = fetched.runs.iter().map(run).collect();
        let mut rows = SweepDataBuilder::new(of(&sweep), spec.as_ref(), &runs);
        let mut history = client.stream_history(at.clone()).await.map_err(refused)?.into_inner();
        while let Some(batch) = history.message().await.map_err(refused)? {
            for job in batch.jobs {
                for epoch in &job.epochs {
                    let (val_accuracy, val_loss) = (epoch.val_accuracy, epoch.val_loss);
                    rows.epoch(EpochRow { job: job.job, val_accuracy, val_loss });
                }
            }
        }
        let mut configs = client.stream_config_stats(at.clone()).await.map_err(refused)?.into_inner();
        while let Some(batch) = configs.message().await.map_err(refused)? {
            batch.configs.iter().for_each(|stats| rows.config(&config(stats)));
        }
        let answer = client.get_importance(at.clone()).await.map_err(refused)?.into_inner();
        if let Some(kind) = importance_kind(&answer) {
            answer.importances.into_iter().for_each(|row| rows.importance(importance(kind, row)));
        }
        if figures.contains(&Figure::Timeline) {
            let mut attempts = client.stream_attempts(at).await.map_err(refused)?.into_inner();
            while let Some(batch) = attempts.message().await.map_err(refused)? {
                batch.attempts.into_iter().for_each(|row| rows.attempt(attempt(row)));
            }
        }
        Ok(Self { sweep, data: rows.finish() })
    }

    /// The sweep's name.
    pub(crate) fn sweep(&self) -> &str {
        &self.sweep.name
    }

    /// What is drawn.
    pub(crate) fn data(&self) -> &SweepData {
        &self.data
    }

    /// Whether anything was trained yet.
    ///
    /// # Errors
    /// Nothing was: says how far the sweep is.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.data.has_epochs() {
            return Ok(());
        }
        let counts = state::counts(&self.sweep.counts.unwrap_or_default());
        anyhow::bail!("sweep {} has nothing to draw: no run has an epoch ({counts})", self.sweep())
    }
}

fn of(sweep: &v1::Sweep) -> Sweep {
    Sweep {
        title: state::title(sweep),
        state: state::sweep(sweep.state).to_owned(),
        method: sweep.method.clone(),
        metric: sweep.metric.clone(),
        swept: sweep.swept.clone(),
        jobs_total: sweep.jobs_total,
        counts: state::job_counts(&sweep.counts.unwrap_or_default()),
    }
}

fn run(run: &v1::Run) -> RunRow {
    RunRow { job: run.job, seed: run.seed, state: state::job_state(run.state), params: params(&run.params) }
}

fn config(stats: &v1::ConfigStats) -> ConfigRow {
    let estimate = stats.final_val_accuracy.as_ref();
    ConfigRow {
        job: stats.job,
        params: params(&stats.params),
        n: stats.n,
        diverged: stats.diverged,
        failed: stats.failed,
        final_val_accuracy_mean: estimate.map(|estimate| estimate.mean),
        final_val_accuracy_low: estimate.and_then(|estimate| estimate.low),
        final_val_accuracy_high: estimate.and_then(|estimate| estimate.high),
    }
}

fn importance_kind(answer: &v1::ImportanceResponse) -> Option<ImportanceKind> {
    match answer.kind() {
        v1::ImportanceKind::VarianceShare => Some(ImportanceKind::VarianceShare),
        v1::ImportanceKind::Range => Some(ImportanceKind::Range),
        v1::ImportanceKind::Unspecified => None,
    }
}

fn importance(kind: ImportanceKind, row: v1::Importance) -> ImportanceRow {
    let v1::Importance { parameter, second, value, cells, cells_total } = row;
    ImportanceRow { kind, parameter, second_parameter: second, value, cells, cells_total }
}

fn attempt(row: v1::Attempt) -> AttemptRow {
    let v1::Attempt { job, attempt, worker, slot, started_at, ended_at, outcome, error } = row;
    AttemptRow { job, attempt, worker, slot, outcome, error, started_at, ended_at }
}

/// Hyperparameters from their JSON; none where it is none.
fn params(text: &str) -> Params {
    serde_json::from_str(text).unwrap_or_default()
}
