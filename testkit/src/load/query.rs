//! The questions that people ask of a large sweep in SQL, by the views and as any client would.

use std::time::Instant;

use anyhow::Context;
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use super::numbers::Latencies;

const QUESTIONS: [(&str, &str); 3] = [
    ("count", "SELECT count(*) FROM runs WHERE sweep = '{sweep}'"),
    (
        "group_by_optimizer",
        "SELECT optimizer, count(*), avg(final_val_accuracy) FROM runs WHERE sweep = '{sweep}' GROUP BY optimizer",
    ),
    (
        "group_by_batch_size",
        "SELECT batch_size, count(*), avg(final_val_accuracy) FROM runs WHERE sweep = '{sweep}' GROUP BY batch_size",
    ),
];

/// Of which sweep, and how often.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Store of the sweep: sqlite:PATH or postgres://...
    #[arg(long, value_name = "URL")]
    store: String,
    /// The sweep
    #[arg(long, value_parser = parse_sweep)]
    sweep: String,
    /// How often each question is asked
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// The name stands in the text of a statement, as people write it.
fn parse_sweep(text: &str) -> Result<String, String> {
    besom_sweep::SweepName::new(text).map(|name| name.handle().to_owned())
}

/// Asks each question several times and once for its plan.
///
/// # Errors
/// The database does not answer.
pub async fn run(args: &Args) -> anyhow::Result<Value> {
    let mut answers = Map::new();
    for (name, text) in QUESTIONS {
        let text = text.replace("{sweep}", &args.sweep);
        let (latencies, rows, plan) = match args.store.strip_prefix("sqlite:") {
            Some(path) => on_sqlite(path, &text, args.rounds).await,
            None => on_postgres(&args.store, &text, args.rounds).await,
        }
        .context("the store")?;
        answers.insert(name.to_owned(), json!({"ms": latencies.to_json(), "rows": rows, "plan": plan}));
    }
    Ok(json!({"part": "query", "questions": answers}))
}

async fn on_sqlite(path: &str, text: &str, rounds: u32) -> anyhow::Result<(Latencies, usize, Vec<String>)> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{path}?mode=ro")).await?;
    let (mut latencies, mut rows) = (Latencies::default(), 0);
    for _ in 0..rounds {
        let start = Instant::now();
        rows = sqlx::query(AssertSqlSafe(text.to_owned())).fetch_all(&mut connection).await?.len();
        latencies.add(start.elapsed());
    }
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"))).fetch_all(&mut connection).await?;
    let plan = plan.iter().map(|row| row.try_get("detail")).collect::<Result<_, _>>()?;
    connection.close().await?;
    Ok((latencies, rows, plan))
}

async fn on_postgres(url: &str, text: &str, rounds: u32) -> anyhow::Result<(Latencies, usize, Vec<String>)> {
    let mut connection = PgConnection::connect(url).await?;
    let (mut latencies, mut rows) = (Latencies::default(), 0);
    for _ in 0..rounds {
        let start = Instant::now();
        rows = sqlx::query(AssertSqlSafe(text.to_owned())).fetch_all(&mut connection).await?.len();
        latencies.add(start.elapsed());
    }
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN {text}"))).fetch_all(&mut connection).await?;
    let plan = plan.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    connection.close().await?;
    Ok((latencies, rows, plan))
}
