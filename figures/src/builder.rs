//! From rows to what is drawn of them. Of each run's epochs only so many are kept as can be seen,
//! however many come.

use std::collections::HashMap;

use besom_sweep::{ImportanceKind, Params, SweepSpec};

use crate::{
    data::{Config, Epoch, Estimate, LARGEST_LOSS, Run, SweepData, WIDEST, loss, sane, share},
    input::{AttemptRow, ConfigRow, EpochRow, ImportanceRow, RunRow, Sweep},
    series::Series,
};

/// Takes a sweep's rows one by one, in the order of their jobs.
#[derive(Debug)]
pub struct SweepDataBuilder {
    data: SweepData,
    series: Vec<Series>,
    /// The place of each job's run.
    places: HashMap<i64, usize>,
}

impl SweepDataBuilder {
    /// The sweep, its file where this build can read it, and its runs.
    pub fn new(sweep: Sweep, spec: Option<&SweepSpec>, runs: &[RunRow]) -> Self {
        let params: Vec<&Params> = runs.iter().map(|run| &run.params).collect();
        let mut data = SweepData::of(sweep, spec, &params);
        let run = |row: &RunRow| Run {
            job: row.job,
            seed: row.seed,
            state: row.state,
            values: data.values(&row.params),
            epochs: Vec::new(),
            trained: 0,
        };
        data.runs = runs.iter().map(run).collect();
        let series = vec![Series::default(); runs.len()];
        let places = runs.iter().enumerate().map(|(place, run)| (run.job, place)).collect();
        Self { data, series, places }
    }

    /// The next epoch of a job; of a job without a run, which was made after the runs were read,
    /// nothing is kept.
    pub fn epoch(&mut self, row: EpochRow) {
        let Some(&place) = self.places.get(&row.job) else { return };
        self.series[place].push(Epoch {
            val_accuracy: sane(row.val_accuracy, share, &mut self.data.odd),
            val_loss: sane(row.val_loss, loss, &mut self.data.odd),
        });
    }

    /// A configuration with an ended run.
    pub fn config(&mut self, row: &ConfigRow) {
        let near = |(low, high): &(f64, f64)| low.abs() <= WIDEST && high.abs() <= WIDEST;
        let interval = row.final_val_accuracy_low.zip(row.final_val_accuracy_high).filter(near);
        let mean = sane(row.final_val_accuracy_mean, share, &mut self.data.odd);
        let config = Config {
            values: self.data.values(&row.params),
            job: row.job,
            n: row.n,
            diverged: row.diverged,
            failed: row.failed,
            accuracy: mean.map(|mean| Estimate { mean, interval }),
        };
        self.data.configs.push(config);
    }

    /// How much a hyperparameter or a pair matters.
    pub fn importance(&mut self, row: ImportanceRow) {
        let most = match row.kind {
            ImportanceKind::VarianceShare => 1.01,
            ImportanceKind::Range => 2.0 * LARGEST_LOSS,
        };
        if (0.0..=most).contains(&row.value) {
            self.data.importances.push(row);
        } else {
            self.data.odd += 1;
        }
    }

    /// An attempt at a job.
    pub fn attempt(&mut self, row: AttemptRow) {
        self.data.attempts.push(row);
    }

    /// What the figures are drawn from.
    #[must_use]
    pub fn finish(self) -> SweepData {
        let mut data = self.data;
        data.stride = self.series.iter().map(Series::stride).max().unwrap_or(1);
        for (run, series) in data.runs.iter_mut().zip(self.series) {
            run.trained = series.count();
            run.epochs = series.finish(data.stride);
        }
        data
    }
}
