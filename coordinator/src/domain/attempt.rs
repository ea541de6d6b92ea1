//! The life of one attempt, and what it leaves of its job.

use std::time::Duration;

use besom_sweep::{KeepModels, Metric, ScoredEpoch};

use super::{AttemptRef, Confusion, Digest, EpochRecord, JobState, Lease, SweepId};

/// What keeps a job from being trained that is no fault of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hindrance {
    /// The sweep's dataset is missing or damaged in the store: every worker that has no copy finds
    /// the same.
    Artifact,
    /// The machine of one worker lacks memory or threads, or is not reached by the data: another
    /// worker may do better.
    Machine,
}

impl Hindrance {
    /// Every hindrance.
    pub const ALL: [Self; 2] = [Self::Artifact, Self::Machine];

    /// The word in the table `jobs`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Machine => "machine",
        }
    }
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// Accepted result.
    Succeeded,
    /// Accepted result after a directive.
    Stopped,
    /// Accepted result whose loss was no longer finite.
    Diverged,
    /// The worker said that it failed.
    Failed,
    /// The lease ran out.
    Lost,
    /// The worker gave the job back: it was stopped, or something kept it from training the job.
    Released,
    /// The sweep was cancelled meanwhile.
    Cancelled,
}

impl AttemptOutcome {
    /// Every outcome.
    pub const ALL: [Self; 7] =
        [Self::Succeeded, Self::Stopped, Self::Diverged, Self::Failed, Self::Lost, Self::Released, Self::Cancelled];

    /// The word that SQL and people see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Stopped => "stopped",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Released => "released",
            Self::Cancelled => "cancelled",
        }
    }

    /// The reverse of [`AttemptOutcome::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// A job handed to a worker, with the lease on its new attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The job, its attempt and the lease on it.
    pub lease: Lease,
    /// Its sweep.
    pub sweep: SweepId,
    /// The sweep's name.
    pub sweep_name: String,
    /// Which of the worker's slots it was given to.
    pub slot: u32,
    /// The job's seed.
    pub seed: i64,
    /// Canonical JSON of the configuration.
    pub config: String,
    /// SHA-256 of it.
    pub config_hash: String,
    /// What the sweep ranks by.
    pub metric: Metric,
    /// Which epoch counts.
    pub scored_epoch: ScoredEpoch,
    /// Which models to upload.
    pub keep_models: KeepModels,
}

/// The coordinator's answer about a running job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// Lease renewed, records stored.
    Continue,
    /// Finish now with what there is.
    StopEarly,
    /// The sweep was cancelled: drop it.
    Cancelled,
    /// A later attempt exists, the job is final, or the lease is another worker's: drop it.
    LeaseLost,
    /// The records contradict the job or what is stored. None of them was stored; the lease still
    /// holds, so that the attempt can be ended with a reason.
    Refused(String),
}

/// How a worker says an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum JobOutcome {
    /// Trained to its end.
    Succeeded,
    /// Ended by [`Directive::StopEarly`].
    Stopped,
    /// The last record's loss is not finite.
    Diverged,
    /// It could not be trained.
    Failed {
        /// For people; at most 4,000 characters are kept.
        error: String,
        /// Whether another attempt could do better.
        retryable: bool,
    },
    /// Its surroundings kept it from being trained, which costs the job nothing: it returns to the
    /// queue and waits there.
    Hindered {
        /// What is missing, and what brings it back; at most 4,000 characters are kept.
        problem: String,
        /// Whom the same would happen to.
        by: Hindrance,
    },
}

/// Everything that ends a job, written in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// Which attempt, under which lease.
    pub lease: Lease,
    /// SHA-256 of the configuration that was executed. Another one than the job's ends nothing: it
    /// is the result of another job.
    pub config_hash: String,
    /// How it ended.
    pub outcome: JobOutcome,
    /// Records that no report acknowledged.
    pub epochs: Vec<EpochRecord>,
    /// Of the job's model over the validation split.
    pub confusion: Option<Confusion>,
    /// Weights after the last epoch; already stored.
    pub final_model: Option<Digest>,
    /// Weights of the best epoch; already stored.
    pub best_model: Option<Digest>,
    /// Of the attempt, wall time.
    pub seconds: f64,
}

/// What became of a fenced write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteResult {
    /// Done, now or by an earlier call of the same write.
    Accepted,
    /// A later attempt exists, or the job ended otherwise. Nothing was changed.
    LeaseLost,
    /// The sweep was cancelled. Nothing was changed.
    Cancelled,
}

/// What the reaper did to one expired lease.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The attempt that was lost.
    pub at: AttemptRef,
    /// Where its job stands now: queued, or failed when it was lost too often.
    pub state: JobState,
    /// Who held it.
    pub worker: String,
}

/// The default length of a lease: long enough for three missed reports of 8 s.
pub const DEFAULT_LEASE_TTL: Duration = Duration::from_secs(30);
