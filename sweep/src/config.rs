//! A job's configuration in its one canonical form, and the hashes that identify it.

use crate::{Hyperparameters, Params};

/// The one trainer: a multilayer perceptron.
pub const TRAINER: &str = "mlp";

/// Raised whenever the same configuration would give other numbers than before.
pub const TRAINER_VERSION: u32 = 1;

/// Which code computes gradients. A function of the configuration, never of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Autograd on candle-nn layers: the definition of the model.
    Candle,
}

/// Everything that a job's numbers depend on, but the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct JobConfig {
    /// All of them, checked.
    pub hyperparameters: Hyperparameters,
    /// SHA-256 of the canonical dataset artifact (rows, labels and split), lower-case hex.
    pub dataset: String,
    /// Who computes gradients.
    pub engine: Engine,
}

/// A configuration that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigError {
    /// The hyperparameter or key.
    pub name: String,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

impl JobConfig {
    /// Canonical JSON: sorted keys, no spaces, defaults filled in, integers plain. Holds `trainer`, `trainer_version`,
    /// `hyperparameters`, `dataset`, `scaling`, `engine`, `device`.
    pub fn canonical_json(&self) -> String {
        unimplemented!()
    }

    /// Reads what [`JobConfig::canonical_json`] wrote.
    ///
    /// # Errors
    /// Another trainer version, an unknown key, or values out of range.
    pub fn from_canonical_json(_text: &str) -> Result<Self, ConfigError> {
        unimplemented!()
    }

    /// SHA-256 of the canonical JSON, lower-case hex.
    pub fn config_hash(&self) -> String {
        unimplemented!()
    }

    /// As [`JobConfig::config_hash`] without learning_rate, optimizer and its options: jobs that could train as one batch.
    pub fn shape_hash(&self) -> String {
        unimplemented!()
    }

    /// The hyperparameters as stored in `params`.
    pub fn params(&self) -> Params {
        self.hyperparameters.to_params()
    }
}

impl Engine {
    /// `candle`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candle => "candle",
        }
    }

    /// The reverse of [`Engine::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "candle" => Some(Self::Candle),
            _ => None,
        }
    }
}
