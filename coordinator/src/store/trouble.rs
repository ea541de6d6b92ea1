//! Errors of the databases in words: which store, what is wrong, what to do, each once.
//!
//! The libraries' own texts repeat their causes, carry codes and lines of the server's source, and name no store. Passwords
//! never get here: a store is named as its URL prints.

use std::{io, path::Path};

use super::open::{OpenError, StoreUrl};

/// What the database or the system says, without codes.
pub(super) fn plain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(problem) => problem.message().to_owned(),
        sqlx::Error::Io(problem) => problem.to_string(),
        sqlx::Error::PoolTimedOut => "no connection became free in time".to_owned(),
        error => error.to_string(),
    }
}

/// A SQLite file that cannot be used.
pub(super) fn of_sqlite(path: &Path, error: &sqlx::Error) -> OpenError {
    let said = plain(error);
    let problem = match error {
        _ if path.is_dir() => "this is a folder; name the file in it, as in sqlite:DIR/besom.db".to_owned(),
        sqlx::Error::Database(problem) => {
            let code: i32 = problem.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            sqlite_words(said, code)
        }
        _ => said,
    };
    OpenError::Unavailable { store: StoreUrl::Sqlite(path.to_owned()).to_string(), problem }
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
        // A file in write-ahead mode whose last user closed it cleanly can only be opened by somebody who may write beside it.
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

/// A Postgres database that cannot be used.
pub(super) fn of_postgres(url: &str, error: &sqlx::Error) -> OpenError {
    let said = plain(error);
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
    let problem = advice.map_or(said.clone(), |advice| format!("{said}; {advice}"));
    OpenError::Unavailable { store: StoreUrl::Postgres(url.to_owned()).to_string(), problem }
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
