//! What leaves the program: data on stdout, remarks on stderr, one exit code.
//!
//! Rust's `println!` panics on a closed pipe, and `besom best NAME | head` closes it: stdout is
//! written here only, and a closed stdout ends the program quietly with code 0.

use std::{
    fmt,
    io::{self, Write},
    sync::OnceLock,
};

use besom_sweep::steers_terminal;
use indicatif::MultiProgress;

use crate::text::wrapped;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Code 0.
    Success,
    /// Code 1: a job failed, or the command could not be done.
    Failed,
    /// Code 2: wrong arguments or a wrong sweep file.
    Usage,
    /// Code 130 or 143: a signal ended it before it was done.
    Interrupted,
}

/// Wrong use: the arguments or the sweep file must change before it can work. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

/// A usage error with this message.
pub(crate) fn usage(message: impl fmt::Display) -> anyhow::Error {
    UsageError(message.to_string()).into()
}

/// Nobody reads stdout any more.
#[derive(Debug, thiserror::Error)]
#[error("stdout is closed")]
struct Closed;

/// How many columns the terminal has that stdout is; nothing where it is a file or a pipe.
pub(crate) fn stdout_width() -> Option<usize> {
    let terminal = console::Term::stdout();
    terminal.is_term().then(|| terminal.size_checked()).flatten().map(|(_, columns)| usize::from(columns))
}

/// Writes `text` and a line feed to stdout, what would steer a terminal as `?`: it may quote a file
/// or another process.
///
/// # Errors
/// Stdout is closed (the program then ends with code 0) or cannot be written.
pub(crate) fn line(text: impl fmt::Display) -> anyhow::Result<()> {
    bytes(format!("{}\n", printable(&text.to_string())).as_bytes())
}

/// Writes `text` to stdout as [`line()`] does; on a terminal it is broken between words, so that no
/// line is wrapped.
///
/// # Errors
/// As for [`line()`].
pub(crate) fn prose(text: impl fmt::Display) -> anyhow::Result<()> {
    let text = text.to_string();
    line(stdout_width().map_or_else(|| text.clone(), |width| wrapped(&printable(&text), width)))
}

/// One remark for a person as [`say`] writes it; on a terminal it is broken between words, so that no
/// line is wrapped.
pub(crate) fn remark(text: impl fmt::Display) {
    let text = printable(&text.to_string());
    let terminal = console::Term::stderr();
    match terminal.is_term().then(|| terminal.size_checked()).flatten() {
        Some((_, columns)) => say(wrapped(&text, columns.into())),
        None => say(text),
    }
}

/// `text` without what would steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.replace(|c: char| steers_terminal(c) && c != '\n' && c != '\t', "?")
}

/// Writes to stdout and flushes it.
///
/// # Errors
/// As for [`line()`].
pub(crate) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        Err(error) => Err(anyhow::Error::new(error).context("stdout")),
    }
}

/// One remark for a person, on stderr. A closed stderr is nobody's problem. It may quote a file or
/// another process, so what would steer a terminal is shown as `?`; the numbers of system errors,
/// which help nobody, are left out.
pub(crate) fn say(text: impl fmt::Display) {
    stderr_bytes(format!("{}\n", without_numbers(printable(&text.to_string()))).as_bytes());
}

/// `text` without the numbers that stand behind the words of system errors: "Permission denied (os
/// error 13)".
pub(crate) fn without_numbers(mut text: String) -> String {
    const BEFORE: &str = " (os error ";
    let mut from = 0;
    while let Some(found) = text[from..].find(BEFORE) {
        let start = from + found;
        let digits = &text[start + BEFORE.len()..];
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        if length > 0 && digits[length..].starts_with(')') {
            text.replace_range(start..=start + BEFORE.len() + length, "");
        } else {
            from = start + BEFORE.len();
        }
    }
    text
}

static LIVE: OnceLock<MultiProgress> = OnceLock::new();

/// Live lines that every other write to stderr must step around.
pub(crate) fn set_live(live: MultiProgress) {
    // Only `run` and `watch` draw, once each.
    let _ = LIVE.set(live);
}

/// Writes to stderr without tearing the live lines, if there are any.
pub(crate) fn stderr_bytes(bytes: &[u8]) {
    let write = || {
        let _ = io::stderr().lock().write_all(bytes);
    };
    match LIVE.get() {
        Some(live) => live.suspend(write),
        None => write(),
    }
}

/// Takes the live lines away, for an end without more ado.
pub(crate) fn clear_live() {
    if let Some(live) = LIVE.get() {
        let _ = live.clear();
    }
}

/// Says what went wrong, once, and what the exit code is.
pub(crate) fn finish(result: anyhow::Result<Exit>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(error) if error.is::<Closed>() => Exit::Success,
        Err(error) => {
            say(format_args!("besom: {error:#}"));
            if error.chain().any(|cause| cause.is::<UsageError>()) { Exit::Usage } else { Exit::Failed }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_steers_a_terminal() {
        assert_eq!(printable("a\u{202e}b\u{2067}\u{1b}[2J\tc\n"), "a?b??[2J\tc\n");
        assert_eq!(printable("学習 é שלום"), "学習 é שלום");
    }

    #[test]
    fn the_numbers_of_system_errors_are_left_out() {
        for (text, shown) in [
            ("a.csv: No such file or directory (os error 2)", "a.csv: No such file or directory"),
            ("(os error 2) x (os error 13): y (os error 5)", "(os error 2) x: y"),
            ("a (os error x) (os error 7", "a (os error x) (os error 7"),
        ] {
            assert_eq!(without_numbers(text.to_owned()), shown);
        }
    }
}
