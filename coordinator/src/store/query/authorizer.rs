//! Lets a SQLite connection do nothing but select.
//!
//! A read-only connection is not enough: it can still attach other files, vacuum into new ones and switch its own guards
//! off. SQLite asks an authorizer about every action while it compiles a statement, and this one knows a list of those that
//! are allowed. sqlx has no safe interface for it: this file and `sqlite/syncs.rs` hold all unsafe code of the
//! crate, and each block says why it is sound.
#![expect(
    unsafe_code,
    reason = "the authorizer and the tail of a prepared statement exist only in SQLite's C interface"
)]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};

use libsqlite3_sys::{
    SQLITE_AUTH, SQLITE_DENY, SQLITE_FUNCTION, SQLITE_OK, SQLITE_PRAGMA, SQLITE_READ, SQLITE_RECURSIVE, SQLITE_SELECT,
    sqlite3_bind_parameter_count, sqlite3_errmsg, sqlite3_error_offset, sqlite3_extended_errcode, sqlite3_finalize,
    sqlite3_prepare_v2, sqlite3_set_authorizer, sqlite3_stmt_readonly,
};
use sqlx::sqlite::LockedSqliteHandle;

/// Functions that reach outside of the database, where a build has them.
const DENIED_FUNCTIONS: [&str; 2] = ["load_extension", "fts3_tokenizer"];

/// Pragmas that only describe the schema; their table-valued forms ask the authorizer as well.
const ALLOWED_PRAGMAS: [&str; 6] =
    ["table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"];

/// Why a text is not one statement that only reads.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It could change something, or reach outside.
    Denied,
    /// More than one statement.
    Several,
    /// Only space and comments.
    Nothing,
    /// Values are missing.
    Parameters,
    /// It does not compile.
    Sql {
        /// SQLite's words.
        message: String,
        /// Its extended result code.
        code: c_int,
        /// Byte of the text, where SQLite knows.
        offset: Option<usize>,
    },
}

/// From now on the connection only selects; `sql` is compiled once (not run) to see whether it is a single such statement.
pub(super) fn guard(connection: &mut LockedSqliteHandle<'_>, sql: &str) -> Result<(), Refusal> {
    let db = connection.as_raw_handle().as_ptr();
    // SAFETY: `db` is open and locked for this thread while `connection` is borrowed. The callback is a plain function that
    // uses no user data, so it stays valid for as long as the connection.
    unsafe { sqlite3_set_authorizer(db, Some(authorize), ptr::null_mut()) };

    let mut statements = 0;
    let mut rest = sql;
    while !rest.is_empty() {
        let Ok(length) = c_int::try_from(rest.len()) else { return Err(Refusal::Denied) };
        let mut statement = ptr::null_mut();
        let mut tail = ptr::null();
        // SAFETY: `rest` has `length` bytes, which SQLite only reads, during the call; both out pointers are ours.
        let result = unsafe { sqlite3_prepare_v2(db, rest.as_ptr().cast(), length, &raw mut statement, &raw mut tail) };
        if result != SQLITE_OK {
            // SAFETY: as above; the message is copied before the connection is used again.
            let (code, offset, message) =
                unsafe { (sqlite3_extended_errcode(db), sqlite3_error_offset(db), CStr::from_ptr(sqlite3_errmsg(db))) };
            return Err(match result {
                _ if statements > 0 => Refusal::Several,
                SQLITE_AUTH => Refusal::Denied,
                _ => Refusal::Sql {
                    message: message.to_string_lossy().into_owned(),
                    code,
                    offset: usize::try_from(offset).ok().map(|offset| sql.len() - rest.len() + offset),
                },
            });
        }
        // SAFETY: on success the tail points into `rest` or just behind it.
        let consumed = unsafe { tail.offset_from_unsigned(rest.as_ptr().cast()) };
        if !statement.is_null() {
            // SAFETY: a fresh statement of this connection, finalized once and not used afterwards.
            let (read_only, parameters) = unsafe {
                let facts = (sqlite3_stmt_readonly(statement) != 0, sqlite3_bind_parameter_count(statement));
                sqlite3_finalize(statement);
                facts
            };
            statements += 1;
            match (statements, read_only, parameters) {
                (2.., _, _) => return Err(Refusal::Several),
                (_, false, _) => return Err(Refusal::Denied),
                (_, _, 1..) => return Err(Refusal::Parameters),
                _ => {}
            }
        }
        // The tail begins behind a semicolon or at the end, never inside a character.
        rest = rest.get(consumed..).unwrap_or_default();
    }
    if statements == 0 { Err(Refusal::Nothing) } else { Ok(()) }
}

/// Called by SQLite while it compiles. It must not unwind and does not use the connection.
///
/// # Safety
/// The texts are null or end with a NUL, as SQLite promises.
unsafe extern "C" fn authorize(
    _: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    _database: *const c_char,
    _trigger: *const c_char,
) -> c_int {
    // SAFETY: the caller's promise; the text is used only within this call.
    let is_one_of = |text: *const c_char, list: &[&str]| unsafe {
        !text.is_null()
            && CStr::from_ptr(text).to_str().is_ok_and(|text| list.iter().any(|word| text.eq_ignore_ascii_case(word)))
    };
    let allowed = match action {
        SQLITE_SELECT | SQLITE_READ | SQLITE_RECURSIVE => true,
        SQLITE_FUNCTION => !is_one_of(second, &DENIED_FUNCTIONS),
        SQLITE_PRAGMA => is_one_of(first, &ALLOWED_PRAGMAS),
        _ => false,
    };
    if allowed { SQLITE_OK } else { SQLITE_DENY }
}
