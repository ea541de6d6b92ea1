//! A budget of memory for one statement of SQLite.
//!
//! SQLite bounds one value and not all of them together: a row of a thousand columns may hold a
//! thousand of the largest values, and its own bound on memory counts for the whole process, so
//! that a reader who meets it would leave nothing to the coordinator's transactions. SQLite takes
//! its memory from this allocator instead. It writes down in front of each piece whose it is; on a
//! thread that works on a budget, it gives no more than that. SQLite answers a statement that gets
//! no memory with an error, as it does on a machine that has none left.
#![expect(unsafe_code, reason = "an allocator of SQLite consists of functions of its C interface")]

use std::{
    alloc::{Layout, alloc, dealloc, realloc},
    cell::Cell,
    ffi::{c_int, c_void},
    ptr,
    sync::{
        Once,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Instant,
};

use libsqlite3_sys::{SQLITE_CONFIG_MALLOC, SQLITE_OK, sqlite3_config, sqlite3_mem_methods};

/// Budgets at once, and one number more for memory that has none. As many as a word has bits.
const BUDGETS: usize = 64;

/// In front of every piece: its size and its budget.
const HEADER: usize = 16;
const ALIGNMENT: usize = 16;

/// Pieces from this size on are worth a look at the clock.
const LARGE: usize = 64 << 10;

/// What each budget has in use. Pages of SQLite's cache may pass to another connection, so a budget
/// may end with some still counted.
static USED: [AtomicI64; BUDGETS] = [const { AtomicI64::new(0) }; BUDGETS];
/// Which budgets are taken, a bit each. The first one stands for no budget.
static TAKEN: AtomicU64 = AtomicU64::new(1);

static INSTALLED: Once = Once::new();
static IN_USE: AtomicBool = AtomicBool::new(false);

thread_local! {
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Current {
    number: usize,
    most: i64,
    deadline: Instant,
}

/// The budget of this thread, until it is dropped. It stays on the thread.
pub(super) struct Budget {
    number: usize,
    _thread: std::marker::PhantomData<*const ()>,
}

impl Budget {
    /// From now on SQLite has so many bytes on this thread, and none for large pieces after the
    /// deadline. `None` where there are already as many budgets as there can be.
    pub(super) fn enter(bytes: usize, deadline: Instant) -> Option<Self> {
        let mut taken = TAKEN.load(Ordering::Relaxed);
        let number = loop {
            let number = taken.trailing_ones() as usize;
            if number >= BUDGETS {
                return None;
            }
            match TAKEN.compare_exchange_weak(taken, taken | 1 << number, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break number,
                Err(now) => taken = now,
            }
        };
        let most = USED[number].load(Ordering::Relaxed).saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        CURRENT.set(Some(Current { number, most, deadline }));
        Some(Self { number, _thread: std::marker::PhantomData })
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        CURRENT.set(None);
        TAKEN.fetch_and(!(1 << self.number), Ordering::AcqRel);
    }
}

/// Whether the statement of this thread has had its time. Functions that work long on one row ask.
pub(super) fn is_late() -> bool {
    current().is_some_and(|current| Instant::now() >= current.deadline)
}

/// Whether SQLite takes its memory here.
pub(super) fn is_in_use() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

/// Takes over SQLite's memory. To be called before the process opens its first database; later
/// SQLite refuses it.
pub(in crate::store) fn install() {
    INSTALLED.call_once(|| {
        let methods = sqlite3_mem_methods {
            xMalloc: Some(malloc),
            xFree: Some(free),
            xRealloc: Some(resize),
            xSize: Some(size),
            xRoundup: Some(round_up),
            xInit: Some(init),
            xShutdown: Some(shutdown),
            pAppData: ptr::null_mut(),
        };
        // SAFETY: this option takes a pointer to the methods, which SQLite copies. They do what its
        // documentation asks of them.
        let result = unsafe { sqlite3_config(SQLITE_CONFIG_MALLOC, &raw const methods) };
        IN_USE.store(result == SQLITE_OK, Ordering::Relaxed);
        if result != SQLITE_OK {
            tracing::debug!(result, "SQLite was in use before; the memory of statements is not bounded");
        }
    });
}

fn current() -> Option<Current> {
    // Memory is also given back while a thread ends.
    CURRENT.try_with(Cell::get).unwrap_or(None)
}

/// Whether this thread may have so many bytes more, counted to that budget.
fn allows(number: usize, more: usize) -> bool {
    let Some(current) = current().filter(|current| current.number == number) else { return true };
    let more_signed = i64::try_from(more).unwrap_or(i64::MAX);
    USED[number].load(Ordering::Relaxed).saturating_add(more_signed) <= current.most
        && (more < LARGE || Instant::now() < current.deadline)
}

fn count(number: usize, bytes: i64) {
    if number > 0 {
        USED[number].fetch_add(bytes, Ordering::Relaxed);
    }
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(HEADER)?, ALIGNMENT).ok()
}

fn rounded(bytes: c_int) -> Option<usize> {
    usize::try_from(bytes).ok().filter(|bytes| *bytes > 0).map(|bytes| bytes.next_multiple_of(8))
}

unsafe extern "C" fn malloc(bytes: c_int) -> *mut c_void {
    let Some(size) = rounded(bytes) else { return ptr::null_mut() };
    let number = current().map_or(0, |current| current.number);
    if !allows(number, size) {
        return ptr::null_mut();
    }
    let Some(layout) = layout(size) else { return ptr::null_mut() };
    // SAFETY: the layout is not empty. The header is within the piece and aligned, and what SQLite
    // gets lies behind it.
    unsafe {
        let piece = alloc(layout);
        if piece.is_null() {
            return ptr::null_mut();
        }
        piece.cast::<[usize; 2]>().write([size, number]);
        count(number, size.cast_signed() as i64);
        piece.add(HEADER).cast()
    }
}

unsafe extern "C" fn free(given: *mut c_void) {
    if given.is_null() {
        return;
    }
    // SAFETY: SQLite gives back only what it got from `malloc` or `resize`, once: its header stands
    // in front of it.
    unsafe {
        let piece = given.cast::<u8>().sub(HEADER);
        let [size, number] = piece.cast::<[usize; 2]>().read();
        count(number, -(size.cast_signed() as i64));
        if let Some(layout) = layout(size) {
            dealloc(piece, layout);
        }
    }
}

unsafe extern "C" fn resize(given: *mut c_void, bytes: c_int) -> *mut c_void {
    let Some(size) = rounded(bytes) else { return ptr::null_mut() };
    // SAFETY: as for `free`; the piece keeps its layout until it is resized, and where that fails
    // it stays as it was.
    unsafe {
        let piece = given.cast::<u8>().sub(HEADER);
        let [before, number] = piece.cast::<[usize; 2]>().read();
        if size > before && !allows(number, size - before) {
            return ptr::null_mut();
        }
        let (Some(old), Some(new)) = (layout(before), layout(size)) else { return ptr::null_mut() };
        let piece = realloc(piece, old, new.size());
        if piece.is_null() {
            return ptr::null_mut();
        }
        piece.cast::<[usize; 2]>().write([size, number]);
        count(number, size.cast_signed() as i64 - before.cast_signed() as i64);
        piece.add(HEADER).cast()
    }
}

unsafe extern "C" fn size(given: *mut c_void) -> c_int {
    if given.is_null() {
        return 0;
    }
    // SAFETY: as for `free`.
    let [size, _] = unsafe { given.cast::<u8>().sub(HEADER).cast::<[usize; 2]>().read() };
    c_int::try_from(size).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    rounded(bytes).and_then(|size| c_int::try_from(size).ok()).unwrap_or(bytes)
}

unsafe extern "C" fn init(_: *mut c_void) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn shutdown(_: *mut c_void) {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_budget_gives_no_more_than_it_has_and_takes_back() {
        let budget = Budget::enter(100_000, later()).unwrap();
        // SAFETY: each piece is given back once.
        unsafe {
            let one = malloc(60_000);
            assert!(!one.is_null());
            assert!(malloc(60_000).is_null());
            assert!(resize(one, 110_000).is_null());
            let one = resize(one, 90_000);
            assert_eq!(size(one), 90_000);
            free(one);
            let again = malloc(90_000);
            assert!(!again.is_null());
            drop(budget);
            let other = malloc(200_000);
            assert!(!other.is_null());
            free(again);
            free(other);
        }
    }

    #[test]
    fn after_the_deadline_no_large_piece_is_given() {
        let _budget = Budget::enter(10 << 20, Instant::now()).unwrap();
        assert!(is_late());
        // SAFETY: the piece that is given is given back once.
        unsafe {
            assert!(malloc(1 << 20).is_null());
            let small = malloc(100);
            assert!(!small.is_null());
            free(small);
        }
    }
}
