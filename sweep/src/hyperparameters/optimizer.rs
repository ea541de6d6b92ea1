//! The update rules with their options, as types: what the trainer reads.

use serde_json::Value;

use super::{error::ConfigError, values::Values};

/// An update rule with its options, named and defaulted as in Keras 3. Decays lie in [0, 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Gradient descent. Keras: `momentum=0.0, nesterov=False`.
    Sgd {
        /// In [0, 1).
        momentum: f64,
        /// Looks ahead along the velocity.
        nesterov: bool,
    },
    /// Keras: `rho=0.9, momentum=0.0, epsilon=1e-7, centered=False`.
    Rmsprop {
        /// Decay of the mean squared gradient.
        rho: f64,
        /// In [0, 1).
        momentum: f64,
        /// Added below the root.
        epsilon: f64,
        /// Divides by the variance instead of the mean square.
        centered: bool,
    },
    /// Keras: `beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False`.
    Adam {
        /// Decay of the first moment, in [0, 1).
        beta_1: f64,
        /// Decay of the second moment, in [0, 1).
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// Divides by the largest second moment so far.
        amsgrad: bool,
    },
    /// Adam whose weight decay is 0.004 by default.
    Adamw {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// Divides by the largest second moment so far.
        amsgrad: bool,
    },
    /// Keras: `rho=0.95, epsilon=1e-7`.
    Adadelta {
        /// Decay of both accumulators, in [0, 1).
        rho: f64,
        /// Added below both roots.
        epsilon: f64,
    },
    /// Keras: `initial_accumulator_value=0.1, epsilon=1e-7`.
    Adagrad {
        /// Sum of squared gradients before the first step.
        initial_accumulator_value: f64,
        /// Added below the root.
        epsilon: f64,
    },
    /// Keras: `beta_1=0.9, beta_2=0.999, epsilon=1e-7`.
    Adamax {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the largest gradient.
        beta_2: f64,
        /// Added to the largest gradient.
        epsilon: f64,
    },
    /// Keras: `beta_1=0.9, beta_2=0.999, epsilon=1e-7`.
    Nadam {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
    /// Keras: `learning_rate_power=-0.5, initial_accumulator_value=0.1`, no regularisation.
    Ftrl {
        /// The step falls as the accumulator to this power, at most 0.
        learning_rate_power: f64,
        /// Sum of squared gradients before the first step.
        initial_accumulator_value: f64,
        /// At least 0.
        l1_regularization_strength: f64,
        /// At least 0.
        l2_regularization_strength: f64,
    },
    /// Keras: `beta_1=0.9, beta_2=0.99`.
    Lion {
        /// Weight of the momentum in a step's direction.
        beta_1: f64,
        /// Decay of the momentum.
        beta_2: f64,
    },
}

/// How a gradient is bounded before a step; bounds are above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clipping {
    /// Not at all.
    None,
    /// `clipnorm`: the norm of each kernel's and each bias's gradient.
    Norm(f64),
    /// `clipvalue`: each component.
    Value(f64),
    /// `global_clipnorm`: the norm of the whole gradient.
    GlobalNorm(f64),
}

impl Optimizer {
    /// Keras's word in lower case.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Rmsprop { .. } => "rmsprop",
            Self::Adam { .. } => "adam",
            Self::Adamw { .. } => "adamw",
            Self::Adadelta { .. } => "adadelta",
            Self::Adagrad { .. } => "adagrad",
            Self::Adamax { .. } => "adamax",
            Self::Nadam { .. } => "nadam",
            Self::Ftrl { .. } => "ftrl",
            Self::Lion { .. } => "lion",
        }
    }

    pub(super) fn read(name: &str, values: &Values<'_>) -> Result<Self, ConfigError> {
        let number = |name| values.number(name);
        Ok(match name {
            "sgd" => Self::Sgd { momentum: number("momentum")?, nesterov: values.boolean("nesterov")? },
            "rmsprop" => Self::Rmsprop {
                rho: number("rho")?,
                momentum: number("momentum")?,
                epsilon: number("epsilon")?,
                centered: values.boolean("centered")?,
            },
            "adam" | "adamw" => {
                let (beta_1, beta_2, epsilon) = (number("beta_1")?, number("beta_2")?, number("epsilon")?);
                let amsgrad = values.boolean("amsgrad")?;
                match name {
                    "adam" => Self::Adam { beta_1, beta_2, epsilon, amsgrad },
                    _ => Self::Adamw { beta_1, beta_2, epsilon, amsgrad },
                }
            }
            "adadelta" => Self::Adadelta { rho: number("rho")?, epsilon: number("epsilon")? },
            "adagrad" => Self::Adagrad {
                initial_accumulator_value: number("initial_accumulator_value")?,
                epsilon: number("epsilon")?,
            },
            "adamax" => {
                Self::Adamax { beta_1: number("beta_1")?, beta_2: number("beta_2")?, epsilon: number("epsilon")? }
            }
            "nadam" => {
                Self::Nadam { beta_1: number("beta_1")?, beta_2: number("beta_2")?, epsilon: number("epsilon")? }
            }
            "ftrl" => Self::Ftrl {
                learning_rate_power: number("learning_rate_power")?,
                initial_accumulator_value: number("initial_accumulator_value")?,
                l1_regularization_strength: number("l1_regularization_strength")?,
                l2_regularization_strength: number("l2_regularization_strength")?,
            },
            "lion" => Self::Lion { beta_1: number("beta_1")?, beta_2: number("beta_2")? },
            other => unreachable!("{other} is in the table of optimizers"),
        })
    }

    /// The options by name.
    pub(super) fn options(&self) -> Vec<(&'static str, Value)> {
        match *self {
            Self::Sgd { momentum, nesterov } => vec![("momentum", momentum.into()), ("nesterov", nesterov.into())],
            Self::Rmsprop { rho, momentum, epsilon, centered } => vec![
                ("rho", rho.into()),
                ("momentum", momentum.into()),
                ("epsilon", epsilon.into()),
                ("centered", centered.into()),
            ],
            Self::Adam { beta_1, beta_2, epsilon, amsgrad } | Self::Adamw { beta_1, beta_2, epsilon, amsgrad } => vec![
                ("beta_1", beta_1.into()),
                ("beta_2", beta_2.into()),
                ("epsilon", epsilon.into()),
                ("amsgrad", amsgrad.into()),
            ],
            Self::Adadelta { rho, epsilon } => vec![("rho", rho.into()), ("epsilon", epsilon.into())],
            Self::Adagrad { initial_accumulator_value, epsilon } => {
                vec![("initial_accumulator_value", initial_accumulator_value.into()), ("epsilon", epsilon.into())]
            }
            Self::Adamax { beta_1, beta_2, epsilon } | Self::Nadam { beta_1, beta_2, epsilon } => {
                vec![("beta_1", beta_1.into()), ("beta_2", beta_2.into()), ("epsilon", epsilon.into())]
            }
            Self::Ftrl {
                learning_rate_power,
                initial_accumulator_value,
                l1_regularization_strength,
                l2_regularization_strength,
            } => vec![
                ("learning_rate_power", learning_rate_power.into()),
                ("initial_accumulator_value", initial_accumulator_value.into()),
                ("l1_regularization_strength", l1_regularization_strength.into()),
                ("l2_regularization_strength", l2_regularization_strength.into()),
            ],
            Self::Lion { beta_1, beta_2 } => vec![("beta_1", beta_1.into()), ("beta_2", beta_2.into())],
        }
    }
}

impl Clipping {
    pub(super) fn read(values: &Values<'_>) -> Result<Self, ConfigError> {
        let bounds = [values.number("clipnorm")?, values.number("clipvalue")?, values.number("global_clipnorm")?];
        match bounds {
            [0.0, 0.0, 0.0] => Ok(Self::None),
            [bound, 0.0, 0.0] => Ok(Self::Norm(bound)),
            [0.0, bound, 0.0] => Ok(Self::Value(bound)),
            [0.0, 0.0, bound] => Ok(Self::GlobalNorm(bound)),
            _ => Err(ConfigError { name: "clipnorm".to_owned(), problem: super::table::ONE_CLIPPING.to_owned() }),
        }
    }

    /// All three bounds by name; 0: none.
    pub(super) fn options(&self) -> [(&'static str, Value); 3] {
        let (norm, value, global) = match *self {
            Self::None => (0.0, 0.0, 0.0),
            Self::Norm(bound) => (bound, 0.0, 0.0),
            Self::Value(bound) => (0.0, bound, 0.0),
            Self::GlobalNorm(bound) => (0.0, 0.0, bound),
        };
        [("clipnorm", norm.into()), ("clipvalue", value.into()), ("global_clipnorm", global.into())]
    }
}
