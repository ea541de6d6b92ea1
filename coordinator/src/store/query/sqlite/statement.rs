//! A connection to SQLite that runs one guarded statement, and the statement.
//!
//! It is used on one thread from its opening to its end, so that all its memory counts to the
//! budget of that thread. sqlx gives each connection a thread of its own and copies every value.
#![expect(unsafe_code, reason = "a connection with bounds on everything exists only in SQLite's C interface")]

use std::{
    cell::Cell as Slot,
    collections::HashSet,
    ffi::{CStr, CString, c_char, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr, slice,
    time::{Duration, Instant},
};

use besom_sweep::Cell;
use libsqlite3_sys as ffi;
use libsqlite3_sys::{SQLITE_DONE, SQLITE_OK, SQLITE_ROW, sqlite3, sqlite3_stmt};

use super::{
    authorizer::{self, Denied, Rules, TABLE_FUNCTIONS},
    bounds::{MAX_SPILL, MAX_VALUE},
    functions, spill,
};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: c_int = 2_000;
/// Between two looks at the temporary files, and at whether anybody still waits.
const LOOK: Duration = Duration::from_millis(20);
/// Only a process that recovers the file's log holds it for a moment.
const BUSY: c_int = 5_000;

/// What a statement may consist of. The first is the largest value.
const LIMITS: [(c_int, c_int); 11] = [
    (ffi::SQLITE_LIMIT_LENGTH, MAX_VALUE as c_int),
    (ffi::SQLITE_LIMIT_SQL_LENGTH, 256 << 10),
    (ffi::SQLITE_LIMIT_COLUMN, 500),
    (ffi::SQLITE_LIMIT_EXPR_DEPTH, 500),
    (ffi::SQLITE_LIMIT_COMPOUND_SELECT, 200),
    (ffi::SQLITE_LIMIT_VDBE_OP, 100_000),
    (ffi::SQLITE_LIMIT_FUNCTION_ARG, 100),
    (ffi::SQLITE_LIMIT_ATTACHED, 0),
    (ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (ffi::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    // They would sort with memory that counts to no budget.
    (ffi::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Why a statement was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its time is over.
    Time,
    /// Its temporary files are too large.
    Spill,
    /// Nobody waits for it any more.
    Gone,
}

/// What SQLite says went wrong.
#[derive(Debug)]
pub(super) struct Problem {
    /// The extended result code.
    pub(super) code: c_int,
    /// SQLite's words.
    pub(super) message: String,
    /// Byte of the text, where SQLite knows.
    pub(super) offset: Option<usize>,
}

/// Why a text is not one statement that only reads.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It does something that is not allowed.
    Denied(Denied),
    /// More than one statement.
    Several,
    /// Only space and comments.
    Nothing,
    /// SQLite does not compile it.
    Problem(Problem),
}

/// When the statement has to end.
pub(super) struct Watch {
    deadline: Instant,
    is_gone: Box<dyn Fn() -> bool>,
    next_look: Slot<Instant>,
    stop: Slot<Option<Stop>>,
}

impl Watch {
    pub(super) fn new(deadline: Instant, is_gone: impl Fn() -> bool + 'static) -> Self {
        Self { deadline, is_gone: Box::new(is_gone), next_look: Slot::new(Instant::now()), stop: Slot::new(None) }
    }

    fn look(&self) -> Option<Stop> {
        let now = Instant::now();
        if now >= self.deadline {
            return Some(Stop::Time);
        }
        if now < self.next_look.get() {
            return None;
        }
        self.next_look.set(now + LOOK);
        if (self.is_gone)() {
            return Some(Stop::Gone);
        }
        (spill::bytes() > MAX_SPILL).then_some(Stop::Spill)
    }
}

/// An open connection. Its parts stay where they are, since SQLite holds pointers to them.
pub(super) struct Connection {
    db: *mut sqlite3,
    rules: Box<Rules>,
    watch: Box<Watch>,
    tables: HashSet<String>,
}

impl Connection {
    /// Opens the file for reading, with all guards up.
    pub(super) fn open(path: &Path, watch: Watch) -> Result<Self, Problem> {
        let unusable =
            |message: &str| Problem { code: ffi::SQLITE_CANTOPEN, message: message.to_owned(), offset: None };
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| unusable("the path holds a NUL character"))?;
        let mut db = ptr::null_mut();
        let flags = ffi::SQLITE_OPEN_READONLY | ffi::SQLITE_OPEN_EXRESCODE | ffi::SQLITE_OPEN_PRIVATECACHE;
        // SAFETY: the path ends with a NUL, and the out pointer is ours.
        let code = unsafe { ffi::sqlite3_open_v2(path.as_ptr(), &raw mut db, flags, ptr::null()) };
        if db.is_null() {
            return Err(unusable("there is no memory for a connection"));
        }
        let mut connection = Self { db, rules: Box::default(), watch: Box::new(watch), tables: HashSet::new() };
        connection.check(code)?;
        // SAFETY: the connection is open, here and below; the callback gets a pointer to the watch,
        // which lives as long as the connection.
        unsafe {
            ffi::sqlite3_busy_timeout(db, BUSY);
            let watch = ptr::from_ref(&*connection.watch).cast_mut().cast::<c_void>();
            ffi::sqlite3_progress_handler(db, STEPS, Some(progress), watch);
            let defensive: c_int = 1;
            let code = ffi::sqlite3_db_config(db, ffi::SQLITE_DBCONFIG_DEFENSIVE, defensive, ptr::null_mut::<c_int>());
            connection.check(code)?;
            connection.check(functions::add(db))?;
        }
        connection.tables = connection.read_tables()?;
        for (limit, most) in LIMITS {
            // SAFETY: as above.
            unsafe { ffi::sqlite3_limit(db, limit, most) };
        }
        // SAFETY: the rules live as long as the connection.
        unsafe { authorizer::guard(db, &connection.rules) };
        Ok(connection)
    }

    /// Whether there is a table of this name, in lower case, that no view is: of the store, of
    /// SQLite itself, or made by a module.
    pub(super) fn has_table(&self, name: &str) -> bool {
        name.starts_with("sqlite_") || name.starts_with("pragma_") || self.tables.contains(name)
    }

    /// Names of all tables, in lower case. Reading them also makes SQLite look at the file.
    fn read_tables(&self) -> Result<HashSet<String>, Problem> {
        // What a sort does not hold in its cache goes to a file and not to memory.
        for pragma in [c"PRAGMA query_only = 1", c"PRAGMA temp_store = FILE", c"PRAGMA trusted_schema = 0"] {
            // SAFETY: the text ends with a NUL; no callback and no message are asked for.
            let code = unsafe { ffi::sqlite3_exec(self.db, pragma.as_ptr(), None, ptr::null_mut(), ptr::null_mut()) };
            self.check(code)?;
        }
        let sql = "SELECT lower(name) FROM sqlite_schema WHERE type <> 'view' UNION SELECT lower(name) FROM pragma_module_list";
        let (statement, _) = self.compile(sql)?;
        let Some(mut statement) = statement else { return Ok(HashSet::new()) };
        let mut names = HashSet::new();
        while let Some(row) = statement.next()? {
            names.extend(row.into_iter().filter_map(|cell| match cell {
                Cell::Text(name) if !TABLE_FUNCTIONS.contains(&name.as_str()) => Some(name),
                _ => None,
            }));
        }
        Ok(names)
    }

    /// Compiles the text, which has to be one statement.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'_>, Refusal> {
        let mut rest = sql;
        let mut only: Option<Statement<'_>> = None;
        while !rest.is_empty() {
            let (statement, consumed) = match self.compile(rest) {
                Ok(compiled) => compiled,
                Err(_) if only.is_some() => return Err(Refusal::Several),
                Err(problem) => {
                    return Err(match self.rules.denied() {
                        Some(denied) if problem.code & 0xff == ffi::SQLITE_AUTH => Refusal::Denied(denied),
                        _ => Refusal::Problem(problem.behind(sql.len() - rest.len())),
                    });
                }
            };
            if let Some(statement) = statement {
                if only.is_some() {
                    return Err(Refusal::Several);
                }
                // SAFETY: the statement is alive. EXPLAIN reads nothing and would tell how tables
                // are built.
                let (reads, explains) = unsafe {
                    (ffi::sqlite3_stmt_readonly(statement.raw) != 0, ffi::sqlite3_stmt_isexplain(statement.raw) != 0)
                };
                if !reads || explains {
                    return Err(Refusal::Denied(Denied::Action));
                }
                only = Some(statement);
            }
            // The tail begins behind a semicolon or at the end, never inside a character.
            rest = rest.get(consumed..).unwrap_or_default();
        }
        only.ok_or(Refusal::Nothing)
    }

    /// Compiles the first statement of the text, if it has one, and says how many bytes that are.
    fn compile(&self, sql: &str) -> Result<(Option<Statement<'_>>, usize), Problem> {
        let too_long =
            || Problem { code: ffi::SQLITE_TOOBIG, message: "the statement is too long".to_owned(), offset: None };
        let length = c_int::try_from(sql.len()).map_err(|_| too_long())?;
        let (mut raw, mut tail) = (ptr::null_mut(), ptr::null());
        // SAFETY: the text has `length` bytes, which SQLite only reads, during the call; both out
        // pointers are ours.
        let code =
            unsafe { ffi::sqlite3_prepare_v2(self.db, sql.as_ptr().cast(), length, &raw mut raw, &raw mut tail) };
        self.check(code)?;
        // SAFETY: on success the tail points into the text or just behind it.
        let consumed = unsafe { tail.offset_from_unsigned(sql.as_ptr().cast::<c_char>()) };
        Ok(((!raw.is_null()).then_some(Statement { connection: self, raw }), consumed))
    }

    /// Why the statement was interrupted, where the watch did it.
    pub(super) fn stopped(&self) -> Option<Stop> {
        self.watch.stop.get()
    }

    fn check(&self, code: c_int) -> Result<(), Problem> {
        if code == SQLITE_OK { Ok(()) } else { Err(self.problem()) }
    }

    fn problem(&self) -> Problem {
        // SAFETY: the connection is open; the message is copied before it is used again.
        unsafe {
            Problem {
                code: ffi::sqlite3_extended_errcode(self.db),
                message: CStr::from_ptr(ffi::sqlite3_errmsg(self.db)).to_string_lossy().into_owned(),
                offset: usize::try_from(ffi::sqlite3_error_offset(self.db)).ok(),
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: it was open, and its statements, which borrow it, are gone.
        unsafe { ffi::sqlite3_close(self.db) };
    }
}

impl Problem {
    /// The place in a text of which only the part behind so many bytes was compiled.
    fn behind(self, bytes: usize) -> Self {
        Self { offset: self.offset.map(|offset| offset + bytes), ..self }
    }
}

/// Called by SQLite while it works: anything but 0 interrupts it.
///
/// # Safety
/// `watch` is that of the connection.
unsafe extern "C" fn progress(watch: *mut c_void) -> c_int {
    // SAFETY: the caller's promise. Only this thread uses it.
    let watch = unsafe { &*watch.cast::<Watch>() };
    match watch.look() {
        None => 0,
        stop => {
            watch.stop.set(stop);
            1
        }
    }
}

/// A compiled statement.
pub(super) struct Statement<'c> {
    connection: &'c Connection,
    raw: *mut sqlite3_stmt,
}

impl Statement<'_> {
    /// Names of the columns.
    pub(super) fn columns(&self) -> Vec<String> {
        (0..self.width())
            .map(|index| {
                // SAFETY: the statement is alive and has that column; the name is copied at once.
                unsafe {
                    let name = ffi::sqlite3_column_name(self.raw, index);
                    if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
                }
            })
            .collect()
    }

    /// The names of the parameters, in SQLite's order; `None` for a bare question mark.
    pub(super) fn parameters(&self) -> Vec<Option<String>> {
        // SAFETY: the statement is alive; the names are copied at once.
        unsafe {
            (1..=ffi::sqlite3_bind_parameter_count(self.raw))
                .map(|index| {
                    let name = ffi::sqlite3_bind_parameter_name(self.raw, index);
                    (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
                })
                .collect()
        }
    }

    /// Gives the parameter at this place, from 0, its value.
    pub(super) fn bind(&mut self, place: usize, value: &Cell) -> Result<(), Problem> {
        let index = c_int::try_from(place + 1).unwrap_or(c_int::MAX);
        let length = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        // SAFETY: the statement is alive and has not been run; SQLite copies texts and bytes.
        let code = unsafe {
            match value {
                Cell::Null => ffi::sqlite3_bind_null(self.raw, index),
                Cell::Integer(value) => ffi::sqlite3_bind_int64(self.raw, index, *value),
                Cell::Boolean(value) => ffi::sqlite3_bind_int64(self.raw, index, i64::from(*value)),
                Cell::Float(value) => ffi::sqlite3_bind_double(self.raw, index, *value),
                Cell::Text(text) => ffi::sqlite3_bind_text64(
                    self.raw,
                    index,
                    text.as_ptr().cast(),
                    length(text.len()),
                    ffi::SQLITE_TRANSIENT(),
                    ffi::SQLITE_UTF8 as u8,
                ),
                Cell::Bytes(bytes) => ffi::sqlite3_bind_blob64(
                    self.raw,
                    index,
                    bytes.as_ptr().cast(),
                    length(bytes.len()),
                    ffi::SQLITE_TRANSIENT(),
                ),
            }
        };
        self.connection.check(code)
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Cell>>, Problem> {
        // SAFETY: the statement is alive.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            SQLITE_ROW => Ok(Some((0..self.width()).map(|index| self.cell(index)).collect())),
            SQLITE_DONE => Ok(None),
            _ => Err(self.connection.problem()),
        }
    }

    fn width(&self) -> c_int {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_column_count(self.raw) }
    }

    fn cell(&self, index: c_int) -> Cell {
        // SAFETY: the statement stands on a row that has this column. Bytes are copied before the
        // next call, and their length is asked for behind them.
        unsafe {
            match ffi::sqlite3_column_type(self.raw, index) {
                ffi::SQLITE_INTEGER => Cell::Integer(ffi::sqlite3_column_int64(self.raw, index)),
                ffi::SQLITE_FLOAT => Cell::Float(ffi::sqlite3_column_double(self.raw, index)),
                ffi::SQLITE_TEXT => {
                    let text = ffi::sqlite3_column_text(self.raw, index);
                    Cell::Text(String::from_utf8_lossy(self.bytes(text, index)).into_owned())
                }
                ffi::SQLITE_BLOB => {
                    let blob = ffi::sqlite3_column_blob(self.raw, index).cast::<u8>();
                    Cell::Bytes(self.bytes(blob, index).to_vec())
                }
                _ => Cell::Null,
            }
        }
    }

    /// # Safety
    /// `start` is what SQLite gave for this column of the present row.
    unsafe fn bytes(&self, start: *const u8, index: c_int) -> &[u8] {
        if start.is_null() {
            return &[];
        }
        // SAFETY: the caller's promise.
        unsafe {
            let length = usize::try_from(ffi::sqlite3_column_bytes(self.raw, index)).unwrap_or(0);
            slice::from_raw_parts(start, length)
        }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: it is finalized once and not used afterwards.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}
