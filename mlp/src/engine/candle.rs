//! The definition of the model: dense layers of candle-nn and gradients by autograd.
//!
//! The layers' tensors are made once and overwritten at every step, which costs nothing beside the
//! computation and keeps the flat vector the only owner of parameters. Bits depend on the kind of
//! CPU (candle's matrix product chooses its kernels by it), not on the number of threads.

use besom_sweep::{Activation, Hyperparameters};
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Linear, Module};

use super::ops::{Activate, Assign, InputProduct, KnownGradient, Mask, read};
use super::{Batch, Engine, Masks};
use crate::job::TrainError;
use crate::layout::Layout;
use crate::loss::{Score, Targets, cross_entropy};
use besom_dataset::{Dataset, Rows};

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
    fn loss_gradient(&mut self, params: &[f32], batch: &Batch<'_>, gradient: &mut [f32]) -> Result<Score, TrainError> {
        let labels: Vec<u16> = batch.rows.iter().map(|&row| self.data.labels()[row as usize]).collect();
        let x = gather(self.data, batch.rows);
        self.model.loss_gradient(params, x, &labels, batch.masks, gradient).map_err(failed)
    }

    fn logits(&mut self, params: &[f32], rows: &[u32], into: &mut Vec<f32>) -> Result<(), TrainError> {
        into.clear();
        let logits = self.model.logits(params, gather(self.data, rows), &[]).map_err(failed)?;
        read(&logits, |z| {
            into.extend_from_slice(z);
            Ok(())
        })
        .map_err(failed)
    }
}

/// The layers themselves, on values of any source.
struct Perceptron {
    layout: Layout,
    activation: Activation,
    smoothing: f32,
    /// Kernel `[in, out]` and bias `[out]` of each layer.
    vars: Vec<(Var, Var)>,
}

impl Perceptron {
    fn new(layout: Layout, activation: Activation, smoothing: f32) -> candle_core::Result<Self> {
        let zeros = |shape: &[usize]| Var::zeros(shape, DType::F32, &Device::Cpu);
        let vars = layout
            .layers
            .iter()
            .map(|layer| Ok((zeros(&[layer.inputs, layer.outputs])?, zeros(&[layer.outputs])?)))
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
            values = Linear::new(kernel.t()?, Some(bias.as_tensor().clone())).forward(&values)?;
        }
        Ok(values)
    }

    fn loss_gradient(
        &self,
        params: &[f32],
        x: Vec<f32>,
        labels: &[u16],
        masks: &Masks,
        gradient: &mut [f32],
    ) -> candle_core::Result<Score> {
        let classes = self.layout.classes();
        let logits = self.logits(params, x, masks)?;
        let mut known = read(&logits, |logits| Ok(logits.to_vec()))?;
        let score = cross_entropy(&mut known, &Targets { labels, smoothing: self.smoothing, classes }, true);
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

/// The rows as the network reads them: bytes times one over the training maximum.
fn gather(data: &Dataset, rows: &[u32]) -> Vec<f32> {
    let scale = 1.0 / f32::from(data.header().max);
    let mut values = Vec::with_capacity(rows.len() * data.header().features as usize);
    for &row in rows {
        match data.row(row as usize) {
            Rows::Bytes(bytes) => values.extend(bytes.iter().map(|&byte| f32::from(byte) * scale)),
            Rows::Floats(floats) => values.extend(floats.iter().map(|&value| f32::from_le_bytes(value))),
        }
    }
    values
}

/// What candle refuses (a shape, an operation) it would refuse again.
fn failed(error: candle_core::Error) -> TrainError {
    TrainError::impossible(format!("candle: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::traces::follow;

    #[test]
    fn losses_gradients_and_weights_are_those_of_keras() {
        let layout = Layout::new(8, &[6, 5], 3).unwrap();
        let model = Perceptron::new(layout.clone(), Activation::Relu, 0.0).unwrap();
        follow(&layout, |params, x, y, gradient| model.loss_gradient(params, x.concat(), y, &[], gradient).unwrap());
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
