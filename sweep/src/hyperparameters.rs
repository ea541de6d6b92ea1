//! The hyperparameters of the multilayer perceptron: their names, ranges and defaults, once, in Keras's words.

use serde_json::{Map, Value};

/// Hyperparameters by name, normalised: integers are JSON integers, names are the full lower-case ones, `hidden` is a
/// list of integers. Sorted by name, so its text is canonical.
pub type Params = Map<String, Value>;

/// All hyperparameters of one point, checked and complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Hyperparameters {
    /// The update rule with its own options.
    pub optimizer: Optimizer,
    /// Step size, above 0. Default: the optimizer's own in Keras (sgd 0.01, adam 0.001, adadelta 0.001).
    pub learning_rate: f64,
    /// Samples a step, at least 1. Default 32.
    pub batch_size: u32,
    /// Passes over the training split, at least 1. Default 1, as in Keras's `fit`.
    pub epochs: u32,
    /// Widths of the hidden layers, from the input on; empty: none. Default [32, 32].
    pub hidden: Vec<u32>,
    /// After every hidden layer. Default relu.
    pub activation: Activation,
    /// Share of each hidden activation dropped in training, in [0, 1). Default 0.
    pub dropout: f64,
    /// Penalty on the sum of absolute kernel weights. Default 0.
    pub l1: f64,
    /// Penalty on the sum of squared kernel weights. Default 0.
    pub l2: f64,
    /// Share of each target spread evenly over all classes, in [0, 1). Default 0.
    pub label_smoothing: f64,
    /// Epochs without a better val_loss before training ends; `None`: no early stopping (the default).
    pub patience: Option<u32>,
}

/// An update rule with its options, named and defaulted as in Keras 3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Gradient descent. Keras: `momentum=0.0, nesterov=False`.
    Sgd {
        /// In [0, 1).
        momentum: f64,
        /// Looks ahead along the velocity.
        nesterov: bool,
    },
    /// Keras: `beta_1=0.9, beta_2=0.999, epsilon=1e-7`.
    Adam {
        /// Decay of the first moment, in [0, 1).
        beta_1: f64,
        /// Decay of the second moment, in [0, 1).
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
    /// Keras: `rho=0.95, epsilon=1e-7`.
    Adadelta {
        /// Decay of both accumulators, in [0, 1).
        rho: f64,
        /// Added below both roots.
        epsilon: f64,
    },
}

/// What follows each hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// x * Phi(x), the exact form.
    Gelu,
    /// x above 0, exp(x) - 1 below.
    Elu,
}

impl Hyperparameters {
    /// Reads complete or partial params, filling in defaults.
    ///
    /// # Errors
    /// Names the first hyperparameter that is unknown, of the wrong type or out of range.
    pub fn from_params(_params: &Params) -> Result<Self, crate::ConfigError> {
        unimplemented!()
    }

    /// Every hyperparameter that applies, by its full name: options of other optimizers are absent, `patience` is null
    /// where there is no early stopping.
    pub fn to_params(&self) -> Params {
        unimplemented!()
    }
}
