//! What `besom sql` stands on: statements that read give the same on both databases, all others are
//! refused.

use besom_coordinator::store::{
    StoreUrl,
    query::{Position, QueryError, VIEWS, query},
};
use besom_sweep::Cell;

use crate::sql_support::{self, Filled};

macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $behaviour() { super::$behaviour(crate::sql_support::sqlite().await).await; })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $behaviour() { super::$behaviour(crate::sql_support::postgres().await).await; })*
        }
    };
}

on_both!(
    numbers_texts_and_nulls_come_as_they_are,
    names_of_columns_come_without_rows_too,
    json_is_compact_with_sorted_keys,
    whatever_could_write_is_refused,
    more_or_less_than_one_statement_is_refused,
    an_error_tells_where,
    a_wrong_name_is_answered_with_the_nearest_ones,
    reading_goes_on_while_a_coordinator_writes,
    reading_needs_no_coordinator,
    a_million_rows_of_work_are_done_in_one_statement,
);

async fn scalar(url: &StoreUrl, sql: &str) -> Cell {
    let mut result = query(url, sql).await.unwrap();
    assert_eq!((result.columns.len(), result.rows.len()), (1, 1), "{sql}");
    result.rows.remove(0).remove(0)
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

async fn numbers_texts_and_nulls_come_as_they_are(filled: Filled) {
    let sql = "SELECT job, state, optimizer, learning_rate, seed, error, hidden, started_at, worker, n_attempts
               FROM runs WHERE job IN (1, 15) ORDER BY job";
    let result = query(&filled.url, sql).await.unwrap();
    assert_eq!(result.columns[3].name, "learning_rate");
    let (first, failed) = (&result.rows[0], &result.rows[1]);
    assert_eq!(first[0], Cell::Integer(1));
    assert_eq!(first[1], text("succeeded"));
    assert_eq!(first[3], Cell::Float(0.001));
    assert_eq!(first[5], Cell::Null);
    assert_eq!(first[6], text("[32, 32]"));
    assert_eq!(first[7], text("2026-11-23T17:30:00.000000Z"));
    assert_eq!(first[8], text("alpha"));
    assert_eq!(first[9], Cell::Integer(1));
    assert_eq!(failed[5], text("out of memory, said \"the kernel\""));
    // A `numeric` in Postgres, and the sum of integers, which is one as well.
    assert_eq!(scalar(&filled.url, "SELECT avg(batch_size) FROM runs").await, Cell::Float(272.0));
    assert_eq!(scalar(&filled.url, "SELECT sum(epochs) FROM runs").await, Cell::Integer(120));
    assert_eq!(scalar(&filled.url, "SELECT 'ä' || '€'").await, text("ä€"));
}

async fn names_of_columns_come_without_rows_too(filled: Filled) {
    let result = query(&filled.url, "SELECT job, params AS \"All of Them\" FROM runs WHERE job < 0").await.unwrap();
    assert_eq!(result.names().collect::<Vec<_>>(), ["job", "All of Them"]);
    assert!(result.rows.is_empty());
}

async fn json_is_compact_with_sorted_keys(filled: Filled) {
    let params = scalar(&filled.url, "SELECT params FROM runs WHERE job = 6").await;
    let expected = r#"{"activation":"relu","batch_size":32,"dropout":0.0,"epochs":5,"hidden":[32,32],"learning_rate":0.1,"optimizer":"sgd","patience":null}"#;
    assert_eq!(params, text(expected));
    assert_eq!(scalar(&filled.url, "SELECT params->>'optimizer' FROM runs WHERE job = 6").await, text("sgd"));
    let rate = "SELECT CAST(params->>'learning_rate' AS DOUBLE PRECISION) FROM runs WHERE job = 6";
    assert_eq!(scalar(&filled.url, rate).await, Cell::Float(0.1));
}

async fn whatever_could_write_is_refused(filled: Filled) {
    let target = filled.dir.path().join("target.db");
    let target = target.display();
    let before = query(&filled.url, "SELECT * FROM runs ORDER BY job").await.unwrap();
    for sql in [
        "INSERT INTO workers (name) VALUES ('x')".to_owned(),
        "UPDATE jobs SET state = 'queued'".to_owned(),
        "DELETE FROM epochs".to_owned(),
        "WITH gone AS (SELECT 1 AS x) DELETE FROM epochs WHERE step IN (SELECT x FROM gone)".to_owned(),
        "DROP TABLE jobs".to_owned(),
        "DROP VIEW runs".to_owned(),
        "CREATE TABLE mine (x INTEGER)".to_owned(),
        "CREATE TEMP TABLE mine (x INTEGER)".to_owned(),
        "CREATE TABLE mine AS SELECT * FROM runs".to_owned(),
        "ALTER TABLE jobs ADD COLUMN x INTEGER".to_owned(),
        "CREATE INDEX mine ON jobs (seed)".to_owned(),
        format!("ATTACH DATABASE '{target}' AS other"),
        format!("ATTACH 'file:{target}?mode=rwc' AS other"),
        format!("VACUUM INTO '{target}'"),
        "VACUUM".to_owned(),
        "REINDEX".to_owned(),
        "ANALYZE".to_owned(),
        "PRAGMA query_only = 0".to_owned(),
        "PRAGMA journal_mode = delete".to_owned(),
        "PRAGMA wal_checkpoint(truncate)".to_owned(),
        "BEGIN".to_owned(),
        "COMMIT".to_owned(),
        "ROLLBACK".to_owned(),
        "SAVEPOINT here".to_owned(),
        "SET default_transaction_read_only = off".to_owned(),
        format!("COPY (SELECT 1) TO '{target}'"),
        format!("COPY (SELECT 1) TO PROGRAM 'touch {target}'"),
        "DO $$ BEGIN RAISE NOTICE 'x'; END $$".to_owned(),
        "LOCK TABLE jobs".to_owned(),
        "NOTIFY somebody".to_owned(),
        "EXPLAIN ANALYZE DELETE FROM epochs".to_owned(),
    ] {
        match query(&filled.url, &sql).await {
            Err(QueryError::Refused(_)) => {}
            // Words of the other database are no SQL in this one.
            Err(QueryError::Sql { message, .. }) if message.contains("syntax error") => {}
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!(query(&filled.url, "SELECT * FROM runs ORDER BY job").await.unwrap(), before);
    let files: Vec<_> = std::fs::read_dir(filled.dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_string_lossy().contains("target")), "{files:?}");
}

async fn more_or_less_than_one_statement_is_refused(filled: Filled) {
    for (sql, says) in [
        ("SELECT 1; SELECT 2", "more than one"),
        ("SELECT 1; DROP TABLE jobs", "more than one"),
        ("SELECT 1; nonsense", "more than one"),
        ("", "no statement"),
        (" \n -- nothing but a comment", "no statement"),
        ("SELECT $1", "parameters"),
        ("SELECT 1\0", "NUL"),
    ] {
        match query(&filled.url, sql).await {
            Err(QueryError::Refused(message)) => assert!(message.contains(says), "{sql}: {message}"),
            // Postgres reads all of the text before it counts.
            Err(QueryError::Sql { message, .. }) if sql.contains("nonsense") => assert!(message.contains("syntax")),
            other => panic!("{sql}: {other:?}"),
        }
    }
    for sql in ["SELECT 1;", "SELECT 1; -- a comment", "/* first */ SELECT 1 ; \n", "VALUES (1)"] {
        assert_eq!(scalar(&filled.url, sql).await, Cell::Integer(1), "{sql}");
    }
}

async fn an_error_tells_where(filled: Filled) {
    match query(&filled.url, "SELECT 'ä',\n  jbo FROM runs").await {
        Err(QueryError::Sql { message, position, .. }) => {
            assert!(message.contains("jbo"), "{message}");
            assert_eq!(position, Some(Position { line: 2, column: 3 }));
        }
        other => panic!("{other:?}"),
    }
    match query(&filled.url, "SELECT * FROM rusn").await {
        Err(error @ QueryError::Sql { .. }) => {
            let text = error.to_string();
            assert!(text.contains("rusn") && text.contains("runs, best_runs, history"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    match query(&filled.url, "SELECT 1 FORM runs").await {
        Err(QueryError::Sql { message, position, .. }) => {
            assert!(message.contains("syntax"), "{message}");
            assert!(position.is_some());
        }
        other => panic!("{other:?}"),
    }
}

async fn a_wrong_name_is_answered_with_the_nearest_ones(filled: Filled) {
    for (sql, hint) in [
        ("SELECT optimzer FROM runs", "; did you mean optimizer?"),
        ("SELECT r.optimzer FROM runs AS r JOIN history AS h ON h.job = r.job", "; did you mean optimizer?"),
        ("SELECT job FROM runs ORDER BY objectve", "; did you mean objective?"),
        ("SELECT val_accuracy FROM runs", "val_accuracy is a column of history"),
        ("SELECT accuracy FROM runs", "; did you mean best_val_accuracy, final_accuracy or final_val_accuracy?"),
        ("SELECT zzz FROM importance", "; importance has the columns sweep, sweep_id, kind, "),
        ("SELECT * FROM rnus", "; did you mean runs? the views are runs, "),
        ("SELECT job FROM main.histroy", "; did you mean history? "),
        ("SELECT * FROM zzz", "; the views are runs, "),
    ] {
        let schema = if matches!(filled.url, StoreUrl::Sqlite(_)) { "main." } else { "public." };
        match query(&filled.url, &sql.replace("main.", schema)).await {
            Err(error @ QueryError::Sql { .. }) => {
                let text = error.to_string();
                assert!(text.contains(hint), "{sql}: {text}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
}

async fn reading_goes_on_while_a_coordinator_writes(filled: Filled) {
    use besom_coordinator::domain::NewWorker;
    let store = filled.opened.store.clone();
    let writer = tokio::spawn(async move {
        for n in 0..100 {
            let worker = NewWorker {
                instance: format!("instance {n}"),
                name: format!("worker {n}"),
                host: "host".to_owned(),
                slots: 1,
                build: "besom".to_owned(),
                trainers: besom_coordinator::domain::Trainers([("mlp".to_owned(), 1)].into()),
                device: "cpu".to_owned(),
                gone_after: std::time::Duration::from_secs(60),
            };
            store.register_worker(worker, None).await.unwrap();
        }
    });
    let mut seen = 0;
    while !writer.is_finished() {
        let Cell::Integer(count) = scalar(&filled.url, "SELECT count(*) FROM worker_status").await else {
            panic!("a count is an integer")
        };
        assert!(count >= seen);
        seen = count;
    }
    writer.await.unwrap();
    assert_eq!(scalar(&filled.url, "SELECT count(*) FROM worker_status").await, Cell::Integer(102));
}

async fn reading_needs_no_coordinator(filled: Filled) {
    let Filled { url, opened, dir } = filled;
    drop(opened);
    assert_eq!(scalar(&url, "SELECT count(*) FROM runs").await, Cell::Integer(24));
    drop(dir);
}

async fn a_million_rows_of_work_are_done_in_one_statement(filled: Filled) {
    let sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) FROM n";
    assert_eq!(scalar(&filled.url, sql).await, Cell::Integer(1_000_000));
}

#[tokio::test]
async fn a_store_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(dir.path().join("none.db"));
    let error = query(&url, "SELECT 1").await.unwrap_err().to_string();
    assert!(error.contains("none.db"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn only_the_views_of_a_sqlite_store_can_be_read() {
    let filled = sql_support::sqlite().await;
    for view in VIEWS {
        query(&filled.url, &format!("SELECT * FROM {view}")).await.unwrap();
        query(&filled.url, &format!("SELECT count(*) FROM {view}")).await.unwrap();
    }
    for sql in [
        "SELECT secret FROM workers",
        "SELECT count(*) FROM workers",
        "SELECT 1 FROM jobs",
        "SELECT name FROM sqlite_schema",
        "SELECT name FROM pragma_table_info('workers')",
        "SELECT * FROM dbstat",
        "SELECT r.job FROM runs r, workers",
        "SELECT (SELECT secret FROM workers) FROM runs",
        "SELECT job FROM runs WHERE EXISTS (SELECT 1 FROM workers)",
        "SELECT job FROM runs WHERE job IN (SELECT count(*) FROM workers)",
        "WITH runs AS (SELECT secret FROM workers) SELECT * FROM runs",
        "WITH x AS (SELECT secret FROM workers) SELECT * FROM x, runs",
    ] {
        match query(&filled.url, sql).await {
            Err(QueryError::Refused(_)) => {}
            other => panic!("{sql}: {other:?}"),
        }
    }
    for sql in ["WITH x AS (SELECT 1) SELECT count(*) FROM x", "SELECT count(*) FROM json_each('[1]')"] {
        assert_eq!(scalar(&filled.url, sql).await, Cell::Integer(1), "{sql}");
    }
}
