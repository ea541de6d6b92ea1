//! What a training is between two epochs: everything that the next epoch depends on, and nothing else.
//!
//! It can be written down and read back, and a training that goes on from it ends with the same bits as one that was never
//! interrupted.

use besom_sweep::{Goal, Metric};
use serde::{Deserialize, Serialize};

use super::job::EpochRecord;
use super::optimizer::OptimizerState;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Flat parameters after the last full epoch.
    pub(crate) params: Vec<f32>,
    /// The update rule's memory.
    pub(crate) optimizer: OptimizerState,
    /// The earliest best epoch so far.
    pub(crate) best: Option<BestEpoch>,
    /// Towards early stopping.
    pub(crate) patience: Patience,
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

/// Counts epochs without a better val_loss, as Keras's `EarlyStopping` with its defaults (min_delta 0).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Patience {
    best: Option<f64>,
    wait: u32,
}

impl State {
    /// Before the first epoch.
    pub(crate) fn new(params: Vec<f32>, optimizer: OptimizerState) -> Self {
        Self { params, optimizer, best: None, patience: Patience::default(), records: Vec::new() }
    }

    /// Full epochs so far.
    pub(crate) fn epochs_done(&self) -> u32 {
        self.records.len() as u32
    }

    /// Takes over the outcome of an epoch, all of whose numbers are finite.
    pub(crate) fn advance(&mut self, params: Vec<f32>, optimizer: OptimizerState, record: EpochRecord, metric: Metric) {
        let score = record.get(metric.name).map(|value| match metric.goal {
            Goal::Maximize => value,
            Goal::Minimize => -value,
        });
        if let Some(score) = score
            && self.best.as_ref().is_none_or(|best| score > best.score)
        {
            self.best = Some(BestEpoch { score, params: params.clone() });
        }
        self.patience.count(record.val_loss);
        self.params = params;
        self.optimizer = optimizer;
        self.records.push(record);
    }
}

impl Patience {
    fn count(&mut self, val_loss: Option<f64>) {
        self.wait += 1;
        if let Some(val_loss) = val_loss
            && self.best.is_none_or(|best| val_loss < best)
        {
            self.best = Some(val_loss);
            self.wait = 0;
        }
    }

    /// Whether `patience` epochs went by without a better val_loss. The epoch that is itself the best never ends a
    /// training, even with a patience of 0.
    pub(crate) fn is_over(&self, patience: u32) -> bool {
        self.wait > 0 && self.wait >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_after_so_many_epochs_without_a_better_val_loss() {
        let end = |patience: u32, losses: &[f64]| {
            let mut counter = Patience::default();
            losses.iter().position(|&loss| {
                counter.count(Some(loss));
                counter.is_over(patience)
            })
        };
        let losses = [1.0, 0.8, 0.9, 0.7, 0.7, 0.75, 0.6];
        assert_eq!(end(0, &losses), Some(2));
        assert_eq!(end(1, &losses), Some(2));
        assert_eq!(end(2, &losses), Some(5));
        assert_eq!(end(3, &losses), None);
    }
}
