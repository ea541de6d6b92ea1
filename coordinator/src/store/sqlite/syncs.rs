//! Hears of every sync of SQLite's that fails, also of those that no statement reports.
//!
//! A checkpoint runs after a commit, and SQLite keeps its errors to itself, since the log still
//! holds what could not be folded in. But the kernel may report a lost page only once: the next
//! checkpoint would succeed and cut the log. SQLite's error log names each failed sync; sqlx has no
//! interface for it.
#![expect(unsafe_code, reason = "the error log exists only in SQLite's C interface")]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::Once,
};

use libsqlite3_sys::{SQLITE_CONFIG_LOG, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC, SQLITE_OK, sqlite3_config};

use crate::failed_sync;

static INSTALLED: Once = Once::new();

/// Listens from now on. To be called before the process opens its first database; later SQLite
/// refuses it.
pub(super) fn listen() {
    INSTALLED.call_once(|| {
        let callback: unsafe extern "C" fn(*mut c_void, c_int, *const c_char) = logged;
        // SAFETY: the arguments are those that this option takes, a function and a pointer that is
        // handed to it. The function uses no pointer of ours, so it stays valid for ever. Where
        // SQLite is initialised already, it refuses.
        let result = unsafe { sqlite3_config(SQLITE_CONFIG_LOG, callback, ptr::null_mut::<c_void>()) };
        if result != SQLITE_OK {
            tracing::debug!(result, "SQLite was in use before; only failed syncs of commits are noticed");
        }
    });
}

/// Whether an extended result code says that a sync failed.
pub(super) fn is_failed_sync(code: c_int) -> bool {
    matches!(code, SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC)
}

/// SQLite forbids to use it from here, and nothing here does.
unsafe extern "C" fn logged(_: *mut c_void, code: c_int, message: *const c_char) {
    if !is_failed_sync(code) {
        return;
    }
    // SAFETY: SQLite passes a text that ends with a zero and lives during the call.
    let message = (!message.is_null()).then(|| unsafe { CStr::from_ptr(message) });
    let message = message.map_or_else(String::new, |message| message.to_string_lossy().into_owned());
    // It ends with the system's words for the error, which not every build of SQLite asks for.
    failed_sync::note(message.trim_end_matches([' ', '-']));
}
