//! ArtifactService: bytes in and out. The artifact store compares them with their digest in both
//! directions.
//!
//! An upload is judged by what comes of it: whoever brings less than the least rate is told so, and
//! may go on later.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use besom_proto::transfer::Pace;
use besom_proto::v1;
use besom_proto::v1::artifact_service_server::ArtifactService;
use besom_proto::v1::put_request::Part;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, error, info};

use super::convert;
use super::status::invalid;
use crate::artifacts::{ArtifactError, ArtifactStore, NewUpload, Sender, Stored};
use crate::domain::Digest;
use crate::patience::bounded;
use crate::store::Store;

/// The largest artifact: a dataset beyond it would not fit in a worker's memory.
const MAX_ARTIFACT: u64 = 4 << 30;
/// The largest chunk taken; clients send 64 KiB.
const MAX_CHUNK: usize = 2 << 20;
/// The longest name of an upload.
const MAX_NAME: usize = 64;

/// The service.
pub(crate) struct Artifacts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    /// The time over which the least rate of an upload is taken.
    pub(crate) window: Duration,
    /// Owns uploads: their storing is not cut off in the middle when a client hangs up.
    pub(crate) uploads: TaskTracker,
}

impl Artifacts {
    /// Who calls: nobody in particular, or a worker that the store knows. Any other is refused
    /// before anything is sent.
    async fn sender(&self, worker: i64, store: &str, secret: &str) -> Result<Sender, Status> {
        if worker == 0 {
            return Ok(Sender::Stranger);
        }
        let session = convert::session(store, worker, secret)?;
        bounded(self.store.known(session)).await?;
        Ok(Sender::Worker(session.worker))
    }

    async fn upload(&self, head: v1::PutHead) -> Result<NewUpload, Status> {
        let digest = convert::digest("head.digest", &head.digest)?;
        let kind = convert::artifact_kind(head.kind)?;
        if head.size > MAX_ARTIFACT {
            return Err(invalid("head.size", format!("{} bytes; at most {MAX_ARTIFACT}", head.size)));
        }
        if head.offset > head.size {
            return Err(invalid("head.offset", format!("{}; at most the size of {}", head.offset, head.size)));
        }
        let name = upload_name("head.upload", head.upload)?;
        let sender = self.sender(head.worker, &head.store, &head.secret).await?;
        Ok(NewUpload { digest, size: head.size, kind, sender, name, offset: head.offset })
    }
}

#[tonic::async_trait]
impl ArtifactService for Artifacts {
    async fn stat(&self, request: Request<v1::StatRequest>) -> Result<Response<v1::StatResponse>, Status> {
        let request = request.into_inner();
        let digest = convert::digest("digest", &request.digest)?;
        let name = upload_name("upload", request.upload)?;
        self.sender(request.worker, &request.store, &request.secret).await?;
        if let Some(stored) = claim(&*self.artifacts, &digest).await? {
            return Ok(Response::new(v1::StatResponse { present: true, size: stored.size, received: 0 }));
        }
        let received = match name {
            Some(name) => self.artifacts.received(&digest, &name).await?,
            None => 0,
        };
        Ok(Response::new(v1::StatResponse { present: false, size: 0, received }))
    }

    async fn put(&self, request: Request<Streaming<v1::PutRequest>>) -> Result<Response<v1::PutResponse>, Status> {
        let mut parts = request.into_inner();
        let window = self.window;
        let Ok(first) = tokio::time::timeout(window, next(&mut parts)).await else {
            return Err(Status::deadline_exceeded(format!(
                "expected the head of an upload within {window:?}, got none"
            )));
        };
        let Some(Part::Head(head)) = first? else {
            return Err(invalid("head", "missing; it comes before the first chunk"));
        };
        let upload = self.upload(head).await?;
        let (digest, size) = (upload.digest.clone(), upload.size);
        let refusal = Arc::new(Mutex::new(None));
        let chunks = chunks(parts, window, &upload, refusal.clone());
        let artifacts = self.artifacts.clone();
        let stored = self.uploads.spawn(async move { artifacts.put(upload, chunks).await });
        let stored = stored.await.map_err(|_| Status::unavailable("the coordinator is stopping"))?;
        // What the stream was refused for says more than that it broke.
        if let Some(refusal) = refusal.lock().expect("no holder panics").take() {
            return Err(refusal);
        }
        stored?;
        info!(artifact = %digest, size, "artifact stored");
        Ok(Response::new(v1::PutResponse { size }))
    }

    type GetStream = BoxStream<'static, Result<v1::GetResponse, Status>>;

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let request = request.into_inner();
        let digest = convert::digest("digest", &request.digest)?;
        self.sender(request.worker, &request.store, &request.secret).await?;
        let (_, stored) =
            self.artifacts.get(&digest, request.offset).await.map_err(|error| of_reading(&digest, error))?;
        let mut download = Outgoing { digest: digest.clone(), offset: request.offset, sent: 0 };
        let parts = stored.map(move |chunk| match chunk {
            Ok(chunk) => {
                download.add(&chunk);
                Ok(v1::GetResponse { chunk: chunk.to_vec() })
            }
            // The storage compares what it reads with the digest, up to the last byte.
            Err(ArtifactError::Mismatch { problem, .. }) => {
                error!(artifact = %digest, problem, "artifact damaged in storage");
                Err(Status::data_loss(format!("artifact {digest}: damaged in the coordinator's storage")))
            }
            Err(error) => Err(of_reading(&digest, error)),
        });
        Ok(Response::new(parts.boxed()))
    }
}

/// As the conversion of every [`ArtifactError`], of bytes that are read: what no other try can read
/// is damaged, whatever the bytes are.
fn of_reading(digest: &Digest, error: ArtifactError) -> Status {
    use io::ErrorKind::{IsADirectory, NotADirectory, PermissionDenied};
    match error {
        ArtifactError::Io(source) if matches!(source.kind(), IsADirectory | NotADirectory | PermissionDenied) => {
            error!(artifact = %digest, error = %source, "an artifact cannot be read");
            Status::data_loss(format!(
                "artifact {digest}: cannot be read in the coordinator's storage; its log says why"
            ))
        }
        error => error.into(),
    }
}

/// What is stored, for somebody who is about to name it.
pub(super) async fn claim(artifacts: &dyn ArtifactStore, digest: &Digest) -> Result<Option<Stored>, Status> {
    let stored = bounded(async { Ok(artifacts.claim(digest).await) }).await?;
    Ok(stored?)
}

/// None where it is empty.
fn upload_name(field: &str, given: String) -> Result<Option<String>, Status> {
    if given.is_empty() { Ok(None) } else { convert::text(field, given, MAX_NAME).map(Some) }
}

async fn next(parts: &mut Streaming<v1::PutRequest>) -> Result<Option<Part>, Status> {
    match parts.message().await? {
        None => Ok(None),
        Some(v1::PutRequest { part: Some(part) }) => Ok(Some(part)),
        Some(v1::PutRequest { part: None }) => Err(invalid("part", "missing")),
    }
}

/// A download on its way out.
struct Outgoing {
    digest: Digest,
    offset: u64,
    sent: u64,
}

impl Outgoing {
    fn add(&mut self, chunk: &Bytes) {
        self.sent += chunk.len() as u64;
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        debug!(artifact = %self.digest, offset = self.offset, sent = self.sent, "download ended");
    }
}

/// An upload on its way in.
struct Incoming {
    parts: Streaming<v1::PutRequest>,
    digest: Digest,
    offset: u64,
    /// With what came before the offset.
    received: u64,
    size: u64,
    pace: Pace,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let received = self.received - self.offset;
        debug!(artifact = %self.digest, offset = self.offset, received, "upload ended");
    }
}

impl Incoming {
    /// The next chunk, judged.
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        // Whatever besom itself did since the last chunk, it had time for this one.
        let part = tokio::time::timeout_at(self.pace.deadline().into(), next(&mut self.parts)).await;
        let now = Instant::now();
        let Ok(part) = part else {
            let verdict = self.pace.verdict(now);
            let (digest, received, size) = (&self.digest, self.received, self.size);
            let problem = format!("upload of artifact {digest}, {received} of {size} bytes received: {verdict}");
            return Err(Status::deadline_exceeded(problem));
        };
        let chunk = match part? {
            None => return Ok(None),
            Some(Part::Chunk(chunk)) => check(chunk, self.received, self.size)?,
            Some(Part::Head(_)) => return Err(invalid("head", "comes once, first")),
        };
        self.pace.add(chunk.len(), now);
        self.received += chunk.len() as u64;
        Ok(Some(chunk))
    }
}

/// The chunks of an upload. A stream that breaks its promises ends with an error, and why is left
/// in `refusal`.
fn chunks(
    parts: Streaming<v1::PutRequest>,
    window: Duration,
    upload: &NewUpload,
    refusal: Arc<Mutex<Option<Status>>>,
) -> BoxStream<'static, io::Result<Bytes>> {
    let (digest, offset, size) = (upload.digest.clone(), upload.offset, upload.size);
    let incoming = Incoming { parts, digest, offset, received: offset, size, pace: Pace::new(window, Instant::now()) };
    let checked = stream::unfold(Some(incoming), move |incoming| {
        let refusal = refusal.clone();
        async move {
            let mut incoming = incoming?;
            match incoming.next().await {
                Ok(None) => None,
                Ok(Some(chunk)) => Some((Ok(chunk), Some(incoming))),
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
