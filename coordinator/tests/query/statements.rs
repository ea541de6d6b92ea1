//! Results in SQL: what a statement may do, and what it may cost.

use std::time::Duration;

use besom_coordinator::{
    CoordinatorConfig,
    store::{StoreUrl, query::VIEWS},
};
use besom_proto::v1::{self, cell::Value};
use besom_testkit::eventually;
use futures_util::{StreamExt, stream};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, postgres::PgRow};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::{
    hostile::{CORPUS, FILE, On, Outcome, SECRET},
    support::{Bench, Clients, LIMIT},
};

/// The coordinator's whole process stays below, with whatever the tests beside it take.
const MOST_MEMORY: u64 = 300 << 20;

macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                super::$behaviour(super::Bench::with(super::CoordinatorConfig::default()).await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                super::$behaviour(super::Bench::on_postgres(super::CoordinatorConfig::default()).await).await;
            })*
        }
    };
}

on_both!(
    a_query_cannot_write,
    a_cell_and_a_column_have_types,
    parameters_are_numbered_and_counted,
    a_wrong_name_is_answered_with_the_nearest_ones,
    a_bound_that_is_met_is_named,
    a_client_that_goes_away_ends_its_statement,
    so_many_statements_run_at_once,
);

/// Batches of a result, joined.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<(String, v1::CellType)>,
    pub(crate) rows: Vec<Vec<Option<Value>>>,
}

pub(crate) fn question(statement: &str) -> v1::QueryRequest {
    v1::QueryRequest { statement: statement.to_owned(), ..v1::QueryRequest::default() }
}

fn within(statement: &str, rows: u64, bytes: u64, seconds: u32) -> v1::QueryRequest {
    v1::QueryRequest { limits: Some(v1::QueryLimits { rows, bytes, seconds }), ..question(statement) }
}

pub(crate) async fn ask(clients: &Clients, request: v1::QueryRequest) -> Result<Answer, Status> {
    let mut batches = clients.queries.clone().query(request).await?.into_inner();
    let mut answer = Answer::default();
    while let Some(batch) = batches.message().await? {
        answer.columns = batch.columns.iter().map(|column| (column.name.clone(), column.r#type())).collect();
        answer.rows.extend(batch.rows.into_iter().map(|row| row.cells.into_iter().map(|cell| cell.value).collect()));
    }
    Ok(answer)
}

async fn a_query_cannot_write(bench: Bench) {
    let is_sqlite = matches!(bench.url, StoreUrl::Sqlite(_));
    let mut clients = bench.clients();
    clients.submit("grid", 60).await;
    let worker = clients.register().await;
    let attempt = clients.acquire_one(worker).await;
    change(&bench.url, "CREATE TABLE secrets (word TEXT)").await;
    change(&bench.url, &format!("INSERT INTO secrets VALUES ('{SECRET}')")).await;
    // The role for readers is made with the first statement.
    ask(&clients, question("SELECT 1")).await.unwrap();
    let before = everything(&bench.url).await;
    let hidden = [SECRET, worker.secret, worker.store];

    // A worker goes on reporting while all this happens, and keeps its job.
    let end = CancellationToken::new();
    let reports = tokio::spawn({
        let (mut clients, end) = (clients.clone(), end.clone());
        async move {
            let mut count = 0;
            while !end.is_cancelled() {
                let report = v1::JobReport { attempt: Some(attempt), epochs: Vec::new() };
                let answer = clients.workers.report(worker.report(vec![report])).await.unwrap().into_inner();
                assert_eq!(answer.jobs[0].directive(), v1::Directive::Continue);
                count += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            count
        }
    });
    let tried: Vec<(usize, String)> = stream::iter(CORPUS.iter().enumerate())
        .map(|(number, (on, outcome, statement))| {
            let (clients, hidden) = (&clients, &hidden);
            async move {
                let here = match on {
                    On::Both => true,
                    On::Sqlite => is_sqlite,
                    On::Postgres => !is_sqlite,
                };
                let answer = ask(clients, within(statement, 100_000, 8 << 20, 1)).await;
                let shown = format!("{answer:?}");
                for secret in hidden {
                    assert!(!shown.contains(secret), "{statement}: {shown:.2000}");
                }
                let came = match &answer {
                    Ok(_) => Outcome::Harmless,
                    Err(status) if status.code() == Code::InvalidArgument => Outcome::Refused,
                    Err(status) if status.code() == Code::ResourceExhausted => Outcome::Bounded,
                    Err(status) => return Some((number, format!("{statement}: {status}"))),
                };
                let as_expected = match outcome {
                    Outcome::Ends => true,
                    outcome if here => came == *outcome,
                    _ => came != Outcome::Harmless,
                };
                (!as_expected).then(|| (number, format!("{statement}: {came:?}, {shown:.300}")))
            }
        })
        .buffer_unordered(3)
        .filter_map(std::future::ready)
        .collect()
        .await;
    end.cancel();
    assert!(reports.await.unwrap() > 0);
    assert!(tried.is_empty(), "{}", tried.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n"));
    assert_eq!(everything(&bench.url).await, before);
    assert!(!std::path::Path::new(FILE).exists());
    let peak = peak_memory();
    assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);
    for view in VIEWS {
        ask(&clients, question(&format!("SELECT * FROM {view}"))).await.unwrap();
    }
}

async fn a_cell_and_a_column_have_types(bench: Bench) {
    let clients = bench.clients();
    let sql = "SELECT 1 AS whole, 0.5 AS part, 'x' AS text, NULL AS absent UNION ALL SELECT 2, 1, NULL, NULL";
    let answer = ask(&clients, question(sql)).await.unwrap();
    let types: Vec<v1::CellType> = answer.columns.iter().map(|(_, kind)| *kind).collect();
    assert_eq!(types, [v1::CellType::Integer, v1::CellType::Float, v1::CellType::Text, v1::CellType::Null]);
    assert_eq!(answer.rows[0][0], Some(Value::Integer(1)));
    assert_eq!(answer.rows[1][2], None);
    let answer = ask(&clients, question("SELECT job, state FROM runs WHERE job < 0")).await.unwrap();
    assert_eq!(answer.columns[1], ("state".to_owned(), v1::CellType::Null));
    assert!(answer.rows.is_empty());
}

async fn parameters_are_numbered_and_counted(bench: Bench) {
    let mut clients = bench.clients();
    clients.submit("grid", 4).await;
    let with = |statement: &str, values: Vec<Option<Value>>| v1::QueryRequest {
        parameters: values.into_iter().map(|value| v1::Cell { value }).collect(),
        ..question(statement)
    };
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    let sql = "SELECT count(*) FROM runs WHERE sweep = $2 AND job >= $1 AND sweep <> $3";
    let values = vec![Some(Value::Integer(2)), text("grid"), text("it's'); DROP TABLE jobs; --")];
    let answer = ask(&clients, with(sql, values.clone())).await.unwrap();
    assert_eq!(answer.rows[0][0], Some(Value::Integer(3)));
    let answer =
        ask(&clients, with("SELECT CAST($1 AS DOUBLE PRECISION)", vec![Some(Value::Float(0.1))])).await.unwrap();
    assert_eq!(answer.rows[0][0], Some(Value::Float(0.1)));
    let answer = ask(&clients, with("SELECT count(*) FROM runs WHERE sweep = $1", vec![None])).await.unwrap();
    assert_eq!(answer.rows[0][0], Some(Value::Integer(0)));
    for (values, says) in [
        (vec![], "expects 3 values, got none"),
        (values[..2].to_vec(), "expects 3 values for its parameters, got 2"),
        (vec![None; 4], "expects 3 values for its parameters, got 4"),
        (vec![Some(Value::Float(f64::NAN)), None, None], "expected finite numbers"),
    ] {
        let status = ask(&clients, with(sql, values)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(says), "{status}");
    }
    let status = ask(&clients, with("SELECT 1", vec![None])).await.unwrap_err();
    assert!(status.message().contains("expects 0 values"), "{status}");
}

async fn a_wrong_name_is_answered_with_the_nearest_ones(bench: Bench) {
    let clients = bench.clients();
    for (sql, hint) in [
        ("SELECT optimzer FROM runs", "did you mean optimizer?"),
        ("SELECT val_accuracy FROM runs", "val_accuracy is a column of history"),
        ("SELECT * FROM rnus", "did you mean runs?"),
    ] {
        let status = ask(&clients, question(sql)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{sql}: {status}");
        assert!(status.message().contains(hint), "{sql}: {status}");
    }
}

async fn a_bound_that_is_met_is_named(bench: Bench) {
    let clients = bench.clients();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n";
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    for (request, says) in [
        (within(numbers, 1_000, 0, 0), "more than 1000 rows, which is the bound; add a LIMIT"),
        (within(numbers, 0, 1 << 20, 0), "fill 1 MiB, which is the bound; add a LIMIT"),
        (within(endless, 0, 0, 1), "after 1 s, which is the bound on its time; add a WHERE"),
    ] {
        let status = ask(&clients, request).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().contains(says), "{status}");
    }
    assert_eq!(ask(&clients, within(numbers, 100_000, 0, 0)).await.unwrap().rows.len(), 100_000);
}

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

async fn a_client_that_goes_away_ends_its_statement(bench: Bench) {
    let clients = bench.clients();
    let started: Vec<_> = (0..3)
        .map(|_| {
            let clients = clients.clone();
            tokio::spawn(async move { ask(&clients, question(ENDLESS)).await })
        })
        .collect();
    if let StoreUrl::Postgres(url) = &bench.url {
        let url = url.clone();
        eventually("the statements run", LIMIT, async || statements(&url).await == 3).await;
    }
    started.iter().for_each(tokio::task::JoinHandle::abort);
    if let StoreUrl::Postgres(url) = &bench.url {
        let url = url.clone();
        eventually("the statements have ended", LIMIT, async || statements(&url).await == 0).await;
    }
    // All turns are free again, long before the time of those statements is over.
    eventually("a statement has its turn", LIMIT, async || ask(&clients, question("SELECT 1")).await.is_ok()).await;
}

async fn so_many_statements_run_at_once(bench: Bench) {
    let clients = bench.clients();
    let endless: Vec<_> = (0..3)
        .map(|_| {
            let clients = clients.clone();
            tokio::spawn(async move { ask(&clients, question(ENDLESS)).await })
        })
        .collect();
    let crowded = async || match ask(&clients, question("SELECT 1")).await {
        Err(status) if status.code() == Code::Aborted => {
            assert!(status.message().contains("3 statements run already"), "{status}");
            true
        }
        answer => {
            assert!(answer.is_ok(), "{answer:?}");
            false
        }
    };
    eventually("a fourth statement is told to come again", LIMIT, crowded).await;
    endless.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Statements of readers that the server works on.
async fn statements(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'besom sql' \
               AND state = 'active'";
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

/// Past the coordinator.
pub(crate) async fn change(url: &StoreUrl, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    match url {
        StoreUrl::Sqlite(path) => {
            let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        StoreUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// What a statement must not change: the rows of every table but those that reports change, and
/// what else the database has.
async fn everything(url: &StoreUrl) -> Vec<String> {
    match url {
        StoreUrl::Sqlite(path) => {
            let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
            let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1";
            let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap();
            let schema = "SELECT group_concat(coalesce(sql, name), ';') FROM sqlite_schema";
            let mut found = vec![sqlx::query_scalar(schema).fetch_one(&mut connection).await.unwrap()];
            for table in tables {
                let sql = AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""));
                let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
                found.push(format!("{table}: {count}"));
            }
            let states = "SELECT group_concat(id || state || attempt) FROM jobs";
            found.push(sqlx::query_scalar(states).fetch_one(&mut connection).await.unwrap());
            found
        }
        StoreUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            let tables = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'S') AND relnamespace = \
                          'public'::regnamespace ORDER BY 1";
            let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap();
            let mut found = Vec::new();
            for table in tables {
                let sql = AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""));
                let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
                found.push(format!("{table}: {count}"));
            }
            for sql in [
                "SELECT string_agg(id || state || attempt, ',' ORDER BY id) FROM jobs",
                "SELECT count(*)::text FROM pg_largeobject_metadata",
                "SELECT count(*)::text FROM pg_replication_slots",
                "SELECT count(*)::text FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = \
                 current_database()",
                "SELECT count(*)::text FROM pg_proc",
                "SELECT string_agg(extname, ',') FROM pg_extension",
                "SELECT last_value::text FROM jobs_id_seq",
            ] {
                let rows: Vec<PgRow> =
                    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
                found.push(format!("{:?}", rows[0].get::<Option<String>, _>(0)));
            }
            found
        }
    }
}

/// The most memory that this process has had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}
