//! ArtifactService: bytes in and out. The artifact store compares them with their digest in both directions.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use besom_proto::v1;
use besom_proto::v1::artifact_service_server::ArtifactService;
use besom_proto::v1::put_request::Part;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use tracing::{error, info};

use super::convert;
use super::status::{self, invalid};
use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::domain::Digest;
use crate::scheduler::bounded;

/// The largest artifact: a dataset beyond it would not fit in a worker's memory.
const MAX_ARTIFACT: u64 = 4 << 30;
/// The largest chunk taken; clients send 1 MiB.
const MAX_CHUNK: usize = 2 << 20;
/// How long an upload may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// The service.
pub(crate) struct Artifacts {
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    /// Owns uploads: their storing is not cut off in the middle when a client hangs up.
    pub(crate) uploads: TaskTracker,
}

#[tonic::async_trait]
impl ArtifactService for Artifacts {
    async fn stat(&self, request: Request<v1::StatRequest>) -> Result<Response<v1::StatResponse>, Status> {
        let digest = convert::digest("digest", &request.into_inner().digest)?;
        let size = size(&*self.artifacts, &digest).await?;
        Ok(Response::new(v1::StatResponse { present: size.is_some(), size: size.unwrap_or(0) }))
    }

    async fn put(&self, request: Request<Streaming<v1::PutRequest>>) -> Result<Response<v1::PutResponse>, Status> {
        let mut parts = request.into_inner();
        let Some(Part::Head(head)) = next(&mut parts).await? else {
            return Err(invalid("head", "missing; it comes before the first chunk"));
        };
        let digest = convert::digest("head.digest", &head.digest)?;
        let kind = convert::artifact_kind(head.kind)?;
        if head.size > MAX_ARTIFACT {
            return Err(invalid("head.size", format!("{} bytes; at most {MAX_ARTIFACT}", head.size)));
        }
        let refusal = Arc::new(Mutex::new(None));
        let chunks = chunks(parts, head.size, refusal.clone());
        let (artifacts, name, size) = (self.artifacts.clone(), digest.clone(), head.size);
        let stored = self.uploads.spawn(async move { artifacts.put(&name, size, kind, chunks).await });
        let stored = stored.await.map_err(|_| Status::unavailable("the coordinator is stopping"))?;
        // What the stream was refused for says more than that it broke.
        if let Some(refusal) = refusal.lock().expect("no holder panics").take() {
            return Err(refusal);
        }
        stored.map_err(status::of_artifact)?;
        info!(artifact = %digest, size, "artifact stored");
        Ok(Response::new(v1::PutResponse { size }))
    }

    type GetStream = BoxStream<'static, Result<v1::GetResponse, Status>>;

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let digest = convert::digest("digest", &request.into_inner().digest)?;
        let stored = self.artifacts.get(&digest).await.map_err(status::of_artifact)?;
        let parts = stored.map(move |chunk| match chunk {
            Ok(chunk) => Ok(v1::GetResponse { chunk: chunk.to_vec() }),
            // The storage compares what it reads with the digest, up to the last byte.
            Err(ArtifactError::Mismatch { problem, .. }) => {
                error!(artifact = %digest, problem, "artifact damaged in storage");
                Err(Status::data_loss(format!("artifact {digest}: damaged in the coordinator's storage")))
            }
            Err(error) => Err(status::of_artifact(error)),
        });
        Ok(Response::new(parts.boxed()))
    }
}

/// The size of an artifact, if it is stored.
pub(super) async fn size(artifacts: &dyn ArtifactStore, digest: &Digest) -> Result<Option<u64>, Status> {
    let size = bounded(async { Ok(artifacts.size(digest).await) }).await.map_err(status::of_store)?;
    size.map_err(status::of_artifact)
}

async fn next(parts: &mut Streaming<v1::PutRequest>) -> Result<Option<Part>, Status> {
    let message = tokio::time::timeout(SILENCE, parts.message()).await;
    let message = message.map_err(|_| Status::deadline_exceeded(format!("no chunk for {SILENCE:?}")))??;
    match message {
        None => Ok(None),
        Some(v1::PutRequest { part: Some(part) }) => Ok(Some(part)),
        Some(v1::PutRequest { part: None }) => Err(invalid("part", "missing")),
    }
}

/// The chunks of an upload of `size` bytes. A stream that breaks its promises ends with an error, and why is left in
/// `refusal`.
fn chunks(
    parts: Streaming<v1::PutRequest>,
    size: u64,
    refusal: Arc<Mutex<Option<Status>>>,
) -> BoxStream<'static, io::Result<Bytes>> {
    let checked = stream::unfold(Some((parts, 0_u64)), move |state| {
        let refusal = refusal.clone();
        async move {
            let (mut parts, received) = state?;
            let chunk = match next(&mut parts).await {
                Ok(None) => return None,
                Ok(Some(Part::Chunk(chunk))) => check(chunk, received, size),
                Ok(Some(Part::Head(_))) => Err(invalid("head", "comes once, first")),
                Err(status) => Err(status),
            };
            match chunk {
                Ok(chunk) => {
                    let received = received + chunk.len() as u64;
                    Some((Ok(chunk), Some((parts, received))))
                }
                Err(status) => {
                    *refusal.lock().expect("no holder panics") = Some(status);
                    Some((Err(io::Error::from(io::ErrorKind::InvalidData)), None))
                }
            }
        }
    });
    checked.boxed()
}

fn check(chunk: Vec<u8>, received: u64, size: u64) -> Result<Bytes, Status> {
    if chunk.len() > MAX_CHUNK {
        return Err(invalid("chunk", format!("{} bytes; at most {MAX_CHUNK}", chunk.len())));
    }
    if received + chunk.len() as u64 > size {
        return Err(invalid("chunk", format!("more bytes than the {size} that the head announced")));
    }
    Ok(Bytes::from(chunk))
}
