//! What goes into the trainer and what comes out of it.

use besom_sweep::{Confusion, EpochRecord, JobConfig, Metric, ScoredEpoch};

/// A job to be trained.
#[derive(Debug, Clone, Copy)]
pub struct TrainJob<'a> {
    /// Everything that its numbers depend on, but the seed.
    pub config: &'a JobConfig,
    /// Which randomness.
    pub seed: i64,
    /// Decides which epoch is the best.
    pub metric: &'a Metric,
    /// Decides whether the last or the best epoch's model is the job's.
    pub scored_epoch: ScoredEpoch,
}

/// What the trainer should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End at the last full epoch and hand over its model.
    StopEarly,
    /// Return at once; nothing is worth keeping.
    Abort,
}

/// Whoever watches and directs a training. Called on the thread that trains, so it must not block
/// for long.
pub trait Observer: Send {
    /// Asked before every batch. Once it has answered other than [`Control::Continue`], it should
    /// keep to that.
    fn control(&mut self) -> Control;

    /// Told after every epoch, by the names of [`besom_sweep::MLP`]: `job` is the index in the
    /// slice that was given to [`crate`].
    fn epoch(&mut self, job: usize, record: &EpochRecord);
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All epochs ran, or patience ended it.
    Succeeded,
    /// [`Control::StopEarly`].
    Stopped,
    /// A loss was not finite; the last record is of that epoch.
    Diverged,
    /// [`Control::Abort`].
    Aborted,
}

/// A trained job.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// How it ended.
    pub ending: Ending,
    /// One an epoch, in order. All of it is repeatable but the seconds. In the last record of a
    /// diverged job the accuracy is that of those samples that still ran.
    pub records: Vec<EpochRecord>,
    /// safetensors of the last full epoch's parameters, or with `restore_best_weights` of those of
    /// the epoch with the best val_loss; empty if there was none or the job was aborted.
    pub final_model: Vec<u8>,
    /// safetensors of the parameters of the earliest best epoch by the job's metric; empty as
    /// `final_model`.
    pub best_model: Vec<u8>,
    /// Of the job's model: the final or, with [`ScoredEpoch::Best`], the best epoch's. `None` without
    /// a model.
    pub confusion: Option<Confusion>,
    /// Wall time of the whole training.
    pub seconds: f64,
}

/// A job that cannot be trained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TrainError {
    /// Whether another attempt could succeed.
    pub retryable: bool,
    /// The machine lacks memory or threads, which is no fault of the job: it is given back, and the
    /// attempt does not count.
    pub surroundings: bool,
    /// What is wrong, and with what.
    pub message: String,
}

impl TrainError {
    /// A configuration or dataset that no attempt could train.
    #[must_use]
    pub fn impossible(message: impl Into<String>) -> Self {
        Self { retryable: false, surroundings: false, message: message.into() }
    }

    /// Something that another attempt may not meet.
    #[must_use]
    pub fn passing(message: impl Into<String>) -> Self {
        Self { retryable: true, surroundings: false, message: message.into() }
    }

    /// Something that this machine lacks.
    #[must_use]
    pub fn hindered(message: impl Into<String>) -> Self {
        Self { retryable: true, surroundings: true, message: message.into() }
    }
}
