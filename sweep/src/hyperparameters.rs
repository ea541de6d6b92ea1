//! The hyperparameters of the multilayer perceptron: their names, ranges and defaults, once, in Keras's words.
//!
//! `table` holds names, ranges and defaults; here stand the types that the trainer reads and their way from and to
//! JSON. What [`Hyperparameters::to_params`] gives is normalised: equal hyperparameters, equal text.

pub(crate) mod table;

use serde_json::{Map, Value};

use crate::ConfigError;

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
    /// Names the first hyperparameter that is unknown, of the wrong type, out of range, or not an option of the
    /// optimizer.
    pub fn from_params(params: &Params) -> Result<Self, ConfigError> {
        let optimizer = match params.get("optimizer") {
            Some(value) => normalised("optimizer", value)?,
            None => row("optimizer").default_for(""),
        };
        let optimizer = optimizer.as_str().expect("the table makes the optimizer a word").to_owned();
        for name in params.keys() {
            let known = table::TABLE.iter().find(|row| row.name == name);
            let known = known.ok_or_else(|| ConfigError { name: name.clone(), problem: table::why_unknown(name) })?;
            if !known.applies_to(&optimizer) {
                return Err(ConfigError { name: name.clone(), problem: format!("{optimizer} has no such option") });
            }
        }
        let values = Values { params, optimizer: &optimizer };
        Ok(Self {
            optimizer: match optimizer.as_str() {
                "sgd" => Optimizer::Sgd { momentum: values.number("momentum")?, nesterov: values.boolean("nesterov")? },
                "adam" => Optimizer::Adam {
                    beta_1: values.number("beta_1")?,
                    beta_2: values.number("beta_2")?,
                    epsilon: values.number("epsilon")?,
                },
                "adadelta" => Optimizer::Adadelta { rho: values.number("rho")?, epsilon: values.number("epsilon")? },
                other => unreachable!("{other} is in the table of optimizers"),
            },
            learning_rate: values.number("learning_rate")?,
            batch_size: values.integer("batch_size")?.expect("batch_size is never null"),
            epochs: values.integer("epochs")?.expect("epochs is never null"),
            hidden: values.widths("hidden")?,
            activation: values.activation()?,
            dropout: values.number("dropout")?,
            l1: values.number("l1")?,
            l2: values.number("l2")?,
            label_smoothing: values.number("label_smoothing")?,
            patience: values.integer("patience")?,
        })
    }

    /// Every hyperparameter that applies, by its full name: options of other optimizers are absent, `patience` is null
    /// where there is no early stopping.
    pub fn to_params(&self) -> Params {
        let mut params = Params::new();
        let mut put = |name: &str, value: Value| params.insert(name.to_owned(), value);
        put("optimizer", Value::from(self.optimizer.name()));
        match self.optimizer {
            Optimizer::Sgd { momentum, nesterov } => {
                put("momentum", Value::from(momentum));
                put("nesterov", Value::from(nesterov));
            }
            Optimizer::Adam { beta_1, beta_2, epsilon } => {
                put("beta_1", Value::from(beta_1));
                put("beta_2", Value::from(beta_2));
                put("epsilon", Value::from(epsilon));
            }
            Optimizer::Adadelta { rho, epsilon } => {
                put("rho", Value::from(rho));
                put("epsilon", Value::from(epsilon));
            }
        }
        put("learning_rate", Value::from(self.learning_rate));
        put("batch_size", Value::from(self.batch_size));
        put("epochs", Value::from(self.epochs));
        put("hidden", Value::from(self.hidden.clone()));
        put("activation", Value::from(self.activation.as_str()));
        put("dropout", Value::from(self.dropout));
        put("l1", Value::from(self.l1));
        put("l2", Value::from(self.l2));
        put("label_smoothing", Value::from(self.label_smoothing));
        put("patience", self.patience.map_or(Value::Null, Value::from));
        params
    }
}

impl Optimizer {
    /// `sgd`, `adam` or `adadelta`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Adam { .. } => "adam",
            Self::Adadelta { .. } => "adadelta",
        }
    }
}

impl Activation {
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

fn row(name: &str) -> &'static table::Row {
    table::find(name).expect("only names of the table are asked for")
}

fn normalised(name: &str, value: &Value) -> Result<Value, ConfigError> {
    row(name).normalise(value).map_err(|problem| ConfigError { name: name.to_owned(), problem })
}

/// The values of one point, defaults included, as Rust types.
struct Values<'a> {
    params: &'a Params,
    optimizer: &'a str,
}

impl Values<'_> {
    fn get(&self, name: &str) -> Result<Value, ConfigError> {
        match self.params.get(name) {
            Some(value) => normalised(name, value),
            None => Ok(row(name).default_for(self.optimizer)),
        }
    }

    fn number(&self, name: &str) -> Result<f64, ConfigError> {
        Ok(self.get(name)?.as_f64().expect("the table makes it a number"))
    }

    fn integer(&self, name: &str) -> Result<Option<u32>, ConfigError> {
        let value = self.get(name)?;
        Ok(value.as_u64().map(|value| u32::try_from(value).expect("the table bounds it")))
    }

    fn boolean(&self, name: &str) -> Result<bool, ConfigError> {
        Ok(self.get(name)?.as_bool().expect("the table makes it a boolean"))
    }

    fn widths(&self, name: &str) -> Result<Vec<u32>, ConfigError> {
        let value = self.get(name)?;
        let widths = value.as_array().expect("the table makes it a list").iter();
        Ok(widths.map(|width| width.as_u64().and_then(|width| u32::try_from(width).ok()).expect("bounded")).collect())
    }

    fn activation(&self) -> Result<Activation, ConfigError> {
        Ok(match self.get("activation")?.as_str().expect("the table makes it a word") {
            "relu" => Activation::Relu,
            "tanh" => Activation::Tanh,
            "sigmoid" => Activation::Sigmoid,
            "gelu" => Activation::Gelu,
            "elu" => Activation::Elu,
            other => unreachable!("{other} is in the table of activations"),
        })
    }
}
