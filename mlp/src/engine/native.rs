//! Dense layers on the CPU: kernels shaped for small models, with the same bits on every CPU.
//!
//! A batch passes in chunks of rows through the whole step (scaling, forward, loss, backward), and
//! the sums of the gradient go on from chunk to chunk, so that the scratch memory is small whatever
//! the batch and the size of a chunk cannot change a result. The first layer leaves out most
//! products with pixels that are 0. Nothing allocates after [`NativeEngine::new`].

mod ahead;
mod dense;
mod first;
mod inputs;
mod rows;
mod strips;
mod sums;

use std::ops::Range;
use std::sync::Arc;

use besom_sweep::{Activation, Hyperparameters};

use self::ahead::Ahead;
use self::dense::{Factors, Outer, column_sums, outer_product, product, transpose};
use self::first::{FirstFactors, FirstOuter, first_gradient, first_product};
use self::inputs::{Inputs, MOST_ROWS, gather};
use self::rows::Rows;
use self::strips::Strips;
use self::sums::Sums;
use super::{Batch, Engine, Masks};
use crate::activation;
use crate::job::TrainError;
use crate::layout::{Layer as Place, Layout};
use crate::loss::{Score, Targets, score};
use crate::simd::{Isa, LANES};
use besom_dataset::Dataset;

/// Rows that pass through a step together: enough to amortise the reading of the weights and the
/// ends of loops over the rows of a strip, few enough that everything in between stays in the
/// second-level cache.
const CHUNK: usize = MOST_ROWS;

/// Gradients of the model on rows of a dataset.
pub(crate) struct NativeEngine<'a> {
    isa: Isa,
    data: &'a Dataset,
    strips: Arc<Strips>,
    chunk: usize,
    layout: Layout,
    activation: Activation,
    smoothing: f32,
    layers: Vec<Layer>,
    /// The chunk's rows of the dataset.
    inputs: Inputs,
    labels: Vec<u16>,
    /// Scratch of the loss.
    classes: Vec<[f32; LANES]>,
}

/// Scratch memory of a layer.
struct Layer {
    /// Its results before the activation, where the slope needs them.
    before: Option<Rows>,
    /// Its results; of the last layer the logits, and then their gradient.
    values: Rows,
    /// The results times the dropout mask, where there is one.
    kept: Option<Rows>,
    /// The gradient with respect to what comes before the activation.
    delta: Rows,
    /// The kernel turned, `[outputs, inputs]`; of all but the first layer.
    turned: Option<Rows>,
}

impl<'a> NativeEngine<'a> {
    /// An engine for the model `layout` on `data`, whose labels are below the number of classes.
    pub(crate) fn new(data: &'a Dataset, layout: Layout, hyperparameters: &Hyperparameters) -> Self {
        Self::with(Isa::detect(), CHUNK, data, layout, hyperparameters)
    }

    fn with(isa: Isa, chunk: usize, data: &'a Dataset, layout: Layout, hyperparameters: &Hyperparameters) -> Self {
        let dropout = hyperparameters.dropout > 0.0;
        let gelu = hyperparameters.activation == Activation::Gelu;
        let last = layout.layers.len() - 1;
        let layers = layout.layers.iter().enumerate().map(|(index, layer)| {
            let rows = |width| Rows::new(chunk, width);
            Layer {
                before: (gelu && index < last).then(|| rows(layer.outputs)),
                values: rows(layer.outputs),
                kept: (dropout && index < last).then(|| rows(layer.outputs)),
                delta: rows(if index < last { layer.outputs } else { 0 }),
                turned: (index > 0).then(|| Rows::new(layer.outputs, layer.inputs)),
            }
        });
        let strips = Strips::of_dataset(data);
        Self {
            isa,
            data,
            chunk,
            activation: hyperparameters.activation,
            smoothing: hyperparameters.label_smoothing as f32,
            layers: layers.collect(),
            inputs: Inputs::new(chunk, data.header().features as usize, &strips),
            strips,
            labels: vec![0; chunk],
            classes: vec![[0.0; LANES]; layout.classes()],
            layout,
        }
    }
}

/// What a step reads and writes.
enum Target<'a> {
    /// The gradient, which is overwritten.
    Gradient(&'a [f32], &'a mut [f32]),
    /// The parameters, moved down the gradient times the rate; the gradient's memory is scratch.
    Descent(&'a mut [f32], f32, &'a mut [f32]),
}

impl Target<'_> {
    fn params(&self) -> &[f32] {
        match self {
            Self::Gradient(params, _) => params,
            Self::Descent(params, ..) => params,
        }
    }

    /// Where the sums for the parameters in `range` go; `go_on`: they have begun with an earlier
    /// chunk; `last`: they end with this one.
    fn sums(&mut self, range: &Range<usize>, go_on: bool, last: bool) -> Sums<'_> {
        let range = range.clone();
        match (self, go_on, last) {
            (Self::Descent(params, lr, _), false, true) => Sums::Descend { params: &mut params[range], lr: *lr },
            (Self::Descent(params, lr, gradient), true, true) => {
                let gradient = &gradient[range.clone()];
                Sums::EndDescent { params: &mut params[range], lr: *lr, gradient }
            }
            (Self::Gradient(_, gradient) | Self::Descent(_, _, gradient), true, _) => Sums::GoOn(&mut gradient[range]),
            (Self::Gradient(_, gradient) | Self::Descent(_, _, gradient), false, _) => {
                Sums::Start(&mut gradient[range])
            }
        }
    }
}

impl Engine for NativeEngine<'_> {
    fn loss_gradient(&mut self, params: &[f32], batch: &Batch<'_>, gradient: &mut [f32]) -> Result<Score, TrainError> {
        Ok(self.step(Target::Gradient(params, gradient), batch))
    }

    fn descend(
        &mut self,
        params: &mut [f32],
        batch: &Batch<'_>,
        lr: f32,
        gradient: &mut [f32],
    ) -> Result<Score, TrainError> {
        Ok(self.step(Target::Descent(params, lr, gradient), batch))
    }

    fn logits(&mut self, params: &[f32], rows: &[u32], into: &mut Vec<f32>) -> Result<(), TrainError> {
        into.clear();
        for rows in rows.chunks(self.chunk) {
            self.read(rows);
            let pass = Pass { rows: rows.len(), training: false, masks: &[], from: 0 };
            self.forward(params, &pass, &mut Ahead::none());
            let logits = &self.layers[self.layers.len() - 1].values;
            for row in 0..rows.len() {
                into.extend_from_slice(logits.row(row, self.layout.classes()));
            }
        }
        Ok(())
    }
}

/// A chunk on its way through the layers.
struct Pass<'a> {
    rows: usize,
    /// Whether masks apply.
    training: bool,
    /// Dropout of the whole batch.
    masks: &'a Masks,
    /// The chunk's first row within the batch.
    from: usize,
}

impl NativeEngine<'_> {
    /// A step on a batch.
    fn step(&mut self, mut target: Target<'_>, batch: &Batch<'_>) -> Score {
        self.turn(target.params());
        let strips = Arc::clone(&self.strips);
        let mut total = Score::default();
        let mut done = 0;
        for rows in batch.rows.chunks(self.chunk) {
            self.read(rows);
            let later = &batch.rows[done + rows.len()..];
            let later = if later.is_empty() { batch.next } else { later };
            let mut ahead = Ahead::new(self.data, &strips, &later[..later.len().min(self.chunk)]);
            let pass = Pass { rows: rows.len(), training: true, masks: batch.masks, from: done };
            total.add(self.step_chunk(&mut target, &pass, batch.rows.len(), &mut ahead));
            done += rows.len();
        }
        total
    }

    /// Turns the kernels that gradients pass through backwards.
    fn turn(&mut self, params: &[f32]) {
        for (layer, place) in self.layers.iter_mut().zip(&self.layout.layers) {
            if let Some(turned) = &mut layer.turned {
                transpose(self.isa, &params[place.kernel.clone()], place.outputs, turned);
            }
        }
    }

    /// The part of a step of `batch` rows that is about the chunk in `inputs` and `labels`.
    fn step_chunk(&mut self, target: &mut Target<'_>, pass: &Pass<'_>, batch: usize, ahead: &mut Ahead<'_>) -> Score {
        self.forward(target.params(), pass, ahead);
        let labels = &self.labels[..pass.rows];
        let targets = Targets { labels, smoothing: self.smoothing, classes: self.layout.classes() };
        let last = self.layers.len() - 1;
        let logits = &mut self.layers[last].values;
        let (stride, used, share) = (logits.stride, pass.rows * logits.stride, 1.0 / batch as f32);
        let score = score(self.isa, &mut logits.values[..used], stride, &targets, Some(share), &mut self.classes);
        self.backward(target, pass, pass.from + pass.rows == batch, ahead);
        score
    }

    /// Gathers `rows` as the network reads them, and their labels.
    fn read(&mut self, rows: &[u32]) {
        let scale = 1.0 / f32::from(self.data.header().max);
        gather(self.isa, self.data.rows(), &self.strips, rows, scale, &mut self.inputs);
        for (label, &row) in self.labels.iter_mut().zip(rows) {
            *label = self.data.labels()[row as usize];
        }
    }

    /// From the inputs to the logits.
    fn forward(&mut self, params: &[f32], pass: &Pass<'_>, ahead: &mut Ahead<'_>) {
        let hidden = self.layers.len() - 1;
        for index in 0..=hidden {
            let place = &self.layout.layers[index];
            let (earlier, later) = self.layers.split_at_mut(index);
            let layer = &mut later[0];
            let relu = self.activation == Activation::Relu && index < hidden;
            let (weights, bias) = (&params[place.kernel.clone()], &params[place.bias.clone()]);
            let Place { inputs, outputs, .. } = *place;
            match earlier.last() {
                None => {
                    let factors = FirstFactors { inputs: &self.inputs, weights, bias, outputs, relu };
                    first_product(self.isa, &factors, &mut layer.values, ahead);
                }
                Some(before) => {
                    let (x, rows, bias) = (before.output(pass.training), pass.rows, Some(bias));
                    let factors = Factors { x, rows, inputs, weights, stride: outputs, outputs, bias, relu };
                    product(self.isa, &factors, &mut layer.values);
                }
            }
            if index == hidden {
                return;
            }
            let used = pass.rows * layer.values.stride;
            if !relu {
                if let Some(before) = &mut layer.before {
                    before.values[..used].copy_from_slice(&layer.values.values[..used]);
                }
                activation::values(self.isa, self.activation, &mut layer.values.values[..used]);
            }
            if let (Some(kept), true) = (&mut layer.kept, pass.training) {
                kept.values[..used].copy_from_slice(&layer.values.values[..used]);
                pass.drop_out(index, place.outputs, kept);
            }
        }
    }

    /// From the gradient of the logits to those of all parameters; `last`: the batch ends with this
    /// chunk.
    fn backward(&mut self, target: &mut Target<'_>, pass: &Pass<'_>, last: bool, ahead: &mut Ahead<'_>) {
        let rows = pass.rows;
        // The sums of earlier chunks.
        let go_on = pass.from > 0;
        for index in (0..self.layers.len()).rev() {
            let place = &self.layout.layers[index];
            let (earlier, later) = self.layers.split_at_mut(index);
            let layer = &later[0];
            let delta = if later.len() == 1 { &layer.values } else { &layer.delta };
            let Place { inputs, outputs, .. } = *place;
            column_sums(self.isa, delta, rows, outputs, &mut target.sums(&place.bias, go_on, last));
            let mut to = target.sums(&place.kernel, go_on, last);
            let (Some(before), Some(turned)) = (earlier.last_mut(), &layer.turned) else {
                let outer = FirstOuter { inputs: &self.inputs, delta, outputs };
                first_gradient(self.isa, &outer, &mut to, ahead);
                return;
            };
            let outer = Outer { x: before.output(true), rows, inputs, delta, outputs };
            outer_product(self.isa, &outer, &mut to);
            let factors = Factors {
                x: delta,
                rows,
                inputs: outputs,
                weights: &turned.values,
                stride: turned.stride,
                outputs: inputs,
                bias: None,
                relu: false,
            };
            product(self.isa, &factors, &mut before.delta);
            if before.kept.is_some() {
                pass.drop_out(index - 1, place.inputs, &mut before.delta);
            }
            let used = rows * before.values.stride;
            let ys = &before.values.values[..used];
            let xs = before.before.as_ref().map_or(ys, |before| &before.values[..used]);
            activation::backward(self.isa, self.activation, xs, ys, &mut before.delta.values[..used]);
        }
    }
}

impl Layer {
    /// What the next layer sees.
    fn output(&self, training: bool) -> &Rows {
        self.kept.as_ref().filter(|_| training).unwrap_or(&self.values)
    }
}

impl Pass<'_> {
    /// Multiplies the numbers of a hidden layer, `width` a row, by their dropout factors.
    fn drop_out(&self, hidden: usize, width: usize, values: &mut Rows) {
        for row in 0..self.rows {
            let factors = &self.masks[hidden][(self.from + row) * width..][..width];
            for (value, factor) in values.padded_mut(row).iter_mut().zip(factors) {
                *value *= factor;
            }
        }
    }
}

#[cfg(test)]
mod tests;
