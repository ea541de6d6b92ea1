//! What a training is between two epochs: everything that the next epoch depends on, and nothing
//! else.
//!
//! It can be written down and read back, and a training that goes on from it ends with the same
//! bits as one that was never interrupted.

use besom_sweep::{EarlyStopping, EpochRecord, Hyperparameters, Metric, MetricName};
use serde::{Deserialize, Serialize};

use super::optimizer::OptimizerState;
use super::schedule::CourseState;

/// What schedules and early stopping look at.
pub(crate) const VAL_LOSS: MetricName = MetricName::of("val_loss");

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Flat parameters after the last full epoch.
    pub(crate) params: Vec<f32>,
    /// The update rule's memory.
    pub(crate) optimizer: OptimizerState,
    /// The earliest best epoch so far.
    pub(crate) best: Option<BestEpoch>,
    /// The learning rate's memory.
    pub(crate) course: CourseState,
    /// Towards early stopping.
    pub(crate) waiting: Waiting,
    /// Parameters of the epoch with the best val_loss, where early stopping restores them.
    pub(crate) restorable: Option<Vec<f32>>,
    /// One a full epoch.
    pub(crate) records: Vec<EpochRecord>,
}

/// The best epoch by a job's metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BestEpoch {
    /// The metric, signed by the goal: higher is better.
    score: f64,
    /// Its flat parameters.
    pub(crate) params: Vec<f32>,
}

/// Counts epochs without a better val_loss, as Keras's `EarlyStopping` and `ReduceLROnPlateau`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    best: Option<f64>,
    epochs: u32,
}

impl State {
    /// Before the first epoch.
    pub(crate) fn new(params: Vec<f32>, optimizer: OptimizerState, learning_rate: f64) -> Self {
        let (course, waiting) = (CourseState::new(learning_rate), Waiting::default());
        Self { params, optimizer, best: None, course, waiting, restorable: None, records: Vec::new() }
    }

    /// Full epochs so far.
    pub(crate) fn epochs_done(&self) -> u32 {
        self.records.len() as u32
    }

    /// Takes over the outcome of an epoch, all of whose numbers are finite.
    pub(crate) fn advance(
        &mut self,
        params: Vec<f32>,
        optimizer: OptimizerState,
        record: EpochRecord,
        metric: &Metric,
        job: &Hyperparameters,
    ) {
        let score = record.metric(metric.name.as_str()).map(|value| metric.goal.score(value));
        let val_loss = record.metric(VAL_LOSS.as_str());
        if let Some(score) = score
            && self.best.as_ref().is_none_or(|best| score > best.score)
        {
            self.best = Some(BestEpoch { score, params: params.clone() });
        }
        self.course.advance(job.schedule, val_loss);
        if let Some(stopping) = job.stopping
            && self.waiting.count(val_loss, stopping.min_delta)
            && stopping.restore_best_weights
        {
            self.restorable = Some(params.clone());
        }
        self.params = params;
        self.optimizer = optimizer;
        self.records.push(record);
    }
}

impl Waiting {
    /// Takes in an epoch; whether its val_loss is better than the best by more than `min_delta`.
    pub(crate) fn count(&mut self, val_loss: Option<f64>, min_delta: f64) -> bool {
        self.epochs += 1;
        let better = val_loss.filter(|loss| self.best.is_none_or(|best| loss + min_delta < best));
        if better.is_some() {
            self.best = better;
            self.epochs = 0;
        }
        better.is_some()
    }

    /// Epochs since the best.
    pub(crate) fn epochs(&self) -> u32 {
        self.epochs
    }

    /// Counts anew from here; the best stays.
    pub(crate) fn restart(&mut self) {
        self.epochs = 0;
    }

    /// Whether `patience` epochs went by without a better val_loss. The epoch that is itself the
    /// best never ends a training, even with a patience of 0.
    pub(crate) fn is_over(&self, stopping: EarlyStopping) -> bool {
        self.epochs > 0 && self.epochs >= stopping.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_after_so_many_epochs_without_a_better_val_loss() {
        let end_by = |patience: u32, min_delta: f64, losses: &[f64]| {
            let mut waiting = Waiting::default();
            let stopping = EarlyStopping { patience, min_delta, restore_best_weights: false };
            losses.iter().position(|&loss| {
                waiting.count(Some(loss), min_delta);
                waiting.is_over(stopping)
            })
        };
        let end = |patience, losses: &[f64]| end_by(patience, 0.0, losses);
        let losses = [1.0, 0.8, 0.9, 0.7, 0.7, 0.75, 0.6];
        assert_eq!(end(0, &losses), Some(2));
        assert_eq!(end(1, &losses), Some(2));
        assert_eq!(end(2, &losses), Some(5));
        assert_eq!(end(3, &losses), None);
        // 0.8 is better than 1.0 by more than 0.15; 0.7 is not better than 0.8 by as much.
        assert_eq!(end_by(2, 0.15, &losses), Some(3));
    }
}
