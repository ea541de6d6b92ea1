//! A model file is usable by others: candle-nn, and whatever reads safetensors.

mod support;

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder, linear};
use support::{config, data, job, run};

#[test]
fn candle_nn_loads_a_model_and_predicts_what_the_trainer_did() {
    let data = data(20, 4);
    let trained = run(job(&config(&data, |h| h.epochs = 6)), &data);
    let vars = VarBuilder::from_buffered_safetensors(trained.final_model.clone(), DType::F32, &Device::Cpu).unwrap();
    let layers: Vec<_> = [(20, 8), (8, 6), (6, 4)]
        .iter()
        .enumerate()
        .map(|(i, &(inputs, outputs))| linear(inputs, outputs, vars.pp(format!("layers.{i}"))).unwrap())
        .collect();
    let (_, header) = safetensors::SafeTensors::read_metadata(&trained.final_model).unwrap();
    let max: f32 = header.metadata().clone().unwrap()["input_max"].parse().unwrap();
    let values: Vec<f32> = data.rows().bytes().unwrap()[250 * 20..].iter().map(|&byte| f32::from(byte) / max).collect();
    let mut values = Tensor::from_vec(values, (75, 20), &Device::Cpu).unwrap();
    for layer in &layers[..2] {
        values = layer.forward(&values).unwrap().relu().unwrap();
    }
    let predicted: Vec<u32> = layers[2].forward(&values).unwrap().argmax(1).unwrap().to_vec1().unwrap();
    let mut counts = vec![0; 16];
    for (&label, prediction) in data.labels()[250..].iter().zip(predicted) {
        counts[usize::from(label) * 4 + prediction as usize] += 1;
    }
    assert_eq!(counts, trained.confusion.unwrap().rows().unwrap());
}

#[test]
fn metadata_say_how_to_use_the_model() {
    let data = data(20, 4);
    let file = run(job(&config(&data, |h| h.epochs = 1)), &data).final_model;
    let (_, header) = safetensors::SafeTensors::read_metadata(&file).unwrap();
    let metadata = header.metadata().clone().unwrap();
    assert_eq!(metadata["format"], "pt");
    assert_eq!(metadata["activation"], "relu");
    assert_eq!(metadata["dataset"], data.digest());
    assert_eq!(metadata["input_max"], data.header().max.to_string());
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    assert_eq!(file.tensor("layers.1.weight").unwrap().shape(), [6, 8]);
    assert_eq!(file.tensor("layers.2.bias").unwrap().shape(), [4]);
    assert_eq!(file.len(), 6);
}

/// The digest of a model is a result: its header must not follow what some crate makes of JSON.
#[test]
fn the_header_is_spelled_in_one_way() {
    let data = data(20, 4);
    let file = run(job(&config(&data, |h| h.epochs = 1)), &data).final_model;
    let expected = format!(
        r#"{{"__metadata__":{{"activation":"relu","dataset":"{}","format":"pt","input_max":"{}","trainer":"mlp"}},"layers.0.bias":{{"data_offsets":[640,672],"dtype":"F32","shape":[8]}},"layers.0.weight":{{"data_offsets":[0,640],"dtype":"F32","shape":[8,20]}},"layers.1.bias":"#,
        data.digest(),
        data.header().max
    );
    assert_eq!(String::from_utf8_lossy(&file[8..8 + expected.len()]), expected);
}
