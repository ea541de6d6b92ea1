//! Metrics by name, as every trainer reports them.

use std::{borrow::Borrow, borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::words::{shorten, steers_terminal};

/// The longest name of a metric, in characters.
const MAX_CHARS: usize = 128;

/// The name of a metric: 1 to 128 printable characters, such as `val_loss` or
/// `metrics/mAP50-95(B)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct MetricName(Cow<'static, str>);

impl MetricName {
    /// Checks a name, wherever it comes from.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn new(name: &str) -> Result<Self, String> {
        let chars = name.chars().count();
        if chars == 0 || chars > MAX_CHARS || name.chars().any(steers_terminal) {
            return Err(format!("expected a name of 1 to {MAX_CHARS} printable characters, got \"{}\"", shorten(name)));
        }
        Ok(Self(Cow::Owned(name.to_owned())))
    }

    /// A name that stands in the source.
    ///
    /// # Panics
    /// It is empty or too long.
    #[must_use]
    pub const fn of(name: &'static str) -> Self {
        assert!(!name.is_empty() && name.len() <= MAX_CHARS);
        Self(Cow::Borrowed(name))
    }

    /// The name as files, SQL and the wire have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that a map by names is asked with a text.
impl Borrow<str> for MetricName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MetricName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// What a trainer reports of one step of an attempt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The trainer's own count, from 0. The perceptron's is its epoch, from 1.
    pub step: u64,
    /// What is not here was not finite or was not worked out.
    pub metrics: BTreeMap<MetricName, f64>,
    /// In force at the end of the step, where the trainer has one.
    pub learning_rate: Option<f64>,
    /// Wall time of the step, where it was taken.
    pub seconds: Option<f64>,
}

impl EpochRecord {
    /// The finite number of this name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).copied().filter(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metrics_name_is_1_to_128_printable_characters() {
        for name in ["loss", "metrics/mAP50-95(B)", "Größe & Rate", "eval loss", &"é".repeat(128)] {
            assert_eq!(MetricName::new(name).unwrap().as_str(), name);
        }
        for name in ["", "a\0b", "a\nb", "a\u{202e}b", &"x".repeat(129)] {
            MetricName::new(name).expect_err(name);
        }
    }

    #[test]
    fn a_record_is_asked_by_name_and_keeps_its_digits_through_json() {
        let record = EpochRecord {
            step: 3,
            metrics: [(MetricName::of("loss"), 0.1 + 0.2), (MetricName::of("lost"), f64::NAN)].into(),
            ..EpochRecord::default()
        };
        assert_eq!((record.metric("loss"), record.metric("lost"), record.metric("f1")), (Some(0.1 + 0.2), None, None));
        let record = EpochRecord { metrics: [(MetricName::of("loss"), 0.1 + 0.2)].into(), ..record };
        let read: EpochRecord = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(read, record);
        serde_json::from_str::<EpochRecord>(r#"{"step": 1, "metrics": {"": 1.0}}"#)
            .expect_err("a name has a character");
    }
}
