//! Small jobs and data for tests of the trainer.
#![allow(dead_code, reason = "no test file needs all of it")]
#![allow(clippy::unwrap_used, reason = "this is test code, which clippy sees only inside test functions")]

use besom_dataset::Dataset;
use besom_mlp::{Control, Observer, TrainJob, Trained, train};
use besom_sweep::{Engine, EpochRecord, Goal, Hyperparameters, JobConfig, Metric, MetricName, ScoredEpoch};

pub(crate) static VAL_ACCURACY: Metric = Metric { name: MetricName::of("val_accuracy"), goal: Goal::Maximize };
pub(crate) static VAL_LOSS: Metric = Metric { name: MetricName::of("val_loss"), goal: Goal::Minimize };

/// `features` bytes a row in `classes` classes, 250 training and 75 test rows: each class has its
/// own bright bytes under noise, strong enough that no model gets all of them right.
pub(crate) fn data(features: u32, classes: u32) -> Dataset {
    dataset(&[features], classes, |next, bright| next % 180 + if bright { 75 } else { 0 })
}

/// As [`data`], but most bytes are 0, and rows have different numbers of them at their beginning.
pub(crate) fn drawings(shape: &[u32], classes: u32) -> Dataset {
    let mut free = 0;
    dataset(shape, classes, |next, bright| {
        // Stretches of zeros, the longer the rarer.
        if next % 40 == 0 {
            free = next / 64 % 60;
        }
        free = u32::saturating_sub(free, 1);
        if free > 0 || next % 3 > 0 { 0 } else { next % 180 + if bright { 75 } else { 1 } }
    })
}

/// Bytes that `byte` makes of a random number and of whether they are of those that tell the row's
/// class.
fn dataset(shape: &[u32], classes: u32, mut byte: impl FnMut(u32, bool) -> u32) -> Dataset {
    let features: u32 = shape.iter().product();
    let (train, test) = (250_u32, 75_u32);
    let mut noise = 12_345_u64;
    let mut next = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 40) as u32
    };
    let labels: Vec<u16> = (0..train + test).map(|_| (next() % classes) as u16).collect();
    let mut rows: Vec<u8> = Vec::new();
    for &label in &labels {
        for feature in 0..features {
            rows.push(byte(next(), feature % classes == u32::from(label)) as u8);
        }
    }
    let max = rows[..(train * features) as usize].iter().max().unwrap();
    let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let header = serde_json::json!({
        "features": features, "shape": shape, "classes": names, "train": train, "test": test, "max": max,
        "synthetic": true,
    });
    if classes <= 255 {
        let labels: Vec<u8> = labels.iter().map(|&label| label as u8).collect();
        return artifact(1, &header, &[&rows, &labels]);
    }
    let labels: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    artifact(2, &header, &[&rows, &labels])
}

/// The same data with `float` of each byte in its place, which are not scaled.
pub(crate) fn floats(data: &Dataset, float: impl Fn(f32) -> f32) -> Dataset {
    scaled(data, float, "none", &[])
}

/// The same with the word that `scale` said and these statistics, whatever `float` makes.
pub(crate) fn scaled(data: &Dataset, float: impl Fn(f32) -> f32, scale: &str, statistics: &[&[f64]]) -> Dataset {
    let mut header = serde_json::to_value(data.header()).unwrap();
    header["max"] = 0.into();
    header["values"] = "floats".into();
    header["scale"] = scale.into();
    let bytes = data.rows().bytes().unwrap();
    // There is no -0 in an artifact.
    let rows: Vec<u8> = bytes.iter().flat_map(|&byte| (float(f32::from(byte)) + 0.0).to_le_bytes()).collect();
    let labels: Vec<u8> = data.labels().iter().flat_map(|label| label.to_le_bytes()).collect();
    let statistics: Vec<u8> = statistics.iter().copied().flatten().flat_map(|number| number.to_le_bytes()).collect();
    artifact(2, &header, &[&statistics, &rows, &labels])
}

fn artifact(version: u32, header: &serde_json::Value, parts: &[&[u8]]) -> Dataset {
    let header = header.to_string();
    let mut artifact = b"besomdat".to_vec();
    artifact.extend(version.to_le_bytes());
    artifact.extend((header.len() as u32).to_le_bytes());
    artifact.extend(header.as_bytes());
    parts.iter().for_each(|part| artifact.extend(*part));
    Dataset::from_artifact(artifact).unwrap()
}

/// A configuration on `data`: 8-6 hidden units, batches of 16, 4 epochs, sgd 0.1, the native
/// engine; `change` adapts it.
pub(crate) fn config(data: &Dataset, change: impl FnOnce(&mut Hyperparameters)) -> JobConfig {
    let mut hyperparameters = Hyperparameters::from_params(&besom_sweep::Params::new()).unwrap();
    hyperparameters.learning_rate = 0.1;
    hyperparameters.batch_size = 16;
    hyperparameters.epochs = 4;
    hyperparameters.hidden = vec![8, 6];
    change(&mut hyperparameters);
    JobConfig { hyperparameters, dataset: data.digest().to_owned(), engine: Engine::Native }
}

pub(crate) fn job(config: &JobConfig) -> TrainJob<'_> {
    TrainJob { config, seed: 1, metric: &VAL_ACCURACY, scored_epoch: ScoredEpoch::Final }
}

/// Counts what it is asked, remembers what it is told, and answers `then` from the `after`-th
/// question on.
pub(crate) struct Watcher {
    pub(crate) asked: u32,
    pub(crate) told: Vec<EpochRecord>,
    pub(crate) after: u32,
    pub(crate) then: Control,
}

impl Watcher {
    pub(crate) fn silent() -> Self {
        Self { asked: 0, told: Vec::new(), after: u32::MAX, then: Control::Continue }
    }

    pub(crate) fn answering(after: u32, then: Control) -> Self {
        Self { after, then, ..Self::silent() }
    }
}

impl Observer for Watcher {
    fn control(&mut self) -> Control {
        self.asked += 1;
        if self.asked > self.after { self.then } else { Control::Continue }
    }

    fn epoch(&mut self, _job: usize, record: &EpochRecord) {
        self.told.push(record.clone());
    }
}

/// Trains one job to its end.
pub(crate) fn run(job: TrainJob<'_>, data: &Dataset) -> Trained {
    train(&[job], data, &mut Watcher::silent()).unwrap().remove(0)
}

/// Everything that must repeat bit for bit: all but the wall times.
pub(crate) fn repeatable(mut trained: Trained) -> Trained {
    trained.seconds = 0.0;
    for record in &mut trained.records {
        record.seconds = None;
    }
    trained
}

/// The tensor of this name in a safetensors file.
pub(crate) fn tensor(file: &[u8], name: &str) -> Vec<f32> {
    let file = safetensors::SafeTensors::deserialize(file).unwrap();
    let bytes = file.tensor(name).unwrap().data();
    bytes.as_chunks().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect()
}
