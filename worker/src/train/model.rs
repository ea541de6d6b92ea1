//! A model as a safetensors file, with PyTorch's names and layout: `layers.0.weight` [out, in], `layers.0.bias` [out].
//!
//! Written here rather than by the safetensors crate, whose metadata are a hash map: its bytes change from call to call,
//! and a model's digest must not. The format: <https://huggingface.co/docs/safetensors>.

use besom_sweep::JobConfig;
use serde_json::{Map, Value, json};

use super::layout::Layout;
use crate::data::Dataset;

/// The file of a job's model with the parameters `params`. Its metadata say how to use it: `activation` follows each
/// hidden layer, inputs are divided by `input_max`, `dataset` is the digest of the data that it was trained on.
pub(crate) fn safetensors(layout: &Layout, params: &[f32], config: &JobConfig, data: &Dataset) -> Vec<u8> {
    let mut header = Map::new();
    let metadata = json!({
        "format": "pt",
        "trainer": besom_sweep::TRAINER,
        "activation": config.hyperparameters.activation.as_str(),
        "input_max": data.header().max.to_string(),
        "dataset": config.dataset,
    });
    header.insert("__metadata__".into(), metadata);
    for (index, layer) in layout.layers.iter().enumerate() {
        let mut tensor = |name: &str, shape: Value, range: &std::ops::Range<usize>| {
            let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [range.start * 4, range.end * 4]});
            header.insert(format!("layers.{index}.{name}"), entry);
        };
        tensor("weight", json!([layer.outputs, layer.inputs]), &layer.kernel);
        tensor("bias", json!([layer.outputs]), &layer.bias);
    }
    let mut text = Value::Object(header).to_string();
    // The tensors begin at a multiple of 8, so that readers may map them.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut file = Vec::with_capacity(8 + text.len() + params.len() * 4);
    file.extend_from_slice(&(text.len() as u64).to_le_bytes());
    file.extend_from_slice(text.as_bytes());
    file.extend(params.iter().flat_map(|param| param.to_le_bytes()));
    file
}
