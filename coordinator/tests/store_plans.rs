//! How the databases find the rows of the statements that every job needs, with statistics as they
//! are at the worst moment: gathered when a large grid had just been written and was all queued,
//! and then it was worked off.
//!
//! On Postgres each statement is prepared and runs several times under EXPLAIN ANALYZE, which
//! counts what it touches: rows, and pages, on which the dead rows lie that no vacuum has removed
//! yet. SQLite says which index it takes, without statistics and with those of the worst moment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod store_support;

use std::fmt::Write;

use besom_coordinator::domain::NewSweep;
use besom_sweep::statements;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};
use store_support::{Bench, new_job, new_sweep};

/// Jobs of each of the three large sweeps.
const JOBS: u32 = 10_000;
/// What is left of the sweep that is worked off: as many run as are queued.
const LEFT: u32 = 100;

/// The most that a statement may touch where it needs a few rows for each of the hundred jobs that
/// run, at most: rows by Postgres's count, and pages of 8 kB. A walk over the ended jobs of a sweep
/// touches 10,000 rows and more pages.
const ROWS: f64 = 1_000.0;
const PAGES: f64 = 2_000.0;

/// Tables of a few rows, here: any way to read them is a good one.
const SMALL: [&str; 7] = ["sweeps", "sweep_counts", "workers", "store", "artifacts", "attempt_sources", "importances"];

/// Postgres plans the first five runs of a prepared statement for their values; from then on it may
/// take one plan for all.
const RUNS: u32 = 7;

/// The running jobs of a sweep, and no others.
const RUNNING: &[&str] = &["INDEX jobs_running (sweep_id=?)"];

/// A statement with parameters that mean something in [`worst_moment`].
struct Case {
    /// Its file, without the folder of the database and the suffix; or the statement itself, where
    /// it is one of a command.
    file: &'static str,
    only: Option<Database>,
    /// Types of Postgres and literals, `$1` first.
    args: Vec<(&'static str, String)>,
    /// SQLite's access to the jobs (or what the statement is about): parts of its plan.
    sqlite: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Database {
    Sqlite,
    Postgres,
}

fn int(value: impl Into<i64>) -> (&'static str, String) {
    ("bigint", value.into().to_string())
}

fn text(value: &str) -> (&'static str, String) {
    ("text", format!("'{value}'"))
}

fn json(value: &str) -> (&'static str, String) {
    ("jsonb", format!("'{value}'"))
}

/// Everything that takes, ends, counts or shows jobs. The sweep that is worked off is the third;
/// its jobs follow those of the other two, and its last 200 are left: first those that run, then
/// those that are queued.
fn cases() -> Vec<Case> {
    let sweep = || int(3);
    let first = i64::from(2 * JOBS + 1);
    let last = i64::from(3 * JOBS);
    let running = last - i64::from(2 * LEFT) + 1;
    let removed = || vec![sweep(), int(first), int(first + 39)];
    let later = || int(i64::MAX / 2);
    let both = |file, args, sqlite| Case { file, only: None, args, sqlite };
    let sqlite = |file, args, sqlite| Case { file, only: Some(Database::Sqlite), args, sqlite };
    let postgres = |file, args| Case { file, only: Some(Database::Postgres), args, sqlite: &[] };
    vec![
        // Handing out.
        postgres("queues", vec![later(), json("{\"3\": 1}")]),
        sqlite(
            "queues",
            vec![later()],
            &["INDEX jobs_queued (sweep_id=?", "jobs_hindered (sweep_id=? AND not_before>?)"],
        ),
        sqlite(
            "jobs_take",
            vec![int(1), json("{\"mlp\": 1}"), sweep(), later(), later(), json("[0, 1, 2, 3]")],
            &[
                "SEARCH j USING INDEX jobs_queued (sweep_id=?)",
                "jobs_hindered (sweep_id=? AND not_before>?)",
                "SEARCH jobs USING INTEGER PRIMARY KEY",
            ],
        ),
        postgres(
            "sweeps_ready",
            vec![json("{\"mlp\": 1}"), ("bigint", "NULL".to_owned()), later(), json("{\"3\": 1}")],
        ),
        postgres(
            "jobs_take",
            vec![int(1), sweep(), later(), later(), json("[[0, 7], [1, 8], [2, 9], [3, 10]]"), text("request"), int(1)],
        ),
        sqlite("attempts_open", vec![int(1), text("request"), int(0), json("[]")], &[]),
        both("leases_of_request", vec![text("request"), int(1)], &["SEARCH a USING INDEX job_attempts_request"]),
        both("worker_slots", vec![int(1)], &["jobs_of_worker (worker_id=?)"]),
        both("worker_attempts", vec![int(1)], &["jobs_of_worker (worker_id=?)"]),
        // Renewing and ending.
        both(
            "lease_renew",
            vec![int(running), int(1), later(), int(7), int(1), text("secret"), text("identity")],
            &["SEARCH jobs USING INTEGER PRIMARY KEY", "SEARCH a USING PRIMARY KEY (job_id=? AND attempt=?)"],
        ),
        both(
            "lease_held",
            vec![int(running), int(1), int(7), int(1), text("secret"), text("identity"), ("bytea", "NULL".to_owned())],
            &["SEARCH j USING INTEGER PRIMARY KEY", "SEARCH a USING PRIMARY KEY (job_id=? AND attempt=?)"],
        ),
        postgres("jobs_lock", vec![json(&format!("[\"{running}\", \"{}\"]", running + 1))]),
        postgres("sweeps_lock", vec![json(&format!("[\"{running}\", \"{}\"]", running + 1))]),
        postgres("jobs_lock_of", vec![json(&format!("[\"{running}\", \"{}\"]", running + 1)), json("[3]")]),
        postgres("sweeps_lock_free", vec![json(&format!("[\"{running}\", \"{}\"]", running + 1))]),
        both(
            "attempt_epochs",
            vec![int(running), int(1), int(1), int(2)],
            &["SEARCH epochs USING PRIMARY KEY (job_id=? AND attempt=? AND step>? AND step<?)"],
        ),
        both(
            "config_runs",
            vec![int(first)],
            &["SEARCH r USING INDEX sqlite_autoindex_jobs_1 (sweep_id=? AND config_hash=?)"],
        ),
        both("best_other", vec![sweep(), int(first)], &["INDEX jobs_score (sweep_id=?"]),
        both("confusion_of", vec![int(first)], &["SEARCH c USING INTEGER PRIMARY KEY (rowid=?)"]),
        both("sweep_complete", vec![sweep(), int(1)], &["SEARCH sweeps USING INTEGER PRIMARY KEY (rowid=?)"]),
        both("expired", vec![int(0), int(100)], &["SCAN j USING INDEX jobs_running"]),
        both(
            "artifact_drop",
            vec![text("digest"), later(), later()],
            &["jobs USING INDEX jobs_of_worker|jobs_running"],
        ),
        both(
            "artifacts_unnamed",
            vec![text(""), later(), int(200)],
            &["jobs USING INDEX jobs_of_worker|jobs_running", "SEARCH a USING INDEX sqlite_autoindex_artifacts_1"],
        ),
        // Looking.
        both("sweep_counts", vec![sweep()], RUNNING),
        both("running", vec![sweep()], RUNNING),
        both("running_epochs", vec![sweep()], RUNNING),
        both("best", vec![sweep()], &["INDEX jobs_score (sweep_id=?"]),
        both("workers", vec![int(0), int(1)], &["jobs_of_worker (worker_id=?)"]),
        both("hindrance", vec![sweep()], &["INDEX jobs_hindered (sweep_id=?"]),
        both("hindrances_end", vec![sweep()], &["SEARCH jobs USING INDEX jobs_"]),
        // Removing.
        both("remove/page", vec![sweep()], &["(sweep_id>? AND sweep_id<?)"]),
        // Postgres reads a small table as a whole rather than look for two hundred jobs in it.
        sqlite("remove/epochs", removed(), &["SEARCH epochs USING PRIMARY KEY (job_id=?)"]),
        sqlite("remove/sources", removed(), &["SEARCH attempt_sources USING PRIMARY KEY (job_id=?)"]),
        sqlite("remove/attempts", removed(), &["SEARCH job_attempts USING PRIMARY KEY (job_id=?)"]),
        sqlite("remove/classes", removed(), &["SEARCH class_counts USING PRIMARY KEY (job_id=?)"]),
        sqlite("remove/confusions", removed(), &["SEARCH confusions USING INTEGER PRIMARY KEY (rowid=?)"]),
        sqlite("remove/sums", removed(), &["SEARCH config_sums USING INDEX config_sums_job (job_id=?)"]),
        sqlite("remove/jobs", removed(), &["SEARCH jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
        both("hindrances_forget", vec![sweep()], &["SEARCH jobs USING INDEX jobs_"]),
    ]
}

/// What besom's own commands read in pages: a page costs the same wherever it is. Not among them
/// are the best runs, of which the view ranks a thousand each time, and the runs without an
/// objective, which are looked for only where there are fewer ranked ones. The best configurations
/// are sorted each time, all of their sweep and no others.
fn pages() -> Vec<Case> {
    let first = i64::from(2 * JOBS + 1);
    let case = |file, args, sqlite| Case { file, only: None, args, sqlite };
    // Postgres sorts what it has of the sweep; its jobs are not among it on either.
    let sorted = |file| Case {
        file,
        only: Some(Database::Sqlite),
        args: vec![int(3), int(20)],
        sqlite: &["SEARCH c USING PRIMARY KEY (sweep_id=? AND job_id=?)"],
    };
    let page = |behind: i64| vec![int(3), int(first + behind), int(20)];
    let large = || text("large");
    let by_job: &[&str] = &["jobs_sweep (sweep_id=? AND id>?)|(sweep_id=? AND rowid>?)"];
    let one: &[&str] = &["j USING INTEGER PRIMARY KEY (rowid=?)|jobs_sweep (sweep_id=? AND id=?"];
    let in_range: &[&str] = &["jobs_sweep (sweep_id=? AND id>? AND id<?)"];
    let steps: &[&str] = &["SEARCH e USING PRIMARY KEY (job_id=? AND attempt=? AND step>? AND step<?)"];
    let of_job: &[&str] = &["SEARCH e USING PRIMARY KEY (job_id=? AND attempt=? AND step>?)"];
    vec![
        case(statements::FIRST_JOB, vec![int(3)], &["jobs_sweep (sweep_id>? AND sweep_id<?)"]),
        case(statements::RUNS, page(-1), by_job),
        case(statements::RUNS, page(9_000), by_job),
        case(statements::POINTS, page(5_000), by_job),
        case(statements::LENGTHS, page(5_000), by_job),
        case(statements::RUNS_IN_STATE, [page(5_000), vec![text("succeeded")]].concat(), by_job),
        sorted(statements::CONFIGS_HIGHEST),
        sorted(statements::CONFIGS_LOWEST),
        case(statements::RUN, vec![int(3), int(first + 5_000)], one),
        case(statements::HISTORY, vec![large(), int(first + 5_000), int(first + 5_020)], in_range),
        case(statements::CURVES, vec![large(), int(first + 5_000), int(first + 5_020)], in_range),
        case(statements::HISTORY_OF_JOB, vec![large(), int(first + 5_000), int(0), int(20)], steps),
        case(statements::CURVES_OF_JOB, vec![large(), int(first + 5_000), int(0), int(20)], steps),
        case(statements::STEPS_OF_JOB, vec![large(), int(first + 5_000)], of_job),
        case(statements::ATTEMPTS, vec![int(3), int(first + 5_000), int(first + 5_020)], in_range),
        case(statements::ATTEMPTS_OF_JOB, vec![int(3), int(first + 5_000)], one),
        case(statements::CONFIGS, page(5_000), &["(sweep_id=? AND job_id>?)"]),
        case(statements::IMPORTANCE, vec![int(3)], &["SEARCH i USING PRIMARY KEY (sweep_id=?)"]),
        case(
            statements::CONFUSION,
            vec![int(3), int(first), int(0), int(2)],
            &["SEARCH c USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        case(statements::CLASSES, vec![int(3), int(first)], &["SEARCH c USING PRIMARY KEY (job_id=?)"]),
    ]
}

/// Three large grids of which statistics were gathered while all of their jobs were queued: an
/// older one that is paused, one for another trainer version, and one that was worked off since,
/// but for its last jobs. No vacuum came by.
async fn worst_moment(bench: &Bench, prepare: &[&str], gather: bool) {
    for statement in prepare {
        bench.execute(statement).await.unwrap();
    }
    let jobs = (0..JOBS).map(new_job).collect::<Vec<_>>();
    for (name, trainer_version) in [("paused", 1), ("other", 99), ("large", 1)] {
        let new = NewSweep { trainer_version, ..new_sweep(name, JOBS) };
        let (sweep, _) = bench.store.create_sweep(new, None).await.unwrap();
        let mut created = 0;
        for batch in jobs.chunks(5_000) {
            created = bench.store.add_jobs(sweep.id, created, batch.to_vec()).await.unwrap();
        }
    }
    for name in ["ann", "ben", "eve"] {
        bench.worker(name).await;
    }
    if gather {
        bench.execute("ANALYZE").await.unwrap();
    }
    let ended = 3 * JOBS - 2 * LEFT;
    let score = "CAST(id * 7919 % 10007 AS DOUBLE PRECISION) / 10007";
    for statement in [
        "UPDATE sweeps SET state = 'paused' WHERE name = 'paused'".to_owned(),
        format!(
            "UPDATE jobs SET state = 'succeeded', attempt = 1, worker_id = 1, slot = 0, started_at = id, ended_at = id, \
             objective = {score}, score = {score}, final_val_accuracy = {score}, epochs_done = 5, epoch_seconds = 1, \
             seconds = 1 WHERE sweep_id = 3 AND id <= {ended}"
        ),
        format!(
            "UPDATE jobs SET state = 'running', attempt = 1, worker_id = 1 + id % 3, slot = id % 64, started_at = id, \
             lease_until = 1000000000000000000 WHERE sweep_id = 3 AND id > {ended} AND id <= {}",
            ended + LEFT
        ),
        "INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, started_at, ended_at, outcome, lease) \
         SELECT id, 1, worker_id, slot, 'request ' || id, started_at, ended_at, \
                CASE WHEN state = 'running' THEN NULL ELSE state END, 7 FROM jobs WHERE attempt = 1"
            .to_owned(),
        "INSERT INTO epochs (job_id, attempt, step, learning_rate, seconds, metrics) \
         SELECT a.job_id, 1, e.epoch, 0.1, 0.2, '{}' FROM job_attempts a CROSS JOIN (SELECT 1 AS epoch UNION ALL SELECT 2) e"
            .to_owned(),
        "INSERT INTO config_sums (sweep_id, job_id, swept, n, diverged, failed, mean) \
         SELECT sweep_id, id, '{}', 1, 0, 0, objective FROM jobs WHERE state = 'succeeded'"
            .to_owned(),
        "INSERT INTO confusions (job_id, classes, counts) SELECT id, 2, '{}' FROM jobs WHERE state = 'succeeded'".to_owned(),
        "INSERT INTO class_counts (job_id, class, support, predicted, correct) \
         SELECT c.job_id, n.class, 1, 1, 1 FROM confusions c CROSS JOIN (SELECT 0 AS class UNION ALL SELECT 1) n"
            .to_owned(),
        format!("UPDATE sweep_counts SET succeeded = {} WHERE sweep_id = 3", JOBS - 2 * LEFT),
    ] {
        bench.execute(&statement).await.unwrap();
    }
}

/// Read when the test runs: a statement that goes or comes needs no other change than that of its
/// case.
fn statement(file: &str, folder: &str) -> String {
    // One of the list that commands share.
    if statements::ALL.contains(&file) {
        return file.to_owned();
    }
    let sql = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/sql");
    let places = [format!("{sql}/{folder}/{file}.sql"), format!("{sql}/{file}.sql")];
    let found = places.iter().find_map(|place| std::fs::read_to_string(place).ok());
    found.unwrap_or_else(|| panic!("no statement {file} for {folder}"))
}

#[tokio::test]
async fn no_statement_of_a_job_walks_a_sweep_on_sqlite_without_statistics() {
    let bench = store_support::sqlite().await;
    worst_moment(&bench, &[], false).await;
    assert_sqlite(&bench).await;
}

#[tokio::test]
async fn no_statement_of_a_job_walks_a_sweep_on_sqlite_with_statistics_of_its_beginning() {
    let bench = store_support::sqlite().await;
    worst_moment(&bench, &[], true).await;
    assert_sqlite(&bench).await;
}

async fn assert_sqlite(bench: &Bench) {
    let mut connection = SqliteConnection::connect(&bench.url()).await.unwrap();
    let mut wrong = String::new();
    for case in cases().iter().chain(&pages()).filter(|case| case.only != Some(Database::Postgres)) {
        let explain = format!("EXPLAIN QUERY PLAN {}", statement(case.file, "sqlite"));
        let rows = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut connection).await;
        let rows = rows.unwrap_or_else(|error| panic!("{}: {error}", case.file));
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        for problem in judge_sqlite(&plan, case.sqlite) {
            writeln!(wrong, "{}: {problem}\n    {}", case.file, plan.join("\n    ")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is wrong with a plan: a large table that is read as a whole, or one that is not read as was
/// expected. Of expected parts with a bar either half will do.
fn judge_sqlite(plan: &[String], expected: &[&str]) -> Vec<String> {
    const LARGE: [&str; 8] = ["jobs", "job_attempts", "epochs", "config_sums", "j", "r", "a", "e"];
    let made = |name: &str| {
        plan.iter().any(|line| line == &format!("CO-ROUTINE {name}") || line == &format!("MATERIALIZE {name}"))
    };
    let mut problems = Vec::new();
    for line in plan {
        let mut words = line.split(' ');
        if words.next() == Some("SCAN")
            && let Some(name) = words.next()
            && LARGE.contains(&name)
            && !made(name)
            && !line.contains("VIRTUAL TABLE")
            && !line.contains("USING INDEX jobs_running")
        {
            problems.push(format!("{line:?} reads all of it"));
        }
    }
    for part in expected {
        if !part.split('|').any(|part| plan.iter().any(|line| line.contains(part))) {
            problems.push(format!("expected {part:?} in its plan"));
        }
    }
    problems
}

#[tokio::test]
async fn no_statement_of_a_job_walks_a_sweep_on_postgres_with_statistics_of_its_beginning() {
    let bench = store_support::postgres().await;
    let tables = ["jobs", "job_attempts", "epochs", "config_sums", "sweeps", "sweep_counts"];
    let no_vacuum = tables.map(|table| format!("ALTER TABLE {table} SET (autovacuum_enabled = off)"));
    worst_moment(&bench, &no_vacuum.each_ref().map(String::as_str), true).await;
    let mut connection = PgConnection::connect(&bench.url()).await.unwrap();
    // The server's daemon gives a new table statistics within a minute; those of the grid stay
    // until a tenth of it changed.
    connection.execute("ANALYZE config_sums").await.unwrap();
    // As the coordinator's sessions have it.
    connection.execute("SET jit = off").await.unwrap();
    let mut wrong = walks(&mut connection, &cases()).await;
    // The same daemon: a page of the history would do with whole tables, as long as it takes them
    // for empty.
    connection.execute("ANALYZE job_attempts, epochs").await.unwrap();
    wrong += &walks(&mut connection, &pages()).await;
    assert!(wrong.is_empty(), "{wrong}");
}

/// The statements that touch more than they should, with their plans.
async fn walks(connection: &mut PgConnection, cases: &[Case]) -> String {
    let mut wrong = String::new();
    for case in cases.iter().filter(|case| case.only != Some(Database::Sqlite)) {
        for (run, plan) in (1..).zip(explain(connection, case).await) {
            // The first run marks what is dead, as every statement before it did in a real store.
            if run == 1 {
                continue;
            }
            let touched = Touched::by(&plan);
            let pages = number(&plan, "Shared Hit Blocks") + number(&plan, "Shared Read Blocks");
            if touched.rows > ROWS || pages > PAGES || !touched.scans.is_empty() {
                let Touched { rows, scans } = touched;
                writeln!(wrong, "{}, run {run}: {rows} rows, {pages} pages, {scans:?}\n{plan:#}", case.file).unwrap();
                break;
            }
        }
    }
    wrong
}

/// The plans of a statement and what its runs touched; whatever they changed is taken back.
async fn explain(connection: &mut PgConnection, case: &Case) -> Vec<Value> {
    let types: Vec<&str> = case.args.iter().map(|(kind, _)| *kind).collect();
    let values: Vec<&str> = case.args.iter().map(|(_, value)| value.as_str()).collect();
    let prepare = format!("PREPARE tried ({}) AS {}", types.join(", "), statement(case.file, "postgres"));
    let run = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE tried ({})", values.join(", "));
    let mut plans = Vec::new();
    let tried: sqlx::Result<()> = async {
        connection.execute(AssertSqlSafe(prepare)).await?;
        for _ in 0..RUNS {
            connection.execute("BEGIN").await?;
            let row = sqlx::raw_sql(AssertSqlSafe(run.clone())).fetch_one(&mut *connection).await?;
            connection.execute("ROLLBACK").await?;
            plans.push(row.try_get::<Value, _>(0)?[0]["Plan"].clone());
        }
        connection.execute("DEALLOCATE tried").await?;
        Ok(())
    }
    .await;
    tried.unwrap_or_else(|error| panic!("{}: {error}", case.file));
    plans
}

/// What a plan's nodes read of tables.
#[derive(Default)]
struct Touched {
    rows: f64,
    /// Tables that are read from end to end.
    scans: Vec<String>,
}

impl Touched {
    fn by(node: &Value) -> Self {
        let mut touched = Self::default();
        touched.add(node);
        touched
    }

    fn add(&mut self, node: &Value) {
        if let Some(table) = node["Relation Name"].as_str() {
            let rows = number(node, "Actual Rows")
                + number(node, "Rows Removed by Filter")
                + number(node, "Rows Removed by Index Recheck");
            self.rows += rows * number(node, "Actual Loops");
            if node["Node Type"] == "Seq Scan" && !SMALL.contains(&table) {
                self.scans.push(format!("all of {table}"));
            }
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child);
        }
    }
}

fn number(node: &Value, name: &str) -> f64 {
    node[name].as_f64().unwrap_or(0.0)
}
