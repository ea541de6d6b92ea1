//! Artifacts as rows of the database, so that any coordinator serves them.
//!
//! An upload is collected outside of the database. When all of it is there and verified, one
//! transaction, in a task that nobody cancels, writes the row of `artifacts` and its chunks, which
//! become visible together.

use std::{
    fs::File,
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::{sync::Semaphore, task::spawn_blocking};
use tracing::warn;

use super::{
    contract::{ArtifactError, ArtifactStore, CHUNK, Chunks, NewUpload, heed},
    spool::{Place, Spool},
    verify::Verifier,
};
use crate::{
    domain::{Digest, Stored, UNNAMED},
    full_disk::FullDisk,
    store::postgres::{PostgresArtifactIndex, store_error},
};

/// Bytes in one row.
const ROW: usize = 1 << 20;

/// Complete uploads that are written at once; the pool's other connections are for leases and
/// reports.
const WRITERS: usize = 2;

/// Chunks in the table `artifact_chunks`.
pub struct PostgresArtifacts {
    pool: PgPool,
    index: PostgresArtifactIndex,
    /// `None`: open for reading only.
    uploads: Option<Uploads>,
}

struct Uploads {
    /// Where uploads are collected.
    disk: FullDisk,
    spool: Arc<Spool>,
    writers: Arc<Semaphore>,
}

impl PostgresArtifacts {
    /// The artifacts of the store behind `pool`.
    pub fn new(pool: PgPool, index: PostgresArtifactIndex) -> Self {
        let uploads = Uploads {
            disk: FullDisk::of_folder(&std::env::temp_dir()),
            spool: Arc::new(Spool::new(Place::Nameless)),
            writers: Arc::new(Semaphore::new(WRITERS)),
        };
        Self { pool, index, uploads: Some(uploads) }
    }

    /// The same, of a store that was opened for reading.
    pub fn read_only(pool: PgPool, index: PostgresArtifactIndex) -> Self {
        Self { pool, index, uploads: None }
    }

    fn writable(&self) -> Result<&Uploads, ArtifactError> {
        self.uploads.as_ref().ok_or_else(ArtifactError::read_only)
    }
}

#[async_trait]
impl ArtifactStore for PostgresArtifacts {
    async fn find(&self, digest: &Digest) -> Result<Option<Stored>, ArtifactError> {
        Ok(self.index.find(digest).await?)
    }

    async fn claim(&self, digest: &Digest) -> Result<Option<Stored>, ArtifactError> {
        match self.uploads {
            Some(_) => Ok(self.index.claim(digest).await?),
            None => self.find(digest).await,
        }
    }

    async fn received(&self, digest: &Digest, upload: &str) -> Result<u64, ArtifactError> {
        match &self.uploads {
            Some(uploads) => uploads.spool.received(digest, upload).await,
            None => Ok(0),
        }
    }

    async fn put(
        &self,
        upload: NewUpload,
        chunks: BoxStream<'static, Result<Bytes, io::Error>>,
    ) -> Result<(), ArtifactError> {
        let uploads = self.writable()?;
        if let Some(row) = self.index.claim(&upload.digest).await? {
            return upload.refuse_other(&row);
        }
        let collected = uploads.spool.collect(&upload, chunks).await;
        heed(&uploads.disk, upload.size, &collected);
        let file = collected?;
        let (pool, limit, writers) = (self.pool.clone(), self.index.limit(), uploads.writers.clone());
        let task = tokio::spawn(async move {
            let _writer = writers.acquire_owned().await.map_err(io::Error::other)?;
            let file = spawn_blocking(move || file.rewind()).await.map_err(io::Error::other)??;
            write(&pool, limit, &upload, file).await
        });
        task.await.map_err(io::Error::other)?
    }

    async fn get(&self, digest: &Digest, offset: u64) -> Result<(u64, Chunks), ArtifactError> {
        let Some(Stored { size, .. }) = self.find(digest).await? else {
            return Err(ArtifactError::NotFound(digest.clone()));
        };
        if offset > size {
            let (digest, expected) = (digest.clone(), format!("at most {size}"));
            return Err(ArtifactError::Offset { digest, expected, offset });
        }
        let verifier = (offset == 0).then(|| Verifier::new(digest.clone(), size));
        let reader = Reader {
            pool: self.pool.clone(),
            index: self.index.clone(),
            notes: self.uploads.is_some(),
            digest: digest.clone(),
            at: offset,
            size,
            verifier,
            ended: false,
        };
        Ok((size, stream::try_unfold(reader, Reader::next).boxed()))
    }

    async fn tidy(&self) -> Result<(), ArtifactError> {
        if let Some(uploads) = &self.uploads {
            uploads.spool.forget_old();
        }
        Ok(())
    }

    async fn remove_unnamed(&self) -> Result<u64, ArtifactError> {
        self.writable()?;
        Ok(self.index.remove_unnamed(UNNAMED).await?)
    }
}

/// Writes a complete and verified file. Whoever else stores the same digest at the same time waits
/// for this one at the row, and then finds all of the chunks there.
async fn write(pool: &PgPool, limit: Duration, upload: &NewUpload, file: File) -> Result<(), ArtifactError> {
    let mut connection = pool.acquire().await.map_err(database)?;
    let written = transact(&mut connection, limit, upload, file).await;
    if written.is_err() {
        // Nobody knows in the middle of what it is.
        connection.close_on_drop();
    }
    written
}

async fn transact(
    connection: &mut PgConnection,
    limit: Duration,
    upload: &NewUpload,
    mut file: File,
) -> Result<(), ArtifactError> {
    let mut transaction = within(limit, connection.begin()).await?;
    // What is damaged makes room. Whoever puts the same bytes at the same time waits here, or at
    // the row.
    let damaged = sqlx::query(
        "DELETE FROM artifact_chunks c USING artifacts a
         WHERE a.digest = c.digest AND a.digest = $1 AND a.damaged_at IS NOT NULL",
    )
    .bind(upload.digest.as_str());
    within(limit, damaged.execute(&mut *transaction)).await?;
    // Nothing is visible before the commit. From here on nobody drops the bytes that are found
    // stored below.
    let note = sqlx::query_as(PostgresArtifactIndex::NOTE)
        .bind(upload.digest.as_str())
        .bind(upload.kind.as_str())
        .bind(upload.size.cast_signed())
        .bind(None::<i64>);
    let (size, kind): (i64, String) = within(limit, note.fetch_one(&mut *transaction)).await?;
    upload.refuse_other(&Stored { size: size.cast_unsigned(), kind })?;
    let mut seq = 0;
    loop {
        let read = spawn_blocking(move || {
            let mut row = Vec::with_capacity(ROW.min(usize::try_from(file.metadata()?.len()).unwrap_or(ROW)));
            (&mut file).take(ROW as u64).read_to_end(&mut row)?;
            Ok::<_, io::Error>((file, row))
        });
        let row;
        (file, row) = read.await.map_err(io::Error::other)??;
        if row.is_empty() {
            break;
        }
        let insert =
            sqlx::query("INSERT INTO artifact_chunks (digest, seq, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(upload.digest.as_str())
                .bind(seq)
                .bind(row);
        within(limit, insert.execute(&mut *transaction)).await?;
        seq += 1;
    }
    within(limit, transaction.commit()).await
}

/// A walk along the bytes of one artifact. It holds no connection between two pieces.
struct Reader {
    pool: PgPool,
    index: PostgresArtifactIndex,
    /// Whether to note damage; who only reads must not.
    notes: bool,
    digest: Digest,
    at: u64,
    size: u64,
    /// `None` where reading began behind the first byte: whoever has the bytes before it verifies
    /// the whole.
    verifier: Option<Verifier>,
    ended: bool,
}

impl Reader {
    /// The next piece. Damage is noted, so that the artifact counts as missing and whoever has the
    /// right bytes can put them.
    async fn next(self) -> Result<Option<(Bytes, Self)>, ArtifactError> {
        let (index, digest, notes) = (self.index.clone(), self.digest.clone(), self.notes);
        let piece = self.piece().await;
        if let Err(ArtifactError::Mismatch { problem, .. }) = &piece
            && notes
        {
            warn!(artifact = %digest, problem, "a stored artifact is damaged; it counts as missing until it is put again");
            if let Err(error) = index.note_damage(&digest).await {
                warn!(artifact = %digest, %error, "the damage could not be noted");
            }
        }
        piece
    }

    async fn piece(mut self) -> Result<Option<(Bytes, Self)>, ArtifactError> {
        if self.ended {
            return Ok(None);
        }
        if self.at >= self.size {
            self.verifier.as_mut().map_or(Ok(()), Verifier::finish)?;
            return Ok(None);
        }
        let (seq, within_row) = (self.at / ROW as u64, self.at % ROW as u64);
        let read = sqlx::query_scalar(
            "SELECT substring(bytes FROM $3 FOR $4) FROM artifact_chunks WHERE digest = $1 AND seq = $2",
        )
        .bind(self.digest.as_str())
        .bind(i32::try_from(seq).unwrap_or(i32::MAX))
        .bind(i32::try_from(within_row + 1).expect("within a row"))
        .bind(i32::try_from(CHUNK).expect("a piece is small"));
        let mut connection = self.pool.acquire().await.map_err(database)?;
        let piece = within(self.index.limit(), read.fetch_optional(&mut *connection)).await;
        if piece.is_err() {
            connection.close_on_drop();
        }
        let piece: Option<Vec<u8>> = piece?;
        let piece = piece.unwrap_or_default();
        if piece.is_empty() {
            // Gone with its last name, or damaged.
            return match self.index.find(&self.digest).await? {
                None => Err(ArtifactError::NotFound(self.digest)),
                Some(_) => {
                    let problem = format!("only {} of {}", self.at, self.size);
                    Err(ArtifactError::Mismatch { expected: self.digest, problem })
                }
            };
        }
        self.at += piece.len() as u64;
        if let Some(verifier) = &mut self.verifier {
            verifier.update(&piece)?;
            if self.at >= self.size {
                verifier.finish()?;
                self.ended = true;
            }
        }
        Ok(Some((Bytes::from(piece), self)))
    }
}

/// Waits for the database as long as for a whole transaction: a server that went away without a
/// word would otherwise keep the connection for ever.
async fn within<T>(limit: Duration, statement: impl Future<Output = sqlx::Result<T>>) -> Result<T, ArtifactError> {
    let answered = tokio::time::timeout(limit, statement).await;
    let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}")).into());
    answered.unwrap_or_else(late).map_err(database)
}

/// Reading and writing bytes has no failure that another call could not mend, except a bug or a
/// damaged table.
fn database(error: sqlx::Error) -> ArtifactError {
    ArtifactError::Store(store_error(error, "artifact"))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::{
        artifacts::contract::Sender,
        domain::ArtifactKind,
        store::{
            StoreError,
            postgres::{PostgresStore, failover::behind_failover},
        },
    };

    #[tokio::test]
    async fn a_server_that_falls_silent_keeps_no_upload_waiting() {
        let database = besom_testkit::postgres::database().await;
        PostgresStore::open(&database.url).await.unwrap();
        let (store, failover, _proxy) = behind_failover(&database.url, Duration::from_secs(4)).await;
        let artifacts = Arc::new(PostgresArtifacts::new(store.pool().clone(), store.artifact_index()));
        let bytes = Bytes::from_static(b"a model");
        let hex: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let put = {
            let (artifacts, digest) = (artifacts.clone(), Digest::parse(&hex).unwrap());
            async move || {
                let (digest, size, kind) = (digest.clone(), bytes.len() as u64, ArtifactKind::Model);
                let upload = NewUpload { digest, size, kind, sender: Sender::Stranger, name: None, offset: 0 };
                artifacts.put(upload, stream::iter([Ok(bytes.clone())]).boxed()).await
            }
        };
        let (mut direct, mut watch) =
            (PgConnection::connect(&database.url).await.unwrap(), PgConnection::connect(&database.url).await.unwrap());
        let mut held = direct.begin().await.unwrap();
        sqlx::raw_sql("LOCK TABLE artifact_chunks").execute(&mut *held).await.unwrap();
        let patience = Duration::from_secs(20);
        let fall_silent = async {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                           wait_event_type = 'Lock'";
            besom_testkit::eventually("the upload is being written", patience, async || {
                sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut watch).await.unwrap() == 1
            })
            .await;
            failover.send_modify(|host| *host += 1);
        };
        let (ended, ()) = tokio::join!(tokio::time::timeout(patience, put()), fall_silent);
        let ended = ended.expect("the upload is given up");
        assert!(matches!(ended, Err(ArtifactError::Store(StoreError::Unavailable(_)))), "{ended:?}");
        // The new host knows nothing of what the old one had begun.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND \
                   application_name = 'besom'";
        sqlx::query(end).execute(&mut *held).await.unwrap();
        held.rollback().await.unwrap();
        besom_testkit::eventually("the new host stores it", patience, async || put().await.is_ok()).await;
    }
}
