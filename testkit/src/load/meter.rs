//! What a load costs: processor time, bytes written, memory, syncs and transactions between two
//! moments.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection};

use super::{
    numbers::rounded,
    process::{self, Usage},
};

/// What is watched while a load runs. Whatever is not named is not measured.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Watched {
    /// Process id of the coordinator
    #[arg(long, value_name = "PID")]
    pub coordinator_pid: Option<u32>,
    /// Process id of the database server, whose sessions are its children
    #[arg(long, value_name = "PID")]
    pub database_pid: Option<u32>,
    /// postgres:// URL of the coordinator's database, to count its transactions and the server's
    /// syncs
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// File in which scripts/load-syncs.c counts the syncs of the processes that it is preloaded
    /// into
    #[arg(long, value_name = "FILE")]
    pub syncs: Option<PathBuf>,
}

/// The counters at the beginning.
#[derive(Debug)]
pub struct Meter {
    watched: Watched,
    start: Instant,
    coordinator: Option<Usage>,
    memory: Option<u64>,
    database: Option<Usage>,
    counted: Counted,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    syncs: Option<u64>,
    wal_syncs: Option<u64>,
    transactions: Option<u64>,
}

impl Meter {
    /// Reads all counters.
    ///
    /// # Errors
    /// One that is named cannot be read.
    pub async fn start(watched: &Watched) -> anyhow::Result<Self> {
        let counted = count(watched).await?;
        let coordinator = watched.coordinator_pid.map(process::usage).transpose()?;
        let memory = match watched.coordinator_pid {
            Some(pid) => {
                process::forget_peak(pid);
                Some(process::memory(pid)?.0)
            }
            None => None,
        };
        let database = watched.database_pid.map(process::usage).transpose()?;
        Ok(Self { watched: watched.clone(), start: Instant::now(), coordinator, memory, database, counted })
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// The differences since the start.
    ///
    /// # Errors
    /// A counter cannot be read any more: its process ended.
    pub async fn stop(&self) -> anyhow::Result<Value> {
        let seconds = self.seconds();
        let now = |pid: Option<u32>| pid.map(process::usage).transpose();
        let coordinator = difference(self.coordinator, now(self.watched.coordinator_pid)?);
        let database = difference(self.database, now(self.watched.database_pid)?);
        let mut cost = Map::new();
        cost.insert("seconds".to_owned(), rounded(seconds).into());
        let mut cpu = 0.0;
        for (name, used) in [("coordinator", coordinator), ("database", database)] {
            let Some(used) = used else { continue };
            cpu += used.cpu_seconds;
            cost.insert(format!("{name}_cpu_seconds"), rounded(used.cpu_seconds).into());
            cost.insert(format!("{name}_written_bytes"), used.written.into());
        }
        if coordinator.is_some() || database.is_some() {
            cost.insert("core_percent".to_owned(), rounded(100.0 * cpu / seconds).into());
        }
        if let (Some(pid), Some(before)) = (self.watched.coordinator_pid, self.memory) {
            let (_, peak) = process::memory(pid)?;
            cost.insert("coordinator_memory_bytes".to_owned(), before.into());
            cost.insert("coordinator_memory_growth_bytes".to_owned(), peak.saturating_sub(before).into());
        }
        let counted = count(&self.watched).await?;
        for (name, before, after) in [
            ("syncs", self.counted.syncs, counted.syncs),
            ("wal_syncs", self.counted.wal_syncs, counted.wal_syncs),
            ("transactions", self.counted.transactions, counted.transactions),
        ] {
            if let (Some(before), Some(after)) = (before, after) {
                cost.insert(name.to_owned(), after.saturating_sub(before).into());
            }
        }
        Ok(Value::Object(cost))
    }
}

fn difference(before: Option<Usage>, after: Option<Usage>) -> Option<Usage> {
    let (before, after) = (before?, after?);
    Some(Usage {
        cpu_seconds: (after.cpu_seconds - before.cpu_seconds).max(0.0),
        written: after.written.saturating_sub(before.written),
    })
}

async fn count(watched: &Watched) -> anyhow::Result<Counted> {
    let mut counted = Counted::default();
    if let Some(file) = &watched.syncs {
        counted.syncs = Some(preloaded(file)?);
    }
    if let Some(url) = &watched.database_url {
        let mut connection = PgConnection::connect(url).await.context("the database does not answer")?;
        let (wal_syncs, transactions): (i64, i64) = sqlx::query_as(
            "SELECT w.wal_sync, d.xact_commit + d.xact_rollback
             FROM pg_stat_wal w, pg_stat_database d
             WHERE d.datname = current_database()",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        counted.wal_syncs = u64::try_from(wal_syncs).ok();
        counted.transactions = u64::try_from(transactions).ok();
    }
    Ok(counted)
}

/// What the preloaded library counted. Nothing was started with it where the file is missing.
fn preloaded(file: &Path) -> anyhow::Result<u64> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let bytes = bytes.try_into().map_err(|_| anyhow::anyhow!("expected eight bytes in {}", file.display()))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// The sums that belong beside a cost.
#[must_use]
pub fn with(mut cost: Value, more: &Value) -> Value {
    if let (Value::Object(cost), Value::Object(more)) = (&mut cost, more) {
        cost.extend(more.clone());
    }
    cost
}

/// A rate, to a tenth.
#[must_use]
pub fn per_second(count: u64, seconds: f64) -> Value {
    json!((10.0 * count as f64 / seconds).round() / 10.0)
}
