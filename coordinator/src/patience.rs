//! How long an answer of the store is waited for.

use std::time::Duration;

use crate::store::StoreError;

/// The longest that one answer of the store is waited for. Reports come every 8 s and a lease has 30 s: a worker that
/// hears UNAVAILABLE after 15 s has time to ask again.
const STORE_PATIENCE: Duration = Duration::from_secs(15);

/// Waits for the store, but not for ever. What it was asked may still happen later: every request can be repeated.
pub(crate) async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(STORE_PATIENCE, call).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {STORE_PATIENCE:?}").into())),
    }
}
