//! What goes into the trainer and what comes out of it.

use std::collections::BTreeMap;

use besom_sweep::{Confusion, JobConfig, Metric, MetricName, Objective};
use serde::{Deserialize, Serialize};

/// A job to be trained.
#[derive(Debug, Clone, Copy)]
pub struct TrainJob<'a> {
    /// Everything that its numbers depend on, but the seed.
    pub config: &'a JobConfig,
    /// Which randomness.
    pub seed: i64,
    /// Decides which epoch is the best.
    pub metric: Metric,
    /// Decides whether the last or the best epoch's model is the job's.
    pub objective: Objective,
}

/// The numbers of one epoch; `None` where a number is not finite or was not computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: u32,
    /// Mean over the epoch's samples as it ran (weights moving), penalties included.
    pub loss: Option<f64>,
    /// Share of the epoch's samples that were right as it ran, in [0, 1]; in the last record of a diverged job, of
    /// those samples that still ran.
    pub accuracy: Option<f64>,
    /// Mean over the test split after the epoch, penalties included.
    pub val_loss: Option<f64>,
    /// Share of the test split that is right after the epoch, in [0, 1].
    pub val_accuracy: Option<f64>,
    /// The step size of the epoch's last step.
    pub learning_rate: f64,
    /// Wall time of the epoch, validation included: the one number that is not repeatable.
    pub seconds: f64,
    /// Further numbers by name; the multilayer perceptron has none.
    pub metrics: BTreeMap<String, f64>,
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

/// Whoever watches and directs a training. Called on the thread that trains, so it must not block for long.
pub trait Observer: Send {
    /// Asked before every batch. Once it has answered other than [`Control::Continue`], it should keep to that.
    fn control(&mut self) -> Control;

    /// Told after every epoch: `job` is the index in the slice that was given to [`crate`].
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
    /// One an epoch, in order.
    pub records: Vec<EpochRecord>,
    /// safetensors of the last full epoch's parameters, or with `restore_best_weights` of those of the epoch with the
    /// best val_loss; empty if there was none or the job was aborted.
    pub final_model: Vec<u8>,
    /// safetensors of the parameters of the earliest best epoch by the job's metric; empty as `final_model`.
    pub best_model: Vec<u8>,
    /// Of the job's model: the final or, with [`Objective::Best`], the best epoch's. `None` without a model.
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
    /// The machine lacks memory or threads, which is no fault of the job: it is given back, and the attempt does not count.
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

impl EpochRecord {
    /// The number of this name.
    pub(crate) fn get(&self, name: MetricName) -> Option<f64> {
        match name {
            MetricName::Loss => self.loss,
            MetricName::Accuracy => self.accuracy,
            MetricName::ValLoss => self.val_loss,
            MetricName::ValAccuracy => self.val_accuracy,
        }
    }
}
