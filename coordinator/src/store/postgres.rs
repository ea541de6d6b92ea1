//! The store on Postgres 15 or later: any number of coordinators.
//!
//! Acquisitions run side by side thanks to SKIP LOCKED; whoever ends a job holds its sweep's row first. Every session has
//! limits on statements, locks and idle transactions, so that a coordinator that stalls cannot stop the others.

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, Row,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use self::work::Handle;
use super::{
    StoreError, failure, migrations,
    open::{OpenError, hide_password},
};

mod dialect;
// The same files serve both databases; see their module's documentation.
#[allow(clippy::duplicate_mod, reason = "the same work for both databases, each with its own dialect")]
#[path = "work/mod.rs"]
mod work;

use dialect::Clock;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// As `server_version_num` has it.
const OLDEST_POSTGRES: i32 = 150_000;

/// Enough to hide the latency of commits; a hundred coordinators fit in one server's usual limits.
const CONNECTIONS: u32 = 10;

/// How long a call waits for a connection before the store counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Limits of each session. No statement of besom takes a second on a million jobs; a batch of jobs may take some.
const SESSION: [(&str, &str); 4] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "30s"),
    // An answer leaves after the commit is on disk, whatever the server's default says.
    ("synchronous_commit", "on"),
];

/// The store in a database that several coordinators share.
pub struct PostgresStore {
    handle: Handle,
}

impl PostgresStore {
    /// Connects and brings the database to this build's migrations, one process at a time.
    ///
    /// # Errors
    /// `Newer` if another build of besom knows more about the database; it is then untouched.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let options = options(url)?;
        let mut conn = connect(&options).await?;
        refuse_old_postgres(&mut conn).await?;
        MIGRATIONS.run_direct(None, &mut conn, false).await.map_err(migrations::refused)?;
        conn.close().await.map_err(unavailable)?;
        let pool = pool(options);
        Ok(Self { handle: Handle { writer: Some(pool.clone()), reader: pool, clock: Clock } })
    }

    /// Connects for reading. Changes nothing.
    ///
    /// # Errors
    /// `NotFound` if there is no store in the database; `Newer` as for [`PostgresStore::open`].
    pub async fn open_read_only(url: &str) -> Result<Self, OpenError> {
        let options = options(url)?;
        let mut conn = connect(&options).await?;
        refuse_old_postgres(&mut conn).await?;
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
        migrations::check(&MIGRATIONS, &applied)?;
        Ok(Self { handle: Handle { writer: None, reader: pool(options), clock: Clock } })
    }

    /// The connections, for the artifacts in the same database.
    pub fn pool(&self) -> &PgPool {
        &self.handle.reader
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// What an error of this database means to a caller, outside of the transactions of this module.
pub(crate) fn store_error(error: sqlx::Error, operation: &'static str) -> StoreError {
    let class = dialect::classify(&error);
    failure::answer(error, class, operation)
}

fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let options: PgConnectOptions = url
        .parse()
        .map_err(|error: sqlx::Error| OpenError::BadUrl { url: hide_password(url), problem: error.to_string() })?;
    Ok(options.application_name("besom"))
}

/// One connection, to learn at once whether the database answers: a pool would go on trying for its whole patience. It
/// has no limits of its own: a migration may take its time, or wait for another coordinator's.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, OpenError> {
    match tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await {
        Ok(answer) => answer.map_err(unavailable),
        Err(late) => Err(OpenError::Unavailable(Box::new(late))),
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A transaction that was begun but never handed over would stay open on its connection, and the next borrower
        // would find itself inside. In a session without one, the transaction is as old as the statement.
        .after_release(|conn, _| {
            Box::pin(async move {
                let row = sqlx::raw_sql("SELECT now() = statement_timestamp()").fetch_one(conn).await?;
                row.try_get(0)
            })
        })
        .connect_lazy_with(options.options(SESSION))
}

async fn refuse_old_postgres(conn: &mut PgConnection) -> Result<(), OpenError> {
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(conn)
        .await
        .map_err(unavailable)?;
    if version < OLDEST_POSTGRES {
        let major = version / 10_000;
        return Err(OpenError::Unavailable(format!("Postgres {major} is too old; 15 is needed").into()));
    }
    Ok(())
}

fn unavailable(error: sqlx::Error) -> OpenError {
    OpenError::Unavailable(Box::new(error))
}
