//! The one table of hyperparameters: name, aliases, range, default, and which optimizers have it.
//!
//! Reading a value ([`Row::normalise`]) gives it its one spelling, so that equal configurations have equal text.

use serde_json::Value;

use crate::words::{hint, nearest, shorten};

/// A hyperparameter as the trainer knows it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Other names that files may use; never stored.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) range: Range,
    pub(crate) default: Default,
    /// The optimizers that have this option; empty: not an option of the optimizer.
    pub(crate) optimizers: &'static [&'static str],
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
    /// A list of layer widths, from 1 to [`MAX_WIDTH`].
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
    /// Keras's own for each optimizer, in the order of [`OPTIMIZERS`].
    ByOptimizer([f64; OPTIMIZERS.len()]),
}

/// The optimizers of this build.
pub(crate) const OPTIMIZERS: [&str; 3] = ["sgd", "adam", "adadelta"];

pub(crate) const ACTIVATIONS: [&str; 5] = ["relu", "tanh", "sigmoid", "gelu", "elu"];

/// Widest hidden layer. With [`MAX_LAYERS`] and [`MAX_WEIGHTS`] it keeps a model, its gradient and its optimizer's
/// state within a few gigabytes.
pub(crate) const MAX_WIDTH: u64 = 8192;
/// Most hidden layers.
pub(crate) const MAX_LAYERS: usize = 32;
/// Most weights between hidden layers.
pub(crate) const MAX_WEIGHTS: u64 = 1 << 26;

const UNIT: Range = Range::Number { min: 0.0, above: false, max: 1.0, below: true };
const EPSILON: Range = Range::Number { min: 0.0, above: true, max: 1.0, below: false };
const PENALTY: Range = Range::Number { min: 0.0, above: false, max: 1000.0, below: false };

const fn row(name: &'static str, range: Range, default: Default, optimizers: &'static [&'static str]) -> Row {
    Row { name, aliases: &[], range, default, optimizers }
}

/// Every hyperparameter. Keras's names and defaults; upper bounds only keep one file from asking for terabytes.
pub(crate) static TABLE: [Row; 17] = [
    row("optimizer", Range::Word(&OPTIMIZERS), Default::Word("sgd"), &[]),
    Row {
        name: "learning_rate",
        aliases: &["lr"],
        range: Range::Number { min: 0.0, above: true, max: 1e6, below: false },
        default: Default::ByOptimizer([0.01, 0.001, 0.001]),
        optimizers: &[],
    },
    row("momentum", UNIT, Default::Number(0.0), &["sgd"]),
    row("nesterov", Range::Boolean, Default::Boolean(false), &["sgd"]),
    row("beta_1", UNIT, Default::Number(0.9), &["adam"]),
    row("beta_2", UNIT, Default::Number(0.999), &["adam"]),
    row("rho", UNIT, Default::Number(0.95), &["adadelta"]),
    row("epsilon", EPSILON, Default::Number(1e-7), &["adam", "adadelta"]),
    Row {
        name: "batch_size",
        aliases: &["batch"],
        range: Range::Integer { min: 1, max: 1 << 20 },
        default: Default::Integer(32),
        optimizers: &[],
    },
    Row {
        name: "epochs",
        aliases: &["epoch"],
        range: Range::Integer { min: 1, max: 100_000 },
        default: Default::Integer(1),
        optimizers: &[],
    },
    row("hidden", Range::Widths, Default::Widths(&[32, 32]), &[]),
    row("activation", Range::Word(&ACTIVATIONS), Default::Word("relu"), &[]),
    row("dropout", UNIT, Default::Number(0.0), &[]),
    row("l1", PENALTY, Default::Number(0.0), &[]),
    row("l2", PENALTY, Default::Number(0.0), &[]),
    row("label_smoothing", UNIT, Default::Number(0.0), &[]),
    row("patience", Range::OptionalInteger { min: 0, max: 100_000 }, Default::Null, &[]),
];

/// Optimizers that Keras has and this build does not.
const LATER_OPTIMIZERS: [&str; 10] =
    ["rmsprop", "adamw", "adagrad", "adamax", "nadam", "ftrl", "lion", "adafactor", "lamb", "muon"];

/// Options that Keras, W&B and their users know and this build does not have.
const LATER_NAMES: [&str; 24] = [
    "weight_decay",
    "amsgrad",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "centered",
    "initial_accumulator_value",
    "learning_rate_power",
    "l1_regularization_strength",
    "l2_regularization_strength",
    "l2_shrinkage_regularization_strength",
    "schedule",
    "scheduler",
    "lr_schedule",
    "learning_rate_schedule",
    "decay",
    "warmup",
    "min_delta",
    "restore_best_weights",
];

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
        return "no hyperparameter; seeds stand under besom.seeds".to_owned();
    }
    if LIKE_HIDDEN.contains(&lower.as_str()) {
        return "unknown hyperparameter; the widths of the hidden layers are `hidden: [32, 32]`".to_owned();
    }
    if LATER_NAMES.contains(&lower.as_str()) {
        return format!("not supported yet; supported: {}", names().join(", "));
    }
    let mut known = names();
    known.extend(TABLE.iter().flat_map(|row| row.aliases));
    let hint = match nearest(name, &known).and_then(find) {
        Some(row) => format!("did you mean {}?", row.name),
        None => format!("known: {}", names().join(", ")),
    };
    format!("unknown hyperparameter; {hint}")
}

impl Row {
    /// Whether a point with this optimizer has this hyperparameter.
    pub(crate) fn applies_to(&self, optimizer: &str) -> bool {
        self.optimizers.is_empty() || self.optimizers.contains(&optimizer)
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
            Default::ByOptimizer(values) => {
                let index = OPTIMIZERS.iter().position(|name| *name == optimizer);
                Value::from(values[index.expect("an optimizer is checked before its options")])
            }
        }
    }

    /// Checks a value and gives it its one spelling: 32.0 becomes 32 for an integer, 1 becomes 1.0 for a number.
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

/// An integer, also one written as a float, within inclusive bounds.
pub(crate) fn integer(value: &Value, min: u64, max: u64) -> Result<u64, String> {
    let wrong = || {
        let range = if max == u64::MAX { format!("at least {min}") } else { format!("from {min} to {max}") };
        format!("must be an integer {range}, not {}", describe(value))
    };
    let Value::Number(number) = value else { return Err(wrong()) };
    let integer = match number.as_u64() {
        Some(integer) => integer,
        // Below 2^53 every integral f64 is the integer that was meant.
        None => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && (0.0..9e15).contains(&float) => float as u64,
            _ => return Err(wrong()),
        },
    };
    if (min..=max).contains(&integer) { Ok(integer) } else { Err(wrong()) }
}

fn number(value: &Value, (min, above): (f64, bool), (max, below): (f64, bool)) -> Result<f64, String> {
    let wrong = || {
        let low = if above { format!("above {min}") } else { format!("at least {min}") };
        let high = if below { format!("below {max}") } else { format!("at most {max}") };
        format!("must be a number {low} and {high}, not {}", describe(value))
    };
    let number = value.as_f64().filter(|number| number.is_finite()).ok_or_else(wrong)?;
    let low = if above { number > min } else { number >= min };
    let high = if below { number < max } else { number <= max };
    // Zero has one spelling.
    if low && high { Ok(if number == 0.0 { 0.0 } else { number }) } else { Err(wrong()) }
}

fn widths(value: &Value) -> Result<Value, String> {
    let Value::Array(items) = value else {
        return Err(format!("must be a list of layer widths such as [32, 32], not {}", describe(value)));
    };
    if items.len() > MAX_LAYERS {
        return Err(format!("{} hidden layers; at most {MAX_LAYERS}", items.len()));
    }
    let mut widths = Vec::with_capacity(items.len());
    for item in items {
        widths.push(integer(item, 1, MAX_WIDTH).map_err(|problem| format!("each width {problem}"))?);
    }
    let weights: u64 = widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
    if weights > MAX_WEIGHTS {
        return Err(format!("{weights} weights between the hidden layers; at most {MAX_WEIGHTS}"));
    }
    Ok(Value::from(widths))
}

/// A value as a message shows it.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::String(text) => format!("\"{}\"", shorten(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => shorten(&value.to_string()),
    }
}
