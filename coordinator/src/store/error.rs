//! What can go wrong in the store, from the database's own error to what a caller or a person is
//! told.
//!
//! [`StoreError`] is the answer of a call, [`OpenError`] that of opening a store. Inside a
//! transaction an error is a [`Failure`]: the runner of transactions either tries the whole
//! transaction again or turns the failure into a [`StoreError`]. Which database error is which
//! [`Class`] stands in one small function per database, `classify`.
//!
//! The libraries' own texts repeat their causes, carry codes and lines of the server's source, and
//! name no store. So what people read is put together here: which store, what is wrong, what to do,
//! each once. A store comes in as it is printed (see [`super::StoreUrl`]), so no password gets
//! here.

use std::{io, path::PathBuf};

/// Why the store did not do it. Variants follow what the caller will do next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such sweep, job or worker.
    #[error("no {what}")]
    NotFound {
        /// `sweep "x"`
        what: String,
    },
    /// The name is taken by something else.
    #[error("{what}")]
    AlreadyExists {
        /// What stands there, and what to do.
        what: String,
    },
    /// Not in that state.
    #[error("{what}")]
    InvalidState {
        /// Which state, and what it allows.
        what: String,
    },
    /// The database is away or busy; the same call may succeed later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No room for what is to be written; the same call may succeed once there is some. Nothing of
    /// it was stored.
    #[error("the disk of the store is full; free some space, and all goes on by itself")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// More of something than is kept; the same call may succeed once there is less.
    #[error("{what}")]
    TooMany {
        /// The limit, and what to do.
        what: String,
    },
    /// A row that does not parse, or a statement that the database refused: a bug or a damaged
    /// database.
    #[error("table {table}, row {id}: {problem}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// Which row, as text.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_) | Self::TooMany { .. })
    }
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has this SQLite database.
    #[error(
        "{} is in use by process {pid}{}", path.display(),
        address.as_deref().map(|address| format!(", which serves at {address}")).unwrap_or_default()
    )]
    Held {
        /// The process.
        pid: u32,
        /// Where it serves, if it does.
        address: Option<String>,
        /// The database.
        path: PathBuf,
    },
    /// Nothing to read there.
    #[error("{what}")]
    NotFound {
        /// What is missing, and what to do.
        what: String,
    },
    /// It has migrations that this build does not know, or another text of those it knows.
    #[error("{what}")]
    Newer {
        /// Which migration, and what to do.
        what: String,
    },
    /// The database does not answer, refuses the connection, or is no database.
    #[error("store {store}: {problem}")]
    Unavailable {
        /// As its URL, without its password.
        store: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A SQLite database of somebody else.
    #[error("{} holds tables of another program (such as {table}); name another file", path.display())]
    Foreign {
        /// The file, which is untouched.
        path: PathBuf,
        /// One of its tables.
        table: String,
    },
    /// A text that names no store, or a place where none can be.
    #[error("store {url}: {problem}")]
    BadUrl {
        /// As given, without its password.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file or folder.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a transaction did not commit.
#[derive(Debug)]
pub(super) enum Failure {
    /// The answer to the caller.
    Store(StoreError),
    /// The database said so.
    Database(sqlx::Error),
    /// Another transaction came first: the same one, run again, will see what that did.
    Raced(sqlx::Error),
    /// The same, where no statement failed for it.
    Overtaken(&'static str),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// What a database error means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing happened; the whole transaction may be run again at once.
    Again,
    /// The database is away or busy.
    Away,
    /// Its disk is full.
    Full,
    /// A bug or a damaged database.
    Broken,
}

/// The answer for a failure that is final.
pub(super) fn answer(error: sqlx::Error, class: Class, operation: &'static str) -> StoreError {
    match class {
        Class::Again | Class::Away => StoreError::Unavailable(plain(&error).into()),
        Class::Full => StoreError::Full(plain(&error).into()),
        Class::Broken => {
            StoreError::Corrupt { table: "?", id: "?".to_owned(), problem: format!("{operation}: {error}") }
        }
    }
}

/// The same failure for another caller that shared the transaction.
pub(super) fn again(error: &StoreError) -> StoreError {
    let source = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    match error {
        StoreError::Full(_) => StoreError::Full(source.into()),
        _ => StoreError::Unavailable(source.into()),
    }
}

/// Refuses a change to a store that is open for reading.
pub(super) fn read_only() -> StoreError {
    StoreError::InvalidState { what: "the store is open for reading only".to_owned() }
}
/// What the database or the system says, without codes.
pub(super) fn plain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(problem) => problem.message().to_owned(),
        sqlx::Error::Io(problem) => problem.to_string(),
        sqlx::Error::PoolTimedOut => "no connection became free in time".to_owned(),
        error => error.to_string(),
    }
}

/// The answer where a SQLite file cannot be used. `store` is its printed name.
pub(super) fn of_sqlite(store: impl ToString, error: &sqlx::Error) -> OpenError {
    let advice = match error {
        sqlx::Error::Database(problem) => {
            let code = problem.code().and_then(|code| code.parse().ok());
            code.and_then(sqlite_advice)
        }
        _ => None,
    };
    unavailable(store, error, advice)
}

/// What SQLite says, and what to do about it.
pub(super) fn sqlite_words(said: String, code: i32) -> String {
    match sqlite_advice(code) {
        Some(advice) => format!("{said}; {advice}"),
        None => said,
    }
}

fn sqlite_advice(code: i32) -> Option<&'static str> {
    use libsqlite3_sys as sqlite;
    match code {
        // A file in write-ahead mode whose last user closed it cleanly can only be opened by
        // somebody who may write beside it.
        sqlite::SQLITE_READONLY_DIRECTORY | sqlite::SQLITE_READONLY_CANTINIT => {
            return Some("no permission to write beside the database: start its coordinator, or read a copy");
        }
        _ => {}
    }
    // The low byte is the kind of error; the rest says more about it.
    match code & 0xff {
        sqlite::SQLITE_NOTADB => Some("name another file, or move this one away"),
        sqlite::SQLITE_CORRUPT => Some("the file is damaged: restore a copy, or move it away to begin anew"),
        sqlite::SQLITE_CANTOPEN | sqlite::SQLITE_PERM | sqlite::SQLITE_READONLY => {
            Some("check that you may read and write the file and its folder")
        }
        sqlite::SQLITE_FULL => Some("free some space on its disk"),
        sqlite::SQLITE_IOERR => Some("check the disk, its free space, and the system's log"),
        sqlite::SQLITE_BUSY | sqlite::SQLITE_LOCKED => Some("another program holds it: close that, and try again"),
        _ => None,
    }
}

/// The answer where a Postgres database cannot be used. `store` is its printed name.
pub(super) fn of_postgres(store: impl ToString, error: &sqlx::Error) -> OpenError {
    let advice = match error {
        sqlx::Error::Io(problem) => match problem.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                Some("check that the server runs, and its host and port")
            }
            _ => Some("check the host and the network"),
        },
        sqlx::Error::Tls(_) => Some("check sslmode and the certificates"),
        sqlx::Error::Database(problem) => problem.code().and_then(|code| postgres_advice(&code)),
        _ => None,
    };
    unavailable(store, error, advice)
}

fn postgres_advice(code: &str) -> Option<&'static str> {
    match code {
        "28P01" | "28000" => Some("check user, password and the server's pg_hba.conf"),
        "3D000" => Some("create it first, as with createdb"),
        "42501" => Some("the user needs the right to create and change tables there"),
        "53100" => Some("free some space on the server's disk"),
        "53300" => Some("stop other clients, or raise the server's max_connections"),
        "57P03" => Some("try again in a moment"),
        _ => None,
    }
}

fn unavailable(store: impl ToString, error: &sqlx::Error, advice: Option<&str>) -> OpenError {
    let said = plain(error);
    let problem = advice.map_or(said.clone(), |advice| format!("{said}; {advice}"));
    OpenError::Unavailable { store: store.to_string(), problem }
}
