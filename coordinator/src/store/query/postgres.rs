//! Questions to Postgres, in a session and a transaction that are read-only.
//!
//! The statement is prepared first: that takes one statement only and tells names and types even where no row comes. It
//! then runs under the simple protocol, whose answers are text: every type has one, `numeric` included.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column, Connection, Either, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef,
    postgres::{PgDatabaseError, PgErrorPosition, PgRow},
};

use super::{Cell, MAX_RESULT, Position, QueryError, QueryResult, Rows, views_hint};
use crate::store::{error::plain, postgres::connect, url::postgres_options};

/// A host that does not answer at all must not look like a long question.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Of the session. A question may take as long as it likes, but not longer than somebody waits for it.
const SESSION: [(&str, &str); 7] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "0"),
    ("client_connection_check_interval", "2s"),
    // Compiling a plan takes longer than it saves of a question that a person waits for.
    ("jit", "off"),
    ("timezone", "UTC"),
    ("datestyle", "ISO"),
    ("bytea_output", "hex"),
];

/// A read-only transaction still lets COPY write files, and CALL or DO run programs.
const QUERIES: [&str; 6] = ["SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "SHOW"];

pub(super) async fn query(url: &str, sql: &str) -> Result<QueryResult, QueryError> {
    match first_word(sql) {
        None => return Err(QueryError::nothing()),
        Some(word) if QUERIES.iter().any(|query| word.eq_ignore_ascii_case(query)) => {}
        Some(_) => return Err(QueryError::writes()),
    }
    let options = postgres_options(url)?.application_name("besom sql").options(SESSION);
    let mut connection = connect(url, &options, CONNECT_TIMEOUT).await?;
    let failed = |error| failed(sql, error);
    sqlx::raw_sql("BEGIN READ ONLY").execute(&mut connection).await.map_err(failed)?;
    let text = || AssertSqlSafe(sql.to_owned());
    let statement = (&mut connection).prepare(text().into_sql_str()).await.map_err(failed)?;
    if matches!(statement.parameters(), Some(Either::Left(types)) if !types.is_empty()) {
        return Err(QueryError::parameters());
    }
    let columns = statement.columns();
    let types: Vec<&str> = columns.iter().map(|column| column.type_info().name()).collect();
    let mut rows = Rows::new(MAX_RESULT);
    let mut found = sqlx::raw_sql(text()).fetch(&mut connection);
    while let Some(row) = found.try_next().await.map_err(failed)? {
        rows.push(cells(&row, &types).map_err(failed)?)?;
    }
    drop(found);
    let columns = columns.iter().map(|column| column.name().to_owned()).collect();
    connection.close().await.map_err(failed)?;
    Ok(QueryResult { columns, rows: rows.rows })
}

/// Behind space, comments and parentheses.
fn first_word(sql: &str) -> Option<&str> {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(' || c == ';');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = behind_comment(comment);
        } else {
            break;
        }
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    (!rest.is_empty()).then(|| &rest[..end])
}

/// Comments of Postgres nest.
fn behind_comment(comment: &str) -> &str {
    let (mut depth, mut rest) = (1, comment);
    while depth > 0 {
        let Some(at) = rest.find(['*', '/']) else { return "" };
        rest = &rest[at..];
        if let Some(inner) = rest.strip_prefix("/*") {
            (depth, rest) = (depth + 1, inner);
        } else if let Some(outer) = rest.strip_prefix("*/") {
            (depth, rest) = (depth - 1, outer);
        } else {
            rest = &rest[1..];
        }
    }
    rest
}

fn cells(row: &PgRow, types: &[&str]) -> Result<Vec<Cell>, sqlx::Error> {
    types
        .iter()
        .enumerate()
        .map(|(index, kind)| {
            let value = row.try_get_raw(index)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let text = value.as_str().map_err(sqlx::Error::Decode)?;
            Ok(cell(kind, text))
        })
        .collect()
}

/// Text of a type that is not as expected stays text.
fn cell(kind: &str, text: &str) -> Cell {
    let known = match kind {
        "INT2" | "INT4" | "INT8" | "OID" => text.parse().map(Cell::Integer).ok(),
        "FLOAT4" | "FLOAT8" => text.parse().map(Cell::Float).ok(),
        "NUMERIC" if text.contains(['.', 'N', 'I']) => text.parse().map(Cell::Float).ok(),
        "NUMERIC" => text.parse().map(Cell::Integer).ok(),
        "BOOL" => Some(Cell::Boolean(text == "t")),
        "BYTEA" => bytes(text).map(Cell::Blob),
        // As SQLite has it: written by besom, with sorted keys and without spaces.
        "JSON" | "JSONB" => {
            serde_json::from_str::<serde_json::Value>(text).ok().map(|json| Cell::Text(json.to_string()))
        }
        "TIMESTAMPTZ" => text.strip_suffix("+00").map(|utc| Cell::Text(format!("{}Z", utc.replacen(' ', "T", 1)))),
        _ => None,
    };
    known.unwrap_or_else(|| Cell::Text(text.to_owned()))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(r"\x")?;
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

fn failed(sql: &str, error: sqlx::Error) -> QueryError {
    let sqlx::Error::Database(problem) = &error else { return QueryError::Unavailable(plain(&error).into()) };
    let Some(problem) = problem.try_downcast_ref::<PgDatabaseError>() else {
        return QueryError::Unavailable(plain(&error).into());
    };
    match problem.code() {
        "25006" => QueryError::writes(),
        "42601" if problem.message().contains("multiple commands") => QueryError::several(),
        code if code.starts_with("57P") || code.starts_with("08") || code.starts_with("53") => {
            QueryError::Unavailable(plain(&error).into())
        }
        code => QueryError::Sql {
            message: problem.message().to_owned(),
            position: match problem.position() {
                Some(PgErrorPosition::Original(character)) => Some(Position::of(sql, character.saturating_sub(1))),
                Some(PgErrorPosition::Internal { .. }) | None => None,
            },
            hint: match code {
                "42P01" => Some(views_hint()),
                _ => problem.hint().map(str::to_owned),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stands_behind_comments() {
        for (sql, word) in [
            ("SELECT 1", Some("SELECT")),
            ("  -- a comment\n /* another /* nested */ one */ (\n(select 1))", Some("select")),
            ("/* SELECT */ DROP TABLE x", Some("DROP")),
            ("with x as (select 1) select * from x", Some("with")),
            ("-- only this", None),
            ("/* never closed", None),
            (" ;", None),
            ("\"quoted\"", Some("")),
        ] {
            assert_eq!(first_word(sql), word, "{sql}");
        }
    }

    #[test]
    fn every_text_of_postgres_becomes_a_cell() {
        for (kind, text, expected) in [
            ("INT8", "-9223372036854775808", Cell::Integer(i64::MIN)),
            ("FLOAT8", "0.1", Cell::Float(0.1)),
            ("FLOAT8", "1e-07", Cell::Float(1e-7)),
            ("FLOAT8", "-Infinity", Cell::Float(f64::NEG_INFINITY)),
            ("NUMERIC", "2.5000000000000000", Cell::Float(2.5)),
            ("NUMERIC", "42", Cell::Integer(42)),
            ("NUMERIC", "9223372036854775808", Cell::Text("9223372036854775808".to_owned())),
            ("BOOL", "t", Cell::Boolean(true)),
            ("BYTEA", r"\x00ff", Cell::Blob(vec![0, 255])),
            ("JSONB", r#"{"b": [32, 32], "aa": 1e-07}"#, Cell::Text(r#"{"aa":1e-7,"b":[32,32]}"#.to_owned())),
            ("TIMESTAMPTZ", "2026-11-23 17:30:00.5+00", Cell::Text("2026-11-23T17:30:00.5Z".to_owned())),
            ("DATE", "2026-11-23", Cell::Text("2026-11-23".to_owned())),
            ("TEXT[]", "{a,b}", Cell::Text("{a,b}".to_owned())),
        ] {
            assert_eq!(cell(kind, text), expected, "{kind} {text}");
        }
    }
}
