//! Follows a sweep to its end, whoever trains it, and shows what came of it.

use std::time::{Duration, Instant};

use besom_proto::v1::{
    ListWorkersRequest, RunningJob, Sweep, SweepProgress, SweepRef, SweepState, Worker,
    sweep_service_client::SweepServiceClient,
};
use besom_sweep::Params;
use tonic::{Code, transport::Channel};

use crate::{
    again::At,
    connect::refused,
    output::{Exit, say},
    ranking,
    reader::Reader,
    render::{
        self, json,
        live::{self, Live, Pace},
        slots::describe,
        sweeps,
    },
    signals,
    text::{number, state},
};

/// How long a coordinator may be away while somebody watches.
const PATIENCE: Duration = Duration::from_secs(60);
/// A coordinator that is well sends progress more often than this.
const SILENCE: Duration = Duration::from_secs(60);
/// The table at the end has at most so many places; `besom best` shows the others.
pub(crate) const SHOWN: u64 = 50;

/// Follows the sweep, then prints its runs, best first. The first signal ends the watching, not the
/// sweep.
///
/// # Errors
/// No such sweep, or the coordinator stays away.
pub(crate) async fn watch(reader: Reader, sweep: &str, at: At, as_json: bool) -> anyhow::Result<Exit> {
    let interrupted = signals::first_signal("")?;
    interrupted.run_until_cancelled(to_the_end(reader, sweep, at, as_json)).await.unwrap_or(Ok(Exit::Interrupted))
}

/// Waits for the end of the sweep, or until `timeout`, and prints how it ended. The first signal
/// ends the waiting.
///
/// # Errors
/// No such sweep, or the coordinator stays away.
pub(crate) async fn wait(
    mut client: SweepServiceClient<Channel>,
    sweep: &str,
    at: At,
    timeout: Option<Duration>,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let interrupted = signals::first_signal("")?;
    let mut told = Told { at: at.clone(), said: None };
    let waiting = async {
        say_why_it_waits(&mut client, sweep, &mut told).await?;
        end_of(&mut client, sweep, |progress| {
            progress.sweep.iter().for_each(|sweep| told.tell(sweep));
            Ok(())
        })
        .await
    };
    let bounded = async {
        match timeout {
            Some(timeout) => tokio::time::timeout(timeout, waiting).await.map_err(|_| timeout),
            None => Ok(waiting.await),
        }
    };
    match interrupted.run_until_cancelled(bounded).await {
        None => Ok(Exit::Interrupted),
        Some(Err(timeout)) => {
            anyhow::bail!("sweep {sweep} has not ended within {} s", timeout.as_secs_f64());
        }
        Some(Ok(ended)) => {
            let ended = ended?;
            sweeps::print_one(&ended, as_json)?;
            say_what_retry_does(&ended, &at);
            Ok(exit(&ended))
        }
    }
}

/// Passes each progress to `seen` until the sweep ends, however often the coordinator is away for a
/// while.
async fn end_of(
    client: &mut SweepServiceClient<Channel>,
    sweep: &str,
    mut seen: impl FnMut(&SweepProgress) -> anyhow::Result<()>,
) -> anyhow::Result<Sweep> {
    let mut away_since: Option<Instant> = None;
    loop {
        match follow(client, sweep, |progress| {
            away_since = None;
            seen(progress)
        })
        .await
        {
            Ok(Some(last)) => return Ok(last),
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
    }
}

async fn to_the_end(reader: Reader, sweep: &str, at: At, as_json: bool) -> anyhow::Result<Exit> {
    let mut client = reader.sweeps();
    let mut told = Told { at: at.clone(), said: None };
    if !as_json {
        say_why_it_waits(&mut client, sweep, &mut told).await?;
    }
    let mut view =
        View { told, live: if as_json { None } else { Live::on_terminal() }, as_json, pace: Pace::new(), last: None };
    let last = end_of(&mut client, sweep, |progress| view.show(progress)).await?;
    if let Some(live) = &mut view.live {
        live.clear();
    }
    if as_json {
        return Ok(exit(&last));
    }
    let ranking = ranking::fetch(&reader, &last.name, None, SHOWN).await?;
    render::results::print_ranking(&ranking, false)?;
    say_what_retry_does(&last, &at);
    Ok(exit(&last))
}

/// A person who sees no progress should know why.
async fn say_why_it_waits(
    client: &mut SweepServiceClient<Channel>,
    sweep: &str,
    told: &mut Told,
) -> anyhow::Result<()> {
    let sweep = client.get_sweep(SweepRef { sweep: sweep.to_owned() }).await.map_err(refused)?.into_inner();
    if state::is_final(&sweep) {
        return Ok(());
    }
    told.tell(&sweep);
    let workers = client.list_workers(ListWorkersRequest::default()).await.map_err(refused)?.into_inner().workers;
    nobody_trains(&workers).iter().for_each(say);
    Ok(())
}

/// That no worker is there, and what became of those that were.
fn nobody_trains(workers: &[Worker]) -> Option<String> {
    let count = |word: &str| workers.iter().filter(|worker| state::worker(worker) == word).count();
    if count("present") > 0 {
        return None;
    }
    let were: Vec<String> = ["left", "gone"]
        .into_iter()
        .filter_map(|word| Some(count(word)).filter(|count| *count > 0).map(|count| format!("{count} {word}")))
        .collect();
    let were = if were.is_empty() { String::new() } else { format!(" ({})", were.join(", ")) };
    Some(format!(
        "nobody trains: no worker is present{were}; start one with `besom worker`, or `besom run` on the local store"
    ))
}

/// What keeps a sweep from its end, said once, and again when it changes.
struct Told {
    at: At,
    said: Option<String>,
}

impl Told {
    fn tell(&mut self, sweep: &Sweep) {
        let now = obstacle(sweep, &self.at);
        if now != self.said {
            now.iter().for_each(say);
            self.said = now;
        }
    }
}

fn obstacle(sweep: &Sweep, at: &At) -> Option<String> {
    let name = &sweep.name;
    match sweep.state() {
        SweepState::Paused => {
            Some(format!("sweep {name} is paused; {} goes on with it", at.hint(&format!("resume {name}"))))
        }
        _ => state::waits(sweep),
    }
}

/// Says of an ended sweep how its failed and cancelled jobs are trained all the same.
pub(crate) fn say_what_retry_does(sweep: &Sweep, at: &At) {
    let (name, counts) = (&sweep.name, sweep.counts.unwrap_or_default());
    let retry = at.hint(&format!("retry {name}"));
    match (sweep.state(), counts.failed) {
        (SweepState::Cancelled, _) => {
            say(format_args!("sweep {name} is cancelled; {retry} puts its unfinished jobs back into the queue"));
        }
        (SweepState::Completed, failed @ 1..) => {
            say(format_args!("{} failed; {retry} puts what failed back into the queue", number::plural(failed, "job")))
        }
        _ => {}
    }
}

/// A sweep that ended is a failure if a job failed or a person cancelled it.
pub(crate) fn exit(sweep: &Sweep) -> Exit {
    let counts = sweep.counts.unwrap_or_default();
    if counts.failed > 0 || counts.cancelled > 0 || state::sweep(sweep.state) == "cancelled" {
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

/// Passes each progress to `seen` until the sweep ends; gives the ended sweep, or nothing where the
/// stream ended early.
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
    loop {
        // Something is sent every few seconds, whether or not anything changes.
        let Ok(message) = tokio::time::timeout(SILENCE, stream.message()).await else {
            return Err(Away(format!("it has said nothing for {} s", SILENCE.as_secs())).into());
        };
        let Some(progress) = message.map_err(away)? else { return Ok(None) };
        seen(&progress)?;
        if let Some(sweep) = progress.sweep.filter(state::is_final) {
            return Ok(Some(sweep));
        }
    }
}

struct View {
    told: Told,
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
        self.told.tell(sweep);
        if let Some(live) = &mut self.live {
            let lines: Vec<String> = progress.running.iter().map(|job| running(job, sweep)).collect();
            live.jobs(&lines);
            live.total(progress.epochs_done, progress.epochs_total, &live::summary(progress, left));
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

fn running(job: &RunningJob, sweep: &Sweep) -> String {
    let params: Params = serde_json::from_str(&job.params).unwrap_or_default();
    let metric = (sweep.metric.as_str(), job.metric);
    let what = describe(&params, &sweep.swept, job.seed);
    let line = live::job_line(job.job, job.epochs_done, job.epochs, metric, &what);
    format!("{line}  ({} slot {})", job.worker, job.slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_trains_is_told_with_what_became_of_those_who_did() {
        let worker = |left, gone| Worker { left, gone, ..Worker::default() };
        assert_eq!(nobody_trains(&[worker(true, false), worker(false, false)]), None);
        let told = |workers: &[Worker]| nobody_trains(workers).unwrap();
        assert!(told(&[]).starts_with("nobody trains: no worker is present; start one with `besom worker`"));
        let were = [worker(true, false), worker(true, true), worker(false, true)];
        assert!(told(&were).starts_with("nobody trains: no worker is present (2 left, 1 gone); start one"));
    }

    #[test]
    fn a_paused_sweep_names_the_command_that_goes_on_with_it() {
        let mut sweep = Sweep { name: "may".into(), state: SweepState::Paused.into(), ..Sweep::default() };
        let paused = "sweep may is paused; `besom resume may` goes on with it";
        let at = At::default();
        assert_eq!(obstacle(&sweep, &at).as_deref(), Some(paused));
        sweep.set_state(SweepState::Active);
        assert_eq!(obstacle(&sweep, &at), None);
        sweep.problem = "dataset 50ed is not in the store; submit the file again".into();
        assert!(obstacle(&sweep, &at).is_some_and(|told| told.contains("submit the file again")));
    }
}
