//! SQL as people type it: one statement, read-only, beside a coordinator that writes or without one.
//!
//! Each database has guards of its own (`sqlite`, `postgres`), and what comes out is the same: names of columns and plain
//! cells. The connection is made for the one statement, so no question, however long, holds up a lease.

mod authorizer;
mod postgres;
mod sqlite;

use std::fmt;

use super::{error::OpenError, made::until_made, url::StoreUrl};

/// What people ask for; named where a name is not found.
const VIEWS: &str = "runs, best_runs, history, sweep_progress, worker_status";

/// The most that a result may hold, in bytes of memory: a question without a LIMIT must not take the machine down, and
/// what is printed of it takes as much again.
const MAX_RESULT: usize = 384 << 20;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number; a Postgres `numeric` too.
    Float(f64),
    /// Text. JSON is compact with sorted keys in both databases, a time of Postgres is `2026-11-23T17:30:00.123456Z`, and
    /// whatever has no other variant is as the database prints it.
    Text(String),
    /// Postgres only; SQLite has 0 and 1.
    Boolean(bool),
    /// Bytes.
    Blob(Vec<u8>),
}

/// What a statement gives.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryResult {
    /// Names, in order.
    pub columns: Vec<String>,
    /// As many cells as columns each.
    pub rows: Vec<Vec<Cell>>,
}

/// A place in the statement, both from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// Why there is no result.
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
    /// No connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The connection was lost, or the database is too busy.
    #[error("the database did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs one statement that only reads. Dropping the future gives up; Postgres notices within seconds.
///
/// # Errors
/// `Refused` for whatever could change something, for several statements and for parameters; the others as they say.
pub async fn query(url: &StoreUrl, sql: &str) -> Result<QueryResult, QueryError> {
    if sql.contains('\0') {
        return Err(QueryError::Refused("the statement contains a NUL character".to_owned()));
    }
    until_made(url).await;
    match url {
        StoreUrl::Sqlite(path) => sqlite::query(path, sql).await,
        StoreUrl::Postgres(url) => postgres::query(url, sql).await,
    }
}

/// Rows as they come, and how much memory they take.
struct Rows {
    rows: Vec<Vec<Cell>>,
    bytes: usize,
    most: usize,
}

impl Rows {
    fn new(most: usize) -> Self {
        Self { rows: Vec::new(), bytes: 0, most }
    }

    fn push(&mut self, row: Vec<Cell>) -> Result<(), QueryError> {
        let heap = |cell: &Cell| match cell {
            Cell::Text(text) => text.len(),
            Cell::Blob(bytes) => bytes.len(),
            Cell::Null | Cell::Integer(_) | Cell::Float(_) | Cell::Boolean(_) => 0,
        };
        self.bytes += size_of_val(&row) + size_of_val(row.as_slice()) + row.iter().map(heap).sum::<usize>();
        if self.bytes > self.most {
            return Err(QueryError::Refused(format!(
                "the result is too large: {} rows fill {} MiB; add a LIMIT, or choose fewer columns (besom export writes any size)",
                self.rows.len(),
                self.most >> 20
            )));
        }
        self.rows.push(row);
        Ok(())
    }
}

impl QueryError {
    fn writes() -> Self {
        Self::Refused(
            "only queries are possible here (SELECT, WITH, VALUES, EXPLAIN); nothing can be changed".to_owned(),
        )
    }

    fn several() -> Self {
        Self::Refused("there is more than one statement; give one at a time".to_owned())
    }

    fn nothing() -> Self {
        Self::Refused("there is no statement".to_owned())
    }

    fn parameters() -> Self {
        Self::Refused("the statement has parameters ($1, ?), for which there are no values".to_owned())
    }
}

impl Position {
    /// Of the character with this index (from 0).
    fn of(sql: &str, index: usize) -> Self {
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

/// Where a table is not known.
fn views_hint() -> String {
    format!("the views are {VIEWS}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_would_fill_the_memory_is_refused() {
        let mut rows = Rows::new(1 << 20);
        let text = || vec![Cell::Text("x".repeat(1_000)), Cell::Integer(1)];
        for _ in 0..900 {
            rows.push(text()).unwrap();
        }
        let error = (0..200).find_map(|_| rows.push(text()).err()).unwrap().to_string();
        assert!(
            error.ends_with("rows fill 1 MiB; add a LIMIT, or choose fewer columns (besom export writes any size)"),
            "{error}"
        );
    }

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
        assert_eq!(
            error.to_string(),
            "no such table: rnus, at line 1, column 15; the views are runs, best_runs, history, sweep_progress, worker_status"
        );
    }
}
