//! Artifacts between this worker and its coordinator: models go up, datasets come down, both verified by SHA-256.
//!
//! A transfer that breaks is begun again: storing what is stored already is no work, since [`Artifacts::put`] asks first.

use std::time::Duration;

use besom_proto::v1;
use besom_proto::v1::artifact_service_client::ArtifactServiceClient;
use sha2::{Digest, Sha256};
use tonic::Status;
use tonic::transport::Channel;

use crate::agent::{Refusal, call};
use crate::data::hex;

/// What the wire allows in one message.
const CHUNK: usize = 1 << 20;

/// A single question about an artifact.
const STAT_DEADLINE: Duration = Duration::from_secs(10);

/// A download that brings nothing for so long has ended without saying so.
const SILENCE: Duration = Duration::from_secs(30);

/// The slowest upload that is waited for, in bytes a second: a link of 1 Mbit/s shared by several workers.
const SLOWEST: u64 = 16 * 1024;

/// The artifacts of a coordinator.
#[derive(Clone)]
pub(crate) struct Artifacts {
    client: ArtifactServiceClient<Channel>,
}

impl Artifacts {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { client: ArtifactServiceClient::new(channel).max_decoding_message_size(2 * CHUNK) }
    }

    /// Stores a model, unless it is stored already; answers its digest.
    pub(crate) async fn put(&self, model: &[u8]) -> Result<String, Refusal> {
        let digest = hex(&Sha256::digest(model));
        let mut client = self.client.clone();
        let stat = call(STAT_DEADLINE, client.stat(v1::StatRequest { digest: digest.clone() })).await?;
        if stat.present {
            return Ok(digest);
        }
        let size = model.len() as u64;
        let head = v1::PutHead { digest: digest.clone(), size, kind: v1::ArtifactKind::Model.into() };
        let mut parts = vec![v1::put_request::Part::Head(head)];
        parts.extend(model.chunks(CHUNK).map(|chunk| v1::put_request::Part::Chunk(chunk.to_vec())));
        let parts = parts.into_iter().map(|part| v1::PutRequest { part: Some(part) });
        let deadline = SILENCE + Duration::from_secs(size / SLOWEST);
        let stored = call(deadline, client.put(tokio_stream::iter(parts))).await?;
        if stored.size != size {
            return Err(Refusal::Other(Status::data_loss(format!("stored {} of {size} bytes", stored.size))));
        }
        Ok(digest)
    }

    /// Fetches an artifact. Its content is for the caller to verify.
    pub(crate) async fn get(&self, digest: &str) -> Result<Vec<u8>, Refusal> {
        let mut client = self.client.clone();
        let mut chunks = call(SILENCE, client.get(v1::GetRequest { digest: digest.to_owned() })).await?;
        let mut bytes = Vec::new();
        loop {
            match tokio::time::timeout(SILENCE, chunks.message()).await {
                Ok(Ok(Some(part))) => bytes.extend_from_slice(&part.chunk),
                Ok(Ok(None)) => return Ok(bytes),
                Ok(Err(status)) => return Err(status.into()),
                Err(_elapsed) => return Err(Refusal::Away(Status::deadline_exceeded("the download stands still"))),
            }
        }
    }
}
