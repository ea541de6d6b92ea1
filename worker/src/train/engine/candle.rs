//! The definition of the model: dense layers of candle-nn and gradients by autograd.
//!
//! The layers' tensors are made once and overwritten at every step, which costs nothing beside the computation and keeps
//! the flat vector the only owner of parameters. Bits depend on the kind of CPU (candle's matrix product chooses its
//! kernels by it), not on the number of threads.

use besom_sweep::{Activation, Hyperparameters};
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Linear, Module};

use super::ops::{Activate, Assign, InputProduct, KnownGradient, Mask, read};
use super::{Engine, Masks};
use crate::data::Dataset;
use crate::train::job::TrainError;
use crate::train::layout::Layout;
use crate::train::loss::{Score, cross_entropy};

/// Gradients of the model on rows of a dataset.
pub(crate) struct CandleEngine<'a> {
    data: &'a Dataset,
    model: Perceptron,
}

impl<'a> CandleEngine<'a> {
    /// An engine for the model `layout` on `data`, whose labels are below the number of classes.
    ///
    /// # Errors
    /// candle cannot make the tensors.
    pub(crate) fn new(
        data: &'a Dataset,
        layout: Layout,
        hyperparameters: &Hyperparameters,
    ) -> Result<Self, TrainError> {
        let smoothing = hyperparameters.label_smoothing as f32;
        let model = Perceptron::new(layout, hyperparameters.activation, smoothing).map_err(failed)?;
        Ok(Self { data, model })
    }
}

impl Engine for CandleEngine<'_> {
    fn loss_gradient(
        &mut self,
        params: &[f32],
        rows: &[u32],
        masks: &Masks,
        gradient: &mut [f32],
    ) -> Result<Score, TrainError> {
        let labels: Vec<u8> = rows.iter().map(|&row| self.data.labels()[row as usize]).collect();
        self.model.loss_gradient(params, gather(self.data, rows), &labels, masks, gradient).map_err(failed)
    }

    fn logits(&mut self, params: &[f32], rows: &[u32]) -> Result<Vec<f32>, TrainError> {
        self.model
            .logits(params, gather(self.data, rows), &[])
            .and_then(|z| read(&z, |z| Ok(z.to_vec())))
            .map_err(failed)
    }
}

/// The layers themselves, on values of any source.
struct Perceptron {
    layout: Layout,
    activation: Activation,
    smoothing: f32,
    /// Kernel `[out, in]` and bias `[out]` of each layer.
    vars: Vec<(Var, Var)>,
}

impl Perceptron {
    fn new(layout: Layout, activation: Activation, smoothing: f32) -> candle_core::Result<Self> {
        let zeros = |shape: &[usize]| Var::zeros(shape, DType::F32, &Device::Cpu);
        let vars = layout
            .layers
            .iter()
            .map(|layer| Ok((zeros(&[layer.outputs, layer.inputs])?, zeros(&[layer.outputs])?)))
            .collect::<candle_core::Result<_>>()?;
        Ok(Self { layout, activation, smoothing, vars })
    }

    /// Logits of the rows `x`, whose length is a multiple of the number of inputs.
    fn logits(&self, params: &[f32], x: Vec<f32>, masks: &Masks) -> candle_core::Result<Tensor> {
        for ((kernel, bias), layer) in self.vars.iter().zip(&self.layout.layers) {
            kernel.inplace_op1(&Assign(&params[layer.kernel.clone()]))?;
            bias.inplace_op1(&Assign(&params[layer.bias.clone()]))?;
        }
        let inputs = self.layout.layers[0].inputs;
        let x = Tensor::from_vec(x, ((), inputs), &Device::Cpu)?;
        let (kernel, bias) = &self.vars[0];
        let mut values = x.apply_op2(kernel, InputProduct)?.broadcast_add(bias)?;
        for (hidden, (kernel, bias)) in self.vars[1..].iter().enumerate() {
            values = values.apply_op1(Activate(self.activation))?;
            if let Some(mask) = masks.get(hidden) {
                values = values.apply_op1(Mask(mask.clone()))?;
            }
            values = Linear::new(kernel.as_tensor().clone(), Some(bias.as_tensor().clone())).forward(&values)?;
        }
        Ok(values)
    }

    fn loss_gradient(
        &self,
        params: &[f32],
        x: Vec<f32>,
        labels: &[u8],
        masks: &Masks,
        gradient: &mut [f32],
    ) -> candle_core::Result<Score> {
        let classes = self.layout.classes();
        let logits = self.logits(params, x, masks)?;
        let mut known = vec![0.0; labels.len() * classes];
        let score =
            read(&logits, |logits| Ok(cross_entropy(logits, labels, classes, self.smoothing, Some(&mut known))))?;
        let known = Tensor::from_vec(known, logits.shape(), logits.device())?;
        let gradients = logits.apply_op1(KnownGradient(known))?.backward()?;
        for ((kernel, bias), layer) in self.vars.iter().zip(&self.layout.layers) {
            for (var, range) in [(kernel, &layer.kernel), (bias, &layer.bias)] {
                let Some(found) = gradients.get(var) else {
                    candle_core::bail!("autograd left out a parameter");
                };
                read(found, |values| {
                    gradient[range.clone()].copy_from_slice(values);
                    Ok(())
                })?;
            }
        }
        Ok(score)
    }
}

/// The rows as `f32`, divided by the training maximum.
fn gather(data: &Dataset, rows: &[u32]) -> Vec<f32> {
    let features = data.header().features as usize;
    let max = f32::from(data.header().max);
    let mut values = Vec::with_capacity(rows.len() * features);
    for &row in rows {
        let bytes = &data.rows()[row as usize * features..][..features];
        values.extend(bytes.iter().map(|&byte| f32::from(byte) / max));
    }
    values
}

/// What candle refuses (a shape, an operation) it would refuse again.
fn failed(error: candle_core::Error) -> TrainError {
    TrainError::impossible(format!("candle: {error}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::train::optimizer::{OptimizerState, Rule};

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
        y: Vec<Vec<u8>>,
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

    /// Keras's list of kernels [in, out] and biases as one flat vector of kernels [out, in] and biases.
    fn flat(tensors: &[serde_json::Value]) -> Vec<f32> {
        let mut flat = Vec::new();
        for tensor in tensors {
            if let Ok(kernel) = Vec::<Vec<f32>>::deserialize(tensor) {
                flat.extend((0..kernel[0].len()).flat_map(|out| kernel.iter().map(move |row| row[out])));
            } else {
                flat.extend(Vec::<f32>::deserialize(tensor).unwrap());
            }
        }
        flat
    }

    fn assert_close(what: &str, got: &[f32], expected: &[f32]) {
        assert_eq!(got.len(), expected.len());
        for (i, (&a, &b)) in got.iter().zip(expected).enumerate() {
            assert!((a - b).abs() <= 1e-6 + 1e-4 * b.abs(), "{what} {i}: {a}, Keras {b}");
        }
    }

    #[test]
    fn losses_gradients_and_weights_are_those_of_keras() {
        let file: File = serde_json::from_str(include_str!("../../../tests/data/keras_models.json")).unwrap();
        assert_eq!(file.traces.len(), 3);
        for trace in file.traces {
            let mut params = besom_sweep::Params::new();
            params.insert("optimizer".to_owned(), trace.optimizer.to_lowercase().into());
            let rule = Rule::new(&besom_sweep::Hyperparameters::from_params(&params).unwrap());
            let layout = Layout::new(8, &[6, 5], 3).unwrap();
            let model = Perceptron::new(layout.clone(), Activation::Relu, 0.0).unwrap();
            let mut params = flat(&trace.initial_weights);
            let mut state = OptimizerState::new(rule.optimizer, params.len());
            let mut gradient = vec![0.0; params.len()];
            for ((x, y), step) in trace.x.iter().zip(&trace.y).zip(&trace.steps) {
                let score = model.loss_gradient(&params, x.concat(), y, &[], &mut gradient).unwrap();
                assert_close("loss", &[(score.loss_sum / score.n as f64) as f32], &[step.loss as f32]);
                assert_close("gradient", &gradient, &flat(&step.gradients));
                state.step(&rule, &layout, trace.config.learning_rate, &mut params, &mut gradient);
                assert_close("weight", &params, &flat(&step.weights_after));
            }
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss_for_every_activation_and_with_dropout() {
        let layout = Layout::new(3, &[4, 5], 3).unwrap();
        let params = layout.initial_parameters(besom_sweep::Initializer::GlorotUniform, 1);
        let x = vec![0.1, 0.9, 0.4, 0.8, 0.0, 0.3];
        let masks = [vec![1.5, 0.0, 1.5, 1.5, 1.5, 1.5, 0.0, 1.5], vec![1.0; 10]];
        for activation in [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Gelu, Activation::Elu] {
            let model = Perceptron::new(layout.clone(), activation, 0.1).unwrap();
            let mut gradient = vec![0.0; params.len()];
            model.loss_gradient(&params, x.clone(), &[2, 0], &masks, &mut gradient).unwrap();
            for i in 0..params.len() {
                let at = |d: f32| {
                    let mut moved = params.clone();
                    moved[i] += d;
                    let mut unused = vec![0.0; params.len()];
                    model.loss_gradient(&moved, x.clone(), &[2, 0], &masks, &mut unused).unwrap().loss_sum / 2.0
                };
                let measured = (at(2e-3) - at(-2e-3)) / 4e-3;
                let got = f64::from(gradient[i]);
                assert!((got - measured).abs() < 1e-3, "{activation:?} parameter {i}: {got}, measured {measured}");
            }
        }
    }
}
