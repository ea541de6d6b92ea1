//! Artifacts as rows of the database, so that any coordinator serves them.
//!
//! One transaction writes the chunks and the row of `artifacts` that makes them visible, in a task that nobody cancels. The
//! row is inserted first: of two sides that store the same digest, the second waits there and finds it done.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use sqlx::{PgConnection, PgPool};
use tokio::sync::Semaphore;

use super::{ArtifactError, ArtifactKind, ArtifactStore, CHUNK, verify::Verifier};
use crate::domain::Digest;

/// A sender that stalls must not hold a transaction open for longer; the session's own limit on idle transactions is 30 s,
/// and ends it less politely.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(20);

/// Each holds a connection for as long as its sender takes; the pool's others are for leases and reports.
const UPLOADS: usize = 4;

/// Chunks in the table `artifact_chunks`.
pub struct PostgresArtifacts {
    pool: PgPool,
    /// `None`: open for reading only.
    uploads: Option<Arc<Semaphore>>,
}

impl PostgresArtifacts {
    /// The artifacts of the store behind `pool`.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, uploads: Some(Arc::new(Semaphore::new(UPLOADS))) }
    }

    /// The same, of a store that was opened for reading.
    pub fn read_only(pool: PgPool) -> Self {
        Self { pool, uploads: None }
    }
}

#[async_trait]
impl ArtifactStore for PostgresArtifacts {
    async fn size(&self, digest: &Digest) -> Result<Option<u64>, ArtifactError> {
        let size: Option<i64> = sqlx::query_scalar("SELECT size FROM artifacts WHERE digest = $1")
            .bind(digest.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(database)?;
        Ok(size.map(i64::cast_unsigned))
    }

    async fn put(
        &self,
        digest: &Digest,
        size: u64,
        kind: ArtifactKind,
        chunks: BoxStream<'static, Result<Bytes, io::Error>>,
    ) -> Result<(), ArtifactError> {
        let Some(uploads) = &self.uploads else { return Err(ArtifactError::read_only()) };
        if self.size(digest).await? == Some(size) {
            return Ok(());
        }
        let (pool, uploads, digest) = (self.pool.clone(), uploads.clone(), digest.clone());
        let task = tokio::spawn(async move {
            let _upload = uploads.acquire_owned().await.map_err(io::Error::other)?;
            let mut transaction = pool.begin().await.map_err(database)?;
            match write(&mut transaction, digest, size, kind, chunks).await {
                Ok(()) => transaction.commit().await.map_err(database),
                Err(error) => {
                    // The first error is the one to tell; a connection that cannot roll back is closed by the pool.
                    let _ = transaction.rollback().await;
                    Err(error)
                }
            }
        });
        task.await.map_err(|error| ArtifactError::Io(io::Error::other(error)))?
    }

    async fn get(&self, digest: &Digest) -> Result<BoxStream<'static, Result<Bytes, ArtifactError>>, ArtifactError> {
        let Some(size) = self.size(digest).await? else { return Err(ArtifactError::NotFound(digest.clone())) };
        let reader = Reader {
            pool: self.pool.clone(),
            digest: digest.clone(),
            seq: 0,
            verifier: Verifier::new(digest.clone(), size),
        };
        Ok(stream::try_unfold(reader, Reader::next).boxed())
    }
}

async fn write(
    connection: &mut PgConnection,
    digest: Digest,
    size: u64,
    kind: ArtifactKind,
    mut chunks: BoxStream<'static, Result<Bytes, io::Error>>,
) -> Result<(), ArtifactError> {
    let inserted = sqlx::query(
        "INSERT INTO artifacts (digest, kind, size, created_at)
         VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
         ON CONFLICT DO NOTHING",
    )
    .bind(digest.as_str())
    .bind(kind.as_str())
    .bind(size.cast_signed())
    .execute(&mut *connection)
    .await
    .map_err(database)?;
    let mut verifier = Verifier::new(digest.clone(), size);
    if inserted.rows_affected() == 0 {
        let stored: i64 = sqlx::query_scalar("SELECT size FROM artifacts WHERE digest = $1")
            .bind(digest.as_str())
            .fetch_one(connection)
            .await
            .map_err(database)?;
        return match stored.cast_unsigned() {
            stored if stored == size => Ok(()),
            stored => {
                Err(ArtifactError::Mismatch { expected: digest, problem: format!("{size}, but stored are {stored}") })
            }
        };
    }
    let mut buffer = BytesMut::with_capacity(CHUNK);
    let mut seq = 0;
    loop {
        let chunk = match tokio::time::timeout(CHUNK_TIMEOUT, chunks.next()).await {
            Ok(chunk) => chunk.transpose()?,
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the sender stalled").into()),
        };
        if let Some(chunk) = &chunk {
            verifier.update(chunk)?;
            buffer.extend_from_slice(chunk);
        }
        while buffer.len() >= CHUNK || (chunk.is_none() && !buffer.is_empty()) {
            let bytes = buffer.split_to(buffer.len().min(CHUNK));
            sqlx::query("INSERT INTO artifact_chunks (digest, seq, bytes) VALUES ($1, $2, $3)")
                .bind(digest.as_str())
                .bind(seq)
                .bind(bytes.as_ref())
                .execute(&mut *connection)
                .await
                .map_err(database)?;
            seq += 1;
        }
        if chunk.is_none() {
            return verifier.finish();
        }
    }
}

/// A walk along the chunks of one artifact.
struct Reader {
    pool: PgPool,
    digest: Digest,
    seq: i32,
    verifier: Verifier,
}

impl Reader {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ArtifactError> {
        let chunk: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT bytes FROM artifact_chunks WHERE digest = $1 AND seq = $2")
                .bind(self.digest.as_str())
                .bind(self.seq)
                .fetch_optional(&self.pool)
                .await
                .map_err(database)?;
        self.seq += 1;
        match chunk {
            Some(chunk) => {
                self.verifier.update(&chunk)?;
                Ok(Some((Bytes::from(chunk), self)))
            }
            None => {
                self.verifier.finish()?;
                Ok(None)
            }
        }
    }
}

/// Reading and writing bytes has no failure that another call could not mend, except a bug or a damaged table.
fn database(error: sqlx::Error) -> ArtifactError {
    ArtifactError::Store(crate::store::postgres::store_error(error, "artifact"))
}
