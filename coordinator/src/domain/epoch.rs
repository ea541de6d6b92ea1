//! Epoch records and what a finished attempt's records amount to.

use std::collections::BTreeMap;

use besom_sweep::{Goal, Metric, MetricName, Objective};

/// One epoch of one attempt. `None` stands for a number that was not finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: u32,
    /// Mean over the training samples as the epoch ran.
    pub loss: Option<f64>,
    /// Share of training samples classified right as the epoch ran.
    pub accuracy: Option<f64>,
    /// Mean over the validation split after the epoch.
    pub val_loss: Option<f64>,
    /// Share of the validation split classified right after the epoch.
    pub val_accuracy: Option<f64>,
    /// In force at the end of the epoch.
    pub learning_rate: f64,
    /// Wall time of training and validation.
    pub seconds: f64,
    /// Anything more, finite.
    pub metrics: BTreeMap<String, f64>,
}

/// The typed result columns of a job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// The metric of the last or the best epoch, as the sweep asks; `None` if it was not finite there.
    pub objective: Option<f64>,
    /// The objective signed by the goal: higher is better.
    pub score: Option<f64>,
    /// Of the last epoch.
    pub final_loss: Option<f64>,
    /// Of the last epoch.
    pub final_accuracy: Option<f64>,
    /// Of the last epoch.
    pub final_val_loss: Option<f64>,
    /// Of the last epoch.
    pub final_val_accuracy: Option<f64>,
    /// The minimum.
    pub best_val_loss: Option<f64>,
    /// The maximum.
    pub best_val_accuracy: Option<f64>,
    /// The earliest best of the sweep's metric.
    pub best_epoch: Option<u32>,
    /// How many epochs have a record.
    pub epochs_done: u32,
}

impl EpochRecord {
    /// The number of this record that `name` means.
    pub fn metric(&self, name: MetricName) -> Option<f64> {
        match name {
            MetricName::Loss => self.loss,
            MetricName::Accuracy => self.accuracy,
            MetricName::ValLoss => self.val_loss,
            MetricName::ValAccuracy => self.val_accuracy,
        }
    }
}

/// Works out the result columns from an attempt's records, ascending by epoch. A diverged job has no score: `ranked`
/// is false for it.
pub fn summarize(records: &[EpochRecord], metric: Metric, objective: Objective, ranked: bool) -> Summary {
    let Some(last) = records.last() else { return Summary::default() };
    let better = |candidate: f64, incumbent: f64| match metric.goal {
        Goal::Maximize => candidate > incumbent,
        Goal::Minimize => candidate < incumbent,
    };
    let mut best: Option<(u32, f64)> = None;
    for record in records {
        if let Some(value) = record.metric(metric.name)
            && best.is_none_or(|(_, incumbent)| better(value, incumbent))
        {
            best = Some((record.epoch, value));
        }
    }
    let value = match objective {
        Objective::Final => last.metric(metric.name),
        Objective::Best => best.map(|(_, value)| value),
    };
    let objective = value.filter(|_| ranked);
    Summary {
        objective,
        score: objective.map(|value| score(value, metric.goal)),
        final_loss: last.loss,
        final_accuracy: last.accuracy,
        final_val_loss: last.val_loss,
        final_val_accuracy: last.val_accuracy,
        best_val_loss: records.iter().filter_map(|record| record.val_loss).reduce(f64::min),
        best_val_accuracy: records.iter().filter_map(|record| record.val_accuracy).reduce(f64::max),
        best_epoch: best.map(|(epoch, _)| epoch),
        epochs_done: u32::try_from(records.len()).unwrap_or(u32::MAX),
    }
}

/// The objective signed by the goal: higher is better.
pub fn score(objective: f64, goal: Goal) -> f64 {
    match goal {
        Goal::Maximize => objective,
        Goal::Minimize => -objective,
    }
}
