//! The hyperparameters of the multilayer perceptron: their names, ranges and defaults, once, in
//! Keras's words.
//!
//! `table` holds names, ranges and defaults; here stand the types that the trainer reads and their
//! way from and to JSON. What [`Hyperparameters::to_params`] gives is normalised: equal
//! hyperparameters, equal text.

mod error;
mod layers;
mod limits;
mod optimizer;
mod owner;
mod schedule;
pub(crate) mod table;
mod value;
mod values;

use serde_json::Value;

pub use error::ConfigError;
pub use layers::{Activation, Initializer};
pub use optimizer::{Clipping, Optimizer};
pub use schedule::{EarlyStopping, Schedule};
pub use values::Params;

use table::Choice;
use values::{Values, normalised};

/// All hyperparameters of one point, checked and complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Hyperparameters {
    /// The update rule with its own options.
    pub optimizer: Optimizer,
    /// Step size, above 0. Default: the optimizer's own in Keras (sgd 0.01, the others 0.001).
    pub learning_rate: f64,
    /// Share of each parameter times the learning rate that goes before a step. Default 0, with
    /// adamw 0.004.
    pub weight_decay: f64,
    /// Default: none.
    pub clipping: Clipping,
    /// Default constant.
    pub schedule: Schedule,
    /// Samples a step, at least 1. Default 32.
    pub batch_size: u32,
    /// Passes over the training split, at least 1. Default 1, as in Keras's `fit`.
    pub epochs: u32,
    /// Widths of the hidden layers, from the input on; empty: none. Default [32, 32].
    pub hidden: Vec<u32>,
    /// After every hidden layer. Default relu.
    pub activation: Activation,
    /// Distribution of the first kernels. Default glorot_uniform.
    pub initializer: Initializer,
    /// Share of each hidden activation dropped in training, in [0, 1). Default 0.
    pub dropout: f64,
    /// Penalty on the sum of absolute kernel weights. Default 0.
    pub l1: f64,
    /// Penalty on the sum of squared kernel weights. Default 0.
    pub l2: f64,
    /// Share of each target spread evenly over all classes, in [0, 1). Default 0.
    pub label_smoothing: f64,
    /// `None`: all epochs are trained (the default).
    pub stopping: Option<EarlyStopping>,
}

impl Hyperparameters {
    /// Reads complete or partial params, filling in defaults.
    ///
    /// # Errors
    /// Names the first hyperparameter that is unknown, of the wrong type, out of range, or not an
    /// option of the optimizer, the schedule or early stopping; or more than one way to bound the
    /// gradient.
    pub fn from_params(params: &Params) -> Result<Self, ConfigError> {
        let chosen = Choice::NAMES.map(|name| params.get(name).map(|value| normalised(name, value)).transpose());
        let [optimizer, schedule, patience] = chosen;
        let choice = Choice::new([optimizer?.as_ref(), schedule?.as_ref(), patience?.as_ref()]);
        for name in params.keys() {
            let known = table::TABLE.iter().find(|row| row.name == name);
            let known = known.ok_or_else(|| ConfigError { name: name.clone(), problem: table::why_unknown(name) })?;
            if !known.applies_to(&choice) {
                let problem = format!("{} has no such option", known.missing_in(&choice));
                return Err(ConfigError { name: name.clone(), problem });
            }
        }
        let values = Values { params, optimizer: &choice.optimizer };
        Ok(Self {
            optimizer: Optimizer::read(&choice.optimizer, &values)?,
            learning_rate: values.number("learning_rate")?,
            weight_decay: values.number("weight_decay")?,
            clipping: Clipping::read(&values)?,
            schedule: Schedule::read(&choice.schedule, &values)?,
            batch_size: values.present("batch_size")?,
            epochs: values.present("epochs")?,
            hidden: values.widths("hidden")?,
            activation: Activation::read(&values)?,
            initializer: Initializer::read(&values)?,
            dropout: values.number("dropout")?,
            l1: values.number("l1")?,
            l2: values.number("l2")?,
            label_smoothing: values.number("label_smoothing")?,
            stopping: EarlyStopping::read(&values)?,
        })
    }

    /// Every hyperparameter that applies, by its full name: options of other optimizers and
    /// schedules are absent, `patience` is null where there is no early stopping.
    pub fn to_params(&self) -> Params {
        let mut params = Params::new();
        let mut put = |name: &str, value: Value| params.insert(name.to_owned(), value);
        put("optimizer", Value::from(self.optimizer.name()));
        for (name, value) in self.optimizer.options().into_iter().chain(self.clipping.options()) {
            put(name, value);
        }
        put("weight_decay", Value::from(self.weight_decay));
        put("schedule", Value::from(self.schedule.name()));
        for (name, value) in self.schedule.options() {
            put(name, value);
        }
        put("learning_rate", Value::from(self.learning_rate));
        put("batch_size", Value::from(self.batch_size));
        put("epochs", Value::from(self.epochs));
        put("hidden", Value::from(self.hidden.clone()));
        put("activation", Value::from(self.activation.as_str()));
        put("kernel_initializer", Value::from(self.initializer.as_str()));
        put("dropout", Value::from(self.dropout));
        put("l1", Value::from(self.l1));
        put("l2", Value::from(self.l2));
        put("label_smoothing", Value::from(self.label_smoothing));
        put("patience", self.stopping.map_or(Value::Null, |stopping| stopping.patience.into()));
        if let Some(stopping) = self.stopping {
            put("min_delta", Value::from(stopping.min_delta));
            put("restore_best_weights", Value::from(stopping.restore_best_weights));
        }
        params
    }
}
