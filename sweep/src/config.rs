//! A job's configuration in its one canonical form, and the hashes that identify it.
//!
//! Two jobs with the same hash and seed give the same numbers; whatever changes numbers is
//! therefore in here, and the seed, metric and name are not.

use serde_json::{Map, Value};

use crate::canonical::{canonical, sha256};

use crate::hyperparameters::{ConfigError, Hyperparameters, Params};

/// The one trainer: a multilayer perceptron.
pub const TRAINER: &str = crate::trainer::MLP.name;

/// Raised whenever the same configuration would give other numbers than before.
pub const TRAINER_VERSION: u32 = crate::trainer::MLP.version;

/// Pixels are divided by the largest value of the training split.
const SCALING: &str = "training_maximum";

/// Which code computes gradients. A function of the configuration, never of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Autograd on candle-nn layers: the definition of the model.
    Candle,
    /// Dense layers on the CPU, with the same bits on every CPU.
    Native,
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

impl JobConfig {
    /// Canonical JSON: sorted keys, no spaces, defaults filled in, integers plain. Holds `trainer`,
    /// `trainer_version`, `hyperparameters`, `dataset`, `scaling`, `engine`, `device`.
    pub fn canonical_json(&self) -> String {
        let own = (self.params(), Some(self.engine.as_str()), Some(self.engine.device()));
        composed(shared(&self.dataset), own)
    }

    /// Reads what [`JobConfig::canonical_json`] wrote.
    ///
    /// # Errors
    /// Another trainer version, a missing or unknown key, or values out of range.
    pub fn from_canonical_json(text: &str) -> Result<Self, ConfigError> {
        let refuse = |name: &str, problem: String| ConfigError { name: name.to_owned(), problem };
        let document: Value =
            serde_json::from_str(text).map_err(|error| refuse("configuration", format!("not JSON: {error}")))?;
        let Value::Object(mut document) = document else {
            return Err(refuse("configuration", "must be a JSON object".to_owned()));
        };
        let mut take = |name: &str| document.remove(name).ok_or_else(|| refuse(name, "missing".to_owned()));
        expect(take("trainer")?, "trainer", &Value::from(TRAINER))?;
        expect(take("trainer_version")?, "trainer_version", &Value::from(TRAINER_VERSION))?;
        expect(take("scaling")?, "scaling", &Value::from(SCALING))?;
        let engine = take("engine")?;
        let engine = engine
            .as_str()
            .and_then(Engine::parse)
            .ok_or_else(|| refuse("engine", format!("{engine} is unknown to this build")))?;
        expect(take("device")?, "device", &Value::from(engine.device()))?;
        let Value::String(dataset) = take("dataset")? else {
            return Err(refuse("dataset", "must be a digest".to_owned()));
        };
        let Value::Object(params) = take("hyperparameters")? else {
            return Err(refuse("hyperparameters", "must be a JSON object".to_owned()));
        };
        if let Some(name) = document.keys().next() {
            return Err(refuse(name, "unknown key of a configuration".to_owned()));
        }
        Ok(Self { hyperparameters: Hyperparameters::from_params(&params)?, dataset, engine })
    }

    /// SHA-256 of the canonical JSON, lower-case hex.
    pub fn config_hash(&self) -> String {
        sha256(&self.canonical_json())
    }

    /// The hyperparameters as stored in `params`.
    pub fn params(&self) -> Params {
        self.hyperparameters.to_params()
    }
}

/// What the configurations of all jobs on one dataset have in common: canonical JSON without
/// `hyperparameters`, `engine` and `device`, which each job has of its own.
pub fn shared_config(dataset: &str) -> String {
    canonical(&Value::Object(shared(dataset)))
}

/// The canonical JSON of a job's configuration, from what [`shared_config`] wrote and from what the
/// job has of its own. A database may spell a number in `params` otherwise than it was given, such
/// as 1e16 with all its digits: the trainer's table of parameters says which of them are floats.
///
/// # Errors
/// What is shared is not a JSON object.
pub fn job_config(
    shared: &str,
    params: Params,
    engine: Option<&str>,
    device: Option<&str>,
) -> Result<String, ConfigError> {
    let shared: Map<String, Value> = serde_json::from_str(shared).map_err(|error| ConfigError {
        name: "configuration".to_owned(),
        problem: format!("expected a JSON object, got other text: {error}"),
    })?;
    let checked = (shared.get("trainer") == Some(&Value::from(TRAINER))).then(|| Hyperparameters::from_params(&params));
    // What this build does not understand goes on as it is: whoever is to execute it decides.
    let params = match checked {
        Some(Ok(hyperparameters)) => hyperparameters.to_params(),
        Some(Err(_)) | None => params,
    };
    Ok(composed(shared, (params, engine, device)))
}

fn shared(dataset: &str) -> Map<String, Value> {
    [
        ("trainer", Value::from(TRAINER)),
        ("trainer_version", Value::from(TRAINER_VERSION)),
        ("dataset", Value::from(dataset)),
        ("scaling", Value::from(SCALING)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

fn composed(mut shared: Map<String, Value>, (params, engine, device): (Params, Option<&str>, Option<&str>)) -> String {
    shared.insert("hyperparameters".to_owned(), Value::Object(params));
    for (name, word) in [("engine", engine), ("device", device)] {
        if let Some(word) = word {
            shared.insert(name.to_owned(), Value::from(word));
        }
    }
    canonical(&Value::Object(shared))
}

fn expect(found: Value, name: &str, wanted: &Value) -> Result<(), ConfigError> {
    if found == *wanted {
        return Ok(());
    }
    Err(ConfigError {
        name: name.to_owned(),
        problem: format!("{found} cannot be trained by this build, which has {wanted}"),
    })
}

impl Engine {
    /// The class of device that it computes on; part of what a job's numbers depend on.
    pub fn device(self) -> &'static str {
        match self {
            Self::Candle | Self::Native => "cpu",
        }
    }

    /// `candle` or `native`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candle => "candle",
            Self::Native => "native",
        }
    }

    /// The reverse of [`Engine::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "candle" => Some(Self::Candle),
            "native" => Some(Self::Native),
            _ => None,
        }
    }
}
