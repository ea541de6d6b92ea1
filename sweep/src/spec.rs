//! A sweep as its file asks for it, checked but not yet worked out into points.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::canonical::canonical;
use crate::config::Engine;
use crate::hyperparameters::Params;
use crate::metric::MetricName;

/// A checked sweep file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepSpec {
    /// The file's `name`, if it has one.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// How points are made of parameters.
    pub method: Method,
    /// What makes one run better than another.
    pub metric: Metric,
    /// Which epoch's metric counts.
    pub scored_epoch: ScoredEpoch,
    /// In file order. Those with one value are constants.
    pub parameters: Vec<ParameterSpec>,
    /// `besom.base`, full names; only with one_at_a_time.
    pub base: Params,
    /// `besom.model`: hyperparameters that are not swept, full names.
    pub model: Params,
    /// Where the data come from.
    pub dataset: DatasetSpec,
    /// Distinct, in file order.
    pub seeds: Vec<i64>,
    /// At most so many jobs.
    pub run_cap: Option<u64>,
    /// Which models stay stored.
    pub keep_models: KeepModels,
    /// `besom.engine`; `None`: as the configuration says.
    pub engine: Option<Engine>,
}

impl SweepSpec {
    /// The specification as one line of JSON in its one spelling: sorted keys, no spaces, every
    /// default filled in. What was read from it is the same specification to the last bit, without
    /// another look at the file.
    pub fn canonical_json(&self) -> String {
        canonical(&serde_json::to_value(self).expect("a checked specification has no number that JSON lacks"))
    }

    /// Reads what [`SweepSpec::canonical_json`] wrote. It is not checked again.
    ///
    /// # Errors
    /// A text that is something else, or what a later build wrote with more in it.
    pub fn from_canonical_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// How points are made of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Every combination, names sorted, as W&B does.
    Grid,
    /// One parameter varies, the others stay at `besom.base`, in file order.
    OneAtATime,
}

/// One entry of `parameters`, its values normalised and checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterSpec {
    /// The full name: `learning_rate`, also where the file said `lr`.
    pub name: String,
    /// At least one.
    pub values: Vec<serde_json::Value>,
}

/// A metric and which way is better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Which number of a record.
    pub name: MetricName,
    /// Which way is better.
    pub goal: Goal,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// More is better.
    Maximize,
    /// Less is better.
    Minimize,
}

/// Which epoch's metric is the job's objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoredEpoch {
    /// The last epoch's.
    Final,
    /// The best epoch's.
    Best,
}

/// Which models stay stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepModels {
    /// Of every job.
    All,
    /// Of the sweep's best job.
    Best,
    /// Of none.
    None,
}

/// `besom.dataset`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSpec {
    /// A path, an https URL or `builtin:sketches`, as written; the first one where the file lists
    /// several.
    pub source: String,
    /// The other paths and https URLs of a list: each is the .npy array of one class.
    pub more_sources: Vec<String>,
    /// Share of samples in the test split, in (0, 1); `None`: 0.2, or the source's own split.
    pub test_fraction: Option<f64>,
    /// Seed of the shuffle before the split. Default 42.
    pub split_seed: u64,
    /// Class names in label order; `None`: the labels as text.
    pub classes: Option<Vec<String>>,
    /// SHA-256 that the source must have, lower-case hex.
    pub sha256: Option<String>,
    /// `builtin:sketches` only: how many; default 20,000.
    pub samples: Option<u64>,
    /// `builtin:sketches` only: seed of the drawings; default 0.
    pub seed: Option<u64>,
    /// Tables only: the name of the label column, or its number from 0 (from -1 for the last);
    /// default: a column that is called label, class, target or y.
    pub label_column: Option<String>,
    /// Classes in files or folders of their own only: the samples that are taken of each; default:
    /// all.
    pub per_class: Option<u64>,
    /// Folders of pictures only: the width and height that pictures are resized to; default: they
    /// must have one size.
    pub size: Option<u32>,
    /// Whether the split keeps the shares of the classes. Default false.
    pub stratify: bool,
    /// How values are scaled; `None`: bytes by the largest one, floats not at all.
    pub scale: Option<Scale>,
}

impl DatasetSpec {
    /// A dataset of which nothing but the source is said.
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            more_sources: Vec::new(),
            test_fraction: None,
            split_seed: 42,
            classes: None,
            sha256: None,
            samples: None,
            seed: None,
            label_column: None,
            per_class: None,
            size: None,
            stratify: false,
            scale: None,
        }
    }

    /// All paths and URLs: one, or those of a list.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.source.as_str()).chain(self.more_sources.iter().map(String::as_str))
    }

    /// The source in one line, with `shown` applied to the path or URL that is named.
    #[must_use]
    pub fn source_text(&self, shown: impl Fn(&str) -> String) -> String {
        match self.more_sources.len() {
            0 => shown(&self.source),
            more => format!("{} and {more} more", shown(&self.source)),
        }
    }
}

/// How values become inputs of a network, by the statistics of the training split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// As they are.
    None,
    /// Over the largest magnitude of their feature. Bytes: over the largest of all.
    Max,
    /// Less the mean of their feature, over its standard deviation.
    Standard,
}

/// A sweep file that is refused: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SpecError {
    /// Line of the file, from 1; `None` where the file as a whole is meant.
    pub line: Option<u32>,
    /// The full name of the key (`besom.dataset.source`), empty for the file.
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl std::fmt::Display for SpecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}

/// The words of an enum, in both directions.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word that files, SQL and the wire use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The reverse of `as_str`.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

/// JSON has the same words.
macro_rules! words_in_json {
    ($($type:ident),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Self::parse(&word).ok_or_else(|| D::Error::custom(format!("unknown word {word:?}")))
            }
        }
    )+};
}

words_in_json!(Method, Goal, ScoredEpoch, KeepModels, Engine);

words!(Method { Grid = "grid", OneAtATime = "one_at_a_time" });
words!(Goal { Maximize = "maximize", Minimize = "minimize" });
words!(ScoredEpoch { Final = "final", Best = "best" });
words!(Scale { None = "none", Max = "max", Standard = "standard" });
words!(KeepModels { All = "all", Best = "best", None = "none" });

pub(crate) use words;

impl Goal {
    /// The objective signed by the goal, so that the higher of two scores is always the better one.
    #[must_use]
    pub fn score(self, objective: f64) -> f64 {
        match self {
            Self::Maximize => objective,
            Self::Minimize => -objective,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_of_two_objectives_has_the_higher_score() {
        assert!(Goal::Maximize.score(0.9) > Goal::Maximize.score(0.8));
        assert!(Goal::Minimize.score(0.1) > Goal::Minimize.score(0.2));
    }
}
