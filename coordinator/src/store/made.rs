//! Waiting for a store that somebody else is making, or brings to this build's migrations.

use std::time::{Duration, Instant};

use super::{
    error::OpenError,
    lock::{Holder, read_lock},
    postgres::PostgresStore,
    sqlite::SqliteStore,
    url::StoreUrl,
};

/// How long somebody who reads waits for whoever makes the store: migrations of a large store take longer than of an empty one.
const MAKING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Waits, for a while, until nobody else is about to make the store or to change its tables: half of that is no store yet.
pub(crate) async fn until_made(url: &StoreUrl) {
    let deadline = Instant::now() + MAKING;
    loop {
        let made = match url {
            StoreUrl::Sqlite(path) => SqliteStore::check_made(path).await,
            StoreUrl::Postgres(url) => PostgresStore::check_made(url).await,
        };
        // Any other error is for whoever opens the store. A file that is just being made may be locked for a moment.
        let may_come = matches!(made, Err(OpenError::NotFound { .. } | OpenError::Unavailable { .. }));
        if !may_come || Instant::now() >= deadline {
            return;
        }
        let is_being_made = match url {
            // Who serves has made it before.
            StoreUrl::Sqlite(path) => matches!(read_lock(path), Ok(Some(Holder { address: None, .. }))),
            StoreUrl::Postgres(url) => PostgresStore::is_being_made(url).await,
        };
        if !is_being_made {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
