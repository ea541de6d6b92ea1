//! One attempt from its assignment to an acknowledged result, or to the moment it is dropped.
//!
//! While it executes, an attempt is worth nothing without its lease: whatever drops it, drops all
//! of it. Once there is a result, it stays until the coordinator acknowledged it, however long the
//! coordinator is away: the store compares the number of the lease, so a result that comes too late
//! does no harm, and one that comes in time saves the work.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use besom_client::backoff::{delay, spread};
use besom_client::network::explain;
use besom_proto::v1;
use besom_proto::v1::worker_service_client::WorkerServiceClient;
use besom_sweep::KeepModels;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::transport::Channel;

use super::assignment::{self, Assignment, AttemptRef, Unfit, confusion};
use super::hindrance::{Hindrance, Trouble};
use super::slot::Training;
use super::watchdog::{Patience, Pulse};
use super::{DropReason, Events, Ledger, Link, Phase, Refusal, Session, SessionKey, Signal, WorkerEvent, again, call};
use crate::trainer::Trainer;
use besom_client::datasets::DatasetCache;
use besom_client::transfer::{Artifacts, Caller, Party, TransferError};
use besom_dataset::Dataset;
use besom_mlp::{Ending, TrainError, Trained};

/// A completion is one transaction; a coordinator that needs longer is not well.
const COMPLETE_DEADLINE: Duration = Duration::from_secs(20);

/// Uploads of a worker at once. On a slow link few that move do better than many that starve one
/// another.
pub(crate) const UPLOADS: usize = 2;

/// What all attempts of a worker share.
pub(crate) struct Bench {
    /// The worker's, for people.
    pub(crate) name: String,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) link: Arc<Link>,
    pub(crate) events: Events,
    pub(crate) client: WorkerServiceClient<Channel>,
    pub(crate) artifacts: Artifacts,
    pub(crate) uploads: Semaphore,
    pub(crate) datasets: DatasetCache,
    pub(crate) trainer: Arc<dyn Trainer>,
    pub(crate) patience: Patience,
}

/// An attempt that was given to a slot.
pub(crate) struct Attempt {
    pub(crate) bench: Arc<Bench>,
    pub(crate) at: AttemptRef,
    pub(crate) slot: u32,
    /// Of the configuration, as it was assigned.
    pub(crate) config_hash: String,
    pub(crate) assignment: Result<Assignment, Unfit>,
    pub(crate) signal: Arc<Signal>,
}

/// What an attempt leaves behind.
pub(crate) struct Left {
    pub(crate) slot: u32,
    /// To be given back to the coordinator.
    pub(crate) release: Option<AttemptRef>,
    /// Its thread still runs, and nobody knows for how long.
    pub(crate) hangs: bool,
    /// This machine kept it from being executed, and would keep the next one.
    pub(crate) hindered: bool,
}

/// How an attempt ends, before the coordinator knows.
enum End {
    Result(Box<v1::Completion>),
    Dropped(DropReason),
}

impl Attempt {
    /// Executes it and delivers the result. Never fails: what goes wrong is the attempt's result.
    pub(crate) async fn run(self) -> Left {
        let started = self.bench.ledger.now();
        let pulse = Arc::<Pulse>::default();
        let end = match self.execute(&pulse).await {
            Ok(end) => end,
            Err(trouble) => {
                let mut completion = self.completion(v1::Outcome::Failed);
                match trouble {
                    Trouble::Failed(error) => {
                        completion.error = error.message;
                        completion.retryable = error.retryable;
                    }
                    Trouble::Hindered(Hindrance { by, problem }) => {
                        completion.error = problem;
                        completion.retryable = true;
                        completion.hindrance = by.into();
                    }
                }
                completion.seconds = (self.bench.ledger.now() - started).as_secs_f64();
                End::Result(Box::new(completion))
            }
        };
        let hindered = match &end {
            End::Result(completion) => completion.hindrance() == v1::Hindrance::Machine,
            End::Dropped(_) => false,
        };
        let given_up = matches!(end, End::Dropped(DropReason::Released | DropReason::Fenced));
        let release = given_up.then_some(self.at);
        let (outcome, error) = match end {
            End::Result(completion) => self.deliver(*completion).await,
            End::Dropped(reason) => (reason.as_str(), why(reason)),
        };
        self.bench.ledger.remove(self.at);
        match outcome {
            "released" if error.is_some() => {
                tracing::warn!(job.id = self.at.job, job.attempt = self.at.attempt, error, "job given back");
            }
            _ => tracing::info!(job.id = self.at.job, job.attempt = self.at.attempt, outcome, error, "attempt ended"),
        }
        let (slot, job) = (self.slot, self.at.job);
        (self.bench.events)(WorkerEvent::Ended { slot, job, outcome, error });
        Left { slot, release, hangs: pulse.is_given_up(), hindered }
    }

    fn completion(&self, outcome: v1::Outcome) -> v1::Completion {
        let config_hash = self.config_hash.clone();
        v1::Completion { attempt: Some(self.at.into()), outcome: outcome.into(), config_hash, ..Default::default() }
    }

    /// Fetches, trains and stores the models.
    async fn execute(&self, pulse: &Arc<Pulse>) -> Result<End, Trouble> {
        let assignment = match &self.assignment {
            Ok(assignment) => Arc::new(assignment.clone()),
            Err(unfit) if unfit.damaged => return Err(TrainError::passing(unfit.to_string()).into()),
            Err(unfit) => return Err(TrainError::impossible(unfit.to_string()).into()),
        };
        let prepared = tokio::select! {
            biased;
            () = self.signal.until_dropped() => None,
            data = self.prepare(&assignment.config.dataset) => Some(data?),
        };
        let Some(data) = prepared else { return Ok(self.dropped()?) };
        let hyperparameters = &assignment.config.hyperparameters;
        (self.bench.events)(WorkerEvent::Started {
            slot: self.slot,
            job: self.at.job,
            attempt: self.at.attempt,
            params: assignment.config.params(),
            seed: assignment.seed,
            epochs: hyperparameters.epochs,
        });
        let training = Training {
            trainer: Arc::clone(&self.bench.trainer),
            at: self.at,
            slot: self.slot,
            assignment: Arc::clone(&assignment),
            data,
            signal: Arc::clone(&self.signal),
            ledger: Arc::clone(&self.bench.ledger),
            events: Arc::clone(&self.bench.events),
            pulse: Arc::clone(pulse),
            patience: self.bench.patience,
        };
        let trained = training.run().await;
        if self.signal.dropped().is_some() {
            return Ok(self.dropped()?);
        }
        let trained = trained.map_err(|error| Hindrance::of_training(&self.bench.name, error))?;
        let outcome = match trained.ending {
            Ending::Succeeded => v1::Outcome::Succeeded,
            Ending::Stopped => v1::Outcome::Stopped,
            Ending::Diverged => v1::Outcome::Diverged,
            Ending::Aborted => {
                return Err(TrainError::passing("the trainer ended without being told").into());
            }
        };
        self.bench.ledger.enter(self.at, Phase::Uploading);
        tokio::select! {
            biased;
            () = self.signal.until_dropped() => Ok(self.dropped()?),
            completion = self.finish(outcome, trained, assignment.keep_models) => Ok(End::Result(Box::new(completion?))),
        }
    }

    fn dropped(&self) -> Result<End, TrainError> {
        match self.signal.dropped().expect("asked after the signal said so") {
            // The lease still holds, so the job hears why it has no result.
            DropReason::Refused => Err(TrainError::passing(
                "the coordinator refused the attempt's epoch records; the worker's log says why",
            )),
            reason => Ok(End::Dropped(reason)),
        }
    }

    async fn prepare(&self, digest: &str) -> Result<Arc<Dataset>, Trouble> {
        self.bench.ledger.until_confirmed(self.at).await;
        let hindrance = OnceLock::new();
        let fetch = || async {
            self.fetch(digest).await.inspect_err(|error| {
                if let Some(why) = Hindrance::of_dataset(&self.bench.name, digest, error) {
                    // Only this one fetch sets it.
                    let _ = hindrance.set(why);
                }
            })
        };
        let data = self.bench.datasets.get(digest, fetch).await;
        data.map_err(|error| match hindrance.into_inner() {
            Some(hindrance) => Trouble::Hindered(hindrance),
            // Another machine may have the bytes, and bytes that arrived wrong may arrive right.
            None => TrainError::passing(chain(&error)).into(),
        })
    }

    /// The bytes of a dataset. An absent coordinator is waited for as long as the lease is trusted:
    /// its absence is no failure of the attempt.
    async fn fetch(&self, digest: &str) -> Result<Vec<u8>, TransferError> {
        (self.bench.events)(WorkerEvent::FetchingDataset { digest: digest.to_owned() });
        self.bench.artifacts.get(&mut Worker { link: &self.bench.link, session: None, refusals: 0 }, digest).await
    }

    /// Stores the models that are kept, and says how the attempt ended.
    async fn finish(
        &self,
        outcome: v1::Outcome,
        trained: Trained,
        keep: KeepModels,
    ) -> Result<v1::Completion, Trouble> {
        let mut completion = self.completion(outcome);
        completion.confusion = trained.confusion.map(confusion);
        completion.seconds = trained.seconds;
        match keep {
            KeepModels::All | KeepModels::Best => {
                completion.final_model = self.upload(&trained.final_model).await?;
                // Often they are one: it need not be asked for again.
                completion.best_model = match trained.best_model == trained.final_model {
                    true => completion.final_model.clone(),
                    false => self.upload(&trained.best_model).await?,
                };
            }
            KeepModels::None => {}
        }
        Ok(completion)
    }

    /// Stores one model and answers its digest; empty for a model that is none. An absent
    /// coordinator is waited for.
    async fn upload(&self, model: &[u8]) -> Result<String, Trouble> {
        if model.is_empty() {
            return Ok(String::new());
        }
        let _upload = self.bench.uploads.acquire().await.expect("never closed");
        let mut worker = Worker { link: &self.bench.link, session: None, refusals: 0 };
        self.bench
            .artifacts
            .put(&mut worker, v1::ArtifactKind::Model, model)
            .await
            .map_err(|error| Hindrance::of_model(&self.bench.name, &error))
    }

    /// Repeats the completion until it is answered; tells how the attempt ended.
    async fn deliver(&self, mut completion: v1::Completion) -> (&'static str, Option<String>) {
        let Bench { ledger, link, .. } = &*self.bench;
        ledger.enter(self.at, Phase::Completing);
        ledger.until_few_pending(self.at).await;
        let mut session = link.session().await;
        let (mut failures, mut refusals) = (0, 0);
        loop {
            completion.epochs = ledger.pending(self.at).iter().map(assignment::epoch_record).collect();
            let SessionKey { store, worker, secret } = session.key.clone();
            let request = v1::CompleteRequest { worker, jobs: vec![completion.clone()], store, secret };
            let mut client = self.bench.client.clone();
            match call(COMPLETE_DEADLINE, client.complete(request)).await {
                Ok(response) => {
                    link.answered(session.key.worker);
                    return self.settled(&completion, &response);
                }
                Err(Refusal::Away(status)) => {
                    link.away(&status);
                    failures += 1;
                    tokio::time::sleep(delay(failures, spread())).await;
                }
                Err(Refusal::Unknown(_)) => {
                    let renewed = link.renewed(&session).await;
                    if renewed.key != session.key {
                        // The store that granted the lease is no longer there.
                        return (DropReason::LeaseLost.as_str(), why(DropReason::LeaseLost));
                    }
                    session = renewed;
                }
                Err(Refusal::Stale(_)) => return (DropReason::LeaseLost.as_str(), why(DropReason::LeaseLost)),
                Err(Refusal::Other(status)) if again(&mut refusals) => {
                    tracing::warn!(error = explain(&status), "a result was refused, sending it again");
                    failures += 1;
                    tokio::time::sleep(delay(failures, spread())).await;
                }
                Err(Refusal::Other(status)) => match self.refused(&completion, &status).await {
                    Some(failed) => (completion, refusals) = (failed, 0),
                    None => return ("failed", Some(status.message().to_owned())),
                },
            }
        }
    }

    /// A result that the coordinator does not take becomes a failure with its words, unless it is
    /// refused because its models are gone from the store; a failure that it does not take is left
    /// to the end of the lease.
    async fn refused(&self, completion: &v1::Completion, status: &Status) -> Option<v1::Completion> {
        tracing::error!(
            job.id = self.at.job,
            job.attempt = self.at.attempt,
            error = explain(status),
            "completion refused"
        );
        if completion.outcome() == v1::Outcome::Failed {
            return None;
        }
        let mut failed = self.completion(v1::Outcome::Failed);
        failed.error = format!("the coordinator refused the result: {}", status.message());
        failed.retryable = true;
        failed.seconds = completion.seconds;
        if self.has_lost_a_model(completion).await {
            let hindrance = Hindrance::machine(&self.bench.name, "a model of the result is gone from the store");
            failed.error = format!("{}; the job is trained again", hindrance.problem);
            failed.hindrance = hindrance.by.into();
        }
        Some(failed)
    }

    /// Whether a model that was stored is no longer there. A result may wait for its coordinator
    /// longer than a model stays that nothing names.
    async fn has_lost_a_model(&self, completion: &v1::Completion) -> bool {
        let models = [&completion.final_model, &completion.best_model];
        for digest in models.into_iter().filter(|digest| !digest.is_empty()) {
            let mut worker = Worker { link: &self.bench.link, session: None, refusals: 0 };
            if self.bench.artifacts.has(&mut worker, digest).await == Some(false) {
                return true;
            }
        }
        false
    }

    fn settled(&self, completion: &v1::Completion, response: &v1::CompleteResponse) -> (&'static str, Option<String>) {
        let at = v1::AttemptRef::from(self.at);
        match response.jobs.iter().find(|job| job.attempt == Some(at)).map(v1::JobResult::result) {
            Some(v1::Result::Accepted) => match completion.outcome() {
                v1::Outcome::Failed if completion.hindrance() != v1::Hindrance::Unspecified => {
                    (DropReason::Released.as_str(), Some(completion.error.clone()))
                }
                v1::Outcome::Succeeded => ("succeeded", None),
                v1::Outcome::Stopped => ("stopped", None),
                v1::Outcome::Diverged => ("diverged", None),
                v1::Outcome::Failed | v1::Outcome::Unspecified => ("failed", Some(completion.error.clone())),
            },
            Some(v1::Result::LeaseLost) => (DropReason::LeaseLost.as_str(), why(DropReason::LeaseLost)),
            Some(v1::Result::Cancelled) => (DropReason::Cancelled.as_str(), why(DropReason::Cancelled)),
            Some(v1::Result::Unspecified) | None => {
                ("failed", Some("the coordinator answered nothing that this build understands".to_owned()))
            }
        }
    }
}

/// A worker's side of a transfer: it waits for a coordinator that is away, however long; whoever
/// waits for the transfer ends it with the lease.
struct Worker<'l> {
    link: &'l Link,
    session: Option<Session>,
    refusals: u32,
}

impl Party for Worker<'_> {
    async fn caller(&mut self) -> Caller {
        let session = self.session.insert(self.link.session().await);
        let SessionKey { store, worker, secret } = session.key.clone();
        Caller { worker, store, secret }
    }

    fn away(&mut self, status: &Status) -> bool {
        self.link.away(status);
        true
    }

    async fn unknown(&mut self) -> bool {
        if let Some(session) = self.session.take() {
            self.link.renewed(&session).await;
        }
        true
    }

    fn refused(&mut self, status: &Status) -> bool {
        let goes_on = again(&mut self.refusals);
        if goes_on {
            tracing::warn!(error = explain(status), "a transfer was refused, asking again");
        }
        goes_on
    }

    fn progress(&mut self, _done: u64, _of: u64) {}
}

fn why(reason: DropReason) -> Option<String> {
    match reason {
        DropReason::LeaseLost => Some("the coordinator gave the job to another attempt".to_owned()),
        DropReason::Fenced => Some("the lease could not be renewed in time".to_owned()),
        DropReason::Refused => Some("the coordinator refused its epoch records".to_owned()),
        DropReason::Cancelled | DropReason::Released => None,
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
