//! The views are a contract: the same columns and the same values in both databases, whatever
//! happened.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod store_support;

use besom_coordinator::{
    domain::{Completion, Confusion, JobOutcome, NewSweep, RetryPolicy},
    store::{AcquireRequest, SweepCommand},
};
use besom_sweep::{Goal, KeepModels, Metric, MetricName, ScoredEpoch};
use store_support::{Bench, at, completion, diverged, failed, new_sweep, record, reported, request, succeeded};

const RUNS: &str = "sweep sweep_id job state optimizer learning_rate batch_size epochs hidden activation dropout params \
                    seed objective final_loss final_accuracy final_val_loss final_val_accuracy best_val_loss \
                    best_val_accuracy best_epoch epochs_done seconds worker n_attempts error started_at ended_at model \
                    dataset engine device trainer metrics";
const HISTORY: &str = "sweep job epoch loss accuracy val_loss val_accuracy learning_rate seconds metrics step";

/// All workers have called in the far future, which is the same for both databases.
const SEEN: &str = "UPDATE workers SET last_seen_at = 4000000000000000";

async fn both() -> [Bench; 2] {
    [store_support::sqlite().await, store_support::postgres().await]
}

/// A bit of everything: every state of a job and of a sweep, both goals, ties, lost and repeated
/// attempts.
async fn history(bench: &Bench) {
    let worker = bench.worker("ann").await;
    let other = bench.worker("böb 'quoted'").await;
    let last = bench.artifact(1).await;
    let best = bench.artifact(2).await;

    let sweep = bench.sweep("mixed", 9).await;
    let jobs = bench.acquire(worker, 7, at(1.000_001)).await;
    let done = |n: usize, records| Completion {
        final_model: Some(last.clone()),
        best_model: Some(best.clone()),
        confusion: Some(Confusion::of_rows(2, &[3, 1, 0, n as u32])),
        ..succeeded(jobs[n].at, records)
    };
    bench.complete(done(0, vec![record(1, 0.5), record(2, 0.7)]), at(2.5)).await;
    bench.complete(done(1, vec![record(1, 0.7)]), at(2.999_999)).await;
    bench.tell_to_stop(jobs[2].at).await;
    bench.complete(completion(jobs[2].at, JobOutcome::Stopped, vec![record(1, 1.0 / 3.0)]), at(3.0)).await;
    let broken = diverged(record(2, 0.9));
    bench.complete(completion(jobs[3].at, JobOutcome::Diverged, vec![record(1, 0.2), broken]), at(3.0)).await;
    bench.complete(failed(jobs[4].at, "no such \"file\"\n{not json", false), at(4.0)).await;
    bench.report(worker, vec![reported(jobs[5].at, vec![record(1, 0.1)])], at(5.0)).await;
    bench.report(worker, vec![reported(jobs[6].at, vec![record(1, 0.1)])], at(20.0)).await;
    // The sixth job's worker is not heard of again; another one starts over and gets further.
    bench.store.expire(RetryPolicy::default(), 9, at(40.0)).await.unwrap();
    let again = bench.acquire(other, 1, at(41.0)).await.remove(0).at;
    assert_eq!(again.job, jobs[5].at.job);
    bench.report(other, vec![reported(again, vec![record(1, 0.3), record(2, 0.4)])], at(42.0)).await;
    assert_eq!(sweep.jobs_created, 9);

    let metric = Metric { name: MetricName::of("val_loss"), goal: Goal::Minimize };
    let new =
        NewSweep { metric, scored_epoch: ScoredEpoch::Best, keep_models: KeepModels::Best, ..new_sweep("lösses", 3) };
    let losses = bench.sweep_of(new).await;
    let wish = AcquireRequest { sweep: Some(losses.id), ..request(other, 3) };
    for job in bench.store.acquire(wish, at(43.0)).await.unwrap() {
        let models = Completion {
            final_model: Some(last.clone()),
            best_model: Some(best.clone()),
            ..succeeded(job.at, vec![record(1, 0.6), record(2, 0.5)])
        };
        bench.complete(models, at(44.0)).await;
    }

    let gone = bench.sweep("gone", 2).await;
    bench.store.acquire(AcquireRequest { sweep: Some(gone.id), ..request(other, 1) }, at(45.0)).await.unwrap();
    bench.store.command_sweep(gone.id, SweepCommand::Cancel, at(46.0)).await.unwrap();
    let paused = bench.sweep("paused", 1).await;
    bench.store.command_sweep(paused.id, SweepCommand::Pause, at(47.0)).await.unwrap();
    let whole = bench.sweep("whole", 1).await;
    let wish = AcquireRequest { sweep: Some(whole.id), ..request(other, 1) };
    let job = bench.store.acquire(wish, at(48.0)).await.unwrap().remove(0).at;
    bench.complete(succeeded(job, vec![record(1, 0.25)]), at(49.0)).await;
    bench.store.release(worker, Vec::new(), true, at(60.0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_view_has_the_same_rows_in_both_databases() {
    let [sqlite, postgres] = both().await;
    history(&sqlite).await;
    history(&postgres).await;
    for (view, order, rows) in [
        ("runs", "ORDER BY job", 16),
        ("history", "ORDER BY job, epoch", 15),
        ("best_runs", "", 7),
        ("sweep_progress", "ORDER BY sweep_id", 5),
        ("worker_status", "ORDER BY worker_id", 2),
        ("config_stats", "ORDER BY job", 9),
        ("confusion", "ORDER BY job, target, predicted", 5),
        ("per_class", "ORDER BY job, class", 4),
        ("failures", "ORDER BY job, attempt", 3),
        ("slowest", "", 9),
    ] {
        let sql = format!("SELECT * FROM {view} {order}");
        // The view shows who called lately, by the database's clock.
        for bench in [&sqlite, &postgres] {
            bench.execute(SEEN).await.unwrap();
        }
        let (ours, theirs) = (sqlite.query(&sql).await, postgres.query(&sql).await);
        for (our, their) in ours.iter().zip(&theirs) {
            assert_eq!(our, their, "{view}");
        }
        assert_eq!((ours.len(), theirs.len()), (rows, rows), "{view}: {ours:#?}");
        assert_eq!(sqlite.columns(view).await, postgres.columns(view).await, "{view}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_columns_are_those_that_were_promised() {
    for bench in both().await {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(bench.columns("runs").await, words(RUNS));
        assert_eq!(bench.columns("history").await, words(HISTORY));
        assert_eq!(bench.columns("best_runs").await, words(&format!("{RUNS} rank")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_text_in_utc_to_the_microsecond() {
    for bench in both().await {
        history(&bench).await;
        let rows =
            bench.query("SELECT started_at, ended_at FROM runs WHERE sweep = 'mixed' ORDER BY job LIMIT 2").await;
        assert_eq!(
            rows,
            [
                ["2026-11-23T17:30:01.000001Z", "2026-11-23T17:30:02.500000Z"],
                ["2026-11-23T17:30:01.000001Z", "2026-11-23T17:30:02.999999Z"]
            ]
        );
        let rows = bench.query("SELECT created_at, ended_at FROM sweep_progress WHERE sweep = 'gone'").await;
        assert_eq!(rows, [["2026-11-23T17:30:00.000000Z", "2026-11-23T17:30:46.000000Z"]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_runs_are_ranked_by_the_sweeps_own_goal_newest_sweep_first() {
    for bench in both().await {
        history(&bench).await;
        let rows = bench.query("SELECT sweep, rank, objective FROM best_runs").await;
        let expected = [
            ["whole", "1", "0.25"],
            ["lösses", "1", "1.2999999999999998"],
            ["lösses", "1", "1.2999999999999998"],
            ["lösses", "1", "1.2999999999999998"],
            ["mixed", "1", "0.7"],
            ["mixed", "1", "0.7"],
            ["mixed", "3", "0.3333333333333333"],
        ];
        assert_eq!(rows, expected);
        // Ties keep the order of the jobs, also in a page cut from the view without an order of its
        // own.
        let jobs = bench.query("SELECT job FROM best_runs WHERE sweep = 'mixed' LIMIT 2").await;
        let first = bench.query("SELECT min(job) FROM runs WHERE sweep = 'mixed'").await[0][0].parse::<i64>().unwrap();
        assert_eq!(jobs, [[first.to_string()], [(first + 1).to_string()]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn params_are_read_alike_with_casts() {
    for bench in both().await {
        bench.sweep("s", 1).await;
        let rows = bench
            .query(
                "SELECT params->>'optimizer', CAST(params->>'learning_rate' AS DOUBLE PRECISION), \
                 CAST(params->>'batch_size' AS BIGINT), params->>'min_delta', learning_rate FROM runs",
            )
            .await;
        assert_eq!(rows, [["sgd", "0.03333333333333333", "32", "-", "0.03333333333333333"]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_best_runs_of_each_sweep_and_no_more() {
    for bench in both().await {
        let small = bench.sweep("small", 3).await;
        let sweep = bench.sweep("large", 1500).await;
        bench
            .execute(
                "UPDATE jobs SET state = 'succeeded', ended_at = 1, objective = (id % 700) / 700.0, \
                 score = (id % 700) / 700.0",
            )
            .await
            .unwrap();
        let counts = bench.query("SELECT sweep_id, count(*), max(rank) FROM best_runs GROUP BY 1 ORDER BY 1").await;
        assert_eq!(counts[0][..2], [small.id.to_string(), "3".to_owned()]);
        assert_eq!(counts[1][..2], [sweep.id.to_string(), "1000".to_owned()]);
        let ranked = bench.query("SELECT job FROM best_runs WHERE sweep = 'large'").await;
        let leaders: Vec<Vec<String>> =
            bench.leaders(sweep.id).await.iter().map(|run| vec![run.job.to_string()]).collect();
        assert_eq!(ranked, leaders);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_reads_an_index_alone_and_other_sums_read_the_rows_in_their_order() {
    let [sqlite, postgres] = both().await;
    let count = "SELECT count(*) FROM runs WHERE sweep = 's'";
    let grouped = "SELECT optimizer, count(*), avg(final_val_accuracy) FROM runs WHERE sweep = 's' GROUP BY optimizer";
    for bench in [&sqlite, &postgres] {
        bench.sweep("s", 2_000).await;
        bench.worker("w").await;
    }
    for (question, index) in [(count, "COVERING INDEX jobs_sweep"), (grouped, "INDEX jobs_sweep")] {
        let plan = sqlite.query(&format!("EXPLAIN QUERY PLAN {question}")).await.concat().join(" ");
        assert!(plan.contains(&format!("SEARCH j USING {index} (sweep_id=?)")), "{plan}");
        assert!(!plan.contains(" w "), "{plan}");
    }
    // A hundred times as many jobs, all ended, as the planner sees them after an ANALYZE.
    let seen = "UPDATE pg_class SET reltuples = 1e6, relpages = 125000 WHERE relname = 'jobs'";
    for statement in ["ANALYZE", seen] {
        postgres.execute(statement).await.unwrap();
    }
    for question in [count, grouped] {
        let plan = postgres.query(&format!("EXPLAIN {question}")).await.concat().join("\n");
        assert!(!plan.contains("workers"), "{plan}");
    }
    // A function that may not run in parallel would keep every question about its view to one
    // process.
    let alone = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proparallel <> 's' \
                 AND prorettype <> 'trigger'::regtype";
    assert_eq!(postgres.query(alone).await, Vec::<Vec<String>>::new());
}
