//! One run as the views tell of it: the run itself, the attempts at it and its history.

use anyhow::Context;
use besom_proto::v1::Sweep;
use besom_sweep::{Cell, Table};

use crate::{connect::Connection, output::usage, queries::query, trained};

/// One run. `$1`: the sweep's number, `$2`: the job.
const RUN: &str = "SELECT * FROM runs WHERE sweep_id = $1 AND job = $2";
/// The attempts at one job. `$1`: the sweep's number, `$2`: the job.
const ATTEMPTS_OF_JOB: &str = "SELECT * FROM attempts WHERE sweep_id = $1 AND job = $2 ORDER BY attempt";
/// A page of the history of one long job. `$1`: the sweep's name, `$2`: the job, `$3`: behind this step, `$4`: at most so many.
const HISTORY_OF_JOB: &str = "SELECT * FROM history WHERE sweep = $1 AND job = $2 AND step > $3 ORDER BY step LIMIT $4";

/// More records than a curve can show, and fewer than a coordinator refuses to send.
const MOST: i64 = 100_000;

/// A run with what belongs to it.
pub(crate) struct OneRun {
    /// Its sweep.
    pub(crate) sweep: Sweep,
    /// The job's number.
    pub(crate) job: i64,
    /// One row of the view `runs`.
    pub(crate) run: Table,
    /// Rows of the view `attempts`, by attempt.
    pub(crate) attempts: Table,
    /// Rows of the view `history`, by step.
    pub(crate) history: Table,
}

/// The run that `SWEEP/JOB` names.
///
/// # Errors
/// It names none, or the coordinator is away.
pub(crate) async fn fetch(connection: &Connection, asked: &str) -> anyhow::Result<OneRun> {
    let (name, job) = parse(asked)?;
    let sweep = trained::sweep(connection, name).await?;
    let ask = async |statement: &str, parameters| query(connection.queries(), statement, parameters).await;
    let numbers = || vec![Cell::Integer(sweep.id), Cell::Integer(job)];
    let run = ask(RUN, numbers()).await?;
    if run.rows.is_empty() {
        anyhow::bail!("sweep {} has no job {job}; `besom runs {}` lists its jobs", sweep.name, sweep.name);
    }
    let attempts = ask(ATTEMPTS_OF_JOB, numbers()).await?;
    let of_job = vec![Cell::Text(sweep.name.clone()), Cell::Integer(job), Cell::Integer(-1), Cell::Integer(MOST)];
    let history = ask(HISTORY_OF_JOB, of_job).await.context("its history")?;
    Ok(OneRun { sweep, job, run, attempts, history })
}

fn parse(asked: &str) -> anyhow::Result<(&str, i64)> {
    let expected = "expected SWEEP/JOB, such as sketches/3";
    let (sweep, job) = asked.rsplit_once('/').ok_or_else(|| {
        usage(format_args!("{expected}, got {asked:?}; `besom runs {asked}` lists the jobs of a sweep of this name"))
    })?;
    match job.parse() {
        Ok(number) if number > 0 && !sweep.is_empty() => Ok((sweep, number)),
        _ => Err(usage(format_args!(
            "{expected}, got {asked:?}; the number of a job stands in the column job of `besom runs`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_sweep_and_its_job() {
        assert_eq!(parse("a/b/12").unwrap(), ("a/b", 12));
        for wrong in ["sketches", "sketches/", "sketches/best", "sketches/0", "/3"] {
            assert!(parse(wrong).unwrap_err().to_string().starts_with("expected SWEEP/JOB"), "{wrong}");
        }
    }
}
