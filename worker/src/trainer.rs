//! What executes a job: the multilayer perceptron.

use besom_dataset::Dataset;
use besom_mlp::{Observer, TrainError, TrainJob, Trained, train};

/// Trains one job on the calling thread. The product has one, [`Mlp`]; tests script their own.
pub trait Trainer: Send + Sync + 'static {
    /// As [`train`], for a single job.
    ///
    /// # Errors
    /// The job cannot be trained; see [`TrainError::retryable`].
    fn train(&self, job: &TrainJob<'_>, data: &Dataset, observer: &mut dyn Observer) -> Result<Trained, TrainError>;
}

/// The multilayer perceptron.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mlp;

impl Trainer for Mlp {
    fn train(&self, job: &TrainJob<'_>, data: &Dataset, observer: &mut dyn Observer) -> Result<Trained, TrainError> {
        let mut trained = train(std::slice::from_ref(job), data, observer)?;
        trained.pop().ok_or_else(|| TrainError::impossible("the trainer gave no result"))
    }
}
