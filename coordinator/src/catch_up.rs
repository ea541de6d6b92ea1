//! Statistics of runs that ended before besom kept any, once after a start.
//!
//! Step by step, so that reports and results get their turn in between, and a coordinator that
//! stops has lost nothing.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::error_chain::chain;
use crate::jitter::jittered;
use crate::patience::bounded;
use crate::store::Store;

/// Jobs of one transaction: well below a tenth of a second, so that results hardly wait.
const BATCH: u32 = 200;

/// Before it is tried again where the store was away.
const WAIT: Duration = Duration::from_secs(10);

/// Goes on until nothing is left.
pub(crate) async fn catch_up(store: Arc<dyn Store>, token: CancellationToken) {
    loop {
        let step = tokio::select! {
            biased;
            () = token.cancelled() => return,
            step = bounded(store.catch_up(BATCH)) => step,
        };
        match step {
            Ok(true) => continue,
            Ok(false) => return,
            Err(problem) if problem.is_retryable() => {
                warn!(error = chain(&problem), "statistics of earlier runs: trying again");
            }
            Err(problem) => {
                error!(error = chain(&problem), "statistics of earlier runs cannot be worked out");
                return;
            }
        }
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            () = tokio::time::sleep(jittered(WAIT)) => {}
        }
    }
}
