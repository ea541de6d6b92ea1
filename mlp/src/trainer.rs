//! The loop: epochs of shuffled batches, each followed by validation on the test split.

use std::{collections::BTreeMap, time::Instant};

use besom_sweep::{Confusion, EpochRecord, Hyperparameters, MetricName, ScoredEpoch};

use super::engine::{self, Batch, Engine, Masks};
use super::job::{Control, Ending, Observer, TrainError, TrainJob, Trained};
use super::layout::Layout;
use super::loss::{Score, Targets, argmax, cross_entropy};
use super::model::safetensors;
use super::optimizer::{OptimizerState, Rule};
use super::penalty::Penalty;
use super::random::Purpose;
use super::simd::Aligned;
use super::state::{State, VAL_LOSS};
use super::threads::single_thread;
use crate::room;
use besom_dataset::Dataset;
use besom_dataset::random::Stream;

/// Rows a validation batch, and between two questions whether to go on. Fixed, because the rounding
/// of candle's products depends on their size.
pub(super) const VALIDATION_BATCH: usize = 512;

/// What a parameter takes while it is trained: itself, its gradient, at most three numbers of the
/// optimizer, and the weights of the last and the best epoch, in memory and as they are written.
const BYTES_A_PARAMETER: u64 = 8 * 4;

/// Trains `jobs`, one after the other, on the calling thread's time (it blocks), and answers in
/// their order.
///
/// # Errors
/// A job of another dataset or with a model too large, which no attempt could train, or a thread
/// that could not be started, which another attempt may; see [`TrainError::retryable`].
pub fn train(jobs: &[TrainJob<'_>], data: &Dataset, observer: &mut dyn Observer) -> Result<Vec<Trained>, TrainError> {
    single_thread()?.install(|| {
        let one = |(index, job)| Training::new(job, data)?.run(index, observer);
        jobs.iter().enumerate().map(one).collect()
    })
}

/// One job in training.
pub(crate) struct Training<'a> {
    job: &'a TrainJob<'a>,
    data: &'a Dataset,
    layout: Layout,
    engine: Box<dyn Engine + 'a>,
    penalty: Penalty,
    state: State,
    /// Until the first epoch has taken the memory.
    room: Option<room::Promise>,
}

/// How an epoch ended. Unless it is full, the state stays that of the epoch before.
enum EpochEnd {
    Full(EpochRecord),
    Diverged(EpochRecord),
    Stopped,
    Aborted,
}

impl<'a> Training<'a> {
    /// At the start.
    pub(crate) fn new(job: &'a TrainJob<'a>, data: &'a Dataset) -> Result<Self, TrainError> {
        if data.digest() != job.config.dataset {
            return Err(TrainError::impossible(format!(
                "dataset: the job is for {}, but {} was given",
                job.config.dataset,
                data.digest()
            )));
        }
        let hyperparameters = &job.config.hyperparameters;
        let header = data.header();
        let layout = Layout::new(header.features, &hyperparameters.hidden, header.classes.len() as u32)?;
        let room = Some(room::promise(layout.parameters() as u64 * BYTES_A_PARAMETER)?);
        let engine = engine::make(job.config.engine, data, &layout, hyperparameters)?;
        let optimizer = OptimizerState::new(hyperparameters.optimizer, layout.parameters());
        let params = layout.initial_parameters(hyperparameters.initializer, job.seed);
        let state = State::new(params, optimizer, hyperparameters.learning_rate);
        Ok(Self { job, data, layout, engine, penalty: Penalty::new(hyperparameters), state, room })
    }

    fn hyperparameters(&self) -> &'a Hyperparameters {
        &self.job.config.hyperparameters
    }

    /// Runs to the end.
    pub(crate) fn run(mut self, index: usize, observer: &mut dyn Observer) -> Result<Trained, TrainError> {
        let start = Instant::now();
        let (ending, last) = loop {
            if self.is_over() {
                break (Ending::Succeeded, None);
            }
            let end = self.epoch(observer)?;
            // All of its memory has been written to.
            self.room = None;
            match end {
                EpochEnd::Full(record) => observer.epoch(index, &record),
                EpochEnd::Diverged(record) => {
                    observer.epoch(index, &record);
                    break (Ending::Diverged, Some(record));
                }
                EpochEnd::Stopped => break (Ending::Stopped, None),
                EpochEnd::Aborted => break (Ending::Aborted, None),
            }
        };
        let mut trained = self.trained(ending)?;
        trained.records.extend(last);
        trained.seconds = start.elapsed().as_secs_f64();
        Ok(trained)
    }

    fn is_over(&self) -> bool {
        let hyperparameters = self.hyperparameters();
        self.state.epochs_done() >= hyperparameters.epochs
            || hyperparameters.stopping.is_some_and(|stopping| self.state.waiting.is_over(stopping))
    }

    /// The next epoch.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<EpochEnd, TrainError> {
        let start = Instant::now();
        let hyperparameters = self.hyperparameters();
        let epoch = self.state.epochs_done() + 1;
        let record = |learning_rate: f64, training: Mean, validation: Option<Mean>| EpochRecord {
            step: epoch.into(),
            metrics: metrics(training, validation),
            learning_rate: Some(learning_rate),
            seconds: Some(start.elapsed().as_secs_f64()),
        };

        let order = Purpose::Shuffle.stream(self.job.seed, epoch).permutation(self.data.header().train);
        let mut dropout = Purpose::Dropout.stream(self.job.seed, epoch);
        let mut params = Aligned::from(&self.state.params[..]);
        let mut optimizer = self.state.optimizer.clone();
        let mut gradient = Aligned::zeros(params.len());
        let rule = Rule::new(hyperparameters);
        let mut score = Score::default();
        let mut masks = self.layout.hidden().map(|_| Vec::new()).collect();
        let mut batches = order.chunks(hyperparameters.batch_size.max(1) as usize).peekable();
        let batches_per_epoch = batches.len() as u64;
        let mut learning_rate = hyperparameters.learning_rate;
        while let Some(rows) = batches.next() {
            match observer.control() {
                Control::Continue => {}
                Control::StopEarly => return Ok(EpochEnd::Stopped),
                Control::Abort => return Ok(EpochEnd::Aborted),
            }
            learning_rate = self.state.course.rate(hyperparameters, optimizer.steps(), batches_per_epoch);
            let next = batches.peek().copied().unwrap_or(&[]);
            let batch = Batch { rows, next, masks: self.masks(&mut dropout, rows.len(), &mut masks) };
            if self.penalty.is_none() && rule.is_plain_sgd() {
                score.add(self.engine.descend(&mut params, &batch, learning_rate as f32, &mut gradient)?);
                optimizer.count_step();
            } else {
                let mut loss = self.engine.loss_gradient(&params, &batch, &mut gradient)?;
                loss.loss_sum += self.penalty.value(&self.layout, &params) * loss.n as f64;
                score.add(loss);
                self.penalty.add_gradient(&self.layout, &params, &mut gradient);
                optimizer.step(&rule, &self.layout, learning_rate, &mut params, &mut gradient);
            }
            if !score.loss_sum.is_finite() {
                return Ok(EpochEnd::Diverged(record(learning_rate, Mean::of(score), None)));
            }
        }

        let Some(validation) = self.validate(&params, observer)? else {
            return Ok(EpochEnd::Aborted);
        };
        let record = record(learning_rate, Mean::of(score), Some(Mean::of(validation)));
        if record.metric(VAL_LOSS.as_str()).is_none() {
            return Ok(EpochEnd::Diverged(record));
        }
        self.state.advance(params.to_vec(), optimizer, record.clone(), self.job.metric, hyperparameters);
        Ok(EpochEnd::Full(record))
    }

    /// Dropout factors of a batch, drawn in the order layer, row, unit into `masks`, which has a
    /// vector for each hidden layer; none without dropout.
    fn masks<'m>(&self, stream: &mut Stream, rows: usize, masks: &'m mut Vec<Vec<f32>>) -> &'m Masks {
        let rate = self.hyperparameters().dropout as f32;
        if rate == 0.0 {
            return &[];
        }
        let kept = 1.0 / (1.0 - rate);
        for (mask, width) in masks.iter_mut().zip(self.layout.hidden()) {
            mask.resize(rows * width, 0.0);
            mask.fill_with(|| if stream.unit() < rate { 0.0 } else { kept });
        }
        masks
    }

    /// Scores the test split, penalties included; `None` if aborted.
    fn validate(&mut self, params: &[f32], observer: &mut dyn Observer) -> Result<Option<Score>, TrainError> {
        let smoothing = self.hyperparameters().label_smoothing as f32;
        let classes = self.layout.classes();
        let mut score = Score::default();
        let mut logits = Vec::new();
        for rows in test_rows(self.data).chunks(VALIDATION_BATCH) {
            if observer.control() == Control::Abort {
                return Ok(None);
            }
            self.engine.logits(params, rows, &mut logits)?;
            let labels = &self.data.labels()[rows[0] as usize..][..rows.len()];
            score.add(cross_entropy(&mut logits, &Targets { labels, smoothing, classes }, false));
        }
        score.loss_sum += self.penalty.value(&self.layout, params) * score.n as f64;
        Ok(Some(score))
    }

    /// Counts the predictions of `params` over the test split.
    fn confusion(&mut self, params: &[f32]) -> Result<Confusion, TrainError> {
        let classes = self.layout.classes();
        let mut confusion = Confusion::new(classes as u32);
        let mut logits = Vec::new();
        for rows in test_rows(self.data).chunks(VALIDATION_BATCH) {
            self.engine.logits(params, rows, &mut logits)?;
            for (&row, logits) in rows.iter().zip(logits.chunks_exact(classes)) {
                confusion.add(usize::from(self.data.labels()[row as usize]), argmax(logits));
            }
        }
        Ok(confusion)
    }

    /// What the full epochs so far amount to.
    fn trained(mut self, ending: Ending) -> Result<Trained, TrainError> {
        let mut trained = Trained {
            ending,
            records: std::mem::take(&mut self.state.records),
            final_model: Vec::new(),
            best_model: Vec::new(),
            confusion: None,
            seconds: 0.0,
        };
        if let (Some(best), true) = (self.state.best.take(), ending != Ending::Aborted) {
            let last = std::mem::take(&mut self.state.params);
            let last = self.state.restorable.take().unwrap_or(last);
            let model = |params| safetensors(&self.layout, params, self.job.config, self.data);
            trained.final_model = model(&last);
            trained.best_model = model(&best.params);
            trained.confusion = Some(self.confusion(match self.job.scored_epoch {
                ScoredEpoch::Final => &last,
                ScoredEpoch::Best => &best.params,
            })?);
        }
        Ok(trained)
    }
}

/// Averages of a score; `None` where not finite.
#[derive(Clone, Copy)]
struct Mean {
    loss: Option<f64>,
    accuracy: Option<f64>,
}

impl Mean {
    fn of(score: Score) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        let n = score.n as f64;
        Self { loss: finite(score.loss_sum / n), accuracy: finite(score.correct as f64 / n) }
    }
}

/// The numbers of an epoch by name: `loss` and `accuracy` over its samples as it ran, with the
/// weights moving and penalties included, and those of the test split after it. What is not finite
/// has none.
fn metrics(training: Mean, validation: Option<Mean>) -> BTreeMap<MetricName, f64> {
    let named = [
        (MetricName::of("loss"), training.loss),
        (MetricName::of("accuracy"), training.accuracy),
        (VAL_LOSS, validation.and_then(|mean| mean.loss)),
        (MetricName::of("val_accuracy"), validation.and_then(|mean| mean.accuracy)),
    ];
    named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Indices of the test split: it follows the training split.
fn test_rows(data: &Dataset) -> Vec<u32> {
    let header = data.header();
    (header.train..header.train + header.test).collect()
}

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
pub(crate) mod support;

#[cfg(test)]
mod tests {
    use besom_sweep::JobConfig;
    use serde_json::json;

    use super::support::{Watcher, config, data, job, repeatable, run};
    use super::*;

    #[test]
    fn a_training_resumed_from_its_state_ends_with_the_same_bits() {
        let data = data(20, 4);
        let optimizers = [
            json!({"optimizer": "sgd"}),
            json!({"optimizer": "sgd", "momentum": 0.9, "nesterov": true, "clipnorm": 0.5}),
            json!({"optimizer": "rmsprop", "momentum": 0.5, "centered": true}),
            json!({"optimizer": "adam", "amsgrad": true}),
            json!({"optimizer": "adamw"}),
            json!({"optimizer": "adadelta"}),
            json!({"optimizer": "adagrad"}),
            json!({"optimizer": "adamax"}),
            json!({"optimizer": "nadam"}),
            json!({"optimizer": "ftrl", "learning_rate_power": -0.6}),
            json!({"optimizer": "lion"}),
        ];
        let schedules = [
            json!({"schedule": "exponential"}),
            json!({"schedule": "cosine", "warmup_steps": 20}),
            json!({"schedule": "step", "step_epochs": 3}),
            json!({"schedule": "plateau", "plateau_patience": 1, "learning_rate": 0.5}),
            json!({"restore_best_weights": true, "learning_rate": 0.5}),
        ];
        let engines = [besom_sweep::Engine::Native, besom_sweep::Engine::Candle];
        let cases = optimizers.into_iter().chain(schedules);
        for (options, engine) in cases.flat_map(|options| engines.map(|engine| (options.clone(), engine))) {
            let serde_json::Value::Object(mut params) = options.clone() else { unreachable!() };
            params.insert("patience".to_owned(), json!(8));
            let config = config(&data, |h| {
                *h = Hyperparameters { hidden: vec![8, 6], ..Hyperparameters::from_params(&params).unwrap() };
                h.epochs = 9;
                h.dropout = 0.1;
                h.batch_size = 16;
            });
            let config = JobConfig { engine, ..config };
            let job = job(&config);
            let uninterrupted = repeatable(run(job, &data));
            let mut before = Training::new(&job, &data).unwrap();
            for _ in 0..4 {
                assert!(matches!(before.epoch(&mut Watcher::silent()).unwrap(), EpochEnd::Full(_)));
            }
            let checkpoint = serde_json::to_vec(&before.state).unwrap();
            let mut after = Training::new(&job, &data).unwrap();
            after.state = serde_json::from_slice(&checkpoint).unwrap();
            assert_eq!(after.state, before.state);
            let resumed = after.run(0, &mut Watcher::silent()).unwrap();
            assert_eq!(repeatable(resumed), uninterrupted, "{options} {engine:?}");
        }
    }
}
