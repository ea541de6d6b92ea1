//! JSON in one spelling, so that equal values have equal bytes, and SHA-256 of it.
//!
//! Own writer on purpose: serde_json sorts keys and prints floats as other crates' features make
//! it.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Sorted keys, no spaces, integers plain, floats as the shortest text that reads back to the same
/// bits.
pub(crate) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// SHA-256 of a text, lower-case hex.
pub(crate) fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        write!(hex, "{byte:02x}").expect("a String takes any text");
    }
    hex
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => {
            let written = match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(integer), _, _) => write!(out, "{integer}"),
                (_, Some(integer), _) => write!(out, "{integer}"),
                (_, _, Some(float)) => write!(out, "{float:?}"),
                (None, None, None) => unreachable!("a JSON number is an integer or a float"),
            };
            written.expect("a String takes any text");
        }
        Value::String(text) => out.push_str(&Value::from(text.as_str()).to_string()),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}
