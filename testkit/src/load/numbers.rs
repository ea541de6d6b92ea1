//! What is said of many durations: percentiles, in milliseconds.

use std::time::Duration;

use serde_json::{Value, json};

/// Durations of calls of one kind.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds a call.
    pub fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Adds the calls of another caller.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Number, median, 95th and 99th percentile and maximum; nulls where there was no call.
    pub fn to_json(mut self) -> Value {
        self.0.sort_unstable();
        let at = |share: f64| percentile(&self.0, share).map(millis);
        json!({"n": self.0.len(), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": at(1.0)})
    }
}

/// The smallest of the sorted durations that `share` of them do not exceed.
fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Milliseconds to a microsecond.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Rounded to a thousandth, for people.
pub fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let at = |share| percentile(&sorted, share).map(|duration| duration.as_millis());
        assert_eq!((at(0.5), at(0.95), at(0.99), at(1.0)), (Some(100), Some(190), Some(198), Some(200)));
        assert_eq!(percentile(&sorted[..1], 0.5), Some(Duration::from_millis(1)));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
