//! A model as a safetensors file, with PyTorch's names and layout: `layers.0.weight` `[out, in]`,
//! `layers.0.bias` `[out]`.
//!
//! Written here rather than by the safetensors crate, whose metadata are a hash map: its bytes
//! change from call to call, and a model's digest must not. Nor are they left to serde_json's maps,
//! whose order is a feature that any crate may turn on. The format:
//! <https://huggingface.co/docs/safetensors>.

use std::collections::BTreeMap;
use std::ops::Range;

use besom_sweep::JobConfig;
use serde::Serialize;

use super::layout::Layout;
use besom_dataset::Dataset;

/// The order of the fields is that of the file, here and below.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "__metadata__")]
    metadata: Metadata<'a>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    activation: &'a str,
    dataset: &'a str,
    format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_max: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<&'a str>,
    trainer: &'a str,
}

#[derive(Serialize)]
struct Tensor {
    data_offsets: [usize; 2],
    dtype: &'static str,
    shape: Vec<usize>,
}

/// The file of a job's model with the parameters `params`. Its metadata say how to use it:
/// `activation` follows each hidden layer, `dataset` is the digest of the data that it was trained
/// on. Inputs that are whole numbers 0 to 255 are divided by `input_max`. Other numbers were scaled
/// as `scale` says, with the statistics of the training split: `input.shift` is subtracted, where
/// it is there, and the rest divided by `input.divisor`; both have a number for each feature.
pub(crate) fn safetensors(layout: &Layout, params: &[f32], config: &JobConfig, data: &Dataset) -> Vec<u8> {
    let mut header = Header {
        metadata: Metadata {
            activation: config.hyperparameters.activation.as_str(),
            dataset: &config.dataset,
            format: "pt",
            input_max: data.scaling().is_none().then(|| data.header().max.to_string()),
            scale: data.scaling().map(|scaling| scaling.scale().as_str()),
            trainer: besom_sweep::TRAINER,
        },
        tensors: BTreeMap::new(),
    };
    let statistics = data.scaling().map_or([("shift", &[][..]), ("divisor", &[])], |scaling| {
        [("shift", scaling.shifts()), ("divisor", scaling.divisors())]
    });
    let mut begin = 0;
    for (name, numbers) in statistics.iter().filter(|(_, numbers)| !numbers.is_empty()) {
        let end = begin + size_of_val(*numbers);
        let entry = Tensor { data_offsets: [begin, end], dtype: "F64", shape: vec![numbers.len()] };
        header.tensors.insert(format!("input.{name}"), entry);
        begin = end;
    }
    for (index, layer) in layout.layers.iter().enumerate() {
        let mut tensor = |name: &str, shape: Vec<usize>, range: &Range<usize>| {
            let entry = Tensor { data_offsets: [begin + range.start * 4, begin + range.end * 4], dtype: "F32", shape };
            header.tensors.insert(format!("layers.{index}.{name}"), entry);
        };
        tensor("weight", vec![layer.outputs, layer.inputs], &layer.kernel);
        tensor("bias", vec![layer.outputs], &layer.bias);
    }
    let mut text = serde_json::to_string(&header).expect("a header has string keys and no floats");
    // The tensors begin at a multiple of 8, so that readers may map them.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut file = Vec::with_capacity(8 + text.len() + begin + params.len() * 4);
    file.extend_from_slice(&(text.len() as u64).to_le_bytes());
    file.extend_from_slice(text.as_bytes());
    file.extend(statistics.iter().flat_map(|(_, numbers)| *numbers).flat_map(|number| number.to_le_bytes()));
    for layer in &layout.layers {
        let kernel = &params[layer.kernel.clone()];
        for output in 0..layer.outputs {
            file.extend(kernel[output..].iter().step_by(layer.outputs).flat_map(|weight| weight.to_le_bytes()));
        }
        file.extend(params[layer.bias.clone()].iter().flat_map(|weight| weight.to_le_bytes()));
    }
    file
}
