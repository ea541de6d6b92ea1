//! What `--json` prints in place of a result that there is not: what went wrong, and what to do.

use serde::Serialize;

use super::json;
use crate::output::{Exit, without_numbers};

/// A failure as a document.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    error: String,
    hint: Option<String>,
}

impl Failure {
    /// In the words that stderr has. What stands behind the first semicolon of one line says what
    /// to do.
    pub(crate) fn new(text: String) -> Self {
        let text = without_numbers(text);
        match text.split_once("; ") {
            Some((error, hint)) if !text.contains('\n') => {
                Self { error: error.to_owned(), hint: Some(hint.to_owned()) }
            }
            _ => Self { error: text, hint: None },
        }
    }

    /// Wrong arguments; how the command is used is the hint.
    pub(crate) fn of_arguments(text: &str) -> Self {
        let text = text.trim().trim_start_matches("error: ");
        let (error, hint) = text.split_once("\n\n").map_or((text, None), |(error, hint)| (error, Some(hint)));
        Self { error: error.to_owned(), hint: hint.map(str::to_owned) }
    }

    /// Prints it on one line, since it may end a stream.
    pub(crate) fn print(&self) {
        // Where stdout cannot be written, stderr and the exit code have told it.
        let _ = json::print_line(self);
    }
}

impl From<&anyhow::Error> for Failure {
    fn from(error: &anyhow::Error) -> Self {
        Self::new(format!("{error:#}"))
    }
}

/// Prints how a command failed, where it did.
pub(crate) fn print(result: &anyhow::Result<Exit>) {
    match result {
        Err(error) => Failure::from(error).print(),
        Ok(Exit::Interrupted) => Failure::new("a signal ended the command before it was done".to_owned()).print(),
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_behind_a_semicolon() {
        let failure = |text: &str| {
            let Failure { error, hint } = Failure::new(text.to_owned());
            (error, hint.unwrap_or_default())
        };
        let told = ("no such table: rnus".to_owned(), "did you mean runs? it is; really".to_owned());
        assert_eq!(failure("no such table: rnus; did you mean runs? it is; really"), told);
        assert_eq!(failure("a.csv: denied (os error 13)"), ("a.csv: denied".to_owned(), String::new()));
        assert_eq!(failure("x: 2 problems\n  a; b").1, "");
    }

    #[test]
    fn wrong_arguments_have_the_usage_as_their_hint() {
        let Failure { error, hint } = Failure::of_arguments("error: no X\n\nUsage: besom best X\n\nFor more\n");
        assert_eq!((error.as_str(), hint.as_deref()), ("no X", Some("Usage: besom best X\n\nFor more")));
    }
}
