//! All that is wrong with a sweep file, told in one answer.

use std::fmt;

use crate::spec::SpecError;

/// Errors beyond these, the last in the file, are counted and not kept: a hostile file may hold a
/// hundred thousand.
const KEPT: usize = 50;

/// Everything that was found wrong with a sweep file, in the order of its lines: at least one
/// error.
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
    /// By line; of one line, in the order in which they were found.
    errors: Vec<SpecError>,
    more: usize,
    /// Whether the file is that of a sweep that exists.
    is_stored: bool,
}

impl Faults {
    /// Of a file that was accepted once, by this build or by an older one that refused less.
    pub(crate) fn of_stored() -> Self {
        Self { is_stored: true, ..Self::default() }
    }

    pub(crate) fn add(&mut self, error: SpecError) {
        if !self.keeps(error.line) {
            self.more += 1;
            return;
        }
        let at = self.errors.partition_point(|earlier| earlier.line <= error.line);
        self.errors.insert(at, error);
        if self.errors.len() > KEPT {
            self.errors.pop();
            self.more += 1;
        }
    }

    /// As [`Faults::add`] for what can be read and carried out and is refused for its sense alone.
    /// The sweep of a stored file is there already, and a refusal would only stop its jobs halfway.
    pub(crate) fn add_senseless(&mut self, error: SpecError) {
        if !self.is_stored {
            self.add(error);
        }
    }

    /// Whether an error in this line is kept and not only counted. Where it is not, nobody needs to
    /// look for words that are near, which takes time.
    pub(crate) fn keeps(&self, line: Option<u32>) -> bool {
        self.errors.len() < KEPT || self.errors.last().is_some_and(|last| line < last.line)
    }

    /// How many were noted so far: whether something added any tells by this number.
    pub(crate) fn count(&self) -> usize {
        self.errors.len() + self.more
    }

    /// The value, or nothing and a note of what is wrong with it.
    pub(crate) fn take<T>(&mut self, result: Result<T, SpecError>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// As [`Faults::take`] where something has to stand in for the value: nobody sees it, since the
    /// file is refused.
    pub(crate) fn or_default<T: Default>(&mut self, result: Result<T, SpecError>) -> T {
        self.take(result).unwrap_or_default()
    }

    /// What was noted, if anything was.
    pub(crate) fn into_errors(self) -> Option<SpecErrors> {
        let Self { errors, more, is_stored: _ } = self;
        (!errors.is_empty()).then_some(SpecErrors { errors, more })
    }
}
