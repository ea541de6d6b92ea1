//! Reading one value: each has one spelling, so that equal configurations have equal text.

use serde_json::Value;

use super::limits::{MAX_LAYERS, MAX_WEIGHTS, MAX_WIDTH};
use crate::words::shorten;

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

/// A finite number within bounds, each with whether the bound itself is out.
pub(super) fn number(value: &Value, (min, above): (f64, bool), (max, below): (f64, bool)) -> Result<f64, String> {
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

/// Widths of hidden layers, all integers.
pub(super) fn widths(value: &Value) -> Result<Value, String> {
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
