//! What is worked out before a statement that reads it.
//!
//! Statements find what is kept, and the importance of hyperparameters is kept a moment after the
//! runs that it counts: no result waits for it, and a coordinator may be killed right behind a
//! sweep's last run. So a statement that names the view waits, within bounds, until the importance
//! of ended sweeps counts all of their runs. That of a sweep that goes on is shown as it was last
//! worked out.
//!
//! A store that is open for reading only may have nobody who still works anything out. For that
//! moment this process is then its coordinator, with the lock that every coordinator has; where it
//! may not be, it waits for whoever is.

use std::{sync::Arc, time::Duration};

use besom_sweep::Table;
use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tracing::debug;

use crate::{
    error_chain::chain,
    open::{open, open_read_only},
    store::{
        Store, StoreUrl,
        query::{self, QueryError},
    },
};

/// How long a statement waits. Then it finds what was worked out before.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at what another process works out.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs one statement that only reads on a store of one's own, as [`query::query`] does, and waits
/// first for what the statement may read of ended sweeps.
///
/// # Errors
/// As for [`query::query`].
pub async fn query(url: &StoreUrl, sql: &str) -> Result<Table, QueryError> {
    // A store that cannot be opened is told by the statement itself.
    if names_importance(sql)
        && let Ok(opened) = open_read_only(url).await
    {
        settle(&opened.store, url, sql).await;
        opened.close().await;
    }
    query::query(url, sql).await
}

/// Waits for the importance of ended sweeps, if the statement may read it.
pub(crate) async fn settle(store: &Arc<dyn Store>, url: &StoreUrl, statement: &str) {
    if !names_importance(statement) {
        return;
    }
    if timeout(PATIENCE, settled(store, url)).await.is_err() {
        debug!("a statement reads importance that does not count all runs of ended sweeps");
    }
}

fn names_importance(statement: &str) -> bool {
    statement.to_ascii_lowercase().contains("importance")
}

async fn settled(store: &Arc<dyn Store>, url: &StoreUrl) {
    let mut asked = false;
    loop {
        match store.settle_importance(None).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(problem) => {
                debug!(error = chain(&problem), "importance is read as it is");
                return;
            }
        }
        if asked {
            sleep(PAUSE).await;
        } else {
            asked = true;
            // On a thread of its own: the lock must outlast what is written under it, also where
            // nobody waits any more.
            let (runtime, url) = (Handle::current(), url.clone());
            let _ = spawn_blocking(move || runtime.block_on(as_its_coordinator(&url))).await;
        }
    }
}

async fn as_its_coordinator(url: &StoreUrl) {
    let opened = match open(url).await {
        Ok(opened) => opened,
        Err(problem) => {
            debug!(error = chain(&problem), "the importance of ended sweeps is left to others");
            return;
        }
    };
    if let Err(problem) = opened.store.settle_importance(None).await {
        debug!(error = chain(&problem), "importance was not worked out");
    }
    opened.close().await;
}
