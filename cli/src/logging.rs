//! Logs on stderr: `BESOM_LOG` (a filter such as `info` or `besom_worker=debug`), `--verbose`, or
//! the command's default.

use std::io;

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::output;

/// Starts logging. `default` is the level of commands that serve (info) or not (warn).
///
/// # Errors
/// `BESOM_LOG` is no filter.
pub(crate) fn init(verbose: u8, default: &str) -> anyhow::Result<()> {
    let directives = match (std::env::var("BESOM_LOG"), verbose) {
        (_, 1) => "info".to_owned(),
        (_, 2..) => "debug".to_owned(),
        (Ok(text), 0) if !text.is_empty() => text,
        (_, 0) => default.to_owned(),
    };
    let filter = EnvFilter::try_new(&directives)
        .map_err(|error| output::usage(format_args!("BESOM_LOG: {directives:?} is no log filter: {error}")))?;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = !no_color && io::IsTerminal::is_terminal(&io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_target(false).with_writer(Stderr).init();
    Ok(())
}

/// Steps around the live lines of `run` and `watch`.
struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        output::stderr_bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
