//! The store on Postgres 15 or later: any number of coordinators.
//!
//! Acquisitions run side by side thanks to SKIP LOCKED; whoever ends a job holds its sweep's row
//! first. Every session has limits on statements, locks and idle transactions, so that a
//! coordinator that stalls cannot stop the others.

use std::{io, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, Row,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use self::work::{Handle, Lanes};
use super::{
    error::{OpenError, StoreError, answer, of_postgres},
    migrations,
    url::{hide_password, postgres_options},
    way::Way,
};
use crate::{domain::Digest, full_disk::FullDisk};

mod dialect;
#[cfg(test)]
pub(crate) mod failover;
// The same files serve both databases; see their module's documentation.
#[allow(clippy::duplicate_mod, reason = "the same work for both databases, each with its own dialect")]
#[path = "work/mod.rs"]
mod work;

use dialect::Clock;

pub use work::{ArtifactIndex as PostgresArtifactIndex, Backend as PostgresStore};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

const DAMAGED: &str = include_str!("sql/postgres/artifact_damaged.sql");

/// As `server_version_num` has it.
const OLDEST_POSTGRES: i32 = 150_000;

/// For leases, results and what they depend on: enough to hide the latency of commits.
const WRITERS: u32 = 6;
/// For what people read, apart from them: a crowd of readers waits for its own turns. Together ten,
/// as one pool had, so that as many coordinators as before fit in a server's limits.
const READERS: u32 = 4;

/// How long a call waits for a connection before the store counts as unavailable, and how long in
/// the crowd of those who only read: there it is not the store that keeps them waiting.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const READER_PATIENCE: Duration = Duration::from_secs(20);

/// Limits of each session. No statement of besom takes a second on a million jobs; a batch of jobs
/// may take some.
const SESSION: [(&str, &str); 5] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "30s"),
    // An answer leaves after the commit is on disk, whatever the server's default says.
    ("synchronous_commit", "on"),
    // Compiling a plan takes longer than running any of these statements does.
    ("jit", "off"),
];

/// Of a whole transaction. Callers stop waiting long before, and the session's limits have by then
/// ended whatever the server still works on: this is for a server that says nothing at all.
const LIMIT: Duration = Duration::from_secs(60);

impl PostgresStore {
    /// Connects and brings the database to this build's migrations, one process at a time.
    ///
    /// # Errors
    /// `Newer` if another build of besom knows more about the database; it is then untouched.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let unavailable = |error| of_postgres(hide_password(url), &error);
        let options = postgres_options(url)?;
        let mut conn = connect(url, &options, ACQUIRE_TIMEOUT).await?;
        refuse_old_postgres(url, &mut conn).await?;
        let migrated = MIGRATIONS.run_direct(None, &mut conn, false).await;
        migrated.map_err(|error| migrations::refused(error, &hide_password(url), unavailable))?;
        conn.close().await.map_err(unavailable)?;
        let (writer, reader) =
            (pool(options.clone(), WRITERS, ACQUIRE_TIMEOUT), pool(options, READERS, READER_PATIENCE));
        Ok(Self::with(Some(writer), reader, LIMIT, &hide_password(url)))
    }

    /// Connects for reading. Changes nothing.
    ///
    /// # Errors
    /// `NotFound` if there is no store in the database; `Newer` as for [`PostgresStore::open`].
    pub async fn open_read_only(url: &str) -> Result<Self, OpenError> {
        Self::check_made(url).await?;
        Ok(Self::with(None, pool(postgres_options(url)?, READERS, ACQUIRE_TIMEOUT), LIMIT, &hide_password(url)))
    }

    /// Whether there is a store of this build's migrations.
    ///
    /// # Errors
    /// As for [`PostgresStore::open_read_only`].
    pub(super) async fn check_made(url: &str) -> Result<(), OpenError> {
        let unavailable = |error| of_postgres(hide_password(url), &error);
        let options = postgres_options(url)?;
        let mut conn = connect(url, &options, ACQUIRE_TIMEOUT).await?;
        refuse_old_postgres(url, &mut conn).await?;
        let found: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut conn)
            .await
            .map_err(unavailable)?;
        if !found {
            let what = format!("no besom store in {}: start a coordinator on it once", hide_password(url));
            return Err(OpenError::NotFound { what });
        }
        let applied: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut conn)
                .await
                .map_err(unavailable)?;
        conn.close().await.map_err(unavailable)?;
        migrations::check(&MIGRATIONS, &applied, &hide_password(url))
    }

    /// Whether another process applies migrations right now: only that takes an advisory lock in
    /// the database.
    pub(super) async fn is_being_made(url: &str) -> bool {
        let held = async {
            let mut conn = connect(url, &postgres_options(url)?, ACQUIRE_TIMEOUT).await?;
            let held = "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                        WHERE l.locktype = 'advisory' AND d.datname = current_database())";
            sqlx::query_scalar(held).fetch_one(&mut conn).await.map_err(|error| of_postgres(hide_password(url), &error))
        };
        held.await.unwrap_or(false)
    }

    fn with(writer: Option<PgPool>, reader: PgPool, limit: Duration, server: &str) -> Self {
        let duty = writer.as_ref().unwrap_or(&reader).clone();
        let disk = Arc::new(FullDisk::of_server(&format!("the server of {server}")));
        let handle = Handle { writer, reader, duty, clock: Clock, limit, weighing: Arc::default(), disk };
        Self { lanes: handle.writer.is_some().then(|| Lanes::new(&handle)), handle }
    }

    /// The connections for the artifacts in the same database, which jobs begin and end with: those
    /// that leases have.
    pub fn pool(&self) -> &PgPool {
        &self.handle.duty
    }

    /// The rows of `artifacts`, for whoever keeps the bytes in the same database.
    pub fn artifact_index(&self) -> PostgresArtifactIndex {
        PostgresArtifactIndex { handle: self.handle.clone() }
    }
}

impl PostgresArtifactIndex {
    /// Notes bytes that are complete and durable: digest, kind, size and time. It answers with the
    /// size and the kind of what is there then.
    pub(crate) const NOTE: &'static str = dialect::NOTE_ARTIFACT;

    /// Notes that the stored bytes are not those of the digest: from now on they count as missing.
    ///
    /// # Errors
    /// The database.
    pub async fn note_damage(&self, digest: &Digest) -> Result<(), StoreError> {
        self.handle
            .run(Way::Write, "note a damaged artifact", None, digest.clone(), |conn, now, digest| {
                Box::pin(async move {
                    sqlx::query(DAMAGED).bind(digest.as_str()).bind(now.0).execute(conn).await?;
                    Ok(())
                })
            })
            .await
    }

    /// How long the database is waited for.
    pub(crate) fn limit(&self) -> Duration {
        self.handle.limit
    }
}

/// What an error of this database means to a caller, outside of the transactions of this module.
pub(crate) fn store_error(error: sqlx::Error, operation: &'static str) -> StoreError {
    let class = dialect::classify(&error);
    answer(error, class, operation)
}

/// One connection, to learn at once whether the database answers: a pool would go on trying for its
/// whole patience. It has no limits of its own: a migration may take its time, or wait for another
/// coordinator's.
pub(super) async fn connect(
    url: &str,
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<PgConnection, OpenError> {
    let answer = tokio::time::timeout(patience, options.connect()).await.unwrap_or_else(|_| {
        let late = format!("no answer within {patience:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, late).into())
    });
    answer.map_err(|error| of_postgres(hide_password(url), &error))
}

fn pool(options: PgConnectOptions, connections: u32, patience: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        .acquire_slow_threshold(Duration::MAX)
        // A transaction that was begun but never handed over would stay open on its connection, and
        // the next borrower would find itself inside. In a session without one, the transaction is
        // as old as the statement.
        .after_release(|conn, _| {
            Box::pin(async move {
                let asked = sqlx::raw_sql("SELECT now() = statement_timestamp()").fetch_one(conn);
                match tokio::time::timeout(ACQUIRE_TIMEOUT, asked).await {
                    Ok(row) => row?.try_get(0),
                    Err(_) => Err(sqlx::Error::PoolTimedOut),
                }
            })
        })
        .connect_lazy_with(options.options(SESSION))
}

async fn refuse_old_postgres(url: &str, conn: &mut PgConnection) -> Result<(), OpenError> {
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(conn)
        .await
        .map_err(|error| of_postgres(hide_password(url), &error))?;
    if version < OLDEST_POSTGRES {
        let major = version / 10_000;
        let problem = format!("Postgres {major} is too old; 15 is needed");
        return Err(OpenError::Unavailable { store: hide_password(url), problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::{failover::behind_failover, *};
    use crate::store::contract::Store;

    #[tokio::test]
    async fn a_server_that_falls_silent_does_not_keep_its_connections() {
        let database = besom_testkit::postgres::database().await;
        let (store, failover, _proxy) = behind_failover(&database.url, Duration::from_secs(8)).await;
        let store = Arc::new(store);
        let mut transactions = JoinSet::new();
        for _ in 0..WRITERS {
            let store = store.clone();
            transactions.spawn(async move {
                let asleep = store.handle.run(Way::Write, "sleep", None, (), |conn, _, ()| {
                    Box::pin(async move {
                        sqlx::query("SELECT pg_sleep(60)").execute(conn).await?;
                        Ok(())
                    })
                });
                asleep.await
            });
        }
        let mut direct = PgConnection::connect(&database.url).await.unwrap();
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND \
                      query LIKE 'SELECT pg_sleep%'";
        besom_testkit::eventually("every connection is busy", Duration::from_secs(10), async || {
            let count: i64 = sqlx::query_scalar(asleep).fetch_one(&mut direct).await.unwrap();
            count == i64::from(WRITERS)
        })
        .await;
        failover.send_modify(|host| *host += 1);
        let patience = Duration::from_secs(20);
        let ended = tokio::time::timeout(patience, transactions.join_all()).await.expect("transactions are given up");
        assert!(ended.iter().all(|end| matches!(end, Err(StoreError::Unavailable(_)))), "{ended:?}");
        besom_testkit::eventually("the store is served by the new host", patience, async || store.ping().await.is_ok())
            .await;
    }
}
