//! Where each layer's parameters lie in the flat vector.
//!
//! Layer after layer, from the input on: the kernel as `[in, out]`, row by row, then the bias
//! `[out]`. That is Keras's layout, and that of the native engine's kernels, whose lanes are
//! outputs.

use std::ops::Range;

use besom_sweep::Initializer;

use super::initial;
use super::job::TrainError;
use super::random::Purpose;

/// The most parameters that a model may have: with gradient, optimizer state, best and last weights
/// about 4 GB.
const MAX_PARAMETERS: usize = 1 << 27;

/// One dense layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Values that come in.
    pub(crate) inputs: usize,
    /// Values that go out.
    pub(crate) outputs: usize,
    /// The kernel, `[inputs, outputs]`, in the flat vector.
    pub(crate) kernel: Range<usize>,
    /// The bias, `[outputs]`, in the flat vector.
    pub(crate) bias: Range<usize>,
}

/// The layers of a multilayer perceptron, from the input on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// At least one.
    pub(crate) layers: Vec<Layer>,
}

impl Layout {
    /// Layers of the widths `hidden` between `features` inputs and `classes` outputs.
    ///
    /// # Errors
    /// A width of 0, or more than [`MAX_PARAMETERS`].
    pub(crate) fn new(features: u32, hidden: &[u32], classes: u32) -> Result<Self, TrainError> {
        let mut layers = Vec::with_capacity(hidden.len() + 1);
        let mut start = 0_usize;
        let mut inputs = features as usize;
        for &width in hidden.iter().chain([&classes]) {
            let outputs = width as usize;
            if outputs == 0 || inputs == 0 {
                return Err(TrainError::impossible(format!(
                    "model {features}-{hidden:?}-{classes}: every layer needs at least one value"
                )));
            }
            let end =
                inputs.checked_add(1).and_then(|rows| rows.checked_mul(outputs)).and_then(|n| n.checked_add(start));
            let Some(end) = end.filter(|&end| end <= MAX_PARAMETERS) else {
                return Err(TrainError::impossible(format!(
                    "hidden: {features}-{hidden:?}-{classes} has more than {MAX_PARAMETERS} parameters; choose smaller widths"
                )));
            };
            let bias = end - outputs;
            layers.push(Layer { inputs, outputs, kernel: start..bias, bias: bias..end });
            start = end;
            inputs = outputs;
        }
        Ok(Self { layers })
    }

    /// Number of parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.bias.end)
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    /// Widths of the hidden layers.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = usize> + '_ {
        self.layers.iter().skip(1).map(|layer| layer.inputs)
    }

    /// Kernels drawn as `initializer` says, and biases of zero.
    pub(crate) fn initial_parameters(&self, initializer: Initializer, seed: i64) -> Vec<f32> {
        let mut parameters = vec![0.0; self.parameters()];
        for (index, layer) in (0..).zip(&self.layers) {
            // A stream for each layer: one more layer leaves the draws of the others as they are.
            let mut stream = Purpose::Initialisation.stream(seed, index);
            let kernel = &mut parameters[layer.kernel.clone()];
            initial::fill(initializer, layer.inputs, layer.outputs, &mut stream, kernel);
        }
        parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_lie_one_after_the_other() {
        let layout = Layout::new(784, &[32, 32], 10).unwrap();
        assert_eq!(layout.parameters(), 26_506);
        assert_eq!(layout.layers[0].kernel, 0..25_088);
        assert_eq!(layout.layers[0].bias, 25_088..25_120);
        assert_eq!(layout.layers[2].bias, 26_496..26_506);
        assert_eq!(layout.hidden().collect::<Vec<_>>(), [32, 32]);
    }

    #[test]
    fn a_model_too_large_for_memory_is_refused() {
        let error = Layout::new(784, &[u32::MAX, u32::MAX], 10).unwrap_err();
        assert!(error.message.contains("parameters"), "{error}");
        assert!(!error.retryable);
        assert!(Layout::new(784, &[0], 10).is_err());
    }

    #[test]
    fn initial_kernels_fill_glorots_interval_and_biases_are_zero() {
        let layout = Layout::new(784, &[32], 10).unwrap();
        let parameters = layout.initial_parameters(Initializer::GlorotUniform, 3);
        let limit = (6.0_f32 / 816.0).sqrt();
        let kernel = &parameters[layout.layers[0].kernel.clone()];
        let largest = kernel.iter().fold(0.0_f32, |a, w| a.max(w.abs()));
        assert!(largest <= limit && largest > 0.99 * limit);
        let mean = kernel.iter().copied().map(f64::from).sum::<f64>() / kernel.len() as f64;
        assert!(mean.abs() < 0.002, "{mean}");
        assert!(parameters[layout.layers[0].bias.clone()].iter().all(|&b| b == 0.0));
    }
}
