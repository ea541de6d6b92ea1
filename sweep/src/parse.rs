//! From the text of a sweep file to a [`SweepSpec`]; everything unknown or impossible is refused here.

use crate::{SpecError, SweepSpec};

/// Reads and checks a sweep file (YAML or JSON).
///
/// # Errors
/// The first thing wrong, with its line and, for an unknown word, the nearest known one.
pub fn parse(_text: &str) -> Result<SweepSpec, SpecError> {
    unimplemented!()
}
