//! Keras's traces of small models: six batches each, with every loss, gradient and weight.

use serde::Deserialize;

use crate::layout::Layout;
use crate::loss::Score;
use crate::optimizer::{OptimizerState, Rule};

#[derive(Deserialize)]
struct File {
    traces: Vec<Trace>,
}

#[derive(Deserialize)]
struct Trace {
    optimizer: String,
    config: Config,
    initial_weights: Vec<serde_json::Value>,
    x: Vec<Vec<Vec<f32>>>,
    y: Vec<Vec<u16>>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Config {
    learning_rate: f64,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    gradients: Vec<serde_json::Value>,
    weights_after: Vec<serde_json::Value>,
}

/// Keras's list of kernels and biases as one flat vector.
fn flat(tensors: &[serde_json::Value]) -> Vec<f32> {
    let mut flat = Vec::new();
    for tensor in tensors {
        if let Ok(kernel) = Vec::<Vec<f32>>::deserialize(tensor) {
            flat.extend(kernel.concat());
        } else {
            flat.extend(Vec::<f32>::deserialize(tensor).unwrap());
        }
    }
    flat
}

fn assert_close(what: &str, got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let mut largest = 0.0_f32;
    for (i, (&a, &b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-6 + 1e-4 * b.abs(), "{what} {i}: {a}, Keras {b}");
        largest = largest.max((a - b).abs());
    }
    largest
}

/// Follows every trace with `loss_gradient(parameters, batch, labels, gradient)` of a model of
/// 8-6-5-3, which is `layout`.
pub(super) fn follow(layout: &Layout, mut loss_gradient: impl FnMut(&[f32], &[Vec<f32>], &[u16], &mut [f32]) -> Score) {
    let file: File = serde_json::from_str(include_str!("../../tests/data/keras_models.json")).unwrap();
    assert_eq!(file.traces.len(), 3);
    for trace in file.traces {
        let mut params = besom_sweep::Params::new();
        params.insert("optimizer".to_owned(), trace.optimizer.to_lowercase().into());
        let rule = Rule::new(&besom_sweep::Hyperparameters::from_params(&params).unwrap());
        let mut params = flat(&trace.initial_weights);
        let mut state = OptimizerState::new(rule.optimizer, params.len());
        let mut gradient = vec![0.0; params.len()];
        let mut largest = [0.0_f32; 3];
        for ((x, y), step) in trace.x.iter().zip(&trace.y).zip(&trace.steps) {
            let score = loss_gradient(&params, x, y, &mut gradient);
            let loss = (score.loss_sum / score.n as f64) as f32;
            let errors = [
                assert_close("loss", &[loss], &[step.loss as f32]),
                assert_close("gradient", &gradient, &flat(&step.gradients)),
                {
                    state.step(&rule, layout, trace.config.learning_rate, &mut params, &mut gradient);
                    assert_close("weight", &params, &flat(&step.weights_after))
                },
            ];
            largest = std::array::from_fn(|i| largest[i].max(errors[i]));
        }
        println!("{}: largest errors of loss, gradient, weights {largest:?}", trace.optimizer);
    }
}
