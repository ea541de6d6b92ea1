//! Statements on Postgres, in a session and a transaction that are read-only.
//!
//! The statement is prepared first: that takes one statement only and tells names, types and
//! parameters even where no row comes. It then runs under the simple protocol, whose answers are
//! text: every type has one, `numeric` included.

mod cells;
mod own;
mod reader;
mod relay;
mod words;

use std::{
    io,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column, Either, Executor, PgConnection, SqlSafeStr, Statement, TypeInfo,
    postgres::{PgConnectOptions, PgDatabaseError, PgErrorPosition},
};
use tokio::sync::Mutex;

use self::{
    reader::{CONNECT_TIMEOUT, Missing},
    relay::Relay,
};
use super::{
    error::{Position, QueryError},
    limits::{Limits, MAX_ROW, row_too_large},
    nearest::{self, View},
    question::{Query, Rights},
    sender::Sender,
    sqlite::named_tables,
    views::{VIEWS, views_hint},
};
use crate::store::{
    StoreUrl,
    error::{of_postgres, plain},
    postgres::connect,
    url::{hide_password, postgres_options},
};

/// What the server may send between two rows: a row, an error or the description of a result.
const MAX_MESSAGE: usize = MAX_ROW + (1 << 20);

/// The settings of a session, beside its bound on time.
const SESSION: [(&str, &str); 10] = [
    ("default_transaction_read_only", "on"),
    ("client_connection_check_interval", "1s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("lock_timeout", "5s"),
    // Compiling a plan takes longer than it saves of a question that a person waits for.
    ("jit", "off"),
    // One statement takes one core of the server.
    ("max_parallel_workers_per_gather", "0"),
    ("timezone", "UTC"),
    ("datestyle", "ISO"),
    ("bytea_output", "hex"),
    ("standard_conforming_strings", "on"),
];

/// What somebody who reads with the rights of a URL may ask beside queries.
const OWN_QUERIES: [&str; 2] = ["EXPLAIN", "SHOW"];

/// How long it is believed that there can be no role for readers.
const BELIEVED: Duration = Duration::from_secs(60);

/// Runs statements on one database.
pub(super) struct Postgres {
    url: String,
    rights: Rights,
    login: Mutex<Option<Login>>,
}

/// As whom readers log in.
enum Login {
    Reader(Box<PgConnectOptions>),
    Missing(Missing, Instant),
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("url", &hide_password(&self.url)).finish_non_exhaustive()
    }
}

impl Postgres {
    pub(super) fn new(url: &str, rights: Rights) -> Self {
        Self { url: url.to_owned(), rights, login: Mutex::new(None) }
    }

    /// Makes or checks the login for readers.
    pub(super) async fn prepare(&self) -> Result<(), QueryError> {
        self.login("").await.map(drop)
    }

    /// How to connect for this statement.
    async fn login(&self, statement: &str) -> Result<PgConnectOptions, QueryError> {
        let Rights::OfAReader { url: named } = &self.rights else { return Ok(postgres_options(&self.url)?) };
        let mut login = self.login.lock().await;
        if let Some(Login::Reader(options)) = &*login {
            return Ok(*options.clone());
        }
        let believed = matches!(&*login, Some(Login::Missing(_, since)) if since.elapsed() < BELIEVED);
        if !believed {
            let found = match named {
                Some(url) => Ok(reader::named(url).await?),
                None => reader::make(&self.url).await?,
            };
            *login = Some(match found {
                Ok(options) => Login::Reader(Box::new(options)),
                Err(missing) => Login::Missing(missing, Instant::now()),
            });
        }
        match &*login {
            Some(Login::Reader(options)) => Ok(*options.clone()),
            Some(Login::Missing(..)) | None if own::is_own(statement) => Ok(postgres_options(&self.url)?),
            Some(Login::Missing(missing, _)) => Err(missing.told(&self.url)),
            None => Err(QueryError::NoReader("there is no role for readers".to_owned())),
        }
    }

    /// A read-only transaction stops no superuser from ending other sessions, or from reading the
    /// server's files.
    async fn warn_of_superuser(&self, connection: &mut PgConnection) {
        let asked = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user";
        if let Ok(true) = sqlx::query_scalar(asked).fetch_one(connection).await {
            tracing::warn!(
                store = hide_password(&self.url),
                "this URL logs in as a superuser, whom nothing stops; use a role of readers, or ask through the coordinator"
            );
        }
    }

    pub(super) async fn run(&self, query: &Query, mut sender: Sender) -> Result<(), QueryError> {
        let sql = &query.statement;
        if self.rights == Rights::OfTheUrl {
            words::check_first(sql, &OWN_QUERIES)?;
        } else {
            words::check_first(sql, &[])?;
            words::check(sql)?;
        }
        let login = self.login(sql).await?;
        let time = sender.deadline().saturating_duration_since(Instant::now()).as_millis().max(1).to_string();
        let options = login.application_name("besom sql").options(SESSION).options([("statement_timeout", time)]);
        let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {CONNECT_TIMEOUT:?}")));
        let started = tokio::time::timeout(CONNECT_TIMEOUT, Relay::start(options, MAX_MESSAGE)).await;
        let (relay, options) = started.unwrap_or_else(late).map_err(|error| unreached(&self.url, error))?;
        let mut connection = connect(&self.url, &options, CONNECT_TIMEOUT).await?;
        if self.rights == Rights::OfTheUrl && !own::is_own(sql) {
            self.warn_of_superuser(&mut connection).await;
        }
        let result = rows(&mut connection, query, &relay, &mut sender).await;
        // Nothing is to be kept of the transaction, and the server notices a closed connection
        // while it still works.
        drop(connection);
        match result {
            Err(QueryError::Unavailable(_)) if relay.is_cut() => Err(row_too_large()),
            Err(error) => Err(error),
            Ok(()) => sender.finish().await,
        }
    }
}

async fn rows(
    connection: &mut PgConnection,
    query: &Query,
    relay: &Relay,
    sender: &mut Sender,
) -> Result<(), QueryError> {
    let sql = &query.statement;
    let failed = |error| failed(sql, &query.limits, error);
    sqlx::raw_sql("BEGIN READ ONLY").execute(&mut *connection).await.map_err(failed)?;
    let prepared = (&mut *connection).prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await;
    let statement = match prepared {
        Ok(statement) => statement,
        Err(error) => {
            let column = unknown_column(sql, &error);
            let mut error = failed(error);
            if let (Some(column), QueryError::Sql { hint, .. }) = (column, &mut error) {
                let near = nearest::column_hint(&column, &named_tables(sql), &views(connection, relay).await);
                *hint = near.or(hint.take());
            }
            return Err(error);
        }
    };
    let count = match statement.parameters() {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(count)) => count,
        None => 0,
    };
    if count != query.parameters.len() {
        return Err(QueryError::parameter_count(count, query.parameters.len()));
    }
    let columns = statement.columns();
    let types: Vec<String> = columns.iter().map(|column| column.type_info().name().to_owned()).collect();
    sender.begin(columns.iter().map(|column| column.name().to_owned()).collect());
    drop(statement);
    relay.arrived();
    let text = if count == 0 {
        sql.clone()
    } else {
        // The text was one statement when it was prepared, and is no more than that behind these
        // words.
        let prepare = format!("PREPARE besom_query AS {sql}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.map_err(failed)?;
        let values: Vec<String> = query.parameters.iter().map(cells::literal).collect();
        format!("EXECUTE besom_query({})", values.join(", "))
    };
    let mut found = sqlx::raw_sql(AssertSqlSafe(text)).fetch(connection);
    while let Some(row) = found.try_next().await.map_err(failed)? {
        relay.arrived();
        if let Some(batch) = sender.take(cells::cells(&row, &types).map_err(failed)?)? {
            sender.send(batch).await?;
        }
    }
    Ok(())
}

/// The column that the statement names and that Postgres does not find.
fn unknown_column(sql: &str, error: &sqlx::Error) -> Option<String> {
    let problem = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    (problem.code() == "42703").then(|| named(sql, problem)).flatten()
}

/// The name at the place in the statement that Postgres tells.
fn named(sql: &str, problem: &PgDatabaseError) -> Option<String> {
    match problem.position()? {
        PgErrorPosition::Original(character) => Some(nearest::name_at(sql, character.saturating_sub(1))),
        PgErrorPosition::Internal { .. } => None,
    }
}

/// Its last part, in lower case.
fn last_name(sql: &str, problem: &PgDatabaseError) -> Option<String> {
    Some(nearest::parts(&named(sql, problem)?).pop()?.to_lowercase())
}

/// The views that this session may read. The transaction of the statement has failed.
async fn views(connection: &mut PgConnection, relay: &Relay) -> Vec<View> {
    let mut views = Vec::new();
    if sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await.is_err() {
        return views;
    }
    for view in VIEWS {
        let select = AssertSqlSafe(format!("SELECT * FROM {view}")).into_sql_str();
        if let Ok(statement) = (&mut *connection).prepare(select).await {
            views.push((view, statement.columns().iter().map(|column| column.name().to_owned()).collect()));
        }
        relay.arrived();
    }
    views
}

fn unreached(url: &str, error: io::Error) -> QueryError {
    of_postgres(StoreUrl::Postgres(url.to_owned()), &sqlx::Error::Io(error)).into()
}

fn failed(sql: &str, limits: &Limits, error: sqlx::Error) -> QueryError {
    let sqlx::Error::Database(problem) = &error else { return QueryError::Unavailable(plain(&error).into()) };
    let Some(problem) = problem.try_downcast_ref::<PgDatabaseError>() else {
        return QueryError::Unavailable(plain(&error).into());
    };
    match problem.code() {
        "25006" => QueryError::writes(),
        "42601" if problem.message().contains("multiple commands") => QueryError::several(),
        // Somebody cancelled it: the bound on time, or an administrator.
        "57014" => limits.too_long(),
        "53100" | "53200" => QueryError::Bound(format!(
            "the database server has no room left for the statement ({}); choose fewer rows or columns",
            problem.message()
        )),
        "53400" => QueryError::Bound(format!(
            "the statement sorts or groups more than fits in the server's bound on temporary files ({}); choose fewer rows or columns",
            problem.message()
        )),
        code if code.starts_with("57P") || code.starts_with("08") || code.starts_with("53") => {
            QueryError::Unavailable(plain(&error).into())
        }
        code => QueryError::Sql {
            message: problem.message().to_owned(),
            position: match problem.position() {
                Some(PgErrorPosition::Original(character)) => Some(Position::of(sql, character.saturating_sub(1))),
                Some(PgErrorPosition::Internal { .. }) | None => None,
            },
            hint: match (code, last_name(sql, problem)) {
                ("42P01", Some(name)) if named_tables(sql).contains(&name) => Some(nearest::view_hint(&name)),
                // It stands in front of a column, and no view or alias has this name.
                ("42P01", _) => problem.hint().map(str::to_owned).or_else(|| Some(views_hint())),
                ("42501", _) => Some(views_hint()),
                _ => problem.hint().map(str::to_owned),
            },
        },
    }
}
