//! The course of the learning rate and early stopping, as types: what the trainer reads.

use serde_json::Value;

use super::{error::ConfigError, values::Values};

/// How the learning rate goes on from `learning_rate`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// As it is.
    Constant,
    /// Keras's `ExponentialDecay`: times `decay_rate` every `decay_steps`, continuously.
    Exponential {
        /// In (0, 1]. Default 0.1.
        decay_rate: f64,
        /// In steps, at least 1; `None`: all steps of the job (the default).
        decay_steps: Option<u32>,
    },
    /// Keras's `CosineDecay`: up from 0 in `warmup_steps`, then down to 0 along half a cosine.
    Cosine {
        /// In steps, after the warmup, at least 1; `None`: the rest of the job (the default).
        decay_steps: Option<u32>,
        /// In steps. Default 0.
        warmup_steps: u32,
    },
    /// Times `decay_rate` after every `step_epochs` epochs.
    Step {
        /// In (0, 1]. Default 0.1.
        decay_rate: f64,
        /// At least 1. Default 10.
        step_epochs: u32,
    },
    /// Keras's `ReduceLROnPlateau` on val_loss, with its `min_delta` of 0.0001 and no cooldown.
    Plateau {
        /// In [0, 1). Default 0.1.
        plateau_factor: f64,
        /// Epochs without a better val_loss before the rate is reduced. Default 10.
        plateau_patience: u32,
        /// The rate is never reduced below. Default 0.
        min_learning_rate: f64,
    },
}

/// Keras's `EarlyStopping` on val_loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlyStopping {
    /// Epochs without a better val_loss before training ends.
    pub patience: u32,
    /// Better is lower by more than this. Default 0.
    pub min_delta: f64,
    /// Whether the model is that of the epoch with the best val_loss, not the last. Default false.
    pub restore_best_weights: bool,
}

impl Schedule {
    pub(super) fn read(name: &str, values: &Values<'_>) -> Result<Self, ConfigError> {
        Ok(match name {
            "constant" => Self::Constant,
            "exponential" => Self::Exponential {
                decay_rate: values.number("decay_rate")?,
                decay_steps: values.integer("decay_steps")?,
            },
            "cosine" => Self::Cosine {
                decay_steps: values.integer("decay_steps")?,
                warmup_steps: values.present("warmup_steps")?,
            },
            "step" => {
                Self::Step { decay_rate: values.number("decay_rate")?, step_epochs: values.present("step_epochs")? }
            }
            "plateau" => Self::Plateau {
                plateau_factor: values.number("plateau_factor")?,
                plateau_patience: values.present("plateau_patience")?,
                min_learning_rate: values.number("min_learning_rate")?,
            },
            other => unreachable!("{other} is in the table of schedules"),
        })
    }

    /// Keras's word, or ours where it has none.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Exponential { .. } => "exponential",
            Self::Cosine { .. } => "cosine",
            Self::Step { .. } => "step",
            Self::Plateau { .. } => "plateau",
        }
    }

    /// The options by name.
    pub(super) fn options(&self) -> Vec<(&'static str, Value)> {
        let steps = |steps: Option<u32>| steps.map_or(Value::Null, Value::from);
        match *self {
            Self::Constant => Vec::new(),
            Self::Exponential { decay_rate, decay_steps } => {
                vec![("decay_rate", decay_rate.into()), ("decay_steps", steps(decay_steps))]
            }
            Self::Cosine { decay_steps, warmup_steps } => {
                vec![("decay_steps", steps(decay_steps)), ("warmup_steps", warmup_steps.into())]
            }
            Self::Step { decay_rate, step_epochs } => {
                vec![("decay_rate", decay_rate.into()), ("step_epochs", step_epochs.into())]
            }
            Self::Plateau { plateau_factor, plateau_patience, min_learning_rate } => vec![
                ("plateau_factor", plateau_factor.into()),
                ("plateau_patience", plateau_patience.into()),
                ("min_learning_rate", min_learning_rate.into()),
            ],
        }
    }
}

impl EarlyStopping {
    pub(super) fn read(values: &Values<'_>) -> Result<Option<Self>, ConfigError> {
        let Some(patience) = values.integer("patience")? else { return Ok(None) };
        let (min_delta, restore_best_weights) = (values.number("min_delta")?, values.boolean("restore_best_weights")?);
        Ok(Some(Self { patience, min_delta, restore_best_weights }))
    }
}
