//! Migrations: the same in both databases, applied once, and never to a database that knows better.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod store_support;

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use besom_coordinator::{
    Coordinator, CoordinatorConfig,
    artifacts::FileArtifacts,
    open::{open, open_read_only},
    store::{OpenError, Store, StoreUrl, lock::LockFile, postgres::PostgresStore, sqlite::SqliteStore},
};
use besom_testkit::postgres::database;
use sqlx::{Connection, SqliteConnection};
use store_support::{at, new_sweep};

fn files(folder: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(folder);
    std::fs::read_dir(path).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    assert_eq!(files("sqlite"), files("postgres"));
    let numbers: BTreeSet<String> = files("sqlite").iter().map(|name| name[..4].to_owned()).collect();
    let expected: BTreeSet<String> = (1..=files("sqlite").len()).map(|n| format!("{n:04}")).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn migrations_are_applied_once_to_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    for round in 0..3 {
        let store = SqliteStore::open(&path).await.unwrap();
        let (_, made) = store.create_sweep(new_sweep("s", 1), None).await.unwrap();
        assert_eq!(made, round == 0);
    }
    let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&mut conn).await.unwrap();
    assert_eq!(applied as usize, files("sqlite").len());
    let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn a_sqlite_file_is_written_ahead_and_folded_when_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut conn).await.unwrap();
    assert_eq!(mode, "wal");
    conn.close().await.unwrap();
    store.close().await;
    assert!(!dir.path().join("besom.db-wal").exists(), "closing folds the log into the file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_that_start_at_once_on_an_empty_postgres_migrate_it_once() {
    for _ in 0..4 {
        let url = Arc::new(database().await.url);
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { PostgresStore::open(&url).await.map(|_| ()) })
            })
            .collect();
        for start in starts {
            start.await.unwrap().unwrap();
        }
        let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
        let applied: i64 =
            sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&mut conn).await.unwrap();
        assert_eq!(applied as usize, files("postgres").len());
    }
}

/// Both ways a database can know better: a migration of a later build, and another text of one of
/// ours.
const STRANGERS: [(&str, &str); 2] = [
    (
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        "migration 99",
    ),
    (
        "UPDATE _sqlx_migrations SET checksum = (SELECT checksum FROM _sqlx_migrations WHERE version = 2) \
         WHERE version = 1",
        "migration 1 of the database",
    ),
];

#[track_caller]
fn assert_newer<T>(answer: Result<T, OpenError>, words: &str) {
    match answer.map(|_| ()) {
        Err(OpenError::Newer { what }) => assert!(what.contains(words), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sqlite_file_that_knows_better_is_refused_and_untouched() {
    for (statement, words) in STRANGERS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("besom.db");
        SqliteStore::open(&path).await.unwrap().close().await;
        let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
        sqlx::query(statement).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let before = std::fs::read(&path).unwrap();
        assert_newer(SqliteStore::open(&path).await, words);
        assert_newer(SqliteStore::open_read_only(&path).await, words);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_postgres_database_that_knows_better_is_refused() {
    for (statement, words) in STRANGERS {
        let url = database().await.url;
        PostgresStore::open(&url).await.unwrap();
        let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut conn).await.unwrap();
        assert_newer(PostgresStore::open(&url).await, words);
        assert_newer(PostgresStore::open_read_only(&url).await, words);
    }
}

#[tokio::test]
async fn an_older_database_is_not_read_but_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    for view in ["best_runs", "runs", "history", "sweep_progress", "worker_status"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP VIEW {view}"))).execute(&mut conn).await.unwrap();
    }
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 2").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    match SqliteStore::open_read_only(&path).await.map(|_| ()) {
        Err(OpenError::NotFound { what }) => assert!(what.contains("lacks migration 2"), "{what}"),
        other => panic!("{other:?}"),
    }
    SqliteStore::open(&path).await.unwrap().close().await;
    SqliteStore::open_read_only(&path).await.unwrap();
}

#[tokio::test]
async fn reading_where_there_is_no_store_says_so_and_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    assert!(matches!(SqliteStore::open_read_only(&path).await.map(|_| ()), Err(OpenError::NotFound { .. })));
    assert!(!path.exists());
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(SqliteStore::open_read_only(&path).await.map(|_| ()), Err(OpenError::NotFound { .. })));
    let url = database().await.url;
    assert!(matches!(PostgresStore::open_read_only(&url).await.map(|_| ()), Err(OpenError::NotFound { .. })));
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_unavailable() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://nobody:secret@127.0.0.1:{port}/none");
    let error = PostgresStore::open(&url).await.map(|_| ()).unwrap_err();
    let shown = format!(
        "store postgres://nobody:***@127.0.0.1:{port}/none: Connection refused (os error 111); check that the server runs, \
         and its host and port"
    );
    assert_eq!(told(&error), shown);
    let url = database().await.url;
    let (place, _) = url.rsplit_once('/').unwrap();
    let error = PostgresStore::open(&format!("{place}/none")).await.map(|_| ()).unwrap_err();
    assert!(told(&error).ends_with("database \"none\" does not exist; create it first, as with createdb"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    std::fs::write(&path, vec![b'x'; 4096]).unwrap();
    let error = SqliteStore::open(&path).await.map(|_| ()).unwrap_err();
    let shown =
        format!("store sqlite:{}: file is not a database; name another file, or move this one away", path.display());
    assert_eq!(told(&error), shown);
    for error in [
        SqliteStore::open(dir.path()).await.map(|_| ()).unwrap_err(),
        SqliteStore::open_read_only(dir.path()).await.map(|_| ()).unwrap_err(),
        open(&StoreUrl::Sqlite(dir.path().to_owned())).await.map(|_| ()).unwrap_err(),
    ] {
        let shown = format!(
            "store sqlite:{}: this is a folder; name the file in it, as in sqlite:DIR/besom.db",
            dir.path().display()
        );
        assert_eq!(told(&error), shown);
    }
}

/// An error with its causes, as people see it.
fn told(error: &OpenError) -> String {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bookmarks.db");
    let url = format!("sqlite:{}?mode=rwc", path.display());
    let mut theirs = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE bookmarks (url TEXT)").execute(&mut theirs).await.unwrap();
    theirs.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).await.map(|_| ()).unwrap_err();
    assert!(matches!(&error, OpenError::Foreign { table, .. } if table == "bookmarks"), "{error:?}");
    assert!(error.to_string().contains("bookmarks.db holds tables of another program"), "{error}");
    assert!(std::fs::read(&path).unwrap() == before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn sqlites_clock_never_starts_before_what_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    let future = store_support::at(10.0 * 365.0 * 86_400.0);
    let store = SqliteStore::open(&path).await.unwrap();
    store.register_worker(store_support::new_worker("w"), future).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&path).await.unwrap();
    let (sweep, _) = store.create_sweep(new_sweep("s", 1), None).await.unwrap();
    assert!(Some(sweep.created_at) >= future, "{sweep:?}");
}

/// Three ended jobs, in the tables of before there were statistics.
const THREE_ENDED: &str = "
INSERT INTO sweeps (
    id, name, digest, text, method, metric, goal, objective, keep_models, dataset, dataset_source, dataset_sha256, swept,
    trainer_version, jobs_total, jobs_created, state, created_at, ended_at
) VALUES (
    1, 's', 'd', 'method: grid', 'grid', 'val_accuracy', 'maximize', 'final', 'none',
    '0000000000000000000000000000000000000000000000000000000000000000', 'builtin:sketches', '', '[\"learning_rate\"]', 1, 3, 3,
    'completed', 0, 9
);
INSERT INTO workers (id, instance, name, host, slots, build, trainer_version, device, registered_at, last_seen_at)
VALUES (1, 'i', 'w', 'h', 2, 'b', 1, 'cpu', 0, 0);
INSERT INTO jobs (
    id, sweep_id, trainer, config_hash, shape_hash, config, params, seed, engine, device, optimizer, learning_rate,
    batch_size, epochs, hidden, activation, dropout, state, attempt, worker_id, slot, started_at, ended_at, objective, score,
    final_val_accuracy, best_val_accuracy, seconds
)
SELECT n, 1, 'mlp', '000000000000000000000000000000000000000000000000000000000000000' || n, 's', '{}',
       CAST('{\"learning_rate\": 0.1}' AS @JSON@), 1, 'native', 'cpu', 'sgd', 0.1, 32, 1, '[]', 'relu', 0, 'succeeded', 1, 1, n, 0, 2,
       n / 4.0, n / 4.0, n / 4.0, n / 4.0, 1.5
FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) numbers;
INSERT INTO attempts (job_id, attempt, worker_id, slot, request_id, started_at, ended_at, outcome)
SELECT id, 1, 1, slot, 'r', 0, 2, 'succeeded' FROM jobs;
INSERT INTO confusions (job_id, classes, counts) SELECT id, 2, CAST('[3, 1, 0, 4]' AS @JSON@) FROM jobs";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_ended_before_the_migration_have_their_statistics_soon_after_a_coordinators_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.unwrap();
    as_of(&mut conn, "sqlite", 2).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(THREE_ENDED.replace("@JSON@", "TEXT"))).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let url = database().await.url;
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    as_of(&mut conn, "postgres", 2).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(THREE_ENDED.replace("@JSON@", "JSONB"))).execute(&mut conn).await.unwrap();
    let stores: [(StoreUrl, Arc<dyn Store>); 2] = [
        (StoreUrl::Sqlite(path.clone()), Arc::new(SqliteStore::open(&path).await.unwrap())),
        (StoreUrl::Postgres(url.clone()), Arc::new(PostgresStore::open(&url).await.unwrap())),
    ];
    let means = async |place: &StoreUrl| {
        let sql = "SELECT mean FROM config_stats WHERE sweep = 's' ORDER BY job";
        match place {
            StoreUrl::Sqlite(path) => {
                let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
                sqlx::query_scalar::<_, f64>(sql).fetch_all(&mut conn).await.unwrap()
            }
            StoreUrl::Postgres(url) => {
                let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
                sqlx::query_scalar::<_, f64>(sql).fetch_all(&mut conn).await.unwrap()
            }
        }
    };
    for (place, store) in stores {
        assert!(means(&place).await.is_empty());
        let files = tempfile::tempdir().unwrap();
        let artifacts = Arc::new(FileArtifacts::new(files.path().to_owned(), None));
        let coordinator = Coordinator::start(store, artifacts, CoordinatorConfig::default()).unwrap();
        besom_testkit::eventually("all is caught up with", Duration::from_secs(20), async || {
            means(&place).await.len() == 3
        })
        .await;
        coordinator.stop().await;
        assert_eq!(means(&place).await, [0.25, 0.5, 0.75]);
    }
    let counted: i64 = sqlx::query_scalar("SELECT count(*) FROM per_class").fetch_one(&mut conn).await.unwrap();
    assert_eq!(counted, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_store_that_another_process_is_making_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    let url = StoreUrl::Sqlite(path.clone());
    // Nobody makes it: that is told at once.
    let error = open_read_only(&url).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::NotFound { .. }), "{error}");
    let lock = LockFile::take(&path).unwrap();
    let reader = tokio::spawn({
        let url = url.clone();
        async move { open_read_only(&url).await.map(|_| ()) }
    });
    tokio::task::yield_now().await;
    let store = SqliteStore::open(&path).await.unwrap();
    reader.await.unwrap().unwrap();
    store.close().await;

    // Half a migration is no store of an older build, as long as somebody is at it.
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(&mut conn)
        .await
        .unwrap();
    let (waiting, asked) = (tokio::spawn(async move { open_read_only(&url).await.map(|_| ()) }), path.clone());
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(lock);
    let error = waiting.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("lacks migration") && error.contains(asked.to_str().unwrap()), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_store_that_another_process_is_making_is_waited_for() {
    let database = database().await;
    let url = StoreUrl::Postgres(database.url.clone());
    PostgresStore::open(&database.url).await.unwrap().close().await;
    let mut maker = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept AS SELECT * FROM _sqlx_migrations").execute(&mut maker).await.unwrap();
    let last = "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM kept)";
    sqlx::query(last).execute(&mut maker).await.unwrap();
    let error = open_read_only(&url).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("lacks migration"), "nobody is at it: {error}");
    // What whoever applies migrations holds meanwhile.
    sqlx::query("SELECT pg_advisory_lock(7)").execute(&mut maker).await.unwrap();
    let waiting = tokio::spawn(async move { open_read_only(&url).await.map(|_| ()) });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    let rest = "INSERT INTO _sqlx_migrations SELECT * FROM kept WHERE version = (SELECT max(version) FROM kept)";
    sqlx::query(rest).execute(&mut maker).await.unwrap();
    sqlx::query("SELECT pg_advisory_unlock(7)").execute(&mut maker).await.unwrap();
    waiting.await.unwrap().unwrap();
}

/// Brings a database to where a build left it that knew the first `last` migrations.
async fn as_of<C: sqlx::migrate::Migrate>(connection: &mut C, folder: &str, last: i64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(folder);
    let migrations = sqlx::migrate::Migrator::new(path).await.unwrap();
    migrations.run_direct(Some(last), connection, false).await.unwrap();
}

/// A sweep of two jobs that one worker trains, in the tables of before there were counts.
const TWO_JOBS: &str = "
INSERT INTO sweeps (
    id, name, digest, text, method, metric, goal, objective, keep_models, dataset, dataset_source, dataset_sha256, swept,
    trainer_version, jobs_total, jobs_created, state, created_at
) VALUES (
    1, 's', 'd', 'method: grid', 'grid', 'val_accuracy', 'maximize', 'final', 'none', '0', 'builtin:sketches', '', '[]', 1, 2,
    2, 'active', 0
);
INSERT INTO workers (id, instance, name, host, slots, build, trainer_version, device, registered_at, last_seen_at)
VALUES (1, 'i', 'w', 'h', 2, 'b', 1, 'cpu', 0, 0);
INSERT INTO jobs (
    id, sweep_id, trainer, config_hash, shape_hash, config, params, seed, engine, device, optimizer, learning_rate,
    batch_size, epochs, hidden, activation, dropout, state, attempt, worker_id, slot, started_at, lease_until
)
SELECT n, 1, 'mlp', '000000000000000000000000000000000000000000000000000000000000000' || n, 's', '{}', '{}', 1, 'native', 'cpu', 'sgd', 0.1, 32, 5, '[]', 'relu', 0, 'running', 1, 1, n, 0, 1
FROM (SELECT 1 AS n UNION ALL SELECT 2) numbers;
INSERT INTO attempts (job_id, attempt, worker_id, slot, request_id, started_at) SELECT id, 1, 1, slot, 'r', 0 FROM jobs";

/// How a build of before there were counts ends a job.
const END: &str =
    "UPDATE jobs SET state = 'succeeded', lease_until = NULL, ended_at = 1, epochs_done = 5, epoch_seconds = ";

#[tokio::test]
async fn a_store_with_numbers_that_no_sum_can_hold_is_brought_up_to_date() {
    let end = format!("{END} 1e308");
    let kept = "SELECT succeeded, epoch_seconds FROM sweep_counts";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("besom.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.unwrap();
    as_of(&mut conn, "sqlite", 3).await;
    sqlx::raw_sql(TWO_JOBS).execute(&mut conn).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(end.clone())).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    assert_eq!(sqlx::query_as::<_, (i64, f64)>(kept).fetch_one(&mut conn).await.unwrap(), (2, 0.0));

    let url = database().await.url;
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    as_of(&mut conn, "postgres", 3).await;
    sqlx::raw_sql(TWO_JOBS).execute(&mut conn).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(end)).execute(&mut conn).await.unwrap();
    PostgresStore::open(&url).await.unwrap();
    assert_eq!(sqlx::query_as::<_, (i64, f64)>(kept).fetch_one(&mut conn).await.unwrap(), (2, 0.0));
}

/// Of several coordinators on one Postgres the first one is upgraded while another one ends a job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ends_while_postgres_is_migrated_is_counted_and_an_earlier_build_grants_no_other() {
    let url = database().await.url;
    let mut earlier = sqlx::PgConnection::connect(&url).await.unwrap();
    as_of(&mut earlier, "postgres", 3).await;
    sqlx::raw_sql(TWO_JOBS).execute(&mut earlier).await.unwrap();
    let mut ending = earlier.begin().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{END} 1 WHERE id = 1"))).execute(&mut *ending).await.unwrap();
    let opened = tokio::spawn({
        let url = url.clone();
        async move { PostgresStore::open(&url).await.map(|_| ()) }
    });
    let mut watch = sqlx::PgConnection::connect(&url).await.unwrap();
    besom_testkit::eventually("the migration waits", Duration::from_secs(20), async || {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut watch).await.unwrap() == 1
    })
    .await;
    ending.commit().await.unwrap();
    opened.await.unwrap().unwrap();
    let succeeded: i64 = sqlx::query_scalar("SELECT succeeded FROM sweep_counts").fetch_one(&mut watch).await.unwrap();
    assert_eq!(succeeded, 1);
    let grant = "INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, started_at) VALUES (2, 2, 1, 9, 'x', 0)";
    let refused = sqlx::query(grant).execute(&mut watch).await.unwrap_err().to_string();
    assert!(refused.contains("attempts_leased"), "{refused}");
    let ended = "UPDATE job_attempts SET outcome = 'lost', ended_at = 1 WHERE job_id = 2";
    assert_eq!(sqlx::query(ended).execute(&mut watch).await.unwrap().rows_affected(), 1, "those of before can end");
}

/// What every view shows, by its name: the names of its columns, and the rows as JSON, in order.
type Views = std::collections::BTreeMap<String, (Vec<String>, Vec<Vec<serde_json::Value>>)>;

/// Views whose columns have other names now.
fn renamed(view: &str, column: &str) -> String {
    match (view, column) {
        ("runs" | "best_runs", "attempts") => "n_attempts".to_owned(),
        ("config_stats", "objective_mean") => "mean".to_owned(),
        _ => column.replace("_deviation", "_std"),
    }
}

/// Reads all views by one statement each, which gives a row as a JSON object.
macro_rules! views {
    ($connection:expr, $names:literal, $columns:literal, $row:expr) => {{
        let names: Vec<String> = sqlx::query_scalar($names).fetch_all(&mut $connection).await.unwrap();
        let mut views = Views::new();
        for view in names {
            let columns: Vec<String> =
                sqlx::query_scalar($columns).bind(&view).fetch_all(&mut $connection).await.unwrap();
            let select: String = $row(&view, &columns);
            let rows: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_all(&mut $connection).await.unwrap();
            let mut rows: Vec<Vec<serde_json::Value>> =
                rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
            rows.sort_by_key(|row| format!("{row:?}"));
            views.insert(view, (columns, rows));
        }
        views
    }};
}

async fn views_of_sqlite(path: &Path) -> Views {
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let row = |view: &str, columns: &[String]| format!("SELECT json_array({}) FROM {view}", columns.join(", "));
    let views = views!(
        conn,
        "SELECT name FROM sqlite_schema WHERE type = 'view'",
        "SELECT name FROM pragma_table_info($1)",
        row
    );
    conn.close().await.unwrap();
    views
}

async fn views_of_postgres(url: &str) -> Views {
    let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
    let row =
        |view: &str, columns: &[String]| format!("SELECT jsonb_build_array({})::text FROM {view}", columns.join(", "));
    views!(
        conn,
        "SELECT viewname::text FROM pg_views WHERE schemaname = 'public'",
        "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum",
        row
    )
}

#[track_caller]
fn show_the_same(before: &Views, after: &Views) {
    for (view, (columns, rows)) in before {
        let (new_columns, new_rows) = &after[view];
        let places: Vec<usize> = columns
            .iter()
            .map(|column| {
                let name = renamed(view, column);
                new_columns.iter().position(|new| *new == name).unwrap_or_else(|| panic!("{view} lacks {name}"))
            })
            .collect();
        let mut same: Vec<Vec<serde_json::Value>> =
            new_rows.iter().map(|row| places.iter().map(|&place| row[place].clone()).collect()).collect();
        same.sort_by_key(|row| format!("{row:?}"));
        assert_eq!(&same, rows, "{view}");
    }
    assert_eq!(after.len(), before.len() + 1, "the view attempts is new");
}

#[tokio::test]
async fn a_store_of_the_build_before_shows_what_it_showed() {
    let home = tempfile::tempdir().unwrap();
    besom_testkit::before::sqlite(home.path());
    let path = home.path().join("besom.db");
    let before = views_of_sqlite(&path).await;
    assert_eq!(before["runs"].1.len(), 21);
    SqliteStore::open(&path).await.unwrap().close().await;
    show_the_same(&before, &views_of_sqlite(&path).await);

    let url = database().await.url;
    besom_testkit::before::postgres(&url).await;
    let before = views_of_postgres(&url).await;
    PostgresStore::open(&url).await.unwrap().close().await;
    show_the_same(&before, &views_of_postgres(&url).await);
}

/// The files of a database as they lie on the disk when its process dies in the middle of the
/// migration: after each of its statements, of which none is committed.
#[tokio::test]
async fn a_migration_that_is_killed_after_any_statement_is_done_by_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    besom_testkit::before::sqlite(home.path());
    let path = home.path().join("besom.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::raw_sql("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF; PRAGMA cache_size = 1; BEGIN IMMEDIATE")
        .execute(&mut conn)
        .await
        .unwrap();
    let migration =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite/0010_shape.sql"))
            .unwrap();
    let mut statements: Vec<String> = Vec::new();
    for part in migration.split_inclusive(";\n").filter(|part| !part.trim().is_empty()) {
        match statements.last_mut() {
            // A trigger holds statements of its own.
            Some(last) if last.contains("\nBEGIN") && !last.contains("\nEND") => last.push_str(part),
            _ => statements.push(part.to_owned()),
        }
    }
    assert!(statements.len() > 50, "{}", statements.len());
    for (number, statement) in statements.iter().enumerate() {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(&mut conn).await.unwrap();
        if number % 4 != 0 && number + 1 < statements.len() {
            continue;
        }
        let copy = tempfile::tempdir().unwrap();
        for name in ["besom.db", "besom.db-wal"] {
            std::fs::copy(home.path().join(name), copy.path().join(name)).unwrap();
        }
        let store = SqliteStore::open(&copy.path().join("besom.db")).await.unwrap();
        let sweep = store.find_sweep("half").await.unwrap();
        assert_eq!((sweep.counts.queued, sweep.counts.succeeded), (2, 2), "after statement {number}");
        store.close().await;
    }
}

#[tokio::test]
async fn the_steps_of_a_resumed_attempt_follow_those_that_it_went_on_from() {
    for bench in [store_support::sqlite().await, store_support::postgres().await] {
        bench.sweep("s", 2).await;
        let worker = bench.worker("w").await;
        let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at.job;
        // Four attempts: each goes on from the one before, not always from its end.
        bench
            .execute(&format!(
                "INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, lease, started_at, ended_at, outcome, \
                 resumed_from, resumed_step) VALUES ({job}, 2, 1, 0, 'b', 2, 0, 1, 'lost', 1, 3), \
                 ({job}, 3, 1, 0, 'c', 3, 0, 1, 'lost', 2, 5), ({job}, 4, 1, 0, 'd', 4, 0, 1, 'lost', 3, 2)"
            ))
            .await
            .unwrap();
        for (attempt, steps) in [(1, 1..=4), (2, 4..=6), (3, 5..=8), (4, 3..=4)] {
            for step in steps {
                let row = format!(
                    "INSERT INTO epochs (job_id, attempt, step, loss, metrics) VALUES ({job}, {attempt}, {step}, {attempt}, '{{}}')"
                );
                bench.execute(&row).await.unwrap();
            }
        }
        for (attempt, expected) in [
            (1, "1:1 2:1 3:1 4:1"),
            (2, "1:1 2:1 3:1 4:2 5:2 6:2"),
            (3, "1:1 2:1 3:1 4:2 5:2 6:3 7:3 8:3"),
            (4, "1:1 2:1 3:4 4:4"),
        ] {
            bench.execute(&format!("UPDATE jobs SET attempt = {attempt} WHERE id = {job}")).await.unwrap();
            let rows = bench.query("SELECT step, CAST(loss AS BIGINT) FROM history ORDER BY job, step").await;
            let shown: Vec<String> = rows.iter().map(|row| row.join(":")).collect();
            assert_eq!(shown.join(" "), expected, "attempt {attempt}");
        }
    }
}

#[tokio::test]
async fn views_of_ones_own_are_named_before_anything_is_changed() {
    let home = tempfile::tempdir().unwrap();
    besom_testkit::before::sqlite(home.path());
    let path = home.path().join("besom.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::raw_sql("CREATE VIEW mine AS SELECT * FROM runs").execute(&mut conn).await.unwrap();
    let error = SqliteStore::open(&path).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("(mine); drop them"), "{error}");
    sqlx::raw_sql("DROP VIEW mine").execute(&mut conn).await.unwrap();
    SqliteStore::open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn who_could_read_the_views_can_read_the_new_ones() {
    let url = database().await.url;
    besom_testkit::before::postgres(&url).await;
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("GRANT SELECT ON runs, history TO PUBLIC").execute(&mut conn).await.unwrap();
    PostgresStore::open(&url).await.unwrap().close().await;
    let kept = "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a \
                WHERE a.grantee = 0 AND c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace";
    assert_eq!(sqlx::query_scalar::<_, String>(kept).fetch_one(&mut conn).await.unwrap(), "history runs");
}
