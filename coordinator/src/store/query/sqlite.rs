//! Questions to SQLite, on a connection of their own that can only select.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::{
    Cell, MAX_RESULT, Position, QueryError, QueryResult, Rows,
    authorizer::{self, Refusal},
    views_hint,
};
use crate::store::{
    error::{OpenError, plain},
    sqlite::unusable,
};

/// The extended code for a database in WAL mode whose -wal file this user would have to make and may not.
const READONLY_CANTINIT: &str = "1544";

pub(super) async fn query(path: &Path, sql: &str) -> Result<QueryResult, QueryError> {
    if !path.exists() {
        let what = format!("no database {}: run or submit a sweep first", path.display());
        return Err(OpenError::NotFound { what }.into());
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .pragma("query_only", "on")
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| unusable(path, &error))?;
    authorizer::guard(&mut connection.lock_handle().await.map_err(failed)?, sql)
        .map_err(|refusal| refused(path, sql, refusal))?;
    let text = || AssertSqlSafe(sql.to_owned());
    let statement = (&mut connection).prepare(text().into_sql_str()).await.map_err(failed)?;
    let columns: Vec<String> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    drop(statement);
    let mut rows = Rows::new(MAX_RESULT);
    let mut found = sqlx::query(text()).fetch(&mut connection);
    while let Some(row) = found.try_next().await.map_err(failed)? {
        let cells: Result<_, _> = (0..row.len()).map(|index| cell(&row, index)).collect();
        rows.push(cells.map_err(failed)?)?;
    }
    drop(found);
    connection.close().await.map_err(failed)?;
    Ok(QueryResult { columns, rows: rows.rows })
}

/// SQLite has types of values, not of columns.
fn cell(row: &SqliteRow, index: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info();
    Ok(match kind.name() {
        "INTEGER" => Cell::Integer(row.try_get_unchecked(index)?),
        "REAL" => Cell::Float(row.try_get_unchecked(index)?),
        "TEXT" => {
            let bytes: Vec<u8> = row.try_get_unchecked(index)?;
            Cell::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => Cell::Blob(row.try_get_unchecked(index)?),
    })
}

fn refused(path: &Path, sql: &str, refusal: Refusal) -> QueryError {
    match refusal {
        Refusal::Denied => QueryError::writes(),
        Refusal::Several => QueryError::several(),
        Refusal::Nothing => QueryError::nothing(),
        Refusal::Parameters => QueryError::parameters(),
        Refusal::Sql { code, .. } if code.to_string() == READONLY_CANTINIT => {
            let problem =
                "it cannot be read without the right to write beside it: start the coordinator, or copy the file";
            OpenError::Unavailable { store: format!("sqlite:{}", path.display()), problem: problem.to_owned() }.into()
        }
        Refusal::Sql { message, offset, .. } => {
            let index = offset.and_then(|offset| sql.get(..offset)).map(|before| before.chars().count());
            let hint = message.starts_with("no such table").then(views_hint);
            QueryError::Sql { message, position: index.map(|index| Position::of(sql, index)), hint }
        }
    }
}

/// What fails after the statement was compiled: it meets a value that it cannot work with, or the database is busy.
fn failed(error: sqlx::Error) -> QueryError {
    match error {
        sqlx::Error::Database(error) if error.code().as_deref() != Some("5") => {
            QueryError::Sql { message: error.message().to_owned(), position: None, hint: None }
        }
        error => QueryError::Unavailable(plain(&error).into()),
    }
}
