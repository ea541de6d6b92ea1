//! All that is wrong with a sweep file, told in one answer.

use std::fmt;

use crate::SpecError;

/// Errors beyond these are counted and not kept: a hostile file may hold a hundred thousand.
const KEPT: usize = 50;

/// Everything that was found wrong with a sweep file, in the order of its lines: at least one error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SpecErrors {
    errors: Vec<SpecError>,
    more: usize,
}

impl SpecErrors {
    /// The errors, in the order of their lines; of very many, the first ones.
    pub fn errors(&self) -> &[SpecError] {
        &self.errors
    }

    /// How many there are, those that are not listed included.
    pub fn count(&self) -> usize {
        self.errors.len() + self.more
    }
}

impl From<SpecError> for SpecErrors {
    fn from(error: SpecError) -> Self {
        Self { errors: vec![error], more: 0 }
    }
}

impl fmt::Display for SpecErrors {
    /// One error a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// What is found wrong while a file is read. Whoever finds something notes it here and reads on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    errors: Vec<SpecError>,
    more: usize,
}

impl Faults {
    pub(crate) fn add(&mut self, error: SpecError) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.errors.push(error);
        }
    }

    /// Whether further errors are only counted, so that nobody needs to look for words that are near.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.len() >= KEPT
    }

    /// How many were noted so far: whether something added any tells by this number.
    pub(crate) fn count(&self) -> usize {
        self.errors.len() + self.more
    }

    /// The value, or nothing and a note of what is wrong with it.
    pub(crate) fn take<T>(&mut self, result: Result<T, SpecError>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// As [`Faults::take`] where something has to stand in for the value: nobody sees it, since the file is refused.
    pub(crate) fn or_default<T: Default>(&mut self, result: Result<T, SpecError>) -> T {
        self.take(result).unwrap_or_default()
    }

    /// What was noted, if anything was.
    pub(crate) fn into_errors(self) -> Option<SpecErrors> {
        let Self { mut errors, more } = self;
        errors.sort_by_key(|error| error.line);
        (!errors.is_empty()).then_some(SpecErrors { errors, more })
    }
}
