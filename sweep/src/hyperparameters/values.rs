//! The values of a point by name, and the way from there to Rust types.

use serde_json::{Map, Value};

use super::{error::ConfigError, table};

/// Hyperparameters by name, normalised: integers are JSON integers, names are the full lower-case ones, `hidden` is a
/// list of integers. Sorted by name, so its text is canonical.
pub type Params = Map<String, Value>;

fn row(name: &str) -> &'static table::Row {
    table::find(name).expect("only names of the table are asked for")
}

pub(super) fn normalised(name: &str, value: &Value) -> Result<Value, ConfigError> {
    row(name).normalise(value).map_err(|problem| ConfigError { name: name.to_owned(), problem })
}

/// The values of one point, defaults included, as Rust types.
pub(super) struct Values<'a> {
    pub(super) params: &'a Params,
    pub(super) optimizer: &'a str,
}

impl Values<'_> {
    pub(super) fn get(&self, name: &str) -> Result<Value, ConfigError> {
        match self.params.get(name) {
            Some(value) => normalised(name, value),
            None => Ok(row(name).default_for(self.optimizer)),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<f64, ConfigError> {
        Ok(self.get(name)?.as_f64().expect("the table makes it a number"))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<u32>, ConfigError> {
        let value = self.get(name)?;
        Ok(value.as_u64().map(|value| u32::try_from(value).expect("the table bounds it")))
    }

    /// An integer that is never null.
    pub(super) fn present(&self, name: &str) -> Result<u32, ConfigError> {
        Ok(self.integer(name)?.expect("the table makes it an integer"))
    }

    pub(super) fn boolean(&self, name: &str) -> Result<bool, ConfigError> {
        Ok(self.get(name)?.as_bool().expect("the table makes it a boolean"))
    }

    pub(super) fn widths(&self, name: &str) -> Result<Vec<u32>, ConfigError> {
        let value = self.get(name)?;
        let widths = value.as_array().expect("the table makes it a list").iter();
        Ok(widths.map(|width| width.as_u64().and_then(|width| u32::try_from(width).ok()).expect("bounded")).collect())
    }
}
