//! Numbers, counts and times as people read them, the same in every table, figure and message.

use std::time::Duration;

use serde_json::Value;

/// A value that somebody chose (a learning rate): the shortest text that reads back as the same
/// number.
pub fn exact(value: f64) -> String {
    format!("{value:?}")
}

/// A measured share or loss: four decimals; `-` where there is none.
pub fn metric(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        // Nothing measured is so large; with all its digits it would fill a line.
        Some(value) if value.abs() >= 1e9 => format!("{value:.4e}"),
        Some(value) => format!("{value:.4}"),
    }
}

/// Seconds with one decimal, short ones with two or three; `-` where there are none.
pub fn seconds(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() < 0.1 => format!("{value:.3}"),
        Some(value) if value.abs() < 10.0 => format!("{value:.2}"),
        Some(value) if value.abs() < 1e9 => format!("{value:.1}"),
        Some(value) => format!("{value:.1e}"),
    }
}

/// Seconds as people say them; as a number where no clock counts so far.
pub fn duration_of(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds.max(0.0)).map_or_else(|_| format!("{seconds:.1e} s"), duration)
}

/// `1 class`, `2 classes`, `0 jobs`.
pub fn plural(count: u64, word: &str) -> String {
    match (count, word.ends_with('s')) {
        (1, _) => format!("1 {word}"),
        (_, true) => format!("{count} {word}es"),
        (_, false) => format!("{count} {word}s"),
    }
}

/// `93 %`.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `45 s`, `3 min 05 s`, `2 h 10 min`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A hyperparameter's value; `-` where the point has none.
pub fn value(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        // As the SQL column `hidden` has it: [32, 32].
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| self::value(Some(item))).collect();
            format!("[{}]", items.join(", "))
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_numbers_are_short_and_read_back() {
        for (value, text) in [(0.0001, "0.0001"), (1.0, "1.0"), (1e-7, "1e-7"), (0.1 + 0.2, "0.30000000000000004")] {
            assert_eq!(exact(value), text);
            assert_eq!(exact(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }

    #[test]
    fn short_times_keep_their_digits_and_counts_their_grammar() {
        assert_eq!([0.0421, 1.25, 75.04].map(|value| seconds(Some(value))), ["0.042", "1.25", "75.0"]);
        assert_eq!([plural(1, "class"), plural(2, "class"), plural(0, "job")], ["1 class", "2 classes", "0 jobs"]);
    }

    #[test]
    fn no_number_is_longer_than_people_read() {
        for value in [f64::MAX, f64::MIN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, -0.0, 1e9] {
            for text in [metric(Some(value)), seconds(Some(value)), duration_of(value), exact(value)] {
                assert!(text.len() < 26, "{text}");
            }
        }
        assert_eq!([metric(Some(f64::MAX)), metric(Some(-1e9))], ["1.7977e308", "-1.0000e9"]);
        assert_eq!([duration_of(1e300), duration_of(61.0), duration_of(-1.0)], ["1.0e300 s", "1 min 01 s", "0 s"]);
    }

    #[test]
    fn lists_read_as_they_do_in_sql() {
        assert_eq!(value(Some(&serde_json::json!([32, 32]))), "[32, 32]");
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let text = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!([text(45), text(185), text(7800)], ["45 s", "3 min 05 s", "2 h 10 min"]);
    }
}
