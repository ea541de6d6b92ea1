//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output;

/// A token that is cancelled by the first signal. `first` is said to the person then; a second signal exits with code 1
/// without waiting for anything.
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
        either(&mut interrupt, &mut terminate).await;
        if !first.is_empty() {
            output::say(first);
        }
        told.cancel();
        either(&mut interrupt, &mut terminate).await;
        exit_now("stopped");
    }));
    Ok(token)
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Ends the process, with words, as soon as a sync of it failed: nothing that it does can be relied on any more.
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
    output::clear_live();
    output::say(format_args!("besom: {why}"));
    std::process::exit(1)
}
