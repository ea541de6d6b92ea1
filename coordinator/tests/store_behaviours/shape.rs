//! What a run consists of is data: parameters, steps and metrics that no table has a column for.

use besom_coordinator::domain::{
    Directive, NewJob, NewSweep, NewWorker, RetryPolicy, StoredSpec, SweepId, SweepState, Trainers, WorkerId,
    WriteResult,
};
use besom_coordinator::store::StoreError;
use besom_sweep::{Goal, Metric, MetricName, ScoredEpoch};
use serde_json::json;

use crate::store_support::{
    Bench, assert_invalid_state, at, new_job, new_sweep, new_worker, record, reported, succeeded, told,
};

const MAP: &str = "metrics/mAP50-95(B)";

/// A sweep of a program, of one job, and a worker that executes programs.
async fn program(bench: &Bench, scored_epoch: ScoredEpoch) -> (SweepId, WorkerId) {
    let new = NewSweep {
        trainer: "program".to_owned(),
        metric: Metric { name: MetricName::of(MAP), goal: Goal::Maximize },
        scored_epoch,
        ..new_sweep("programs", 1)
    };
    let (sweep, _) = bench.store.create_sweep(new, at(0.0)).await.unwrap();
    let serde_json::Value::Object(params) = json!({"imgsz": 640, "weights": "yolo.pt", "hidden": "none"}) else {
        unreachable!("an object")
    };
    let job = NewJob { params, engine: None, device: None, ..new_job(0) };
    assert_eq!(bench.store.add_jobs(sweep.id, 0, vec![job]).await.unwrap(), 1);
    let new = NewWorker { trainers: Trainers([("program".to_owned(), 1)].into()), ..new_worker("w") };
    (sweep.id, bench.store.register_worker(new, at(0.0)).await.unwrap())
}

pub(crate) async fn a_job_of_another_trainer_goes_from_the_queue_to_the_views_with_metrics_of_its_own(bench: Bench) {
    let (sweep, worker) = program(&bench, ScoredEpoch::Best).await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let first = vec![told(0, &[(MAP, 0.25), ("train/box_loss", 3.5)]), told(4, &[("train/box_loss", 2.5)])];
    let send = async |records| bench.report(worker, vec![reported(job, records)], at(2.0)).await.remove(0);
    assert_eq!(send(first.clone()).await, Directive::Continue);
    assert_eq!(send(first.clone()).await, Directive::Continue, "a repetition is the same");
    let progress = bench.store.progress(sweep).await.unwrap();
    let latest = progress.running[0].latest.as_ref().unwrap();
    assert_eq!((latest, progress.running[0].epochs), (&first[1], 0));
    assert_eq!((progress.epochs_done, progress.epochs_total), (0, 0));
    // Step 2 was passed over, and step 4 said something else.
    for other in [told(2, &[(MAP, 0.5)]), told(4, &[("train/box_loss", 2.25)]), told(4, &[(MAP, 2.5)])] {
        assert!(matches!(send(vec![other]).await, Directive::Refused(_)));
    }
    let rest = vec![told(9, &[(MAP, 0.75)]), told(1 << 40, &[(MAP, 0.5)])];
    let done = succeeded(job, [first.clone(), rest.clone()].concat());
    assert_eq!(bench.complete(done, at(3.0)).await, WriteResult::Accepted);
    assert_eq!(bench.store.find_sweep("programs").await.unwrap().state, SweepState::Completed);
    assert_eq!(bench.store.progress(sweep).await.unwrap().best.map(|best| best.objective), Some(0.75));

    assert_eq!(bench.history(sweep).await, [(job, [first, rest].concat())]);
    let columns = "optimizer, learning_rate, batch_size, epochs, hidden, activation, dropout, final_loss, \
                   final_accuracy, final_val_loss, final_val_accuracy, best_val_loss, best_val_accuracy, engine, device";
    let row = bench.query(&format!("SELECT {columns} FROM runs")).await.remove(0);
    assert!(row.iter().all(|cell| cell == "-"), "{row:?}");
    let row =
        bench.query("SELECT trainer, state, objective, best_epoch, epochs_done, seconds, metrics FROM runs").await;
    let metrics = format!(r#"{{"{MAP}":0.5,"train/box_loss":2.5}}"#);
    assert_eq!(row, [["program", "succeeded", "0.75", "9", "4", "1.5", &metrics]]);
    assert_eq!(bench.query("SELECT n, mean, mean_seconds FROM config_stats").await, [["1", "0.75", "1.5"]]);
    assert_eq!(bench.query("SELECT outcome, attempt FROM attempts").await, [["succeeded", "1"]]);
    for view in ["best_runs", "slowest", "sweep_progress"] {
        assert_eq!(bench.query(&format!("SELECT sweep FROM {view}")).await, [["programs"]], "{view}");
    }
    bench.store.weigh_due(at(100.0)).await.unwrap();
}

pub(crate) async fn a_first_record_may_be_of_step_0_where_the_trainer_counts_so(bench: Bench) {
    let (sweep, worker) = program(&bench, ScoredEpoch::Final).await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let zero = told(0, &[(MAP, 0.25)]);
    assert_eq!(bench.report(worker, vec![reported(job, vec![zero.clone()])], at(2.0)).await, [Directive::Continue]);
    // The answer was lost.
    assert_eq!(bench.complete(succeeded(job, vec![zero.clone()]), at(3.0)).await, WriteResult::Accepted);
    assert_eq!(bench.history(sweep).await, [(job, vec![zero])]);
    assert_eq!(bench.query("SELECT objective, best_epoch FROM runs").await, [["0.25", "0"]]);

    bench.sweep("perceptrons", 1).await;
    let worker = bench.worker("another").await;
    let job = bench.acquire(worker, 1, at(4.0)).await.remove(0).at;
    let answer = bench.report(worker, vec![reported(job, vec![record(0, 0.5)])], at(5.0)).await;
    assert!(matches!(&answer[..], [Directive::Refused(problem)] if problem.contains("from 1 to 5")), "{answer:?}");
}

pub(crate) async fn numbers_beyond_the_bounds_of_their_trainer_are_refused(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    for (name, value) in [("accuracy", 1.5), ("val_accuracy", -0.5), ("loss", 1e39), ("val_loss", -1e39)] {
        let records = vec![record(1, 0.5), told(2, &[(name, value)])];
        let words = format!("expected {name} of step 2 to be a number from ");
        let answer = bench.report(worker, vec![reported(job, records.clone())], at(2.0)).await;
        assert!(matches!(&answer[..], [Directive::Refused(problem)] if problem.contains(&words)), "{answer:?}");
        let ended = bench.store.complete(succeeded(job, records), RetryPolicy::default(), at(2.0)).await;
        assert_invalid_state(ended, &words);
    }
    assert_eq!(bench.history(sweep.id).await, []);
    let records = vec![record(1, 0.5), told(2, &[("accuracy", 1.0), ("norm", 1e39)])];
    assert_eq!(bench.report(worker, vec![reported(job, records)], at(3.0)).await, [Directive::Continue]);
}

pub(crate) async fn the_checked_specification_is_kept_beside_the_file(bench: Bench) {
    let text = "{method: grid, parameters: {epochs: {values: [1, 2]}}, besom: {dataset: {source: 'builtin:sketches'}}}";
    let spec = besom_sweep::parse(text).unwrap();
    let file = || NewSweep { text: text.to_owned(), ..new_sweep("before", 2) };
    let (before, _) = bench.store.create_sweep(file(), at(0.0)).await.unwrap();
    let canonical = spec.canonical_json();
    let new = NewSweep { spec: Some(canonical.clone()), name: "now".to_owned(), title: "now".to_owned(), ..file() };
    let (now, _) = bench.store.create_sweep(new, at(0.0)).await.unwrap();
    assert_eq!((now.new.text.as_str(), &now.new.spec), (text, &None), "nobody reads it who does not ask for it");
    let stored = |sweep| bench.store.sweep_spec(sweep);
    assert_eq!(stored(now.id).await.unwrap(), StoredSpec::Checked(canonical));
    assert_eq!(stored(before.id).await.unwrap(), StoredSpec::File(text.to_owned()));
    for sweep in [before.id, now.id] {
        assert_eq!(stored(sweep).await.unwrap().read().unwrap(), spec);
    }
    assert!(matches!(stored(SweepId(77)).await, Err(StoreError::NotFound { .. })));
}
