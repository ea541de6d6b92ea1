//! The store on SQLite: one file, one coordinator, one writer.
//!
//! A single writer connection begins every change with `BEGIN IMMEDIATE`, so a transaction never
//! finds out half-way that somebody else was first, and waiters queue fairly in the pool. Readers
//! have connections of their own and, thanks to the write-ahead log, neither wait nor are waited
//! for. Whoever opens the store for writing holds the lock file.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Connection, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::work::{Handle, Lanes};
use super::{
    error::{OpenError, StoreError, of_sqlite},
    migrations,
    paths::folder_of,
    query::{VIEWS, sqlite::memory},
    url::{IS_FOLDER, StoreUrl},
    way::Way,
};
use crate::{
    domain::{Digest, Stored},
    full_disk::FullDisk,
};

mod clock;
mod dialect;
mod files;
mod syncs;
// The same files serve both databases; see their module's documentation.
#[allow(clippy::duplicate_mod, reason = "the same work for both databases, each with its own dialect")]
#[path = "work/mod.rs"]
mod work;

use clock::Clock;

pub use work::{ArtifactIndex as SqliteArtifactIndex, Backend as SqliteStore};

/// The triggers of this build's migrations.
const TRIGGERS: [&str; 1] = ["job_attempts_resumed"];

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

/// The first release without the bug that could damage a database in WAL mode (fixed on
/// 2026-03-13).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// How long a connection waits for another process that writes. Only foreign tools ever do.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a call waits for a connection of the pool before the store counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(20);

/// A file does not go away, and a transaction that is given up still holds the file while it works.
const NO_LIMIT: Duration = Duration::MAX;

/// The log goes into the file when it has so many pages: 256 MiB of them. Longer, and a coordinator
/// that was killed takes seconds to start; shorter, and pages that change again and again go into
/// the file each time. A larger page cache would save nothing: what is read again comes from the
/// system's.
const LOG_PAGES: u64 = 65_536;
const PAGE: u64 = 4_096;

/// Reads are short, and a page that is being written to disk must not hold up all of them.
const READERS: u32 = 4;
/// And so many for the questions on which leases depend.
const DUTY_READERS: u32 = 2;

impl SqliteStore {
    /// Opens the file, or makes it, and brings it to this build's migrations. The caller holds the
    /// lock file.
    ///
    /// # Errors
    /// `Newer` if another build of besom knows more about the file; it is then untouched.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let unavailable = |error| unusable(path, &error);
        prepare();
        refuse_foreign(path).await?;
        migrate(path).await?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .acquire_slow_threshold(Duration::MAX)
            .connect_with(writing(path))
            .await
            .map_err(unavailable)?;
        let clock = Clock::start(&writer).await.map_err(unavailable)?;
        let options = self::options(path).read_only(true);
        let reader = readers(options.clone(), READERS).await.map_err(unavailable)?;
        let duty = readers(options, DUTY_READERS).await.map_err(unavailable)?;
        let weighing = Arc::default();
        let disk = Arc::new(FullDisk::of_folder(&folder_of(path)));
        let handle = Handle { writer: Some(writer), reader, duty, clock, limit: NO_LIMIT, weighing, disk };
        Ok(Self { lanes: Some(Lanes::new(&handle)), handle })
    }

    /// Opens an existing file for reading, beside a coordinator or without one. Changes nothing,
    /// needs no lock.
    ///
    /// # Errors
    /// `NotFound` if there is no such file or no store in it; `Newer` as for [`SqliteStore::open`].
    pub async fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        let unavailable = |error| unusable(path, &error);
        prepare();
        Self::check_made(path).await?;
        let reader = readers(options(path).read_only(true), READERS).await.map_err(unavailable)?;
        let clock = Clock::start(&reader).await.map_err(unavailable)?;
        let (duty, weighing) = (reader.clone(), Arc::default());
        let disk = Arc::new(FullDisk::of_folder(&folder_of(path)));
        let handle = Handle { writer: None, reader, duty, clock, limit: NO_LIMIT, weighing, disk };
        Ok(Self { handle, lanes: None })
    }

    /// Whether there is a store of this build's migrations.
    ///
    /// # Errors
    /// As for [`SqliteStore::open_read_only`].
    pub(super) async fn check_made(path: &Path) -> Result<(), OpenError> {
        let unavailable = |error| unusable(path, &error);
        if !path.exists() {
            return Err(OpenError::NotFound {
                what: format!("no database {}: run or submit a sweep first", path.display()),
            });
        }
        let mut conn = options(path).read_only(true).connect().await.map_err(unavailable)?;
        refuse_old_sqlite(path, &mut conn).await?;
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut conn)
            .await
            .map_err(unavailable)?;
        if tables == 0 {
            return Err(OpenError::NotFound { what: format!("no besom store in {}", path.display()) });
        }
        let applied: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut conn)
                .await
                .map_err(unavailable)?;
        migrations::check(&MIGRATIONS, &applied, &path.display().to_string())?;
        conn.close().await.map_err(unavailable)
    }

    /// The rows of `artifacts`, for the files beside this database.
    pub fn artifact_index(&self) -> SqliteArtifactIndex {
        SqliteArtifactIndex { handle: self.handle.clone() }
    }
}

impl SqliteArtifactIndex {
    /// Notes a file that is complete and on disk. Again is fine. Answers with what is noted then.
    ///
    /// # Errors
    /// The database.
    pub async fn note(&self, digest: &Digest, kind: &str, size: u64) -> Result<Stored, StoreError> {
        let args = (digest.clone(), kind.to_owned(), size.cast_signed());
        self.handle
            .run(Way::Write, "note artifact", None, args, |conn, now, (digest, kind, size)| {
                Box::pin(files::note(conn, now, digest, kind, *size))
            })
            .await
    }

    /// Those of the files that are noted whose digests begin so.
    ///
    /// # Errors
    /// The database.
    pub async fn with_prefix(&self, prefix: &str) -> Result<HashSet<Digest>, StoreError> {
        self.handle
            .run(Way::Ask, "list artifacts", None, prefix.to_owned(), |conn, _, prefix| {
                Box::pin(files::with_prefix(conn, prefix))
            })
            .await
    }

    /// Some of the artifacts whose files have still to be removed.
    ///
    /// # Errors
    /// The database.
    pub async fn dropped(&self) -> Result<Vec<Digest>, StoreError> {
        self.handle
            .run(Way::Ask, "list dropped artifacts", None, (), |conn, _, ()| Box::pin(files::dropped(conn)))
            .await
    }

    /// Their files are removed.
    ///
    /// # Errors
    /// The database.
    pub async fn forget_dropped(&self, digests: &[Digest]) -> Result<(), StoreError> {
        self.handle
            .run(Way::Write, "forget dropped artifacts", None, digests.to_vec(), |conn, _, digests| {
                Box::pin(files::forget_dropped(conn, digests))
            })
            .await
    }
}

/// What has to be said to SQLite before the process opens its first database.
fn prepare() {
    syncs::listen();
    memory::install();
}

/// The answer where the file cannot be used.
pub(super) fn unusable(path: &Path, error: &sqlx::Error) -> OpenError {
    let store = StoreUrl::of_file(path);
    match path.is_dir() {
        true => OpenError::Unavailable { store: store.to_string(), problem: IS_FOLDER.to_owned() },
        false => of_sqlite(store, error),
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    prepare();

    SqliteConnectOptions::new()
        .filename(path)
        // An answer leaves after the commit is on disk, not only in the log's buffer.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // The log is besom's own.
        .disable_statement_logging()
}

/// For the one connection that writes. Jobs have keys in random order, so what is written to disk
/// is decided by how many pages are changed again before they go from the log into the file.
fn writing(path: &Path) -> SqliteConnectOptions {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("wal_autocheckpoint", LOG_PAGES.to_string())
        .pragma("journal_size_limit", (LOG_PAGES * PAGE).to_string())
        // What a statement may have to undo, and what it sorts: else a file, of a batch of jobs as
        // large as its pages.
        .pragma("temp_store", "MEMORY")
}

async fn readers(options: SqliteConnectOptions, connections: u32) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .acquire_slow_threshold(Duration::MAX)
        .connect_with(options)
        .await
}

/// Brings a file to this build's migrations, on a connection of its own: a table that others name
/// can only be written anew while foreign keys are off, which no statement inside a transaction
/// changes. The migration checks them itself.
async fn migrate(path: &Path) -> Result<(), OpenError> {
    let unavailable = |error| unusable(path, &error);
    let mut conn = writing(path).foreign_keys(false).connect().await.map_err(unavailable)?;
    refuse_old_sqlite(path, &mut conn).await?;
    refuse_own_views(path, &mut conn).await?;
    let migrated = MIGRATIONS.run(&mut conn).await;
    migrated.map_err(|error| migrations::refused(error, &path.display().to_string(), unavailable))?;
    conn.close().await.map_err(unavailable)
}

/// Refuses to migrate a file with views or triggers that are not besom's: they would name tables
/// that a migration writes anew, and SQLite then renames none. Whoever made them makes them again.
async fn refuse_own_views(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let unavailable = |error| unusable(path, &error);
    let made: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
        .fetch_one(&mut *conn)
        .await
        .map_err(unavailable)?;
    if made == 0 {
        return Ok(());
    }
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&mut *conn)
        .await
        .map_err(unavailable)?;
    if usize::try_from(applied).is_ok_and(|applied| applied >= MIGRATIONS.iter().count()) {
        return Ok(());
    }
    let all: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type IN ('view', 'trigger') ORDER BY name")
            .fetch_all(conn)
            .await
            .map_err(unavailable)?;
    let own: Vec<String> =
        all.into_iter().filter(|name| !VIEWS.contains(&name.as_str()) && !TRIGGERS.contains(&name.as_str())).collect();
    if own.is_empty() {
        return Ok(());
    }
    Err(OpenError::Unavailable {
        store: path.display().to_string(),
        problem: format!(
            "its tables have to be written anew, and it has views or triggers that are not besom's ({}); drop them, start \
             besom, and make them again",
            own.join(", ")
        ),
    })
}

/// Refuses a file with tables but none of besom's, which a migration would silently add its own to.
/// Reading changes nothing, not even the way the file keeps its journal.
async fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    let unavailable = |error| unusable(path, &error);
    let mut conn = options(path).read_only(true).connect().await.map_err(unavailable)?;
    let table: Option<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema
         WHERE type = 'table' AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')
         LIMIT 1",
    )
    .fetch_optional(&mut conn)
    .await
    .map_err(unavailable)?;
    conn.close().await.map_err(unavailable)?;
    match table {
        Some(table) => Err(OpenError::Foreign { path: path.to_owned(), table }),
        None => Ok(()),
    }
}

async fn refuse_old_sqlite(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let text: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(conn).await.map_err(|error| unusable(path, &error))?;
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        let problem = format!("SQLite {text} can damage a database; 3.51.3 is needed");
        return Err(OpenError::Unavailable { store: format!("sqlite:{}", path.display()), problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn digest(number: u64) -> Digest {
        Digest::parse(&format!("{number:064x}")).unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_said_so_and_ends_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("besom.db")).await.unwrap();
        let writer = store.handle.writer.clone().unwrap();
        // Not below what it has: the file cannot grow any more, for as long as this connection
        // lives.
        sqlx::raw_sql("PRAGMA max_page_count = 1").execute(&writer).await.unwrap();
        let index = store.artifact_index();
        let mut noted = 0;
        let error = loop {
            match index.note(&digest(noted), "model", 1).await {
                Ok(_) => noted += 1,
                Err(error) => break error,
            }
            assert!(noted < 10_000, "the file grew");
        };
        assert!(matches!(error, StoreError::Full(_)), "{error:?}");
        assert!(error.is_retryable());
        assert!(index.find(&digest(noted)).await.unwrap().is_none());
        // Whether or not the limit went with the connection that met it, as a full disk would be
        // freed.
        sqlx::raw_sql("PRAGMA max_page_count = 1000000").execute(&writer).await.unwrap();
        for number in noted..noted + 100 {
            index.note(&digest(number), "model", 1).await.unwrap();
        }
        for number in 0..noted + 100 {
            assert!(index.find(&digest(number)).await.unwrap().is_some(), "{number}");
        }
        store.ping().await.unwrap();
    }
}
