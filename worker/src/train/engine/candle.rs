//! The definition of the model: dense layers of candle-nn and gradients by autograd.
//!
//! The layers' tensors are made once and overwritten at every step, which costs nothing beside the computation and keeps
//! the flat vector the only owner of parameters. Bits depend on the kind of CPU (candle's matrix product chooses its
//! kernels by it), not on the number of threads.

use besom_sweep::{Activation, Hyperparameters};
use candle_core::{Device, Tensor, Var};
use candle_nn::{Linear, Module};

use super::ops::{Activate, Assign, InputProduct, KnownGradient, Mask, read};
use super::{Engine, Masks};
use crate::data::Dataset;
use crate::train::job::TrainError;
use crate::train::layout::Layout;
use crate::train::loss::{Score, cross_entropy};

/// See the module.
pub(crate) struct CandleEngine<'a> {
    data: &'a Dataset,
    layout: Layout,
    activation: Activation,
    smoothing: f32,
    /// Kernel [out, in] and bias [out] of each layer.
    vars: Vec<(Var, Var)>,
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
        let var = |values: Vec<f32>, shape: &[usize]| Var::from_vec(values, shape, &Device::Cpu);
        let vars = layout
            .layers
            .iter()
            .map(|layer| {
                let kernel = var(vec![0.0; layer.kernel.len()], &[layer.outputs, layer.inputs])?;
                Ok((kernel, var(vec![0.0; layer.bias.len()], &[layer.outputs])?))
            })
            .collect::<candle_core::Result<_>>()
            .map_err(failed)?;
        Ok(Self {
            data,
            layout,
            activation: hyperparameters.activation,
            smoothing: hyperparameters.label_smoothing as f32,
            vars,
        })
    }

    fn assign(&self, params: &[f32]) -> candle_core::Result<()> {
        for ((kernel, bias), layer) in self.vars.iter().zip(&self.layout.layers) {
            kernel.inplace_op1(&Assign(&params[layer.kernel.clone()]))?;
            bias.inplace_op1(&Assign(&params[layer.bias.clone()]))?;
        }
        Ok(())
    }

    fn forward(&self, rows: &[u32], masks: &Masks) -> candle_core::Result<Tensor> {
        let shape = (rows.len(), self.data.header().features as usize);
        let x = Tensor::from_vec(gather(self.data, rows), shape, &Device::Cpu)?;
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

    fn step(&self, params: &[f32], rows: &[u32], masks: &Masks, gradient: &mut [f32]) -> candle_core::Result<Score> {
        self.assign(params)?;
        let logits = self.forward(rows, masks)?;
        let labels: Vec<u8> = rows.iter().map(|&row| self.data.labels()[row as usize]).collect();
        let mut known = vec![0.0; labels.len() * self.layout.classes()];
        let score = read(&logits, |logits| {
            cross_entropy(logits, &labels, self.layout.classes(), self.smoothing, Some(&mut known))
        })?;
        let known = Tensor::from_vec(known, logits.shape(), logits.device())?;
        let gradients = logits.apply_op1(KnownGradient(known))?.backward()?;
        for ((kernel, bias), layer) in self.vars.iter().zip(&self.layout.layers) {
            for (var, range) in [(kernel, &layer.kernel), (bias, &layer.bias)] {
                let Some(found) = gradients.get(var) else {
                    candle_core::bail!("autograd left out a parameter");
                };
                read(found, |values| gradient[range.clone()].copy_from_slice(values))?;
            }
        }
        Ok(score)
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
        self.step(params, rows, masks, gradient).map_err(failed)
    }

    fn logits(&mut self, params: &[f32], rows: &[u32]) -> Result<Vec<f32>, TrainError> {
        let logits = self.assign(params).and_then(|()| self.forward(rows, &[])).map_err(failed)?;
        read(&logits, <[f32]>::to_vec).map_err(failed)
    }
}

/// The rows as `f32`, divided by the training maximum (by 1 where all of it is 0).
fn gather(data: &Dataset, rows: &[u32]) -> Vec<f32> {
    let features = data.header().features as usize;
    let max = f32::from(data.header().max.max(1));
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
