//! A worker under test: a trainer that does what the test says, and everything the worker tells.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use besom_dataset::Dataset;
use besom_mlp::{Control, Ending, Observer, TrainError, TrainJob, Trained};
use besom_proto::v1;
use besom_sweep::{Engine, EpochRecord, Hyperparameters, JobConfig, MetricName, Params};
use besom_worker::agent::{Shutdown, WorkerConfig, WorkerError, WorkerEvent, run_with};
use besom_worker::{Mlp, Patience, Trainer};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fake::{Fake, sha256};

/// What the trainer does with one job.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Play {
    /// Trains so many epochs, then waits for another play or a directive.
    Hold(u32),
    /// Trains up to so many epochs and ends.
    Finish(u32),
    /// Panics.
    Panic,
    /// Cannot be trained; retryable or not.
    Fail(bool),
    /// The machine lacks something.
    Lack,
    /// Computes without pause for so long, then ends without an epoch.
    Busy(Duration),
    /// Trains so many epochs, then neither ends nor asks anything.
    Hang(u32),
}

/// The trainer; a job's seed is its number.
#[derive(Default)]
pub(crate) struct Script {
    plays: Mutex<BTreeMap<i64, Play>>,
    changed: Condvar,
    default: Option<Play>,
}

impl Script {
    pub(crate) fn set(&self, job: i64, play: Play) {
        self.plays.lock().unwrap().insert(job, play);
        self.changed.notify_all();
    }
}

impl Trainer for Script {
    fn train(&self, job: &TrainJob<'_>, data: &Dataset, observer: &mut dyn Observer) -> Result<Trained, TrainError> {
        assert_eq!(data.rows().bytes().unwrap(), [1, 2, 3, 4, 5, 6], "the dataset that the job names");
        let mut records = Vec::new();
        loop {
            match observer.control() {
                Control::Continue => {}
                Control::StopEarly => return Ok(trained(Ending::Stopped, records)),
                Control::Abort => return Ok(trained(Ending::Aborted, records)),
            }
            let plays = self.plays.lock().unwrap();
            let play = plays.get(&job.seed).copied().or(self.default).unwrap_or(Play::Finish(2));
            let (Play::Hold(epochs) | Play::Finish(epochs) | Play::Hang(epochs)) = play else {
                drop(plays);
                return act(play);
            };
            if (records.len() as u64) < u64::from(epochs) {
                drop(plays);
                let record = record(u32::try_from(records.len()).unwrap() + 1);
                observer.epoch(0, &record);
                records.push(record);
            } else if matches!(play, Play::Finish(_)) {
                return Ok(trained(Ending::Succeeded, records));
            } else if matches!(play, Play::Hang(_)) {
                drop(plays);
                loop {
                    std::thread::park();
                }
            } else {
                // A batch that takes a millisecond, cut short by a new play.
                drop(self.changed.wait_timeout(plays, Duration::from_millis(1)).unwrap());
            }
        }
    }
}

fn act(play: Play) -> Result<Trained, TrainError> {
    match play {
        Play::Panic => panic!("index out of bounds: 7"),
        Play::Fail(retryable) => Err(TrainError { retryable, surroundings: false, message: "no such layer".into() }),
        Play::Lack => Err(TrainError { retryable: true, surroundings: true, message: "no memory is free".into() }),
        Play::Busy(length) => {
            let end = std::time::Instant::now() + length;
            while std::time::Instant::now() < end {
                std::hint::spin_loop();
            }
            Ok(trained(Ending::Succeeded, Vec::new()))
        }
        Play::Hold(_) | Play::Finish(_) | Play::Hang(_) => unreachable!("these train epochs"),
    }
}

pub(crate) fn record(epoch: u32) -> EpochRecord {
    let metrics = [("loss", 1.0 / f64::from(epoch)), ("accuracy", 0.5), ("val_accuracy", 0.25), ("extra", 3.0)];
    EpochRecord {
        step: epoch.into(),
        metrics: metrics.into_iter().map(|(name, value)| (MetricName::of(name), value)).collect(),
        learning_rate: Some(0.01),
        seconds: Some(0.001),
    }
}

fn trained(ending: Ending, records: Vec<EpochRecord>) -> Trained {
    let model = |name: &str| if ending == Ending::Aborted { Vec::new() } else { name.as_bytes().repeat(300_000) };
    let confusion = Some(besom_sweep::Confusion::of_rows(2, &[1, 0, 0, 1]));
    Trained { ending, records, final_model: model("final"), best_model: model("best"), confusion, seconds: 1.5 }
}

/// Two training rows and one test row of two features.
pub(crate) fn dataset() -> Vec<u8> {
    let header = r#"{"features":2,"shape":[2],"classes":["a","b"],"train":2,"test":1,"max":4,"synthetic":true}"#;
    let mut bytes = b"besomdat".to_vec();
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend([1, 2, 3, 4, 5, 6, 0, 1, 0]);
    bytes
}

/// A job whose seed is its number, to be trained on [`dataset`].
pub(crate) fn job(job: i64) -> v1::Assignment {
    let config = JobConfig {
        hyperparameters: Hyperparameters::from_params(&Params::new()).unwrap(),
        dataset: sha256(&dataset()),
        engine: Engine::Candle,
    };
    v1::Assignment {
        attempt: Some(v1::AttemptRef { job, attempt: 1, lease: 100 + job }),
        sweep: 1,
        sweep_name: "classic".into(),
        slot: 0,
        seed: job,
        config: config.canonical_json(),
        config_hash: config.config_hash(),
        metric: "val_accuracy".into(),
        goal: v1::Goal::Maximize.into(),
        scored_epoch: v1::ScoredEpoch::Final.into(),
        keep_models: v1::KeepModels::All.into(),
    }
}

/// A running worker.
pub(crate) struct Worker {
    pub(crate) script: Arc<Script>,
    pub(crate) shutdown: Shutdown,
    pub(crate) events: watch::Receiver<Vec<WorkerEvent>>,
    task: JoinHandle<Result<(), WorkerError>>,
    _home: tempfile::TempDir,
}

/// Starts a worker of so many slots at a coordinator that stores the dataset.
pub(crate) fn work(fake: &Fake, slots: u32, script: Script) -> Worker {
    work_for(fake, slots, None, script)
}

/// As [`work`], for one sweep.
pub(crate) fn work_for(fake: &Fake, slots: u32, sweep: Option<i64>, script: Script) -> Worker {
    let script = Arc::new(script);
    start(fake, slots, sweep, Patience::default(), script.clone(), script)
}

/// As [`work`], with less patience for trainers without progress.
pub(crate) fn work_impatiently(fake: &Fake, slots: u32, patience: Patience, script: Script) -> Worker {
    let script = Arc::new(script);
    start(fake, slots, None, patience, script.clone(), script)
}

/// As [`work`], with the product's own trainer.
pub(crate) fn work_in_earnest(fake: &Fake) -> Worker {
    start(fake, 1, None, Patience::default(), Arc::new(Mlp), Arc::default())
}

fn start(
    fake: &Fake,
    slots: u32,
    sweep: Option<i64>,
    patience: Patience,
    trainer: Arc<dyn Trainer>,
    script: Arc<Script>,
) -> Worker {
    let home = tempfile::tempdir().unwrap();
    let (shutdown, sender) = (Shutdown::default(), watch::Sender::new(Vec::new()));
    let events = sender.subscribe();
    let config = WorkerConfig {
        name: Some("tester".into()),
        coordinator: "pipe".into(),
        slots,
        home: home.path().to_owned(),
        sweep,
        patience,
    };
    let tell = move |event| sender.send_modify(|events: &mut Vec<WorkerEvent>| events.push(event));
    let task = tokio::spawn(run_with(trainer, fake.connect(), config, shutdown.clone(), tell));
    Worker { script, shutdown, events, task, _home: home }
}

/// A coordinator with leases of this length that stores the dataset, and these jobs.
pub(crate) fn coordinator(lease_ttl: Duration, jobs: impl IntoIterator<Item = i64>) -> Fake {
    let fake = Fake::start(lease_ttl);
    fake.with(|state| {
        state.artifacts.insert(sha256(&dataset()), dataset());
        state.jobs.extend(jobs.into_iter().map(job));
    });
    fake
}

impl Worker {
    /// Waits for the worker to end by itself or because it was told to.
    pub(crate) async fn ended(self) -> Result<(), WorkerError> {
        tokio::time::timeout(Duration::from_secs(20), self.task).await.expect("the worker ends").unwrap()
    }

    /// Drains it and waits.
    pub(crate) async fn drain(self) {
        self.shutdown.drain.cancel();
        self.ended().await.unwrap();
    }

    /// Waits until the worker told what is wanted.
    pub(crate) async fn told(&mut self, what: &str, wanted: impl Fn(&WorkerEvent) -> bool) {
        let wait = self.events.wait_for(|events| events.iter().any(&wanted));
        let waited = tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok();
        assert!(waited, "waited in vain: {what}; told {:#?}", self.events.borrow());
    }

    /// Waits until an attempt at a job ended, and tells how.
    pub(crate) async fn outcome(&mut self, wanted: i64) -> (&'static str, Option<String>) {
        let of = |event: &WorkerEvent| match event {
            WorkerEvent::Ended { job, outcome, error, .. } if *job == wanted => Some((*outcome, error.clone())),
            _other => None,
        };
        self.told("the job ended", |event| of(event).is_some()).await;
        self.events.borrow().iter().find_map(of).unwrap()
    }
}

impl Script {
    /// Does this with every job that has no play of its own.
    pub(crate) fn all(play: Play) -> Self {
        Self { default: Some(play), ..Self::default() }
    }
}
