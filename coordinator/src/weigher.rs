//! Works out the importance of hyperparameters where runs have ended, in the background.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::error_chain::chain;
use crate::jitter::jittered;
use crate::store::Store;

/// How often sweeps are looked for; the store knows which of them are due.
const LOOK: Duration = Duration::from_secs(1);

/// How long a stopping coordinator still works on what is due: `besom run` stops right after its
/// sweep's end, and whoever then asks with SQL finds what is kept.
const LAST: Duration = Duration::from_secs(3);

/// Goes on until the token is cancelled. What it leaves undone is found at the next start.
pub(crate) async fn weigh(store: Arc<dyn Store>, token: CancellationToken) {
    look(&*store, token).await;
    let last = tokio::time::timeout(LAST, store.weigh_due(None)).await;
    if !matches!(last, Ok(Ok(_))) {
        debug!("importance is left to the next coordinator");
    }
}

async fn look(store: &dyn Store, token: CancellationToken) {
    let mut told = false;
    loop {
        // Its transactions have limits of their own, and no caller waits for it.
        let done = tokio::select! {
            biased;
            () = token.cancelled() => return,
            done = store.weigh_due(None) => done,
        };
        match done {
            Ok(_) => told = false,
            // The reaper warns of a store that is away.
            Err(problem) if problem.is_retryable() => debug!(error = chain(&problem), "importance is worked out later"),
            Err(problem) if !told => {
                error!(error = chain(&problem), "importance cannot be worked out");
                told = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            () = tokio::time::sleep(jittered(LOOK)) => {}
        }
    }
}
