//! What the rows share: where a value stood, for the error, and how forgiving it is read.

use besom_sweep::{Goal, Metric, MetricName};
use sqlx::{Database, Decode, Type, error::BoxDynError, types::Json};
use tracing::warn;

use crate::store::error::StoreError;

/// Where a value stood, for the error.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) table: &'static str,
    pub(super) id: i64,
}

impl Place {
    pub(super) fn corrupt(self, problem: String) -> StoreError {
        StoreError::Corrupt { table: self.table, id: self.id.to_string(), problem }
    }

    pub(super) fn word<T>(self, column: &str, text: &str, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
        parse(text).ok_or_else(|| self.corrupt(format!("{column} is {text:?}")))
    }

    pub(super) fn number<T: TryFrom<i64>>(self, column: &str, value: i64) -> Result<T, StoreError> {
        T::try_from(value).map_err(|_| self.corrupt(format!("{column} is {value}")))
    }

    pub(super) fn metric(self, name: &str, goal: &str) -> Result<Metric, StoreError> {
        let name = MetricName::new(name).map_err(|_| self.corrupt(format!("metric is {name:?}")))?;
        Ok(Metric { name, goal: self.word("goal", goal, Goal::parse)? })
    }

    /// JSON that a change depends on.
    pub(super) fn needed<T>(self, column: &str, json: Shown<T>) -> Result<T, StoreError> {
        json.0.map_err(|problem| self.corrupt(format!("{column} cannot be read: {problem}")))
    }

    /// JSON that is only shown, or nothing and a warning.
    pub(super) fn shown<T: Default>(self, column: &str, json: Shown<T>) -> T {
        json.0.unwrap_or_else(|problem| {
            self.leaves_out(column, &problem);
            T::default()
        })
    }

    fn leaves_out(self, column: &str, problem: &str) {
        warn!(table = self.table, row = self.id, column, problem, "a stored value cannot be read and is left out");
    }
}

/// JSON that is only shown, so that one odd value does not fail the statement for all rows: see
/// [`Place::shown`].
#[derive(Debug)]
pub(super) struct Shown<T>(Result<T, String>);

impl<T, DB: Database> Type<DB> for Shown<T>
where
    Json<T>: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        Json::<T>::type_info()
    }

    fn compatible(kind: &DB::TypeInfo) -> bool {
        Json::<T>::compatible(kind)
    }
}

impl<'r, T, DB: Database> Decode<'r, DB> for Shown<T>
where
    Json<T>: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(Json::<T>::decode(value).map(|json| json.0).map_err(|problem| problem.to_string())))
    }
}

/// Bytes as lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of so many hex digits; `None` where the text is not that.
pub(in crate::store) fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// A count that is only shown. The store holds 64 bits for SQL, the wire 32; nothing that besom
/// writes comes near them.
pub(super) fn capped(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}
