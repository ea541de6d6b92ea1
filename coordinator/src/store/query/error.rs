//! Why there is no result, in words for whoever asked.

use std::fmt;

use super::nearest::view_hint;
use crate::store::OpenError;

/// A place in the statement, both from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// Why there is no result, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Not one statement that only reads.
    #[error("{0}")]
    Refused(String),
    /// The database refuses the statement.
    #[error("{message}{}{}", Suffix(", at ", position), Suffix("; ", hint))]
    Sql {
        /// In the database's words.
        message: String,
        /// Where.
        position: Option<Position>,
        /// What might help.
        hint: Option<String>,
    },
    /// A bound is met. The message names it and says what to do.
    #[error("{0}")]
    Bound(String),
    /// Too much is being asked at once. The message says so.
    #[error("{0}")]
    Crowded(String),
    /// There is no login that may run statements of readers. The message says how to make one.
    #[error("{0}")]
    NoReader(String),
    /// No connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The connection was lost, or the database is too busy.
    #[error("the database did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody waits for the result any more.
    #[error("nobody waits for the result")]
    Gone,
}

impl QueryError {
    pub(super) fn writes() -> Self {
        Self::Refused("only queries are possible here (SELECT, WITH, VALUES); nothing can be changed".to_owned())
    }

    pub(super) fn several() -> Self {
        Self::Refused("there is more than one statement; give one at a time".to_owned())
    }

    pub(super) fn nothing() -> Self {
        Self::Refused("there is no statement".to_owned())
    }

    pub(super) fn hidden(table: &str) -> Self {
        Self::Refused(format!("{table} cannot be read here; {}", view_hint(table)))
    }

    pub(super) fn function(name: &str) -> Self {
        Self::Refused(format!("the function {name} cannot be used here; functions that compute can"))
    }

    pub(super) fn parameter_form() -> Self {
        Self::Refused("the statement has a parameter of another form; write $1, $2, ...".to_owned())
    }

    pub(super) fn parameter_count(expected: usize, given: usize) -> Self {
        let values = |count: usize| format!("{count} {}", if count == 1 { "value" } else { "values" });
        Self::Refused(match given {
            0 => format!("the statement has parameters ($1, ?) and expects {}, got none", values(expected)),
            _ => format!("the statement expects {} for its parameters, got {given}", values(expected)),
        })
    }
}

impl Position {
    /// Of the character with this index (from 0).
    pub(super) fn of(sql: &str, index: usize) -> Self {
        let before: String = sql.chars().take(index).collect();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What follows the message, where there is something.
struct Suffix<'a, T>(&'static str, &'a Option<T>);

impl<T: fmt::Display> fmt::Display for Suffix<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(value) => write!(f, "{}{value}", self.0),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::views::views_hint, *};

    #[test]
    fn positions_count_lines_and_characters() {
        let sql = "SELECT 'ä',\n  x FROM runs";
        assert_eq!(Position::of(sql, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(sql, 10), Position { line: 1, column: 11 });
        assert_eq!(Position::of(sql, 14), Position { line: 2, column: 3 });
        assert_eq!(Position::of(sql, 1_000), Position { line: 2, column: 14 });
    }

    #[test]
    fn an_error_tells_what_where_and_what_might_help() {
        let error = QueryError::Sql {
            message: "no such table: rnus".to_owned(),
            position: Some(Position { line: 1, column: 15 }),
            hint: Some(views_hint()),
        };
        assert!(
            error
                .to_string()
                .starts_with("no such table: rnus, at line 1, column 15; the views are runs, best_runs, history, ")
        );
    }
}
