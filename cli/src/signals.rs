//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends the process at once.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output;

/// A token that is cancelled by the first signal. `first` is said to the person then; a second
/// signal ends the process without waiting for anything, with the exit code of that signal.
///
/// # Errors
/// The handlers cannot be installed.
pub(crate) fn first_signal(first: &'static str) -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let told = token.clone();
    // Lives as long as the process: there is no orderly way to stop listening to signals.
    drop(tokio::spawn(async move {
        RECEIVED.store(either(&mut interrupt, &mut terminate).await, Ordering::Relaxed);
        if !first.is_empty() {
            output::say(first);
        }
        told.cancel();
        RECEIVED.store(either(&mut interrupt, &mut terminate).await, Ordering::Relaxed);
        end("stopped", exit_code());
    }));
    Ok(token)
}

/// Which of the two came, by number.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> u8 {
    let signal = tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    };
    u8::try_from(signal.as_raw_value()).unwrap_or_default()
}

/// The last signal that came; 0: none.
static RECEIVED: AtomicU8 = AtomicU8::new(0);

/// The exit code of a process that a signal ended, as shells tell it: 130 after SIGINT, 143 after
/// SIGTERM.
pub(crate) fn exit_code() -> u8 {
    128 + RECEIVED.load(Ordering::Relaxed)
}

/// Ends the process, with words, as soon as a sync of it failed: nothing that it does can be relied
/// on any more.
pub(crate) fn exit_on_failed_sync() {
    drop(tokio::spawn(async { exit_now(besom_coordinator::failed_sync().await) }));
}

/// As [`exit_on_failed_sync`], at the end of a command: closing a store syncs it once more.
pub(crate) fn exit_if_a_sync_failed() {
    if let Some(why) = besom_coordinator::sync_failure() {
        exit_now(why);
    }
}

fn exit_now(why: &str) -> ! {
    end(why, 1)
}

fn end(why: &str, code: u8) -> ! {
    output::clear_live();
    output::say(format_args!("besom: {why}"));
    std::process::exit(code.into())
}
