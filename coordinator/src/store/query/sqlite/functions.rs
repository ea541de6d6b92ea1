//! Functions of SQLite whose work grows with the product of two texts, with a bound on it.
//!
//! SQLite can be interrupted between two steps of a statement and not within one. `instr` of two
//! texts of some megabytes, one long run of the same letter each, takes it an hour. These do the
//! same in other words, look at the clock before they begin, and refuse what would take long.
#![expect(unsafe_code, reason = "functions are added through SQLite's C interface")]

use std::{
    borrow::Cow,
    collections::HashSet,
    ffi::{CStr, c_int, c_void},
    ptr, slice,
};

use libsqlite3_sys::{
    SQLITE_BLOB, SQLITE_DETERMINISTIC, SQLITE_INNOCUOUS, SQLITE_INTERRUPT, SQLITE_NULL, SQLITE_OK, SQLITE_TRANSIENT,
    SQLITE_UTF8, sqlite3, sqlite3_context, sqlite3_create_function_v2, sqlite3_result_error, sqlite3_result_error_code,
    sqlite3_result_error_toobig, sqlite3_result_int64, sqlite3_result_null, sqlite3_result_text64, sqlite3_value,
    sqlite3_value_blob, sqlite3_value_bytes, sqlite3_value_text, sqlite3_value_type,
};

use super::{bounds::MAX_VALUE, memory, patterns};

/// Comparisons of one call: some tenths of a second.
pub(super) const MOST_STEPS: usize = 100_000_000;

/// What a call gives.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Null,
    Number(i64),
    Text(String),
    TooLarge,
    Wrong(&'static str),
}

/// One argument.
enum Argument<'a> {
    Null,
    Text(&'a [u8]),
    Bytes(&'a [u8]),
}

impl<'a> Argument<'a> {
    /// The bytes, also of a text.
    fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Null => None,
            Self::Text(bytes) | Self::Bytes(bytes) => Some(bytes),
        }
    }

    /// As text: what is no UTF-8 is shown by a sign of its own.
    fn text(&self) -> Option<Cow<'a, str>> {
        self.bytes().map(String::from_utf8_lossy)
    }
}

type Function = fn(&[Argument<'_>]) -> Answer;

const TOO_LONG: Answer = Answer::Wrong("the texts are too long to be compared with each other");

/// Adds the functions to a connection.
///
/// # Safety
/// `db` is open.
pub(super) unsafe fn add(db: *mut sqlite3) -> c_int {
    const ALL: [(&CStr, c_int, unsafe extern "C" fn(*mut sqlite3_context, c_int, *mut *mut sqlite3_value)); 10] = [
        (c"instr", 2, call_instr),
        (c"replace", 3, call_replace),
        (c"trim", 1, call_trim),
        (c"trim", 2, call_trim),
        (c"ltrim", 1, call_ltrim),
        (c"ltrim", 2, call_ltrim),
        (c"rtrim", 1, call_rtrim),
        (c"rtrim", 2, call_rtrim),
        (c"like", -1, call_like),
        (c"glob", 2, call_glob),
    ];
    for (name, arguments, function) in ALL {
        let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
        // SAFETY: the caller's promise; the functions use no data of their own.
        let code = unsafe {
            sqlite3_create_function_v2(
                db,
                name.as_ptr(),
                arguments,
                flags,
                ptr::null_mut::<c_void>(),
                Some(function),
                None,
                None,
                None,
            )
        };
        if code != SQLITE_OK {
            return code;
        }
    }
    SQLITE_OK
}

/// Reads the arguments, calls the function and hands its answer over.
///
/// # Safety
/// As SQLite calls a function: `count` values, which live during the call.
unsafe fn call(context: *mut sqlite3_context, count: c_int, values: *mut *mut sqlite3_value, function: Function) {
    if memory::is_late() {
        // SAFETY: the context is SQLite's.
        unsafe { sqlite3_result_error_code(context, SQLITE_INTERRUPT) };
        return;
    }
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller's promise.
    let values = if count == 0 { &[] } else { unsafe { slice::from_raw_parts(values, count) } };
    // SAFETY: the values are SQLite's, and their bytes stay where they are until the function
    // returns: nothing here asks for the same value in another form.
    let arguments: Vec<Argument<'_>> = values.iter().map(|value| unsafe { argument(*value) }).collect();
    let answer = function(&arguments);
    // SAFETY: the context is SQLite's, which copies the text.
    unsafe {
        match answer {
            Answer::Null => sqlite3_result_null(context),
            Answer::Number(number) => sqlite3_result_int64(context, number),
            Answer::Text(text) => sqlite3_result_text64(
                context,
                text.as_ptr().cast(),
                text.len() as u64,
                SQLITE_TRANSIENT(),
                SQLITE_UTF8 as u8,
            ),
            Answer::TooLarge => sqlite3_result_error_toobig(context),
            Answer::Wrong(message) => {
                let length = c_int::try_from(message.len()).unwrap_or(0);
                sqlite3_result_error(context, message.as_ptr().cast(), length);
            }
        }
    }
}

/// # Safety
/// `value` is an argument of the present call.
unsafe fn argument<'a>(value: *mut sqlite3_value) -> Argument<'a> {
    // SAFETY: the caller's promise. The length is asked for behind the bytes, as SQLite's
    // documentation wants it.
    unsafe {
        let kind = sqlite3_value_type(value);
        if kind == SQLITE_NULL {
            return Argument::Null;
        }
        let is_bytes = kind == SQLITE_BLOB;
        let bytes = if is_bytes { sqlite3_value_blob(value).cast::<u8>() } else { sqlite3_value_text(value) };
        let length = usize::try_from(sqlite3_value_bytes(value)).unwrap_or(0);
        let bytes = if bytes.is_null() { &[] } else { slice::from_raw_parts(bytes, length) };
        if is_bytes { Argument::Bytes(bytes) } else { Argument::Text(bytes) }
    }
}

macro_rules! exported {
    ($($name:ident => $function:expr;)*) => {
        $(
            /// # Safety
            /// Called by SQLite.
            unsafe extern "C" fn $name(context: *mut sqlite3_context, count: c_int, values: *mut *mut sqlite3_value) {
                // SAFETY: the arguments are passed on as they came.
                unsafe { call(context, count, values, $function) }
            }
        )*
    };
}

exported! {
    call_instr => instr;
    call_replace => replace;
    call_trim => |arguments| trim(arguments, true, true);
    call_ltrim => |arguments| trim(arguments, true, false);
    call_rtrim => |arguments| trim(arguments, false, true);
    call_like => like;
    call_glob => glob;
}

fn instr(arguments: &[Argument<'_>]) -> Answer {
    let [text, part] = arguments else { return Answer::Null };
    let (Some(bytes), Some(wanted)) = (text.bytes(), part.bytes()) else { return Answer::Null };
    let place = |index: usize| Answer::Number(i64::try_from(index).unwrap_or(i64::MAX - 1) + 1);
    if let (Argument::Bytes(_), Argument::Bytes(_)) = (text, part) {
        if bytes.len().saturating_mul(wanted.len()) > MOST_STEPS {
            return TOO_LONG;
        }
        if wanted.is_empty() {
            return Answer::Number(1);
        }
        return bytes.windows(wanted.len()).position(|window| window == wanted).map_or(Answer::Number(0), place);
    }
    let (Some(text), Some(part)) = (text.text(), part.text()) else { return Answer::Null };
    // The standard library's search takes as long as both texts together.
    text.find(&*part).map_or(Answer::Number(0), |at| place(text[..at].chars().count()))
}

fn replace(arguments: &[Argument<'_>]) -> Answer {
    let [text, from, to] = arguments else { return Answer::Null };
    let (Some(text), Some(from)) = (text.text(), from.text()) else { return Answer::Null };
    if from.is_empty() {
        return Answer::Text(text.into_owned());
    }
    let Some(to) = to.text() else { return Answer::Null };
    let count = text.matches(&*from).count();
    let stays = text.len() - count * from.len();
    if stays.saturating_add(count.saturating_mul(to.len())) > MAX_VALUE {
        return Answer::TooLarge;
    }
    Answer::Text(text.replace(&*from, &to))
}

fn trim(arguments: &[Argument<'_>], start: bool, end: bool) -> Answer {
    let Some(text) = arguments.first().and_then(Argument::text) else { return Answer::Null };
    let characters = match arguments.get(1) {
        None => Cow::Borrowed(" "),
        Some(given) => match given.text() {
            None => return Answer::Null,
            Some(characters) => characters,
        },
    };
    let characters: HashSet<char> = characters.chars().collect();
    let of_them = |character: char| characters.contains(&character);
    let mut rest = &*text;
    if start {
        rest = rest.trim_start_matches(of_them);
    }
    if end {
        rest = rest.trim_end_matches(of_them);
    }
    Answer::Text(rest.to_owned())
}

fn like(arguments: &[Argument<'_>]) -> Answer {
    let (Some(pattern), Some(text)) =
        (arguments.first().and_then(Argument::text), arguments.get(1).and_then(Argument::text))
    else {
        return Answer::Null;
    };
    let escape = match arguments {
        [_, _] => None,
        [_, _, escape] => match escape.text() {
            None => return Answer::Null,
            Some(escape) => {
                let mut characters = escape.chars();
                match (characters.next(), characters.next()) {
                    (Some(escape), None) => Some(escape),
                    _ => return Answer::Wrong("ESCAPE expression must be a single character"),
                }
            }
        },
        _ => return Answer::Wrong("wrong number of arguments to function like()"),
    };
    matched(&patterns::like(&pattern, escape), &text)
}

fn glob(arguments: &[Argument<'_>]) -> Answer {
    let [pattern, text] = arguments else { return Answer::Null };
    let (Some(pattern), Some(text)) = (pattern.text(), text.text()) else { return Answer::Null };
    matched(&patterns::glob(&pattern), &text)
}

fn matched(pattern: &[patterns::Part], text: &str) -> Answer {
    match patterns::matches(pattern, text, MOST_STEPS) {
        Some(matches) => Answer::Number(i64::from(matches)),
        None => TOO_LONG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Argument<'_> {
        Argument::Text(text.as_bytes())
    }

    #[test]
    fn the_functions_answer_as_those_of_sqlite() {
        for (answer, expected) in [
            (instr(&[text("käse"), text("s")]), Answer::Number(3)),
            (instr(&[text("käse"), text("x")]), Answer::Number(0)),
            (instr(&[text("käse"), text("")]), Answer::Number(1)),
            (instr(&[Argument::Bytes(b"\xff\x00\x01"), Argument::Bytes(b"\x01")]), Answer::Number(3)),
            (instr(&[Argument::Null, text("x")]), Answer::Null),
            (replace(&[text("banana"), text("an"), text("-")]), Answer::Text("b--a".to_owned())),
            (replace(&[text("banana"), text(""), text("-")]), Answer::Text("banana".to_owned())),
            (replace(&[text("banana"), text("a"), Argument::Null]), Answer::Null),
            (trim(&[text("  a b ")], true, true), Answer::Text("a b".to_owned())),
            (trim(&[text("xyaxy"), text("yx")], true, false), Answer::Text("axy".to_owned())),
            (trim(&[text("xyaxy"), text("yx")], false, true), Answer::Text("xya".to_owned())),
            (like(&[text("%B_n%"), text("banana")]), Answer::Number(1)),
            (like(&[text("10!%"), text("10%"), text("!")]), Answer::Number(1)),
            (like(&[text("x"), Argument::Null]), Answer::Null),
            (glob(&[text("b[!x]*"), text("banana")]), Answer::Number(0)),
            (glob(&[text("b[^x]*"), text("banana")]), Answer::Number(1)),
        ] {
            assert_eq!(answer, expected);
        }
    }

    #[test]
    fn what_would_take_long_or_grow_large_is_refused() {
        let long = "a".repeat(4 << 20);
        let needle = format!("{}b", "a".repeat(1 << 20));
        assert_eq!(instr(&[text(&long), text(&needle)]), Answer::Number(0));
        assert_eq!(replace(&[text(&long), text("a"), text("aaaaa")]), Answer::TooLarge);
        assert_eq!(instr(&[Argument::Bytes(long.as_bytes()), Argument::Bytes(needle.as_bytes())]), TOO_LONG);
        assert_eq!(like(&[text(&format!("%{}b", "a".repeat(900))), text(&long)]), TOO_LONG);
    }
}
