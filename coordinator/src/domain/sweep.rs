//! Sweeps, their jobs and the workers, as the store gives and takes them.

use std::{collections::BTreeMap, time::Duration};

use besom_sweep::{KeepModels, Metric, Params, ScoredEpoch, SweepSpec, parse_stored};

use super::{AttemptRef, Digest, EpochRecord, JobCounts, JobId, SweepId, SweepState, Timestamp};

/// What a sweep is made of. Its jobs follow in batches.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSweep {
    /// The handle: unique, of a few ASCII characters; see `SweepName`.
    pub name: String,
    /// The name as it was given; the handle where it is one.
    pub title: String,
    /// What the sweep means: see `Expansion::sweep_digest`. The same name with another digest is
    /// refused.
    pub digest: String,
    /// The file, as it stands.
    pub text: String,
    /// The checked specification as canonical JSON, to be stored. It may be far longer than the
    /// file, so that no sweep that is read back has it; see [`StoredSpec`].
    pub spec: Option<String>,
    /// The method's word.
    pub method: String,
    /// What makes one run better than another.
    pub metric: Metric,
    /// Which epoch counts.
    pub scored_epoch: ScoredEpoch,
    /// Which models stay.
    pub keep_models: KeepModels,
    /// `--engine`, where it was given: expansion after a restart needs it.
    pub engine: Option<String>,
    /// The canonical artifact, already stored.
    pub dataset: Digest,
    /// As the file names it.
    pub dataset_source: String,
    /// SHA-256 of the source's bytes, pinned; empty where there is none.
    pub dataset_sha256: String,
    /// Parameters with more than one value.
    pub swept: Vec<String>,
    /// Jobs to be created; `None`: nobody knows beforehand, since a rule ends the sweep.
    pub jobs_total: Option<u64>,
    /// What executes its jobs.
    pub trainer: String,
    /// Of the build that expanded it; a worker of another is never handed its jobs.
    pub trainer_version: u32,
    /// What the configurations of its jobs have in common; see `besom_sweep::shared_config`.
    pub shared_config: String,
    /// Classes of the dataset, as whoever stored it says; `None`: made before that was asked.
    pub classes: Option<u32>,
}

/// What a sweep asks for, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredSpec {
    /// The specification as it was checked when the sweep was made, as canonical JSON.
    Checked(String),
    /// The file alone, of a sweep that was made before specifications were stored.
    File(String),
}

impl StoredSpec {
    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Checked(text) | Self::File(text) => text.len(),
        }
    }

    /// Reads it, which takes a moment where it is long: never within a transaction.
    ///
    /// # Errors
    /// Another build wrote it, and this one does not understand it.
    pub fn read(&self) -> Result<SweepSpec, String> {
        match self {
            Self::Checked(json) => SweepSpec::from_canonical_json(json)
                .map_err(|error| format!("this build does not read the stored specification: {error}")),
            Self::File(text) => parse_stored(text).map_err(|errors| errors.to_string().replace('\n', "; ")),
        }
    }
}

/// A job to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// See `JobConfig::config_hash`.
    pub config_hash: String,
    /// All hyperparameters.
    pub params: Params,
    /// The job's seed.
    pub seed: i64,
    /// Who computes gradients, where the trainer has a choice.
    pub engine: Option<String>,
    /// What it is executed on, where the trainer says so.
    pub device: Option<String>,
}

/// What a worker executes: versions by the names of trainers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Trainers(pub BTreeMap<String, u32>);

impl Trainers {
    /// Whether it executes jobs of this trainer in this version.
    pub fn have(&self, trainer: &str, version: u32) -> bool {
        self.0.get(trainer) == Some(&version)
    }
}

/// What waits for workers in an active sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The sweep.
    pub sweep: SweepId,
    /// Only workers with this trainer are handed its jobs.
    pub trainer: String,
    /// And only in this version.
    pub trainer_version: u32,
    /// Jobs that wait, also those whose time has not come.
    pub queued: u64,
    /// Whether one of them may be acquired now.
    pub ready: bool,
}

/// A sweep as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// Its number.
    pub id: SweepId,
    /// What it was made of.
    pub new: NewSweep,
    /// Where it stands.
    pub state: SweepState,
    /// Jobs written so far.
    pub jobs_created: u64,
    /// By state.
    pub counts: JobCounts,
    /// What keeps its jobs from being trained, and what to do about it; `None`: nothing that is
    /// known.
    pub problem: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Sweep {
    /// Whether jobs of it may still have to be created.
    pub fn lacks_jobs(&self) -> bool {
        self.new.jobs_total.is_none_or(|total| self.jobs_created < total)
    }
}

/// A sweep some of whose jobs returned to the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Retried {
    /// As it is now.
    pub sweep: Sweep,
    /// How many jobs returned.
    pub jobs: u64,
}

/// What a person watching sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The sweep.
    pub sweep: Sweep,
    /// Of all jobs; those of final jobs count as all of their epochs.
    pub epochs_done: u64,
    /// Of all jobs.
    pub epochs_total: u64,
    /// Sum over the accepted and current attempts' records.
    pub epoch_seconds: f64,
    /// At most 256, by worker and slot.
    pub running: Vec<RunningJob>,
    /// The leader so far.
    pub best: Option<BestRun>,
}

/// Who leads a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct BestRun {
    /// The job.
    pub job: JobId,
    /// What the sweep ranks by.
    pub objective: f64,
    /// All hyperparameters.
    pub params: Params,
}

/// One running job.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningJob {
    /// The attempt.
    pub at: AttemptRef,
    /// The worker's name.
    pub worker: String,
    /// Its slot.
    pub slot: u32,
    /// All hyperparameters.
    pub params: Params,
    /// The job's seed.
    pub seed: i64,
    /// Epochs asked for.
    pub epochs: u32,
    /// The latest stored record.
    pub latest: Option<EpochRecord>,
}

/// A worker process that registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorker {
    /// UUID of the process: registering again under it is the same worker.
    pub instance: String,
    /// For people.
    pub name: String,
    /// For people.
    pub host: String,
    /// How many jobs it trains at once.
    pub slots: u32,
    /// For people.
    pub build: String,
    /// Only their jobs are handed to it.
    pub trainers: Trainers,
    /// `cpu`.
    pub device: String,
    /// After how long without a call it counts as gone.
    pub gone_after: Duration,
}

/// A worker as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerRow {
    /// Its number.
    pub id: super::WorkerId,
    /// What it told of itself.
    pub new: NewWorker,
    /// Jobs it holds.
    pub running: u32,
    /// When it last called.
    pub last_seen_at: Timestamp,
    /// How long ago that is by the store's clock.
    pub last_seen_ms_ago: u64,
    /// It said goodbye.
    pub left: bool,
    /// It did not, and has not called for [`NewWorker::gone_after`].
    pub gone: bool,
}
