//! Finishing jobs by SQL, as if workers had trained them, and putting a sweep into a state that is
//! hard on planners.
//!
//! The sweep itself is submitted to a coordinator, which writes its jobs; here each job is changed
//! once, from queued to succeeded. On Postgres that leaves as many dead rows and index entries
//! behind as completing the jobs does, which is what a database has before its first vacuum.

use std::time::{Instant, SystemTime};

use anyhow::Context;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::numbers::rounded;

/// Jobs of one transaction.
const CHUNK: i64 = 20_000;
/// So long before now the first of these jobs begins: they end one after the other, and all before
/// now.
const BEFORE_MICROS: i64 = 2 * 3600 * 1_000_000;

// A job of this run is known by its beginning.
const JOBS: &str = "
UPDATE jobs
SET state = 'succeeded', attempt = 1, worker_id = $5, slot = 0, started_at = $4 + 1000 * id,
    ended_at = $4 + 1000 * id + 500000,
    objective = CAST(id * 7919 % 1000003 AS DOUBLE PRECISION) / 1000003,
    score = CAST(id * 7919 % 1000003 AS DOUBLE PRECISION) / 1000003,
    final_loss = 0.7, final_accuracy = 0.8, final_val_loss = 0.75,
    final_val_accuracy = CAST(id * 7919 % 1000003 AS DOUBLE PRECISION) / 1000003,
    best_val_loss = 0.74, best_val_accuracy = CAST(id * 7919 % 1000003 AS DOUBLE PRECISION) / 1000003,
    best_epoch = epochs, epochs_done = epochs, epoch_seconds = 0.1 * epochs,
    seconds = 0.1 * epochs + CAST(id * 104729 % 10009 AS DOUBLE PRECISION) / 10009
WHERE sweep_id = $1
  AND id > $2
  AND id <= $3
  AND state = 'queued'";
const ATTEMPTS: &str = "
INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, started_at, ended_at, outcome)
SELECT id, attempt, worker_id, slot, '00000000-0000-7000-8000-' || (100000000000 + id), started_at, ended_at, state
FROM jobs
WHERE sweep_id = $1
  AND id > $2
  AND id <= $3
  AND started_at = $4 + 1000 * id";
const EPOCHS: &str = "
INSERT INTO epochs (
    job_id, attempt, step, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds, metrics
)
WITH RECURSIVE count (epoch) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT epoch + 1 FROM count WHERE epoch < 64)
SELECT j.id, j.attempt, c.epoch, 0.7 + 1.0 / c.epoch, 0.8 - 0.5 / c.epoch, 0.75 + 1.0 / c.epoch,
       j.score - 0.5 / c.epoch, j.learning_rate, 0.1, '{}'
FROM jobs j
JOIN count c ON c.epoch <= j.epochs
WHERE j.sweep_id = $1
  AND j.id > $2
  AND j.id <= $3
  AND j.started_at = $4 + 1000 * j.id";
const SUMS: &str = "
INSERT INTO config_sums (
    sweep_id, job_id, swept, n, diverged, failed, final_mean, best_mean, mean_seconds, mean
)
SELECT sweep_id, id,
       JSON_OBJECT('learning_rate', learning_rate, 'batch_size', batch_size, 'dropout', dropout),
       1, 0, 0, final_val_accuracy, best_val_accuracy, seconds, objective
FROM jobs
WHERE sweep_id = $1
  AND id > $2
  AND id <= $3
  AND started_at = $4 + 1000 * id";
const WORKER: &str = "
INSERT INTO workers (instance, name, host, slots, build, trainers, device, registered_at, last_seen_at, left_at)
VALUES ('00000000-0000-7000-8000-000000000000', 'load-fill', 'load', 1, 'besom-load', '{}', 'cpu', $1, $1, $1)
ON CONFLICT (instance) DO UPDATE SET last_seen_at = $1
RETURNING id";
const NEXT: &str = "
SELECT max(id)
FROM (SELECT id FROM jobs WHERE sweep_id = $1 AND id > $2 AND state = 'queued' ORDER BY id LIMIT $3) page";
/// Only stores of builds that keep counts beside the jobs have the table.
const COUNTS: &str = "
UPDATE sweep_counts
SET succeeded = (SELECT count(*) FROM jobs WHERE sweep_id = $1 AND state = 'succeeded'),
    epochs_ended = (SELECT COALESCE(CAST(sum(epochs) AS BIGINT), 0) FROM jobs WHERE sweep_id = $1 AND state = 'succeeded'),
    epoch_seconds = (SELECT COALESCE(sum(epoch_seconds), 0.0) FROM jobs WHERE sweep_id = $1 AND state = 'succeeded')
WHERE sweep_id = $1";
const COMPLETED: &str = "
UPDATE sweeps
SET state = 'completed', ended_at = $2
WHERE id = $1
  AND state = 'active'
  AND jobs_created = jobs_total
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE sweep_id = $1 AND state IN ('queued', 'running'))";

/// What to make of which sweep.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Store of the sweep: sqlite:PATH or postgres://...; no coordinator may serve it meanwhile
    #[arg(long, value_name = "URL")]
    store: String,
    /// The sweep
    #[arg(long)]
    sweep: String,
    /// Finish so many of its queued jobs, the first ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    finish: u32,
    /// Then give the sweep this state
    #[arg(long, value_parser = ["active", "paused"])]
    state: Option<String>,
    /// And this trainer version, as if another build had made it
    #[arg(long, value_name = "N")]
    trainer_version: Option<u32>,
    /// And let the database gather its statistics
    #[arg(long)]
    analyze: bool,
}

/// Opens the store's database and works in it.
///
/// # Errors
/// The database or the sweep is not there, or a statement fails.
pub async fn run(args: &Args) -> anyhow::Result<Value> {
    let start = Instant::now();
    let finished = if let Some(path) = args.store.strip_prefix("sqlite:") {
        let mut connection =
            SqliteConnection::connect(&format!("sqlite://{path}?mode=rw")).await.context("the store")?;
        // Whatever is lost by it is made again by running this again.
        sqlx::raw_sql("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144").execute(&mut connection).await?;
        let finished = on_sqlite(&mut connection, args).await?;
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
        connection.close().await?;
        finished
    } else {
        let mut connection = PgConnection::connect(&args.store).await.context("the store")?;
        sqlx::raw_sql("SET synchronous_commit = off").execute(&mut connection).await?;
        let finished = on_postgres(&mut connection, args).await?;
        connection.close().await?;
        finished
    };
    Ok(json!({"part": "fill", "finished": finished, "seconds": rounded(start.elapsed().as_secs_f64())}))
}

/// The same statements for both databases, whose drivers have types of their own.
macro_rules! finish {
    ($connection:ident, $args:ident, $table:literal, $json_object:literal) => {{
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let begin = i64::try_from(now.as_micros())? - BEFORE_MICROS;
        let (sweep,): (i64,) = sqlx::query_as("SELECT id FROM sweeps WHERE name = $1")
            .bind(&$args.sweep)
            .fetch_optional(&mut *$connection)
            .await?
            .with_context(|| format!("there is no sweep {:?}", $args.sweep))?;
        let (worker,): (i64,) = sqlx::query_as(WORKER).bind(begin).fetch_one(&mut *$connection).await?;
        let sums = SUMS.replace("JSON_OBJECT", $json_object);
        let (mut after, mut finished) = (0_i64, 0_u64);
        while finished < u64::from($args.finish) {
            let wanted = CHUNK.min(i64::from($args.finish) - finished.cast_signed());
            let mut transaction = $connection.begin().await?;
            let (last,): (Option<i64>,) =
                sqlx::query_as(NEXT).bind(sweep).bind(after).bind(wanted).fetch_one(&mut *transaction).await?;
            let last = last.with_context(|| format!("only {finished} jobs of sweep {:?} are queued", $args.sweep))?;
            let jobs = sqlx::query(JOBS).bind(sweep).bind(after).bind(last).bind(begin).bind(worker);
            finished += jobs.execute(&mut *transaction).await?.rows_affected();
            for statement in [ATTEMPTS, EPOCHS, &sums] {
                let statement = sqlx::query(AssertSqlSafe(statement.to_owned()));
                statement.bind(sweep).bind(after).bind(last).bind(begin).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            after = last;
        }
        let (kept,): (i64,) = sqlx::query_as($table).fetch_one(&mut *$connection).await?;
        if kept > 0 {
            sqlx::query(COUNTS).bind(sweep).execute(&mut *$connection).await?;
        }
        sqlx::query(COMPLETED).bind(sweep).bind(begin).execute(&mut *$connection).await?;
        if let Some(state) = &$args.state {
            let statement = sqlx::query("UPDATE sweeps SET state = $2 WHERE id = $1 AND ended_at IS NULL");
            statement.bind(sweep).bind(state).execute(&mut *$connection).await?;
        }
        if let Some(version) = $args.trainer_version {
            let statement = sqlx::query("UPDATE sweeps SET trainer_version = $2 WHERE id = $1");
            statement.bind(sweep).bind(i64::from(version)).execute(&mut *$connection).await?;
        }
        if $args.analyze {
            sqlx::raw_sql("ANALYZE").execute(&mut *$connection).await?;
        }
        finished
    }};
}

async fn on_sqlite(connection: &mut SqliteConnection, args: &Args) -> anyhow::Result<u64> {
    Ok(finish!(connection, args, "SELECT count(*) FROM sqlite_schema WHERE name = 'sweep_counts'", "json_object"))
}

async fn on_postgres(connection: &mut PgConnection, args: &Args) -> anyhow::Result<u64> {
    Ok(finish!(
        connection,
        args,
        "SELECT count(*) FROM pg_tables WHERE tablename = 'sweep_counts'",
        "jsonb_build_object"
    ))
}
