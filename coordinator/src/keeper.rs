//! Removes what nothing names any more: dropped artifacts, those that were never named, uploads
//! that nobody went on with.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::artifacts::{ArtifactError, ArtifactStore, UNNAMED};
use crate::error_chain::chain;
use crate::jitter::jittered;

/// How soon the bytes of an artifact go after its row.
const SOON: Duration = Duration::from_secs(5);

/// Goes on until the token is cancelled.
pub(crate) async fn keep(artifacts: Arc<dyn ArtifactStore>, token: CancellationToken) {
    // Any time is right, also for several coordinators at once: what one removes, the others do not
    // find.
    let mut search = Instant::now();
    loop {
        let round = async {
            if search <= Instant::now() {
                let removed = artifacts.remove_unnamed().await?;
                search = Instant::now() + jittered(UNNAMED);
                if removed > 0 {
                    info!(removed, "artifacts that nothing names were removed");
                }
            }
            artifacts.tidy().await
        };
        let round = tokio::select! {
            biased;
            () = token.cancelled() => return,
            round = round => round,
        };
        match round {
            Ok(()) => {}
            // The reaper says that the store is away.
            Err(ArtifactError::Store(error)) if error.is_retryable() => {
                debug!(error = chain(&error), "artifacts that nothing names stay for now");
            }
            Err(error) => {
                warn!(
                    error = chain(&error),
                    "artifacts that nothing names could not be removed; trying again in an hour"
                );
                search = Instant::now() + UNNAMED;
            }
        }
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            () = tokio::time::sleep(SOON) => {}
        }
    }
}
