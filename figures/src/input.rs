//! What figures are drawn from: a sweep, and rows with the names of the views' columns.

use besom_sweep::{ImportanceKind, JobCounts, JobState, Params};

/// The sweep as its titles and notes have it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sweep {
    /// What every figure is headed with.
    pub title: String,
    /// The word of its state.
    pub state: String,
    /// The word of its method.
    pub method: String,
    /// What its runs are ranked by.
    pub metric: String,
    /// The hyperparameters that vary, in the order of its file.
    pub swept: Vec<String>,
    /// How many jobs it has or will have.
    pub jobs_total: u64,
    /// Those that there are, by state.
    pub counts: JobCounts,
}

/// A row of the view `runs`.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// The job's number.
    pub job: i64,
    /// The job's seed.
    pub seed: i64,
    /// Where the job stands; nothing for a state that this build does not know.
    pub state: Option<JobState>,
    /// Its hyperparameters.
    pub params: Params,
}

/// A row of the view `history`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochRow {
    /// The job's number.
    pub job: i64,
    /// A share; nothing where it was not finite.
    pub val_accuracy: Option<f64>,
    /// Nothing where it was not finite.
    pub val_loss: Option<f64>,
}

/// A row of the view `config_stats`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigRow {
    /// The first job of the configuration.
    pub job: i64,
    /// Its hyperparameters.
    pub params: Params,
    /// How many of its runs count.
    pub n: u32,
    /// How many diverged.
    pub diverged: u32,
    /// How many failed.
    pub failed: u32,
    /// Over the runs that count; nothing where none does.
    pub final_val_accuracy_mean: Option<f64>,
    /// The lower end of the 95 % interval of the mean; nothing for fewer than two runs.
    pub final_val_accuracy_low: Option<f64>,
    /// Its upper end.
    pub final_val_accuracy_high: Option<f64>,
}

/// A row of the view `importance`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportanceRow {
    /// What the value is.
    pub kind: ImportanceKind,
    /// The hyperparameter.
    pub parameter: String,
    /// The other one of a pair.
    pub second_parameter: Option<String>,
    /// The share or the range.
    pub value: f64,
    /// Cells or values that are compared.
    pub cells: u64,
    /// Those that the sweep lists.
    pub cells_total: u64,
}

/// A row of the attempts at a sweep's jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRow {
    /// The job's number.
    pub job: i64,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// The worker's name.
    pub worker: String,
    /// The worker's slot.
    pub slot: u32,
    /// The word of how it ended; nothing while it runs.
    pub outcome: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// UTC text with microseconds, as in the views.
    pub started_at: String,
    /// The same; nothing while it runs.
    pub ended_at: Option<String>,
}
