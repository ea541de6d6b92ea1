//! The invariants that the store alone decides, under their names, and the conditions that its
//! tables enforce.

use std::{collections::HashSet, time::Duration};

use besom_coordinator::{
    domain::{RetryPolicy, WriteResult},
    store::{StoreError, SweepCommand},
};

use crate::store_support::{Bench, at, failed, new_job, new_sweep, new_worker, record, reported, request, succeeded};

/// Every point and seed has exactly one job, whatever is repeated and whoever else expands the same
/// sweep.
pub(crate) async fn one_row_per_point(bench: Bench) {
    let stores = [bench.second().await, bench.second().await];
    let expanders: Vec<_> = (0..6)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                let (sweep, _) = store.create_sweep(new_sweep("s", 50), None).await.unwrap();
                let mut created = sweep.jobs_created;
                while created < 50 {
                    let until = (created + 7).min(50);
                    let batch = (created..until).map(|n| new_job(n as u32)).collect();
                    created = store.add_jobs(sweep.id, created, batch).await.unwrap();
                }
            })
        })
        .collect();
    for expander in expanders {
        expander.await.unwrap();
    }
    let sweep = bench.store.find_sweep("s").await.unwrap();
    assert_eq!(sweep.jobs_created, 50);
    let hash = if bench.is_sqlite() { "lower(hex(config_hash))" } else { "encode(config_hash, 'hex')" };
    let rows = bench.query(&format!("SELECT {hash}, seed FROM jobs ORDER BY id")).await;
    let expected: Vec<Vec<String>> =
        (0..50).map(new_job).map(|job| vec![job.config_hash, job.seed.to_string()]).collect();
    assert_eq!(rows, expected);
    bench
        .execute("INSERT INTO jobs SELECT * FROM jobs LIMIT 1")
        .await
        .expect_err("the table itself refuses a second row");
}

/// What was answered is there for whoever opens the database next.
pub(crate) async fn acknowledged_means_durable(bench: Bench) {
    let sweep = bench.sweep("s", 4).await;
    let worker = bench.worker("w").await;
    let wish = request(worker, 3);
    let jobs = bench.store.acquire(wish.clone(), None).await.unwrap();
    bench.report(worker, vec![reported(jobs[0].at, vec![record(1, 0.3)])], None).await;
    bench.complete(succeeded(jobs[1].at, vec![record(1, 0.5)]), None).await;
    bench.store.release(worker, vec![jobs[2].at], false, None).await.unwrap();
    bench.store.command_sweep(sweep.id, SweepCommand::Pause, None).await.unwrap();
    let before = (
        bench.store.list_sweeps().await.unwrap(),
        bench.runs(sweep.id).await,
        bench.history(sweep.id).await,
        bench.attempts(sweep.id).await,
    );
    let bench = bench.reopen().await;
    let after = (
        bench.store.list_sweeps().await.unwrap(),
        bench.runs(sweep.id).await,
        bench.history(sweep.id).await,
        bench.attempts(sweep.id).await,
    );
    assert_eq!(after, before);
    // The worker goes on as if nothing had happened.
    assert_eq!(bench.store.acquire(wish, None).await.unwrap(), jobs[..1]);
    assert_eq!(bench.complete(succeeded(jobs[0].at, vec![record(2, 0.4)]), None).await, WriteResult::Accepted);
}

/// Each write, sent twice, to two coordinators: the same answer, and nothing more in the database.
pub(crate) async fn every_request_can_be_repeated(bench: Bench) {
    let other = bench.second().await;
    let snapshot = async || {
        let mut rows = Vec::new();
        for (table, order) in
            [("sweeps", "id"), ("jobs", "id"), ("job_attempts", "job_id, attempt"), ("epochs", "job_id, attempt, step")]
        {
            rows.push(bench.query(&format!("SELECT * FROM {table} ORDER BY {order}")).await);
        }
        rows
    };
    macro_rules! twice {
        ($store:ident => $call:expr) => {{
            let first = {
                let $store = &bench.store;
                $call.await.unwrap()
            };
            let before = snapshot().await;
            let second = {
                let $store = &other;
                $call.await.unwrap()
            };
            assert_eq!(snapshot().await, before, "{}", stringify!($call));
            (first, second)
        }};
    }
    let now = at(1.0);
    let ((sweep, made), (again, made_again)) = twice!(store => store.create_sweep(new_sweep("s", 6), now));
    assert!(made && !made_again && sweep == again);
    let (first, second) = twice!(store => store.add_jobs(sweep.id, 0, (0..6).map(new_job).collect()));
    assert_eq!(first, second);
    let (worker, again) = twice!(store => store.register_worker(new_worker("w"), now));
    assert_eq!(worker, again);
    let wish = request(worker, 4);
    let (jobs, again) = twice!(store => store.acquire(wish.clone(), now));
    assert_eq!(jobs, again);
    let report = vec![reported(jobs[0].at, vec![record(1, 0.5)])];
    let (first, second) = twice!(store => store.report(worker, report.clone(), crate::store_support::TTL, now));
    assert_eq!(first, second);
    for done in [
        succeeded(jobs[0].at, vec![record(2, 0.5)]),
        failed(jobs[1].at, "once more", true),
        failed(jobs[2].at, "never", false),
    ] {
        let (first, second) = twice!(store => store.complete(done.clone(), RetryPolicy::default(), now));
        assert_eq!((first, second), (WriteResult::Accepted, WriteResult::Accepted));
    }
    let (first, second) = twice!(store => store.release(worker, vec![jobs[3].at], true, now));
    assert_eq!(first, second);
    let (first, second) = twice!(store => store.command_sweep(sweep.id, SweepCommand::Cancel, now));
    assert_eq!(first, second);
    let (first, second) = twice!(store => store.retry_sweep(sweep.id, None, now));
    assert_eq!((first.sweep, second.jobs), (second.sweep, 0));
}

/// A client that hangs up leaves no open transaction: what it started ends, and the next call finds
/// nothing of it.
pub(crate) async fn a_caller_that_hangs_up_leaves_no_transaction_behind(bench: Bench) {
    let sweep = bench.sweep("s", 300).await;
    let worker = bench.worker("w").await;
    for n in 0..60 {
        let store = bench.store.clone();
        let call = tokio::spawn(async move { store.acquire(request(worker, 1), None).await });
        // From "not yet begun" to "long done".
        tokio::time::timeout(Duration::from_micros(n * 50), async { std::future::pending::<()>().await }).await.ok();
        call.abort();
        bench.store.find_sweep("s").await.unwrap();
    }
    besom_testkit::eventually("what was begun ends", Duration::from_secs(20), async || {
        let before = bench.store.find_sweep("s").await.unwrap().counts.running;
        let open = bench.query("SELECT count(*) FROM job_attempts WHERE outcome IS NULL").await;
        open == [[before.to_string()]]
    })
    .await;
    // Every acquisition happened wholly or not at all, and the store works.
    let given = bench.acquire(worker, 300, None).await;
    let attempts = bench.attempts(sweep.id).await;
    let jobs: HashSet<_> = attempts.iter().map(|row| row.at).collect();
    assert_eq!((jobs.len(), attempts.len()), (300, 300));
    assert!(!given.is_empty());
}

/// Time moves forward for everybody, and leases end by the database's clock when nobody passes a
/// time.
pub(crate) async fn the_databases_clock_decides(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.store.register_worker(new_worker("w"), None).await.unwrap();
    let brief = besom_coordinator::store::AcquireRequest { lease_ttl: Duration::from_millis(1), ..request(worker, 1) };
    let job = bench.store.acquire(brief, None).await.unwrap().remove(0).at;
    besom_testkit::eventually("the lease ends", Duration::from_secs(10), async || {
        let settled = bench.store.expire(RetryPolicy::default(), 9, None).await.unwrap();
        settled.iter().any(|lease| lease.at == job)
    })
    .await;
    let sweep = bench.store.find_sweep("s").await.unwrap();
    let row = bench.attempts(sweep.id).await.remove(0);
    assert!(row.ended_at.unwrap() > row.started_at, "{row:?}");
}

/// The domain's rules are the tables' rules: nobody can write a row that the domain could not say.
pub(crate) async fn the_tables_refuse_rows_that_cannot_be(bench: Bench) {
    bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    bench.acquire(worker, 1, at(1.0)).await;
    for statement in [
        "UPDATE jobs SET lease_until = NULL WHERE state = 'running'",
        "UPDATE jobs SET worker_id = NULL WHERE state = 'running'",
        "UPDATE jobs SET state = 'running' WHERE state = 'queued'",
        "UPDATE jobs SET state = 'succeeded' WHERE state = 'queued'",
        "UPDATE jobs SET score = 1.0, objective = 1.0",
        "UPDATE jobs SET sweep_id = 77",
        "UPDATE jobs SET final_model = 'no such artifact'",
        "UPDATE job_attempts SET outcome = 'lost'",
        "UPDATE job_attempts SET outcome = 'lost', ended_at = 1, resumed_from = 1",
        "UPDATE job_attempts SET outcome = 'lost', ended_at = 1, resumed_from = 1, resumed_step = 1",
        "UPDATE sweeps SET state = 'completed'",
        "UPDATE sweeps SET jobs_created = jobs_total + 1",
        "UPDATE sweeps SET goal = 'upwards'",
        "UPDATE sweeps SET name = NULL",
        "INSERT INTO epochs (job_id, attempt, step, learning_rate, seconds, metrics) VALUES (1, 9, 1, 0, 0, '{}')",
    ] {
        let answer = bench.execute(statement).await;
        assert!(matches!(answer, Err(sqlx::Error::Database(_))), "{statement}: {answer:?}");
    }
    let runs = bench.query("SELECT state FROM runs ORDER BY job").await;
    assert_eq!(runs, [["running"], ["queued"]]);
}

pub(crate) async fn a_row_that_does_not_parse_is_reported_not_guessed(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    bench.execute("UPDATE sweeps SET dataset = 'not a digest'").await.unwrap();
    let error = bench.store.find_sweep("s").await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { table: "sweeps", .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("row {}: dataset is \"not a digest\"", sweep.id)), "{error}");
    assert!(!error.is_retryable());
}

pub(crate) async fn a_sweep_of_ten_thousand_jobs_is_written_in_one_batch(bench: Bench) {
    let (sweep, _) = bench.store.create_sweep(new_sweep("s", 10_000), None).await.unwrap();
    let jobs = (0..10_000).map(new_job).collect();
    assert_eq!(bench.store.add_jobs(sweep.id, 0, jobs).await.unwrap(), 10_000);
    let counts = bench.store.find_sweep("s").await.unwrap().counts;
    assert_eq!(counts.queued, 10_000);
    // In their order of work, and with their numbers unchanged.
    let rows = bench.query("SELECT learning_rate, seed FROM jobs ORDER BY id").await;
    for (n, row) in rows.iter().enumerate() {
        let rate = 0.1 / (n + 3) as f64;
        assert_eq!(*row, [format!("{rate:?}"), (n % 3 + 1).to_string()], "job {n}");
    }
    assert_eq!(bench.leaders(sweep.id).await, []);
}
