//! What `model.json` says of an exported model: all that is needed to run it, and where it comes
//! from.

use anyhow::Context;
use besom_dataset::Header;
use besom_mlp::InputScaling;
use besom_proto::v1;
use besom_sweep::{Cell, Row};
use serde::{
    Serialize,
    ser::{SerializeMap, Serializer},
};
use serde_json::value::RawValue;

use crate::{text::source, trained::Trained};

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
    sha256: &'a str,
}

#[derive(Serialize)]
struct Data<'a> {
    digest: &'a str,
    source: String,
    synthetic: bool,
    train: u32,
    test: u32,
}

/// What the run's columns say of how it went, under their names; null where there is no number.
struct Metrics<'a>(Row<'a>);

impl Metrics<'_> {
    /// Whether a column is a number after the last or in the best epoch.
    fn is_measured(name: &str) -> bool {
        name != "best_epoch" && (name.starts_with("final_") || name.starts_with("best_"))
    }
}

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = |name: &'static str| self.0.cells().filter(move |(column, _)| column.name == name);
        let first = ["state", "objective", "epochs_done", "best_epoch"].into_iter().flat_map(named);
        let measured = self.0.cells().filter(|(column, _)| Self::is_measured(&column.name));
        let last = ["seconds", "ended_at"].into_iter().flat_map(named);
        let mut object = serializer.serialize_map(None)?;
        for (column, cell) in first.chain(measured).chain(last) {
            match cell {
                Cell::Integer(value) => object.serialize_entry(&column.name, value)?,
                Cell::Float(value) => object.serialize_entry(&column.name, value)?,
                Cell::Text(text) => object.serialize_entry(&column.name, text)?,
                Cell::Null | Cell::Boolean(_) | Cell::Bytes(_) => object.serialize_entry(&column.name, &())?,
            }
        }
        object.end()
    }
}

impl<'a> Card<'a> {
    /// Of the model of a job of `sweep`, trained on the data of `header`.
    ///
    /// # Errors
    /// The run is no row of the view `runs`.
    pub(crate) fn new(sweep: &'a v1::Sweep, trained: &'a Trained, header: &'a Header) -> anyhow::Result<Self> {
        let Trained { job, digest, model, engine, .. } = trained;
        let run = trained.run.row(0).context("a run without a row")?;
        let layer = |(index, (inputs, outputs))| Layer {
            weight: format!("layers.{index}.weight"),
            bias: format!("layers.{index}.bias"),
            inputs,
            outputs,
        };
        Ok(Self {
            besom: env!("CARGO_PKG_VERSION"),
            sweep: &sweep.name,
            job: *job,
            seed: run.integer("seed")?,
            shape: &header.shape,
            features: header.features,
            scaling: model.scaling().into(),
            layers: model.widths().enumerate().map(layer).collect(),
            activation: model.activation().as_str(),
            output: "softmax",
            classes: &header.classes,
            file: File { name: "model.safetensors", sha256: digest },
            dataset: Data {
                digest: model.dataset(),
                source: source::shown(&sweep.dataset_source),
                synthetic: header.synthetic,
                train: header.train,
                test: header.test,
            },
            hyperparameters: run.maybe_text("params")?.and_then(|params| serde_json::from_str(params).ok()),
            engine: engine.as_str(),
            device: run.maybe_text("device")?.unwrap_or_default(),
            metrics: Metrics(run),
        })
    }
}
