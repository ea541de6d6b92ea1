//! What names an artifact, and what becomes of it when nothing does any more.

use besom_coordinator::domain::{AttemptRef, Completion, Digest, NewSweep, RetryPolicy, Timestamp, WriteResult};
use besom_sweep::KeepModels;

use crate::store_support::{Bench, assert_invalid_state, at, digest, new_sweep, record, succeeded};

/// Two sweeps with the same job have the same model: it stays until the last of them drops it.
pub(crate) async fn a_model_goes_with_the_last_run_that_names_it(bench: Bench) {
    let model = bench.artifact(1).await;
    let worker = bench.worker("w").await;
    let mut jobs = Vec::new();
    for name in ["one", "two"] {
        bench.sweep_of(NewSweep { keep_models: KeepModels::Best, ..new_sweep(name, 2) }).await;
        jobs.extend(bench.acquire(worker, 2, at(1.0)).await);
    }
    let done = |n: usize, model: &Digest, accuracy| Completion {
        final_model: Some(model.clone()),
        best_model: Some(model.clone()),
        ..succeeded(jobs[n].at, vec![record(1, accuracy)])
    };
    for first in [0, 2] {
        assert_eq!(bench.complete(done(first, &model, 0.5), at(2.0)).await, WriteResult::Accepted);
    }
    for (second, left) in [(1, "2"), (3, "2")] {
        let better = bench.artifact(10 + second as u32).await;
        assert_eq!(bench.complete(done(second, &better, 0.75), at(3.0)).await, WriteResult::Accepted);
        let stored = bench.query("SELECT count(*) FROM artifacts").await;
        assert_eq!(stored, [[left]], "after job {second}");
    }
    let kept = bench.query("SELECT digest FROM artifacts ORDER BY digest").await;
    assert_eq!(kept, [[digest(11).as_str()], [digest(13).as_str()]]);
}

/// Whoever was told that an artifact is there has not stored it again, and may name it yet: for an
/// hour, and for as long as it runs.
pub(crate) async fn a_model_that_somebody_may_be_about_to_name_stays(bench: Bench) {
    bench.sweep_of(NewSweep { keep_models: KeepModels::None, ..new_sweep("s", 3) }).await;
    let worker = bench.worker("w").await;
    let mut jobs = bench.acquire(worker, 2, at(1.0)).await;
    let model = bench.artifact(1).await;
    let done =
        |job: AttemptRef| Completion { final_model: Some(model.clone()), ..succeeded(job, vec![record(1, 0.5)]) };
    let stored = async || bench.query("SELECT count(*) FROM artifacts").await;
    let hour = 3_600_000_000_i64;
    let asked = at(100.0).unwrap().0;
    let ask = async |at: i64| bench.execute(&format!("UPDATE artifacts SET asked_at = {at}")).await.unwrap();
    ask(asked).await;
    assert_eq!(bench.complete(done(jobs[0].at), Some(Timestamp(asked + 2 * hour))).await, WriteResult::Accepted);
    assert_eq!(stored().await, [["1"]], "the second job runs since before somebody asked");
    ask(asked + 2 * hour).await;
    assert_eq!(bench.complete(done(jobs[1].at), Some(Timestamp(asked + 3 * hour))).await, WriteResult::Accepted);
    assert_eq!(stored().await, [["1"]], "somebody asked an hour ago");
    jobs.extend(bench.acquire(worker, 1, Some(Timestamp(asked + 3 * hour))).await);
    assert_eq!(bench.complete(done(jobs[2].at), Some(Timestamp(asked + 3 * hour + 1))).await, WriteResult::Accepted);
    assert_eq!(stored().await, [["0"]]);
}

pub(crate) async fn a_dataset_is_no_model(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let (model, other) = (bench.artifact(1).await, bench.artifact(2).await);
    bench.execute(&format!("UPDATE artifacts SET kind = 'dataset' WHERE digest = '{}'", other.as_str())).await.unwrap();
    let with = |final_model, best_model| Completion { final_model, best_model, ..succeeded(job, vec![record(1, 0.5)]) };
    for wrong in [with(Some(model.clone()), Some(other.clone())), with(Some(other.clone()), None)] {
        let answer = bench.store.complete(wrong, RetryPolicy::default(), at(2.0)).await;
        assert_invalid_state(answer, "to be a model, but it is a dataset");
    }
    assert_eq!(bench.complete(with(Some(model), None), at(3.0)).await, WriteResult::Accepted);
}
