//! A sync that fails ends the process.
//!
//! The kernel forgets pages that it could not write and reports that once: the next sync of the
//! same file succeeds, although the bytes are lost. So there is nothing to repeat. After the first
//! failure no more writes are begun, and whoever owns the process ends it; the next one reads from
//! the disk what is really there.

use std::sync::{LazyLock, OnceLock};

use tokio_util::sync::CancellationToken;

/// Of the process, not of one store: what the kernel reports of one file it may have met with
/// another.
static FAILURE: LazyLock<Failure> = LazyLock::new(Failure::default);

#[derive(Default)]
struct Failure {
    what: OnceLock<String>,
    told: CancellationToken,
}

/// Notes that a sync failed; the first one is told. Never blocks and never panics: SQLite calls it
/// from its own code.
pub(crate) fn note(what: &str) {
    let failure = &*FAILURE;
    let _ = failure.what.set(format!(
        "a sync failed ({what}): bytes may be lost, so nothing more is acknowledged and this process ends; check the \
         disk and the system's log, then start it again"
    ));
    failure.told.cancel();
}

/// Nothing more is written.
#[derive(Debug, thiserror::Error)]
#[error("a sync failed, and this process ends")]
pub(crate) struct SyncFailed;

/// Refuses to go on after a sync failed.
pub(crate) fn check() -> Result<(), SyncFailed> {
    if FAILURE.told.is_cancelled() { Err(SyncFailed) } else { Ok(()) }
}

/// Which sync of this process failed, if one did.
pub fn sync_failure() -> Option<&'static str> {
    FAILURE.what.get().map(String::as_str)
}

/// Waits until a sync of this process failed, and says which. The owner of the process must then
/// end it at once.
pub async fn failed_sync() -> &'static str {
    FAILURE.told.cancelled().await;
    FAILURE.what.get().map_or("a sync failed", String::as_str)
}
