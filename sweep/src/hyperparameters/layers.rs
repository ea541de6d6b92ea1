//! How the layers of a model are made, as types: what the trainer reads.

use super::{error::ConfigError, values::Values};

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

/// What the kernels are drawn from before the first epoch; biases are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initializer {
    /// Evenly within ±sqrt(6 / (inputs + outputs)).
    GlorotUniform,
    /// Normal, cut at two standard deviations, of the standard deviation sqrt(2 / (inputs + outputs)).
    GlorotNormal,
    /// Evenly within ±sqrt(6 / inputs).
    HeUniform,
    /// Normal, cut at two standard deviations, of the standard deviation sqrt(2 / inputs).
    HeNormal,
}

impl Activation {
    pub(super) fn read(values: &Values<'_>) -> Result<Self, ConfigError> {
        Ok(match values.get("activation")?.as_str().expect("the table makes it a word") {
            "relu" => Self::Relu,
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            "gelu" => Self::Gelu,
            "elu" => Self::Elu,
            other => unreachable!("{other} is in the table of activations"),
        })
    }

    /// Keras's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Gelu => "gelu",
            Self::Elu => "elu",
        }
    }
}

impl Initializer {
    pub(super) fn read(values: &Values<'_>) -> Result<Self, ConfigError> {
        Ok(match values.get("kernel_initializer")?.as_str().expect("the table makes it a word") {
            "glorot_uniform" => Self::GlorotUniform,
            "glorot_normal" => Self::GlorotNormal,
            "he_uniform" => Self::HeUniform,
            "he_normal" => Self::HeNormal,
            other => unreachable!("{other} is in the table of initializers"),
        })
    }

    /// Keras's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GlorotUniform => "glorot_uniform",
            Self::GlorotNormal => "glorot_normal",
            Self::HeUniform => "he_uniform",
            Self::HeNormal => "he_normal",
        }
    }
}
