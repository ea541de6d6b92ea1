//! Removing a sweep on somebody's request.

use std::time::Duration;

use besom_proto::v1;
use tonic::Status;

use super::status;
use crate::artifacts::ArtifactStore;
use crate::patience::bounded;
use crate::remover::Remover;
use crate::store::Store;

/// How long one call waits for the end of the removal. Whoever asks again waits on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says what goes with the sweep, or takes it out of sight and waits a while until all of it is
/// gone.
pub(super) async fn remove(
    store: &dyn Store,
    remover: &Remover,
    artifacts: &dyn ArtifactStore,
    sweep: &str,
    validate_only: bool,
) -> Result<v1::RemoveSweepResponse, Status> {
    if validate_only {
        let found = bounded(store.find_sweep(sweep)).await.map_err(status::of_read)?;
        let removal = bounded(store.removal(found.id)).await.map_err(status::of_read)?;
        return Ok(v1::RemoveSweepResponse {
            sweep_id: found.id.0,
            name: found.new.name,
            jobs: removal.jobs,
            epochs: removal.epochs,
            artifacts: removal.artifacts,
            bytes: removal.bytes,
            ..v1::RemoveSweepResponse::default()
        });
    }
    let id = remover.remove(sweep).await?;
    let left = remover.until_gone(id, PATIENCE).await?;
    if left.is_none() {
        // A process that ends with this answer should not leave files to the next one.
        artifacts.tidy().await?;
    }
    Ok(v1::RemoveSweepResponse {
        sweep_id: id.0,
        gone: left.is_none(),
        jobs_left: left.unwrap_or_default(),
        ..v1::RemoveSweepResponse::default()
    })
}
