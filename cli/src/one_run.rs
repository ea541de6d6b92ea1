//! One run as the views tell of it: the run itself, the attempts at it and its history.

use besom_proto::v1::Sweep;
use besom_sweep::{Table, statements};

use crate::{again::quoted, output::usage, reader::Reader};

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
pub(crate) async fn fetch(reader: &Reader, asked: &str) -> anyhow::Result<OneRun> {
    let (name, job) = parse(asked)?;
    let sweep = reader.sweep(name).await?;
    let queries = reader.queries();
    let run = queries.query(statements::RUN, vec![sweep.id.into(), job.into()]).await?;
    if run.rows.is_empty() {
        anyhow::bail!("sweep {} has no job {job}; `besom runs {}` lists its jobs", sweep.name, sweep.name);
    }
    let attempts = queries.query(statements::ATTEMPTS_OF_JOB, vec![sweep.id.into(), job.into()]).await?;
    let mut history = Table::default();
    let mut parts = reader.history(&sweep, &run)?;
    while let Some(part) = parts.next().await? {
        history.append(part);
    }
    Ok(OneRun { sweep, job, run, attempts, history })
}

fn parse(asked: &str) -> anyhow::Result<(&str, i64)> {
    let expected = "expected SWEEP/JOB, such as sketches/3";
    let (sweep, job) = asked.rsplit_once('/').ok_or_else(|| {
        usage(format_args!(
            "{expected}, got {asked:?}; `besom runs {}` lists the jobs of a sweep of this name",
            quoted(asked)
        ))
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
