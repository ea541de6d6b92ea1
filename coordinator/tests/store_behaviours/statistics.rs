use besom_coordinator::domain::{
    Completion, Confusion, Estimate, ImportanceKind, JobId, JobOutcome, JobState, NewJob, NewSweep, RetryPolicy,
    Spread, Sweep, SweepState, Timestamp, WorkerId, WriteResult,
};
use besom_coordinator::store::SweepCommand;
use serde_json::json;

use crate::store_support::{Bench, at, completion, failed, new_job, new_sweep, record, succeeded};

/// 2 batch sizes x 2 learning rates, seed by seed.
const GRID: &str = "{method: grid, parameters: {batch_size: {values: [32, 64]}, learning_rate: {values: [0.01, 0.1]}}, \
                    besom: {dataset: {source: 'builtin:sketches'}, seeds: 3}}";

/// 3 learning rates at a batch size of 32, then 64 at a learning rate of 0.01; the base point is
/// the first.
const SINGLE: &str = "{method: one_at_a_time, \
                      parameters: {learning_rate: {values: [0.01, 0.1, 1.0]}, batch_size: {values: [32, 64]}}, \
                      besom: {base: {batch_size: 32, learning_rate: 0.01}, dataset: {source: 'builtin:sketches'}}}";

fn job(batch_size: u32, learning_rate: f64, seed: i64) -> NewJob {
    let mut job = new_job(0);
    job.params.insert("batch_size".to_owned(), json!(batch_size));
    job.params.insert("learning_rate".to_owned(), json!(learning_rate));
    NewJob { config_hash: hash(batch_size, learning_rate), seed, ..job }
}

/// One for each configuration.
fn hash(batch_size: u32, learning_rate: f64) -> String {
    format!("{batch_size:032x}{:032x}", learning_rate.to_bits())
}

async fn sweep(bench: &Bench, name: &str, text: &str, jobs: Vec<NewJob>) -> Sweep {
    let swept = vec!["batch_size".to_owned(), "learning_rate".to_owned()];
    let method = if text == GRID { "grid" } else { "one_at_a_time" }.to_owned();
    let new = NewSweep { text: text.to_owned(), method, swept, ..new_sweep(name, jobs.len() as u32) };
    let (sweep, made) = bench.store.create_sweep(new, at(0.0)).await.unwrap();
    assert!(made);
    bench.store.add_jobs(sweep.id, 0, jobs).await.unwrap();
    sweep
}

pub(super) async fn grid(bench: &Bench, name: &str) -> Sweep {
    let points = || [(32, 0.01), (32, 0.1), (64, 0.01), (64, 0.1)];
    let jobs = (1..=3).flat_map(|seed| points().map(|(size, rate)| job(size, rate, seed))).collect();
    sweep(bench, name, GRID, jobs).await
}

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-12
}

#[track_caller]
fn assert_estimate(estimate: Option<Estimate>, mean: f64, spread: Option<(f64, f64, f64)>) {
    let found = estimate.unwrap();
    assert!(near(found.mean, mean), "{found:?}");
    assert_eq!(found.spread.is_some(), spread.is_some(), "{found:?}");
    if let (Some(Spread { deviation, low, high }), Some(expected)) = (found.spread, spread) {
        assert!(near(deviation, expected.0) && near(low, expected.1) && near(high, expected.2), "{found:?}");
    }
}

pub(crate) async fn a_configuration_is_summed_over_its_seeds(bench: Bench) {
    let sweep = grid(&bench, "s").await;
    let worker = bench.worker("w").await;
    assert_eq!(bench.configs(sweep.id).await, []);
    let jobs = bench.acquire(worker, 12, at(1.0)).await;
    // Job 1, 5 and 9 are the seeds of the first configuration. numpy and scipy say what is expected
    // of them.
    for (index, accuracy) in [(0, 0.8123), (4, 0.8341)] {
        bench.complete(succeeded(jobs[index].at, vec![record(1, accuracy)]), at(2.0)).await;
    }
    let [first] = &bench.configs(sweep.id).await[..] else { panic!("one configuration") };
    assert_eq!((first.job, first.sums.n, &first.config_hash), (jobs[0].at.job, 2, &hash(32, 0.01)));
    let last = succeeded(jobs[8].at, vec![record(1, 0.9239), record(2, 0.8239)]);
    bench.complete(Completion { seconds: 4.5, ..last }, at(2.5)).await;
    // Another configuration: one run, one that diverged, one that failed.
    bench.complete(completion(jobs[1].at, JobOutcome::Diverged, vec![record(1, 0.1)]), at(3.0)).await;
    bench.complete(succeeded(jobs[5].at, vec![record(1, 0.5)]), at(3.0)).await;
    bench.complete(failed(jobs[9].at, "no", false), at(3.0)).await;
    // And one that only diverged.
    bench.complete(completion(jobs[2].at, JobOutcome::Diverged, vec![record(1, 0.1)]), at(3.0)).await;

    let all = bench.configs(sweep.id).await;
    assert_eq!(
        all.iter().map(|config| config.job).collect::<Vec<_>>(),
        [0, 1, 2].map(|index: usize| jobs[index].at.job)
    );
    let sums = &all[0].sums;
    assert_eq!((sums.n, sums.diverged, sums.failed, sums.mean_seconds), (3, 0, 0, Some(2.5)));
    let spread = (0.01090748978149109, 0.7963376266266, 0.8505290400400667);
    assert_estimate(sums.last, 0.8234333333333334, Some(spread));
    let spread = (0.059152120277580385, 0.7098246539551378, 1.0037086793781955);
    assert_estimate(sums.best, 0.8567666666666667, Some(spread));
    assert!(near(sums.objective.unwrap().mean, 0.8234333333333334));
    assert_eq!(all[0].params["batch_size"], 32);
    let sums = &all[1].sums;
    assert_eq!((sums.n, sums.diverged, sums.failed, sums.mean_seconds), (1, 1, 1, Some(1.5)));
    assert_estimate(sums.last, 0.5, None);
    let sums = &all[2].sums;
    assert_eq!((sums.n, sums.diverged, sums.failed), (0, 1, 0));
    assert_eq!((sums.last, sums.mean_seconds, sums.objective), (None, None, None));
}

pub(crate) async fn a_retried_job_counts_once_and_one_that_was_lost_too_often_as_failed(bench: Bench) {
    let sweep = grid(&bench, "s").await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 2, at(1.0)).await;
    bench.complete(failed(jobs[0].at, "once", true), at(2.0)).await;
    assert_eq!(bench.configs(sweep.id).await, []);
    let again = bench.acquire(worker, 1, at(9.0)).await.remove(0);
    assert_eq!(again.at.job, jobs[0].at.job);
    let done = succeeded(again.at, vec![record(1, 0.5)]);
    for _ in 0..2 {
        assert_eq!(bench.complete(done.clone(), at(10.0)).await, WriteResult::Accepted);
    }
    let policy = RetryPolicy { max_losses: 1, ..RetryPolicy::default() };
    let settled = bench.store.expire(policy, 9, at(99.0)).await.unwrap();
    assert_eq!(
        settled.iter().map(|lease| (lease.at, lease.state)).collect::<Vec<_>>(),
        [(jobs[1].at, JobState::Failed)]
    );
    let counts: Vec<_> =
        bench.configs(sweep.id).await.iter().map(|config| (config.job, config.sums.n, config.sums.failed)).collect();
    assert_eq!(counts, [(jobs[0].at.job, 1, 0), (jobs[1].at.job, 0, 1)]);
}

/// Ends the next job with this accuracy.
async fn next(bench: &Bench, worker: WorkerId, accuracy: f64, now: Option<Timestamp>) {
    let job = bench.acquire(worker, 1, now).await.remove(0).at;
    bench.complete(succeeded(job, vec![record(1, accuracy)]), now).await;
}

pub(crate) async fn importance_is_worked_out_every_ten_seconds_and_when_the_sweep_ends(bench: Bench) {
    let sweep = grid(&bench, "s").await;
    let worker = bench.worker("w").await;
    let weighed = async |seconds| bench.store.weigh_due(at(seconds)).await.unwrap();
    let importance = async || bench.importance(sweep.id).await;
    assert_eq!(weighed(0.5).await, 0, "nothing has ended");
    next(&bench, worker, 0.9, at(1.0)).await;
    assert_eq!(weighed(1.0).await, 1);
    for (second, accuracy) in [(1.1, 0.7), (1.2, 0.8), (1.3, 0.2)] {
        next(&bench, worker, accuracy, at(second)).await;
    }
    // The first run had nothing to be compared with, and since then ten seconds have not passed.
    assert_eq!((weighed(1.3).await, importance().await), (0, None));
    next(&bench, worker, 0.9, at(10.9)).await;
    bench.execute("UPDATE sweeps SET importance_took = 500000").await.unwrap();
    assert_eq!((weighed(10.9).await, importance().await), (0, None));
    next(&bench, worker, 0.7, at(11.0)).await;
    assert_eq!(weighed(11.0).await, 1);
    let found = importance().await.unwrap();
    assert_eq!((found.kind, Some(found.computed_at)), (ImportanceKind::VarianceShare, at(11.0)));
    let rows: Vec<_> =
        found.importances.iter().map(|row| (row.parameter.as_str(), row.second.as_deref(), row.value)).collect();
    // By least squares on dummy variables.
    for (row, expected) in rows.iter().zip([
        ("batch_size", None, 0.31034482758620685),
        ("learning_rate", None, 0.5517241379310346),
        ("batch_size", Some("learning_rate"), 0.1379310344827585),
    ]) {
        assert_eq!((row.0, row.1), (expected.0, expected.1));
        assert!(near(row.2, expected.2), "{row:?}");
    }
    assert_eq!((rows.len(), found.importances[0].cells, found.importances[0].cells_total), (3, 4, 4));
    assert_eq!(weighed(99.0).await, 0, "nothing has ended since");

    for second in 0..5 {
        next(&bench, worker, 0.5, at(112.0 + f64::from(second))).await;
    }
    // As if it had taken five and a half seconds: it then takes its turn every 110.
    bench.execute("UPDATE sweeps SET importance_took = 5500000").await.unwrap();
    assert_eq!(weighed(120.9).await, 0);
    assert_eq!(importance().await.unwrap(), found);
    next(&bench, worker, 0.4, at(117.0)).await;
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
    assert_eq!(weighed(117.0).await, 1, "the end waits for no turn");
    let ended = importance().await.unwrap();
    assert_eq!(Some(ended.computed_at), at(117.0));
    assert_ne!(ended.importances, found.importances);
    assert_eq!(weighed(1_000.0).await, 0);
}

pub(crate) async fn no_completion_works_out_importance_and_none_is_lost_with_a_coordinator(bench: Bench) {
    let sweep = grid(&bench, "s").await;
    let worker = bench.worker("w").await;
    for accuracy in [0.9, 0.7, 0.8, 0.2, 0.9, 0.7, 0.8, 0.2, 0.9, 0.7, 0.8, 0.2] {
        next(&bench, worker, accuracy, None).await;
    }
    let kept = "SELECT count(*) FROM importance";
    assert_eq!(bench.query(kept).await, [["0"]]);
    // The coordinator has gone. Whoever only reads is told that it is not there yet; the next
    // coordinator works it out.
    let bench = bench.reopen().await;
    assert!(!bench.read_only().await.settle_importance(None).await.unwrap());
    assert_eq!(bench.query(kept).await, [["0"]]);
    let found = bench.importance(sweep.id).await.unwrap();
    assert_eq!((found.importances.len(), found.importances[0].cells), (3, 4));
    assert!(bench.read_only().await.settle_importance(None).await.unwrap());
    assert_eq!(bench.importance(sweep.id).await, Some(found), "it is worked out once");
    assert_eq!(bench.store.weigh_due(None).await.unwrap(), 0);
}

pub(crate) async fn of_several_coordinators_one_works_out_importance(bench: Bench) {
    grid(&bench, "s").await;
    let worker = bench.worker("w").await;
    let stores = [bench.second().await, bench.second().await, bench.store.clone()];
    for round in 0..5 {
        let now = at(10.0 + 100.0 * f64::from(round));
        next(&bench, worker, 0.5, now).await;
        let [a, b, c] = stores.each_ref().map(|store| store.weigh_due(now));
        let (a, b, c) = tokio::join!(a, b, c);
        assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), 1);
    }
}

pub(crate) async fn importance_that_cannot_be_worked_out_takes_its_turns_and_no_others(bench: Bench) {
    let worker = bench.worker("w").await;
    let (damaged, whole) = (grid(&bench, "damaged").await, grid(&bench, "whole").await);
    for _ in 0..24 {
        next(&bench, worker, 0.5, at(1.0)).await;
    }
    bench.execute(&format!("UPDATE config_sums SET swept = '[]' WHERE sweep_id = {}", damaged.id)).await.unwrap();
    bench.store.weigh_due(at(2.0)).await.unwrap_err();
    let of = format!("SELECT importance_of FROM sweeps WHERE id = {}", whole.id);
    assert_eq!(bench.query(&of).await, [["12"]]);
    let took = async || {
        let took = "SELECT importance_took FROM sweeps WHERE name = 'damaged' AND importance_took > 0";
        bench.query(took).await.len()
    };
    assert_eq!(took().await, 1, "a try that fails takes its time all the same");
    bench.execute("UPDATE sweeps SET importance_took = 5500000").await.unwrap();
    assert_eq!(bench.store.weigh_due(at(111.0)).await.unwrap(), 0);
    bench.store.weigh_due(at(112.0)).await.unwrap_err();
}

pub(crate) async fn importance_is_worked_out_for_a_cancelled_sweep_and_one_parameter_at_a_time(bench: Bench) {
    let jobs = [(32, 0.01), (32, 0.1), (32, 1.0), (64, 0.01)].map(|(size, rate)| job(size, rate, 1)).to_vec();
    let sweep = sweep(&bench, "s", SINGLE, jobs).await;
    let worker = bench.worker("w").await;
    next(&bench, worker, 0.75, at(1.0)).await;
    next(&bench, worker, 0.5, at(1.0)).await;
    let diverging = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.complete(completion(diverging, JobOutcome::Diverged, vec![record(1, 0.1)]), at(2.0)).await;
    assert_eq!(bench.importance(sweep.id).await, None);
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(3.0)).await.unwrap();
    let found = bench.importance(sweep.id).await.unwrap();
    assert_eq!(found.kind, ImportanceKind::Range);
    let [row] = &found.importances[..] else { panic!("{found:?}") };
    assert_eq!((row.parameter.as_str(), &row.second, row.value), ("learning_rate", &None, 0.25));
    assert_eq!((row.cells, row.cells_total), (2, 3));
}

pub(crate) async fn runs_of_one_configuration_that_end_at_once_are_all_summed(bench: Bench) {
    let stores = [bench.second().await, bench.second().await, bench.store.clone()];
    let worker = bench.worker("w").await;
    for round in 0..8 {
        let name = format!("s{round}");
        let sweep = grid(&bench, &name).await;
        let jobs = bench.acquire(worker, 12, None).await;
        let calls: Vec<_> = (0..3)
            .flat_map(|seed| (0..4).map(move |point| (seed, point)))
            .map(|(seed, point)| {
                let accuracy = 0.5 + f64::from(u32::try_from(seed).unwrap()) / 10.0 + f64::from(point) / 100.0;
                let done = succeeded(jobs[seed * 4 + point as usize].at, vec![record(1, accuracy)]);
                let store = stores[seed].clone();
                tokio::spawn(async move { store.complete(done, RetryPolicy::default(), None).await.unwrap() })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), WriteResult::Accepted);
        }
        let all = bench.configs(sweep.id).await;
        assert_eq!(all.iter().map(|config| config.sums.n).collect::<Vec<_>>(), [3; 4]);
        for (point, config) in all.iter().enumerate() {
            assert!(near(config.sums.objective.unwrap().mean, 0.6 + point as f64 / 100.0), "{config:?}");
        }
        let found = bench.importance(sweep.id).await.unwrap();
        assert!(near(found.importances[0].value, 0.8) && near(found.importances[1].value, 0.2), "{found:?}");
    }
}

/// Everything that the views of this migration show.
async fn shown(bench: &Bench) -> Vec<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for (view, order) in [
        ("config_stats", "job"),
        ("importance", "parameter, second_parameter"),
        ("per_class", "job, class"),
        ("confusion", "job, target, predicted"),
        ("failures", "job, attempt"),
        ("slowest", "sweep_id, rank, job"),
    ] {
        let sql = match view {
            // When it was worked out is not part of what it says.
            "importance" => {
                "SELECT kind, parameter, second_parameter, value, cells FROM importance WHERE sweep = 'first'"
            }
            _ => &format!("SELECT * FROM {view}"),
        };
        let rows = bench.query(&format!("{sql} ORDER BY {order}")).await;
        assert!(!rows.is_empty(), "{view}");
        all.push(rows);
    }
    all
}

pub(crate) async fn runs_that_ended_before_there_were_statistics_catch_up(bench: Bench) {
    let worker = bench.worker("w").await;
    let first = grid(&bench, "first").await;
    let jobs = bench.acquire(worker, 12, at(1.0)).await;
    for (index, job) in jobs.iter().enumerate() {
        let done = match index {
            3 => completion(job.at, JobOutcome::Diverged, vec![record(1, 0.1)]),
            5 => failed(job.at, "no", false),
            _ => {
                let counts = vec![5, index as u32, 1, 0];
                let confusion = Some(Confusion::of_rows(2, &counts));
                Completion { confusion, ..succeeded(job.at, vec![record(1, 0.5 + index as f64 / 50.0)]) }
            }
        };
        bench.complete(done, at(2.0 + index as f64)).await;
    }
    let second = grid(&bench, "second").await;
    next(&bench, worker, 0.5, at(20.0)).await;
    grid(&bench, "third").await;
    bench.store.weigh_due(None).await.unwrap();
    let before = shown(&bench).await;
    let importance = bench.importance(first.id).await.unwrap().importances;
    assert!(!bench.store.catch_up(5).await.unwrap(), "there is nothing to catch up with");

    for statement in [
        "DELETE FROM config_sums",
        "DELETE FROM importances",
        "DELETE FROM class_counts",
        "UPDATE sweeps SET unsummed_after = 0, importance_at = NULL",
    ] {
        bench.execute(statement).await.unwrap();
    }
    // A run that ends meanwhile is summed at once.
    next(&bench, worker, 0.6, at(21.0)).await;
    let now = bench.configs(second.id).await;
    assert_eq!(now.iter().map(|config| config.job.0).collect::<Vec<_>>(), [jobs.len() as i64 + 2]);
    assert!(bench.store.catch_up(5).await.unwrap());
    assert_eq!(bench.configs(first.id).await.len(), 4);
    // The rest is left to another process, or to several at once.
    let bench = bench.reopen().await;
    let finish = async |store: crate::store_support::Client| {
        let mut steps = 0;
        while store.catch_up(5).await.unwrap() {
            steps += 1;
            assert!(steps < 20);
        }
        steps
    };
    let (a, b) = tokio::join!(finish(bench.second().await), finish(bench.store.clone()));
    // 12 jobs of the first sweep of which 5 are done, 12 of each other one.
    assert!(a + b >= 8, "{a} and {b} steps");
    assert!(bench.store.weigh_due(None).await.unwrap() >= 1, "sums that come late are weighed");
    let after = shown(&bench).await;
    assert_eq!(after[0].len(), before[0].len() + 1);
    assert_eq!(after[0][..before[0].len()], before[0]);
    assert_eq!(after[1..3], before[1..3]);
    assert_eq!(bench.importance(first.id).await.unwrap().importances, importance);
}

pub(crate) async fn a_run_that_cannot_be_read_is_left_out_and_those_behind_it_catch_up(bench: Bench) {
    let sweep = grid(&bench, "s").await;
    let worker = bench.worker("w").await;
    for _ in 0..12 {
        next(&bench, worker, 0.5, at(1.0)).await;
    }
    let all: Vec<_> = bench.configs(sweep.id).await.into_iter().map(|config| (config.job, config.sums)).collect();
    for statement in [
        "UPDATE jobs SET params = '[]' WHERE id = (SELECT min(id) FROM jobs)",
        "UPDATE jobs SET state = 'gone' WHERE id = (SELECT min(id) + 1 FROM jobs)",
        "DELETE FROM config_sums",
        "UPDATE sweeps SET unsummed_after = 0",
    ] {
        // A state that nobody knows counts as one that has not ended.
        let statement =
            statement.replace("state = 'gone'", "state = 'gone', ended_at = NULL, objective = NULL, score = NULL");
        bench.execute(&statement).await.unwrap();
    }
    while bench.store.catch_up(3).await.unwrap() {}
    let sums: Vec<_> = bench.configs(sweep.id).await.into_iter().map(|config| (config.job, config.sums)).collect();
    assert_eq!(sums, all[2..]);
}

pub(crate) async fn a_confusion_matrix_is_read_by_pair_and_by_class(bench: Bench) {
    bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    // Target 2 has no samples, and nothing is taken for class 1.
    let confusion = Some(Confusion::of_rows(3, &[7, 0, 1, 3, 0, 2, 0, 0, 0]));
    bench.complete(Completion { confusion, ..succeeded(job, vec![record(1, 0.5)]) }, at(2.0)).await;
    next(&bench, worker, 0.5, at(3.0)).await;
    let rows = bench.query("SELECT target, predicted, count FROM confusion ORDER BY target, predicted").await;
    let expected =
        [[0, 0, 7], [0, 2, 1], [1, 0, 3], [1, 2, 2]].map(|row| row.map(|number| number.to_string()).to_vec());
    assert_eq!(rows, expected);
    let rows =
        bench.query("SELECT class, support, predicted, correct, precision, recall FROM per_class ORDER BY class");
    assert_eq!(
        rows.await,
        [["0", "8", "10", "7", "0.7", "0.875"], ["1", "5", "0", "0", "-", "0.0"], ["2", "0", "3", "0", "0.0", "-"]]
    );
}

pub(crate) async fn matrices_of_many_classes_keep_the_pairs_that_are_not_0_and_beyond_1024_classes_the_sums(
    bench: Bench,
) {
    let sweep = bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let jobs: Vec<_> = bench.acquire(worker, 2, at(1.0)).await.iter().map(|job| job.at).collect();
    let counted = |classes: u32, pairs: &[(usize, usize)]| {
        let mut confusion = Confusion::new(classes);
        pairs.iter().for_each(|&(target, predicted)| confusion.add(target, predicted));
        confusion.kept()
    };
    let matrices = [counted(345, &[(0, 0), (344, 1), (344, 1)]), counted(4_096, &[(4_095, 4_095), (4_095, 2)])];
    for (&job, confusion) in jobs.iter().zip(&matrices) {
        let confusion = Some(confusion.clone());
        bench.complete(Completion { confusion, ..succeeded(job, vec![record(1, 0.5)]) }, at(2.0)).await;
    }
    let [first, second] = [0, 1].map(|at: usize| jobs[at].job.0.to_string());
    let classes = "SELECT job, count(*), CAST(sum(support) AS BIGINT), CAST(sum(correct) AS BIGINT) FROM per_class \
                   GROUP BY job ORDER BY job";
    let few = "SELECT job, class, support, predicted, correct FROM per_class WHERE support + predicted > 0 \
               ORDER BY job, class";
    for again in [false, true] {
        assert_eq!(
            bench.confusions(sweep.id).await,
            [(jobs[0].job, matrices[0].clone()), (jobs[1].job, matrices[1].clone())]
        );
        let pairs = bench.query("SELECT job, target, predicted, count FROM confusion ORDER BY target, predicted").await;
        assert_eq!(pairs, [[&first, "0", "0", "1"], [&first, "344", "1", "2"]]);
        assert_eq!(bench.query(classes).await, [[&first, "345", "3", "1"], [&second, "4096", "2", "1"]]);
        assert_eq!(
            bench.query(few).await,
            [
                [&first, "0", "1", "1", "1"],
                [&first, "1", "0", "2", "0"],
                [&first, "344", "2", "0", "0"],
                [&second, "2", "0", "1", "0"],
                [&second, "4095", "2", "1", "1"],
            ]
        );
        if !again {
            // Sums of pairs come back from the pairs; others stay.
            let statement = format!("DELETE FROM class_counts WHERE job_id = {first}");
            bench.execute(&statement).await.unwrap();
            bench.execute("UPDATE sweeps SET unsummed_after = 0").await.unwrap();
            while bench.store.catch_up(5).await.unwrap() {}
        }
    }
}

pub(crate) async fn failures_are_the_attempts_that_ended_badly(bench: Bench) {
    bench.sweep("s", 5).await;
    let (ann, bob) = (bench.worker("ann").await, bench.worker("bob").await);
    let jobs = bench.acquire(ann, 3, at(1.0)).await;
    bench.complete(failed(jobs[0].at, "out of memory", true), at(2.0)).await;
    bench.complete(completion(jobs[1].at, JobOutcome::Diverged, vec![record(1, 0.1)]), at(3.0)).await;
    bench.store.expire(RetryPolicy::default(), 9, at(40.0)).await.unwrap();
    let again = bench.acquire(bob, 1, at(41.0)).await.remove(0).at;
    assert_eq!(again.job, jobs[0].at.job);
    bench.complete(succeeded(again, vec![record(1, 0.5)]), at(42.0)).await;
    let released = bench.acquire(bob, 1, at(43.0)).await.remove(0).at;
    bench.store.release(bob, vec![released], false, at(44.0)).await.unwrap();
    let rows = bench
        .query("SELECT job, attempt, outcome, state, worker, slot, error, ended_at FROM failures ORDER BY job, attempt")
        .await;
    let JobId(first) = jobs[0].at.job;
    let expected = [
        ["0", "1", "failed", "succeeded", "ann", "0", "out of memory", "2026-11-23T17:30:02.000000Z"],
        ["1", "1", "diverged", "diverged", "ann", "1", "the loss was not finite", "2026-11-23T17:30:03.000000Z"],
        [
            "2",
            "1",
            "lost",
            "queued",
            "ann",
            "2",
            "lost: worker ann was last heard from at 2026-11-23T17:30:01.000000Z, 30 s before its lease ended (attempt 1, 1 \
             lost so far)",
            "2026-11-23T17:30:40.000000Z",
        ],
    ];
    let expected = expected.map(|row| {
        let mut row = row.map(str::to_owned).to_vec();
        row[0] = (first + row[0].parse::<i64>().unwrap()).to_string();
        row
    });
    assert_eq!(rows, expected);
}

pub(crate) async fn the_slowest_runs_come_first_with_what_their_configuration_takes(bench: Bench) {
    grid(&bench, "s").await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 12, at(1.0)).await;
    let seconds = [4.0, 2.0, 8.0, 8.0, 6.0];
    for (job, seconds) in jobs.iter().zip(seconds) {
        let done = succeeded(job.at, vec![record(1, 0.5), record(2, 0.5)]);
        bench.complete(Completion { seconds, ..done }, at(20.0)).await;
    }
    let rows = bench.query("SELECT rank, job, seconds, seconds_per_epoch, mean_seconds FROM slowest LIMIT 4").await;
    let job = |index: usize| jobs[index].at.job.to_string();
    let expected = [
        ["1", &job(2), "8.0", "4.0", "8.0"],
        ["1", &job(3), "8.0", "4.0", "8.0"],
        ["3", &job(4), "6.0", "3.0", "5.0"],
        ["4", &job(0), "4.0", "2.0", "5.0"],
    ];
    assert_eq!(rows, expected.map(|row| row.map(str::to_owned).to_vec()));
    assert_eq!(bench.query("SELECT count(*) FROM slowest").await, [["5"]]);
}
