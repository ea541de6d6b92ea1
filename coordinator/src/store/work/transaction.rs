//! Transactions that end whatever becomes of the caller.
//!
//! A request whose client hangs up is dropped at any await. Dropped inside a `BEGIN` it would leave
//! an open transaction on a pooled connection, so every transaction runs in a task of its own that
//! nobody cancels; the caller only waits.

use std::{io, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::{Connection, Pool};
use tokio::sync::Mutex;

use super::dialect::{self, Clock, Conn, Db};
use crate::{
    domain::Timestamp,
    failed_sync,
    full_disk::FullDisk,
    jitter::jittered,
    store::{
        error::{self, Class, Failure, StoreError},
        specs::Specs,
        way::Way,
    },
};

/// How often a transaction runs before a conflict becomes `Unavailable`.
const MAX_RUNS: u32 = 8;

/// The wait before run `run` (from 1) of a transaction that met another one: up to 5 ms, doubling,
/// at random.
fn backoff(run: u32) -> Duration {
    jittered(Duration::from_micros(5_000 << run.min(6)))
}

/// The database's pools and its clock. Cheap to clone.
#[derive(Clone)]
pub(in super::super) struct Handle {
    /// `None`: open for reading only.
    pub(in super::super) writer: Option<Pool<Db>>,
    /// For what people read, however much that is.
    pub(in super::super) reader: Pool<Db>,
    /// For the short questions on which leases depend: no crowd of readers stands before them.
    pub(in super::super) duty: Pool<Db>,
    pub(in super::super) clock: Clock,
    /// How long a transaction may take. Beyond it its connection counts as broken: a host that went
    /// away without a word would otherwise keep it, and its place in the pool, for ever.
    pub(in super::super) limit: Duration,
    /// Held while the importance of a sweep is worked out, which takes memory for each of its
    /// cells. In it, what the files of sweeps ask for.
    pub(in super::super) weighing: Arc<Mutex<Specs>>,
    /// Where the database writes.
    pub(in super::super) disk: Arc<FullDisk>,
}

/// What happens between begin and commit, at the time that the database's clock (or a test) gives.
pub(in super::super) type Body<A, T> = for<'c> fn(&'c mut Conn, Timestamp, &'c A) -> BoxFuture<'c, Result<T, Failure>>;

impl Handle {
    /// Closes the pools, the writer's last: SQLite folds its log into the file when the last
    /// connection closes, which one that only reads cannot do.
    pub(in super::super) async fn close(&self) {
        self.reader.close().await;
        self.duty.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    /// Runs a transaction, again where another one came in between.
    pub(in super::super) async fn run<A, T>(
        &self,
        way: Way,
        operation: &'static str,
        now: Option<Timestamp>,
        args: A,
        body: Body<A, T>,
    ) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (pool, begin) = match way {
            Way::Write => (self.writer.clone().ok_or_else(error::read_only)?, dialect::BEGIN_WRITE),
            Way::Ask => (self.duty.clone(), dialect::BEGIN_READ),
            Way::Read => (self.reader.clone(), dialect::BEGIN_READ),
        };
        let (clock, limit, disk) = (self.clock, self.limit, Arc::clone(&self.disk));
        let writes = matches!(way, Way::Write);
        let task = tokio::spawn(async move {
            let mut run = 1;
            loop {
                let failure = match once(&pool, begin, &clock, now, limit, &args, body).await {
                    Ok(value) => {
                        if writes {
                            disk.room(operation);
                        }
                        return Ok(value);
                    }
                    Err(failure) => failure,
                };
                let (error, class) = match failure {
                    Failure::Store(error) => return Err(error),
                    Failure::Raced(error) => (error, Class::Again),
                    Failure::Overtaken(by) => (sqlx::Error::Protocol(by.to_owned()), Class::Again),
                    Failure::Database(error) => {
                        let class = dialect::classify(&error);
                        (error, class)
                    }
                };
                if class == Class::Full {
                    disk.full(
                        operation,
                        format_args!("the store needs a few MiB for \"{operation}\""),
                        error::plain(&error),
                    );
                }
                if class != Class::Again || run == MAX_RUNS {
                    return Err(error::answer(error, class, operation));
                }
                tracing::debug!(operation, run, %error, "transaction runs again");
                tokio::time::sleep(backoff(run)).await;
                run += 1;
            }
        });
        match task.await {
            Ok(result) => result,
            // The runtime is going down, or a bug panicked; either way nothing was committed that
            // was not before.
            Err(error) => Err(StoreError::Unavailable(Box::new(error))),
        }
    }
}

async fn once<A, T>(
    pool: &Pool<Db>,
    begin: &'static str,
    clock: &Clock,
    now: Option<Timestamp>,
    limit: Duration,
    args: &A,
    body: Body<A, T>,
) -> Result<T, Failure> {
    let mut connection = pool.acquire().await?;
    // Whoever waited for the connection behind the one whose sync failed must not write after it.
    failed_sync::check().map_err(|failed| StoreError::Unavailable(Box::new(failed)))?;
    let work = transact(&mut connection, begin, clock, now, args, body);
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(Unsound(failure))) => {
            connection.close_on_drop();
            Err(failure)
        }
        Err(_) => {
            connection.close_on_drop();
            let late = format!("a transaction did not end within {limit:?}");
            Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, late)).into())
        }
    }
}

/// Why a transaction did not end as it should: nobody knows what its connection is in now, so it
/// must not be used again. SQLite ends a transaction by itself when the disk is full or fails;
/// there is then nothing to roll back, and the connection would count itself inside one for ever.
struct Unsound(Failure);

impl From<sqlx::Error> for Unsound {
    fn from(error: sqlx::Error) -> Self {
        Self(error.into())
    }
}

async fn transact<A, T>(
    connection: &mut Conn,
    begin: &'static str,
    clock: &Clock,
    now: Option<Timestamp>,
    args: &A,
    body: Body<A, T>,
) -> Result<Result<T, Failure>, Unsound> {
    let mut transaction = connection.begin_with(begin).await?;
    let result = async {
        let now = dialect::now(&mut transaction, clock, now).await?;
        body(&mut transaction, now, args).await
    }
    .await;
    match result {
        Ok(value) => {
            transaction.commit().await?;
            Ok(Ok(value))
        }
        Err(failure) => match transaction.rollback().await {
            Ok(()) => Ok(Err(failure)),
            // The failure is the news; closing the connection rolls back as well.
            Err(error) => {
                tracing::debug!(%error, "rollback failed");
                Err(Unsound(failure))
            }
        },
    }
}
