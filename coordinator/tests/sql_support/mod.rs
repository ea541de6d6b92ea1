//! A small finished sweep, the same to the last digit in both databases.

#![allow(dead_code, reason = "each test target uses a part of it")]

pub(crate) mod asking;

use std::time::Duration;

use besom_coordinator::{
    domain::{
        Completion, Confusion, Digest, EpochRecord, JobOutcome, NewJob, NewSweep, NewWorker, RetryPolicy, SweepState,
        Timestamp, Trainers, WriteResult,
    },
    open::{Opened, open},
    store::{AcquireRequest, Store, StoreUrl},
};
use besom_sweep::{Goal, KeepModels, Metric, MetricName, ScoredEpoch};
use serde_json::{Value, json};

/// The sweep's name, as docs/sql.md has it.
pub(crate) const SWEEP: &str = "sketches";

/// What the jobs below are the points of.
const FILE: &str = "
name: sketches
method: grid
parameters:
  optimizer: {values: [adam, sgd]}
  batch_size: {values: [32, 512]}
  learning_rate: {values: [0.001, 0.1]}
  epochs: {value: 5}
besom:
  dataset: {source: 'builtin:sketches'}
  seeds: 3
";

/// 2026-11-23T17:30:00Z.
const START: i64 = 1_795_455_000_000_000;
const TTL: Duration = Duration::from_secs(30);
const EPOCHS: u32 = 5;

/// A store with the sweep in it; the folder goes with it.
pub(crate) struct Filled {
    pub(crate) url: StoreUrl,
    pub(crate) opened: Opened,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) async fn sqlite() -> Filled {
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(dir.path().join("besom.db"));
    filled(url, dir).await
}

pub(crate) async fn postgres() -> Filled {
    let url = StoreUrl::Postgres(besom_testkit::postgres::database().await.url);
    filled(url, tempfile::tempdir().unwrap()).await
}

async fn filled(url: StoreUrl, dir: tempfile::TempDir) -> Filled {
    let opened = open(&url).await.unwrap();
    fill(&*opened.store).await;
    Filled { url, opened, dir }
}

/// 24 jobs: two optimizers, two batch sizes, two learning rates, three seeds; two workers take
/// turns. Job 15 fails, job 22 diverges in its third epoch, job 5 is lost once.
async fn fill(store: &dyn Store) {
    let mut clock = Clock(START);
    let jobs = jobs();
    let (sweep, _) = store.create_sweep(sweep(jobs.len()), clock.now()).await.unwrap();
    store.add_jobs(sweep.id, 0, jobs.clone()).await.unwrap();
    let mut workers = Vec::new();
    for name in ["alpha", "beta"] {
        workers.push(store.register_worker(worker(name), clock.now()).await.unwrap());
    }
    let mut turn = 0;
    loop {
        let request = AcquireRequest {
            session: workers[turn % 2],
            request_id: format!("request {turn}"),
            slots: vec![0],
            take: true,
            sweep: Some(sweep.id),
            lease_ttl: TTL,
        };
        let Some(job) = store.acquire(request, clock.now()).await.unwrap().assignments.pop() else { break };
        let at = job.lease.at;
        if at.job.0 == 5 && at.attempt == 1 {
            clock.pass(TTL.as_secs_f64() + 1.0);
            assert_eq!(store.expire(RetryPolicy::default(), 10, clock.now()).await.unwrap().len(), 1);
        } else {
            let params = &jobs[usize::try_from(at.job.0 - 1).unwrap()].params;
            let done = completion(&job, params);
            clock.pass(done.seconds);
            let session = workers[turn % 2];
            let result = store.complete(session, done, RetryPolicy::default(), clock.now()).await.unwrap();
            assert_eq!(result, WriteResult::Accepted);
        }
        turn += 1;
    }
    assert_eq!(store.find_sweep(SWEEP).await.unwrap().state, SweepState::Completed);
    assert_eq!(store.weigh_due(clock.now()).await.unwrap(), 1);
    // The view of the workers shows who has called lately: these do in the far future, at the same
    // time in both databases.
    for name in ["alpha", "beta"] {
        store.register_worker(worker(name), Some(Timestamp(4_000_000_000_000_000))).await.unwrap();
    }
}

struct Clock(i64);

impl Clock {
    fn now(&self) -> Option<Timestamp> {
        Some(Timestamp(self.0))
    }

    fn pass(&mut self, seconds: f64) {
        self.0 += (seconds * 1e6) as i64;
    }
}

fn sweep(jobs: usize) -> NewSweep {
    NewSweep {
        name: SWEEP.to_owned(),
        title: SWEEP.to_owned(),
        digest: "digest of the sweep".to_owned(),
        text: FILE.to_owned(),
        spec: None,
        method: "grid".to_owned(),
        metric: Metric { name: MetricName::of("val_accuracy"), goal: Goal::Maximize },
        scored_epoch: ScoredEpoch::Final,
        keep_models: KeepModels::None,
        engine: None,
        dataset: Digest::parse(&"da".repeat(32)).unwrap(),
        dataset_source: "builtin:sketches".to_owned(),
        dataset_sha256: String::new(),
        swept: ["optimizer", "batch_size", "learning_rate"].map(str::to_owned).to_vec(),
        jobs_total: Some(jobs as u64),
        trainer: "mlp".to_owned(),
        trainer_version: 1,
        shared_config: r#"{"trainer":"mlp"}"#.to_owned(),
        classes: Some(3),
    }
}

fn worker(name: &str) -> NewWorker {
    NewWorker {
        instance: format!("instance of {name}"),
        name: name.to_owned(),
        host: format!("{name}.example"),
        slots: 1,
        build: "besom 0.1.0".to_owned(),
        trainers: Trainers([("mlp".to_owned(), 1)].into()),
        device: "cpu".to_owned(),
        gone_after: Duration::from_secs(60),
    }
}

fn jobs() -> Vec<NewJob> {
    let mut jobs = Vec::new();
    for seed in 1..=3 {
        for (optimizer, batch_size, learning_rate) in
            [("adam", 32, 0.001), ("adam", 32, 0.1), ("adam", 512, 0.001), ("adam", 512, 0.1)].into_iter().chain([
                ("sgd", 32, 0.001),
                ("sgd", 32, 0.1),
                ("sgd", 512, 0.001),
                ("sgd", 512, 0.1),
            ])
        {
            let point = format!("{optimizer}/{batch_size}/{learning_rate}");
            let Value::Object(params) = json!({
                "optimizer": optimizer, "learning_rate": learning_rate, "batch_size": batch_size, "epochs": EPOCHS,
                "hidden": [32, 32], "activation": "relu", "dropout": 0.0, "patience": null,
            }) else {
                unreachable!("an object")
            };
            jobs.push(NewJob {
                config_hash: format!("{:0<64}", point.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()),
                params,
                seed,
                engine: Some("candle".to_owned()),
                device: Some("cpu".to_owned()),
            });
        }
    }
    jobs
}

/// Curves that rise as real ones do, with no two runs alike.
fn completion(job: &besom_coordinator::domain::Assignment, params: &besom_sweep::Params) -> Completion {
    let number = job.lease.at.job.0;
    let adam = params["optimizer"] == "adam";
    let batch_size = params["batch_size"].as_f64().unwrap();
    let learning_rate = params["learning_rate"].as_f64().unwrap();
    let ceiling = 0.86 - if adam == (learning_rate < 0.01) { 0.0 } else { 0.13 } - batch_size / 12_800.0;
    let seconds_per_epoch = 0.4 + 12.0 / batch_size + if adam { 0.11 } else { 0.0 };
    let diverges = number == 22;
    let outcome = match number {
        15 => JobOutcome::Failed { error: "out of memory, said \"the kernel\"".to_owned(), retryable: false },
        22 => JobOutcome::Diverged,
        _ => JobOutcome::Succeeded,
    };
    let epochs: Vec<EpochRecord> = (1..=if number == 15 {
        0
    } else if diverges {
        3
    } else {
        EPOCHS
    })
        .map(|epoch| {
            let rise = 1.0 - 0.5 / f64::from(epoch * epoch);
            let noise = f64::from(i32::try_from(number).unwrap() * 37 % 23) / 2_300.0;
            let val_accuracy = ceiling * rise - noise;
            let finite = !(diverges && epoch == 3);
            let lost = |value: f64| if finite { value } else { f64::NAN };
            let metrics = [
                ("loss", lost(2.3 * (1.0 - val_accuracy) * 1.9)),
                ("accuracy", lost(val_accuracy + 0.01 * f64::from(epoch))),
                ("val_loss", lost(2.3 * (1.0 - val_accuracy) * 2.0)),
                ("val_accuracy", lost(val_accuracy)),
                ("gradient_norm", 1.0 / f64::from(epoch + 2)),
            ];
            EpochRecord {
                step: epoch.into(),
                metrics: metrics.map(|(name, value)| (MetricName::of(name), value)).into(),
                learning_rate: Some(learning_rate),
                seconds: Some(seconds_per_epoch * (1.0 + noise)),
            }
        })
        .collect();
    let seconds = epochs.iter().filter_map(|record| record.seconds).sum::<f64>() + 0.05;
    let confusion = (outcome == JobOutcome::Succeeded).then(|| confusion(number));
    let (lease, config_hash) = (job.lease, job.config_hash.clone());
    Completion { lease, config_hash, outcome, epochs, confusion, final_model: None, best_model: None, seconds }
}

/// Three classes of 100, 80 and 60 samples; the third is never predicted by every seventh job.
fn confusion(job: i64) -> Confusion {
    let wrong = u32::try_from(job % 11).unwrap();
    let third = if job % 7 == 0 { [40, 20, 0] } else { [wrong, 2 * wrong, 60 - 3 * wrong] };
    let counts = [[100 - 3 * wrong, 2 * wrong, wrong], [wrong, 80 - wrong, 0], third].concat();
    let counts = if job % 7 == 0 { [[98, 2, 0], [5, 75, 0], third].concat() } else { counts };
    Confusion::of_rows(3, &counts)
}
