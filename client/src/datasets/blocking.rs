//! Work that reads files or computes for long, off the threads that serve sockets.

use besom_dataset::DataError;

/// Runs `work` on a thread for blocking work; a panic there is a panic here.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(DataError::unavailable("dataset", "the program is ending")),
        },
    }
}
