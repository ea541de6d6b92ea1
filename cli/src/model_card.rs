//! What `model.json` says of an exported model: all that is needed to run it, and where it comes from.

use besom_dataset::Header;
use besom_mlp::InputScaling;
use besom_proto::v1;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{render::state, sweep_file, trained::Trained};

/// The document; its fields in this order.
#[derive(Serialize)]
pub(crate) struct Card<'a> {
    besom: &'static str,
    sweep: &'a str,
    job: i64,
    seed: i64,
    /// Shape of one sample, and its number of values.
    shape: &'a [u32],
    features: u32,
    scaling: Scaling<'a>,
    layers: Vec<Layer>,
    activation: &'static str,
    output: &'static str,
    /// In the order of the outputs.
    classes: &'a [String],
    file: File<'a>,
    dataset: Data<'a>,
    hyperparameters: Option<&'a RawValue>,
    engine: &'a str,
    device: &'a str,
    metrics: Metrics<'a>,
}

/// How values of the source become inputs.
#[derive(Serialize)]
#[serde(untagged)]
enum Scaling<'a> {
    /// Whole numbers 0 to 255.
    Bytes { divide_by: u8 },
    /// Others, by tensors of the file: they are subtracted, and then divided by.
    Floats { scale: &'a str, subtract: Option<&'a str>, divide_by: Option<&'a str> },
}

impl<'a> From<&'a InputScaling> for Scaling<'a> {
    fn from(scaling: &'a InputScaling) -> Self {
        match scaling {
            InputScaling::DivideBy(divide_by) => Self::Bytes { divide_by: *divide_by },
            InputScaling::Floats(scaling) => Self::Floats {
                scale: scaling.scale().as_str(),
                subtract: (!scaling.shifts().is_empty()).then_some("input.shift"),
                divide_by: (!scaling.divisors().is_empty()).then_some("input.divisor"),
            },
        }
    }
}

#[derive(Serialize)]
struct Layer {
    weight: String,
    bias: String,
    inputs: usize,
    outputs: usize,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'static str,
    sha256: Option<&'a str>,
}

#[derive(Serialize)]
struct Data<'a> {
    digest: &'a str,
    source: String,
    synthetic: bool,
    train: u32,
    test: u32,
}

/// Of the run; null where there is none.
#[derive(Serialize)]
struct Metrics<'a> {
    state: &'static str,
    objective: Option<f64>,
    epochs_done: Option<u32>,
    best_epoch: Option<u32>,
    final_loss: Option<f64>,
    final_accuracy: Option<f64>,
    final_val_loss: Option<f64>,
    final_val_accuracy: Option<f64>,
    best_val_loss: Option<f64>,
    best_val_accuracy: Option<f64>,
    seconds: Option<f64>,
    ended_at: Option<&'a str>,
}

impl<'a> Card<'a> {
    /// Of the model of a job of `sweep`, trained on the data of `header`.
    pub(crate) fn new(sweep: &'a v1::Sweep, trained: &'a Trained, header: &'a Header) -> Self {
        let Trained { run, model, .. } = trained;
        let layer = |(index, (inputs, outputs))| Layer {
            weight: format!("layers.{index}.weight"),
            bias: format!("layers.{index}.bias"),
            inputs,
            outputs,
        };
        Self {
            besom: env!("CARGO_PKG_VERSION"),
            sweep: &sweep.name,
            job: run.job,
            seed: run.seed,
            shape: &header.shape,
            features: header.features,
            scaling: model.scaling().into(),
            layers: model.widths().enumerate().map(layer).collect(),
            activation: model.activation().as_str(),
            output: "softmax",
            classes: &header.classes,
            file: File { name: "model.safetensors", sha256: run.model.as_deref() },
            dataset: Data {
                digest: &run.dataset,
                source: sweep_file::shown(&sweep.dataset_source),
                synthetic: header.synthetic,
                train: header.train,
                test: header.test,
            },
            hyperparameters: serde_json::from_str(&run.params).ok(),
            engine: &run.engine,
            device: &run.device,
            metrics: Metrics {
                state: state::job(run.state),
                objective: run.objective,
                epochs_done: run.epochs_done,
                best_epoch: run.best_epoch,
                final_loss: run.final_loss,
                final_accuracy: run.final_accuracy,
                final_val_loss: run.final_val_loss,
                final_val_accuracy: run.final_val_accuracy,
                best_val_loss: run.best_val_loss,
                best_val_accuracy: run.best_val_accuracy,
                seconds: run.seconds,
                ended_at: run.ended_at.as_deref(),
            },
        }
    }
}
