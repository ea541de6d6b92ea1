//! `besom retry SWEEP`: opens an ended sweep again for the jobs that failed or were cancelled.

use anyhow::Context;
use besom_proto::v1::{JobCounts, RetrySweepRequest};

use crate::{
    connect::{self, Access, Connection},
    output::{Exit, say},
    render::{number, state, sweeps},
    settings::{Settings, Where},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// Retry only the job of this number (column `job` of `besom runs`)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    job: Option<i64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let connection = Connection::open(settings, &args.at, Access::Change).await?;
    let request = RetrySweepRequest { sweep: args.sweep, job: args.job.unwrap_or_default() };
    let answer = connection.sweeps().retry_sweep(request).await.map_err(connect::refused)?.into_inner();
    let sweep = answer.sweep.context("the coordinator's answer names no sweep")?;
    sweeps::print_one(&sweep, args.json)?;
    say(told(answer.jobs, &sweep.counts.unwrap_or_default(), args.job));
    if answer.jobs > 0 && connection.is_alone() {
        say(
            "no worker is running: `besom run` with the sweep's file goes on with it, and so do a `besom coordinator` \
             and its workers",
        );
    }
    connection.close().await;
    Ok(Exit::Success)
}

/// What returned to the queue, and what stays as it is.
fn told(retried: u64, counts: &JobCounts, job: Option<i64>) -> String {
    let kept = JobCounts { queued: 0, running: 0, ..*counts };
    let kept = match state::final_jobs(&kept) {
        0 => String::new(),
        1 => format!("; {} stays as it is", state::counts(&kept)),
        _ => format!("; {} stay as they are", state::counts(&kept)),
    };
    match (retried, job) {
        (0, Some(job)) => format!("job {job} waits or runs already, so nothing was retried"),
        (0, None) => format!("none of its jobs has failed or was cancelled, so nothing was retried{kept}"),
        (1, _) => format!("1 job is back in the queue{kept}"),
        (jobs, _) => format!("{} are back in the queue{kept}", number::plural(jobs, "job")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_what_returns_and_what_stays() {
        let counts = JobCounts { queued: 3, running: 1, succeeded: 10, diverged: 2, ..JobCounts::default() };
        assert_eq!(told(3, &counts, None), "3 jobs are back in the queue; 10 succeeded, 2 diverged stay as they are");
        let counts = JobCounts { succeeded: 1, ..JobCounts::default() };
        assert_eq!(told(1, &counts, None), "1 job is back in the queue; 1 succeeded stays as it is");
        let open = JobCounts { queued: 1, ..JobCounts::default() };
        assert_eq!(told(1, &open, Some(7)), "1 job is back in the queue");
        assert_eq!(told(0, &open, Some(7)), "job 7 waits or runs already, so nothing was retried");
    }
}
