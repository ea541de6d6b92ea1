//! The one table of hyperparameters: name, aliases, range, default, and which choices have it.
//!
//! Reading a value ([`Row::normalise`]) gives it its one spelling, so that equal configurations
//! have equal text.

use serde_json::Value;

use super::limits::{DEFAULT_OPTIMIZER, DEFAULT_SCHEDULE};
pub(crate) use super::owner::{Choice, Owner};
pub(crate) use super::value::{describe, integer};
use super::value::{number, widths};
use crate::words::{hint, nearest};

/// A hyperparameter as the trainer knows it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Other names that files may use; never stored.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) range: Range,
    pub(crate) default: Default,
    pub(crate) owner: Owner,
}

/// Which values are possible.
#[derive(Debug)]
pub(crate) enum Range {
    /// Inclusive.
    Integer { min: u64, max: u64 },
    /// As `Integer`, or null.
    OptionalInteger { min: u64, max: u64 },
    /// From `min` (itself too, unless `above`) to `max` (itself too, unless `below`).
    Number { min: f64, above: bool, max: f64, below: bool },
    /// true or false
    Boolean,
    /// One of these.
    Word(&'static [&'static str]),
    /// A list of layer widths, from 1 to [`super::limits::MAX_WIDTH`].
    Widths,
}

/// The value where a file names none.
#[derive(Debug)]
pub(crate) enum Default {
    Integer(u64),
    Number(f64),
    Boolean(bool),
    Word(&'static str),
    Widths(&'static [u64]),
    Null,
    /// Keras's own: the usual one, and that of some optimizers.
    ByOptimizer(f64, &'static [(&'static str, f64)]),
}

/// The optimizers of this build.
pub(crate) const OPTIMIZERS: [&str; 10] =
    ["sgd", "rmsprop", "adam", "adamw", "adadelta", "adagrad", "adamax", "nadam", "ftrl", "lion"];

const SCHEDULES: [&str; 5] = ["constant", "exponential", "cosine", "step", "plateau"];

const INITIALIZERS: [&str; 4] = ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"];

/// Ways to bound a gradient, of which a point may have one.
pub(crate) const CLIPPING: [&str; 3] = ["clipnorm", "clipvalue", "global_clipnorm"];

/// What to say where a point has more than one of [`CLIPPING`].
pub(crate) const ONE_CLIPPING: &str = "only one of clipnorm, clipvalue and global_clipnorm may be above 0";

pub(crate) const ACTIVATIONS: [&str; 5] = ["relu", "tanh", "sigmoid", "gelu", "elu"];

const UNIT: Range = Range::Number { min: 0.0, above: false, max: 1.0, below: true };
const EPSILON: Range = Range::Number { min: 0.0, above: true, max: 1.0, below: false };
const PENALTY: Range = Range::Number { min: 0.0, above: false, max: 1000.0, below: false };

const NOT_NEGATIVE: Range = Range::Number { min: 0.0, above: false, max: 1e6, below: false };
const FACTOR: Range = Range::Number { min: 0.0, above: true, max: 1.0, below: false };

/// With a running mean of gradients as in Adam.
const MOMENTS: Owner = Owner::Optimizer(&["adam", "adamw", "adamax", "nadam", "lion"]);
const ROOTS: Owner = Owner::Optimizer(&["rmsprop", "adam", "adamw", "adadelta", "adagrad", "adamax", "nadam"]);
const FTRL: Owner = Owner::Optimizer(&["ftrl"]);
const EVERY_OPTIMIZER: Owner = Owner::Optimizer(&OPTIMIZERS);
const DECAYING: Owner = Owner::Schedule(&["exponential", "cosine"]);
const PLATEAU: Owner = Owner::Schedule(&["plateau"]);

const fn row(name: &'static str, range: Range, default: Default, owner: Owner) -> Row {
    Row { name, aliases: &[], range, default, owner }
}

/// Another name that files may use.
const fn alias(row: Row, aliases: &'static [&'static str]) -> Row {
    Row { aliases, ..row }
}

const fn whole(min: u64, max: u64) -> Range {
    Range::Integer { min, max }
}

/// Every hyperparameter. Keras's names and defaults; upper bounds only keep one file from asking
/// for terabytes.
pub(crate) static TABLE: [Row; 38] = [
    row("optimizer", Range::Word(&OPTIMIZERS), Default::Word(DEFAULT_OPTIMIZER), Owner::Job),
    alias(
        row(
            "learning_rate",
            Range::Number { min: 0.0, above: true, max: 1e6, below: false },
            Default::ByOptimizer(0.001, &[("sgd", 0.01)]),
            Owner::Job,
        ),
        &["lr"],
    ),
    row("momentum", UNIT, Default::Number(0.0), Owner::Optimizer(&["sgd", "rmsprop"])),
    row("nesterov", Range::Boolean, Default::Boolean(false), Owner::Optimizer(&["sgd"])),
    row("beta_1", UNIT, Default::Number(0.9), MOMENTS),
    row("beta_2", UNIT, Default::ByOptimizer(0.999, &[("lion", 0.99)]), MOMENTS),
    row("rho", UNIT, Default::ByOptimizer(0.95, &[("rmsprop", 0.9)]), Owner::Optimizer(&["rmsprop", "adadelta"])),
    row("epsilon", EPSILON, Default::Number(1e-7), ROOTS),
    row("centered", Range::Boolean, Default::Boolean(false), Owner::Optimizer(&["rmsprop"])),
    row("amsgrad", Range::Boolean, Default::Boolean(false), Owner::Optimizer(&["adam", "adamw"])),
    row("initial_accumulator_value", PENALTY, Default::Number(0.1), Owner::Optimizer(&["adagrad", "ftrl"])),
    row(
        "learning_rate_power",
        Range::Number { min: -10.0, above: false, max: 0.0, below: false },
        Default::Number(-0.5),
        FTRL,
    ),
    row("l1_regularization_strength", PENALTY, Default::Number(0.0), FTRL),
    row("l2_regularization_strength", PENALTY, Default::Number(0.0), FTRL),
    row("weight_decay", PENALTY, Default::ByOptimizer(0.0, &[("adamw", 0.004)]), EVERY_OPTIMIZER),
    row("clipnorm", NOT_NEGATIVE, Default::Number(0.0), EVERY_OPTIMIZER),
    row("clipvalue", NOT_NEGATIVE, Default::Number(0.0), EVERY_OPTIMIZER),
    row("global_clipnorm", NOT_NEGATIVE, Default::Number(0.0), EVERY_OPTIMIZER),
    row("schedule", Range::Word(&SCHEDULES), Default::Word(DEFAULT_SCHEDULE), Owner::Job),
    row("decay_rate", FACTOR, Default::Number(0.1), Owner::Schedule(&["exponential", "step"])),
    row("decay_steps", Range::OptionalInteger { min: 1, max: u32::MAX as u64 }, Default::Null, DECAYING),
    row("warmup_steps", whole(0, u32::MAX as u64), Default::Integer(0), Owner::Schedule(&["cosine"])),
    row("step_epochs", whole(1, 100_000), Default::Integer(10), Owner::Schedule(&["step"])),
    row("plateau_factor", UNIT, Default::Number(0.1), PLATEAU),
    row("plateau_patience", whole(0, 100_000), Default::Integer(10), PLATEAU),
    row("min_learning_rate", NOT_NEGATIVE, Default::Number(0.0), PLATEAU),
    alias(row("batch_size", whole(1, 1 << 20), Default::Integer(32), Owner::Job), &["batch"]),
    alias(row("epochs", whole(1, 100_000), Default::Integer(1), Owner::Job), &["epoch"]),
    row("hidden", Range::Widths, Default::Widths(&[32, 32]), Owner::Job),
    row("activation", Range::Word(&ACTIVATIONS), Default::Word("relu"), Owner::Job),
    alias(
        row("kernel_initializer", Range::Word(&INITIALIZERS), Default::Word("glorot_uniform"), Owner::Job),
        &["initializer"],
    ),
    row("dropout", UNIT, Default::Number(0.0), Owner::Job),
    row("l1", PENALTY, Default::Number(0.0), Owner::Job),
    row("l2", PENALTY, Default::Number(0.0), Owner::Job),
    row("label_smoothing", UNIT, Default::Number(0.0), Owner::Job),
    row("patience", Range::OptionalInteger { min: 0, max: 100_000 }, Default::Null, Owner::Job),
    row("min_delta", NOT_NEGATIVE, Default::Number(0.0), Owner::Stopping),
    row("restore_best_weights", Range::Boolean, Default::Boolean(false), Owner::Stopping),
];

/// A seed as a file may list it under `parameters`: no hyperparameter, but with values that are
/// checked as one's are.
pub(crate) static SEED: Row = row("seed", whole(0, i64::MAX as u64), Default::Integer(1), Owner::Job);

/// Optimizers that Keras has and this build does not.
const LATER_OPTIMIZERS: [&str; 3] = ["adafactor", "lamb", "muon"];

/// Options that Keras and its users know and this build does not have.
const LATER_NAMES: [&str; 6] = [
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "l2_shrinkage_regularization_strength",
];

/// Words for the course of the learning rate that people know from elsewhere.
const LIKE_SCHEDULE: [&str; 5] = ["scheduler", "lr_schedule", "lr_scheduler", "learning_rate_schedule", "decay"];

/// Words for the hidden layers that people know from elsewhere.
const LIKE_HIDDEN: [&str; 8] =
    ["units", "layers", "hidden_layers", "layer_sizes", "hidden_units", "hidden_size", "hidden_sizes", "fc_layer_size"];

/// The row of a name or alias.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name || row.aliases.contains(&name))
}

/// Every full name.
pub(crate) fn names() -> Vec<&'static str> {
    TABLE.iter().map(|row| row.name).collect()
}

/// Why a name that [`find`] does not know is refused.
pub(crate) fn why_unknown(name: &str) -> String {
    let lower = name.to_lowercase();
    if matches!(lower.as_str(), "seed" | "seeds" | "random_state" | "random_seed") {
        return "no hyperparameter; seeds stand under besom.seeds, or under parameters.seed".to_owned();
    }
    if LIKE_HIDDEN.contains(&lower.as_str()) {
        return "unknown hyperparameter; the widths of the hidden layers are `hidden: [32, 32]`".to_owned();
    }
    if LIKE_SCHEDULE.contains(&lower.as_str()) {
        return "unknown hyperparameter; the course of the learning rate is `schedule: cosine`".to_owned();
    }
    if LATER_NAMES.contains(&lower.as_str()) {
        return format!("not supported yet; supported: {}", names().join(", "));
    }
    let hint = match meant(name) {
        Some(row) => format!("did you mean {}?", row.name),
        None => format!("known: {}", names().join(", ")),
    };
    format!("unknown hyperparameter; {hint}")
}

/// The row that a name which [`find`] does not know most likely stands for.
pub(crate) fn meant(name: &str) -> Option<&'static Row> {
    let mut known = names();
    known.extend(TABLE.iter().flat_map(|row| row.aliases));
    nearest(name, &known).and_then(find)
}

impl Row {
    /// Whether a point of this choice has this hyperparameter.
    pub(crate) fn applies_to(&self, choice: &Choice) -> bool {
        match self.owner {
            Owner::Job => true,
            Owner::Optimizer(names) => names.contains(&choice.optimizer.as_str()),
            Owner::Schedule(names) => names.contains(&choice.schedule.as_str()),
            Owner::Stopping => choice.stopping,
        }
    }

    /// Why a point of this choice does not have it, where [`Row::applies_to`] is false: who has no
    /// such option.
    pub(crate) fn missing_in(&self, choice: &Choice) -> String {
        match self.owner {
            Owner::Job | Owner::Optimizer(_) => choice.optimizer.clone(),
            Owner::Schedule(_) => format!("schedule {}", choice.schedule),
            Owner::Stopping => "a job without patience".to_owned(),
        }
    }

    /// The default of a point with this optimizer, normalised.
    pub(crate) fn default_for(&self, optimizer: &str) -> Value {
        match &self.default {
            Default::Integer(value) => Value::from(*value),
            Default::Number(value) => Value::from(*value),
            Default::Boolean(value) => Value::from(*value),
            Default::Word(word) => Value::from(*word),
            Default::Widths(widths) => Value::from(widths.to_vec()),
            Default::Null => Value::Null,
            Default::ByOptimizer(usual, others) => {
                let own = others.iter().find(|(name, _)| *name == optimizer);
                Value::from(own.map_or(*usual, |(_, value)| *value))
            }
        }
    }

    /// Checks a value and gives it its one spelling: 32.0 becomes 32 for an integer, 1 becomes 1.0
    /// for a number.
    ///
    /// # Errors
    /// What is wrong with the value and what would be right.
    pub(crate) fn normalise(&self, value: &Value) -> Result<Value, String> {
        match &self.range {
            Range::Integer { min, max } => integer(value, *min, *max).map(Value::from),
            Range::OptionalInteger { .. } if value.is_null() => Ok(Value::Null),
            Range::OptionalInteger { min, max } => integer(value, *min, *max).map(Value::from),
            Range::Number { min, above, max, below } => number(value, (*min, *above), (*max, *below)).map(Value::from),
            Range::Boolean => match value {
                Value::Bool(value) => Ok(Value::from(*value)),
                other => Err(format!("must be true or false, not {}", describe(other))),
            },
            Range::Word(words) => self.word(value, words).map(Value::from),
            Range::Widths => widths(value),
        }
    }

    fn word(&self, value: &Value, words: &[&'static str]) -> Result<&'static str, String> {
        let Value::String(text) = value else {
            return Err(format!("must be one of {}, not {}", words.join(", "), describe(value)));
        };
        let lower = text.to_lowercase();
        if let Some(word) = words.iter().find(|word| **word == lower) {
            return Ok(word);
        }
        if self.name == "optimizer" && LATER_OPTIMIZERS.contains(&lower.as_str()) {
            return Err(format!("{lower} is not supported yet; supported: {}", words.join(", ")));
        }
        let near = match nearest(text, words) {
            Some(_) => format!("{} (known: {})", hint(text, words), words.join(", ")),
            None => hint(text, words),
        };
        Err(format!("unknown {} {}; {near}", self.name, describe(value)))
    }
}
