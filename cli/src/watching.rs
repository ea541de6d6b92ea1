//! Follows a sweep to its end, whoever trains it, and shows what came of it.

use std::time::{Duration, Instant};

use besom_proto::v1::{RunningJob, Sweep, SweepProgress, SweepRef, sweep_service_client::SweepServiceClient};
use besom_sweep::Params;
use tonic::{Code, transport::Channel};

use crate::{
    connect::refused,
    output::{Exit, say},
    render::{
        json,
        live::{self, Live, Pace},
        number,
        results::{self, Order},
        slots::describe,
        state,
    },
};

/// How long a coordinator may be away while somebody watches.
const PATIENCE: Duration = Duration::from_secs(60);
/// The table at the end shows at most so many runs; `besom best` shows the others.
pub(crate) const SHOWN: u64 = 50;
/// More running jobs than a terminal has lines are not listed.
const LINES: usize = 20;

/// Follows the sweep, then prints its runs, best first.
///
/// # Errors
/// No such sweep, or the coordinator stays away.
pub(crate) async fn watch(mut client: SweepServiceClient<Channel>, sweep: &str, as_json: bool) -> anyhow::Result<Exit> {
    let mut view =
        View { live: if as_json { None } else { Live::on_terminal() }, as_json, pace: Pace::new(), last: None };
    let mut away_since: Option<Instant> = None;
    let last = loop {
        match follow(&mut client, sweep, |progress| {
            away_since = None;
            view.show(progress)
        })
        .await
        {
            Ok(Some(last)) => break last,
            Ok(None) => {}
            Err(error) if is_away(&error) => {
                let since = *away_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    if let Some(live) = &mut view.live {
        live.clear();
    }
    if as_json {
        return Ok(exit(&last));
    }
    let results = results::fetch(client, &last.name, Order::BestFirst, Some(SHOWN)).await?;
    results.print(false)?;
    Ok(exit(&last))
}

/// A sweep that ended is a failure if a job failed or a person cancelled it.
pub(crate) fn exit(sweep: &Sweep) -> Exit {
    let counts = sweep.counts.unwrap_or_default();
    if counts.failed + counts.cancelled > 0 || state::sweep(sweep.state) == "cancelled" {
        Exit::Failed
    } else {
        Exit::Success
    }
}

/// Whether the coordinator is away, which passes.
pub(crate) fn is_away(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Away>().is_some()
}

/// The stream broke or could not be begun, for a reason that passes.
#[derive(Debug, thiserror::Error)]
#[error("the coordinator is not available: {0}")]
struct Away(String);

/// Passes each progress to `seen` until the sweep ends; gives the ended sweep, or nothing where the stream ended early.
///
/// # Errors
/// No such sweep; the coordinator is away ([`is_away`]); or what `seen` says.
pub(crate) async fn follow(
    client: &mut SweepServiceClient<Channel>,
    sweep: &str,
    mut seen: impl FnMut(&SweepProgress) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Sweep>> {
    let away = |status: tonic::Status| match status.code() {
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::DeadlineExceeded | Code::Internal => {
            anyhow::Error::new(Away(status.message().to_owned()))
        }
        _ => refused(status),
    };
    let mut stream = client.watch_sweep(SweepRef { sweep: sweep.to_owned() }).await.map_err(away)?.into_inner();
    while let Some(progress) = stream.message().await.map_err(away)? {
        seen(&progress)?;
        if let Some(sweep) = progress.sweep.filter(state::is_final) {
            return Ok(Some(sweep));
        }
    }
    Ok(None)
}

struct View {
    live: Option<Live>,
    as_json: bool,
    pace: Pace,
    last: Option<(u64, i32)>,
}

impl View {
    fn show(&mut self, progress: &SweepProgress) -> anyhow::Result<()> {
        if self.as_json {
            return json::print_line(&json::Progress::from(progress));
        }
        let left = self.pace.left(progress.epochs_done, progress.epochs_total, Instant::now());
        let Some(sweep) = &progress.sweep else { return Ok(()) };
        if let Some(live) = &mut self.live {
            let lines: Vec<String> =
                progress.running.iter().take(LINES).map(|job| running(job, &sweep.swept)).collect();
            live.jobs(&lines);
            live.total(progress.epochs_done, progress.epochs_total, live::summary(progress, left));
        } else {
            // One line when a job ended or the sweep's state changed.
            let now = (state::final_jobs(&sweep.counts.unwrap_or_default()), sweep.state);
            if self.last.replace(now) != Some(now) {
                say(format_args!("{}: {}", state::title(sweep), live::summary(progress, left)));
            }
        }
        Ok(())
    }
}

fn running(job: &RunningJob, swept: &[String]) -> String {
    let params: Params = serde_json::from_str(&job.params).unwrap_or_default();
    let accuracy = match job.epochs_done {
        0 => String::new(),
        _ => format!("  val_accuracy {}", number::metric(job.val_accuracy)),
    };
    format!(
        "{} slot {}  job {}  {}  epoch {}/{}{accuracy}",
        job.worker,
        job.slot,
        job.job,
        describe(&params, swept, job.seed),
        job.epochs_done,
        job.epochs
    )
}
