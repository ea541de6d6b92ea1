//! Lets a SQLite connection do nothing but select from the documented views.
//!
//! A read-only connection is not enough: it can still attach other files, vacuum into new ones and
//! switch its own guards off. SQLite asks an authorizer about every action while it compiles a
//! statement, and this one knows a list of those that are allowed. A table may be read where SQLite
//! names a view as the place of the reading. It also names a table expression of WITH so, and does
//! not ask about everything; the statement is searched for names first (`names`).
#![expect(unsafe_code, reason = "the authorizer exists only in SQLite's C interface")]

use std::{
    cell::RefCell,
    ffi::{CStr, c_char, c_int, c_void},
};

use libsqlite3_sys::{
    SQLITE_DENY, SQLITE_FUNCTION, SQLITE_OK, SQLITE_READ, SQLITE_RECURSIVE, SQLITE_SELECT, sqlite3,
    sqlite3_set_authorizer,
};

use super::super::views::VIEWS;

/// Tables that are made of the arguments of a function and hold nothing of the store.
pub(super) const TABLE_FUNCTIONS: [&str; 4] = ["json_each", "json_tree", "jsonb_each", "jsonb_tree"];

/// The functions that a statement may use: those of SQLite that only compute.
const FUNCTIONS: &str = "
    -> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling changes char coalesce concat concat_ws
    cos cosh count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp
    first_value floor format glob group_concat hex if ifnull iif instr json json_array json_array_insert
    json_array_length json_error_position json_extract json_group_array json_group_object json_insert
    json_object json_pretty json_quote json_remove json_replace json_set json_type json_valid jsonb
    jsonb_array jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_remove
    jsonb_replace jsonb_set julianday lag last_value lead length like likelihood likely ln log log10 log2
    lower ltrim max median min mod nth_value ntile nullif octet_length percent_rank percentile percentile_cont
    percentile_disc pi pow power printf quote radians random randomblob rank replace round row_number rtrim
    sign sin sinh soundex sqlite_version sqrt strftime string_agg substr substring subtype sum tan tanh time
    timediff total trim trunc typeof unhex unicode unistr unistr_quote unixepoch unlikely upper zeroblob
";

/// What the authorizer did not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// A table outside of the views.
    Table(String),
    /// A function that is not on the list.
    Function(String),
    /// Any other action: it could change something, or reach outside of the database.
    Action,
}

/// What the authorizer of one connection notes.
#[derive(Default)]
pub(super) struct Rules {
    denied: RefCell<Option<Denied>>,
}

impl Rules {
    /// What was denied since this was last asked.
    pub(super) fn denied(&self) -> Option<Denied> {
        self.denied.take()
    }

    fn judge(
        &self,
        action: c_int,
        first: Option<&str>,
        second: Option<&str>,
        place: Option<&str>,
    ) -> Result<(), Denied> {
        match action {
            SQLITE_SELECT | SQLITE_RECURSIVE => Ok(()),
            SQLITE_FUNCTION => {
                let name = second.unwrap_or_default().to_ascii_lowercase();
                match FUNCTIONS.split_ascii_whitespace().any(|function| function == name) {
                    true => Ok(()),
                    false => Err(Denied::Function(name)),
                }
            }
            SQLITE_READ => {
                let table = first.unwrap_or_default().to_ascii_lowercase();
                let is_view = |name: &str| VIEWS.iter().any(|view| view.eq_ignore_ascii_case(name));
                let allowed = is_view(&table)
                    || TABLE_FUNCTIONS.contains(&table.as_str())
                    // No column is read: SQLite asks with a name as it stands, maybe of a table
                    // expression of WITH, and with no place where it has taken a view apart. The
                    // statement itself names no table (`names`).
                    || second == Some("")
                    || place.is_some_and(is_view);
                if allowed { Ok(()) } else { Err(Denied::Table(table)) }
            }
            _ => Err(Denied::Action),
        }
    }
}

/// From now on the connection compiles nothing but what the rules allow.
///
/// # Safety
/// `db` is open, and `rules` live as long as it does.
pub(super) unsafe fn guard(db: *mut sqlite3, rules: &Rules) {
    let rules = std::ptr::from_ref(rules).cast_mut().cast::<c_void>();
    // SAFETY: the caller's promise; the callback takes the pointer for what it is.
    unsafe { sqlite3_set_authorizer(db, Some(authorize), rules) };
}

/// Called by SQLite while it compiles. It must not unwind and does not use the connection.
///
/// # Safety
/// The texts are null or end with a NUL, as SQLite promises; `rules` are those of [`guard`].
unsafe extern "C" fn authorize(
    rules: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    _database: *const c_char,
    place: *const c_char,
) -> c_int {
    // SAFETY: the caller's promise; the texts are used only within this call. A text that is no
    // UTF-8 is no name of ours.
    let text =
        |text: *const c_char| unsafe { (!text.is_null()).then(|| CStr::from_ptr(text).to_str().unwrap_or("\u{fffd}")) };
    // SAFETY: the caller's promise.
    let rules = unsafe { &*rules.cast::<Rules>() };
    match rules.judge(action, text(first), text(second), text(place)) {
        Ok(()) => SQLITE_OK,
        Err(denied) => {
            rules.denied.borrow_mut().get_or_insert(denied);
            SQLITE_DENY
        }
    }
}
