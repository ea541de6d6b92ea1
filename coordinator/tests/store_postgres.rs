//! What only a database server can do to a store: go away, come back, and keep a session half-way.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod store_support;

use std::{sync::Arc, time::Duration};

use besom_coordinator::{
    domain::{RetryPolicy, SweepId, SweepState, WorkerId, WriteResult},
    store::{
        Store, StoreError, StoreUrl, SweepCommand,
        postgres::PostgresStore,
        query::{Limits, Queries, Query, Rights},
    },
};
use besom_testkit::{
    eventually,
    postgres::{PostgresServer, Stop, database},
};
use sqlx::Connection;
use store_support::{Client, TTL, new_job, new_sweep, new_worker, record, reported, request, succeeded};

#[tokio::test]
async fn a_connection_left_in_a_transaction_is_not_handed_out_again() {
    let store = PostgresStore::open(&database().await.url).await.unwrap();
    for statements in ["BEGIN", "BEGIN; CREATE TABLE half (id int)"] {
        let mut conn = store.pool().acquire().await.unwrap();
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *conn).await.unwrap();
        sqlx::raw_sql(statements).execute(&mut *conn).await.unwrap();
        drop(conn);
        eventually("the session ends", Duration::from_secs(10), async || {
            let alive: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = $1")
                .bind(pid)
                .fetch_one(store.pool())
                .await
                .unwrap();
            alive == 0
        })
        .await;
    }
    let half: bool = sqlx::query_scalar("SELECT to_regclass('half') IS NULL").fetch_one(store.pool()).await.unwrap();
    assert!(half);
}

#[tokio::test]
async fn a_clean_connection_is_used_again() {
    let store = PostgresStore::open(&database().await.url).await.unwrap();
    let mut sessions = std::collections::HashSet::new();
    for _ in 0..30 {
        store.register_worker(new_worker("w"), None).await.unwrap();
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(store.pool()).await.unwrap();
        sessions.insert(pid);
    }
    // Others may be opened while one is being looked at after its use, up to the pool's ten; were
    // connections thrown away after their use, each of the thirty rounds would have brought new
    // ones.
    assert!(sessions.len() <= 10, "{sessions:?}");
}

#[tokio::test]
async fn every_session_has_its_limits_and_commits_to_disk() {
    let store = PostgresStore::open(&database().await.url).await.unwrap();
    for (setting, value) in [
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("synchronous_commit", "on"),
        ("jit", "off"),
    ] {
        let is: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(store.pool()).await.unwrap();
        assert_eq!(is, value, "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_go_on_while_a_crowd_reads() {
    let url = database().await.url;
    let store = Client::new(Arc::new(PostgresStore::open(&url).await.unwrap()));
    let (sweep, _) = store.create_sweep(new_sweep("s", 2), None).await.unwrap();
    store.add_jobs(sweep.id, 0, vec![new_job(0), new_job(1)]).await.unwrap();
    let worker = store.register_worker(new_worker("w"), None).await.unwrap();
    // Readers of confusion matrices stand still until this transaction ends.
    let mut holder = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE confusions IN ACCESS EXCLUSIVE MODE").execute(&mut holder).await.unwrap();
    let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
    let queries = Queries::new(&StoreUrl::parse(&url).unwrap(), Rights::OfTheUrl);
    let statement = "SELECT * FROM confusion";
    let query = || Query { statement: statement.to_owned(), parameters: Vec::new(), limits: Limits::COORDINATOR };
    let mut readers: Vec<_> = (0..40).map(|_| queries.start(query())).collect();
    eventually("as many statements run as may", Duration::from_secs(30), async || {
        sqlx::query_scalar::<_, i64>(READING).fetch_one(&mut other).await.unwrap() == 3
    })
    .await;
    let jobs = store.acquire(request(worker, 1), None).await.unwrap();
    let at = jobs[0].at;
    store.report(worker, vec![reported(at, vec![record(1, 0.5)])], TTL, None).await.unwrap();
    let done = store.complete(succeeded(at, Vec::new()), RetryPolicy::default(), None).await.unwrap();
    assert_eq!(done, WriteResult::Accepted);
    store.ping().await.unwrap();
    assert_eq!(store.queues().await.unwrap().len(), 1);
    assert_eq!(store.find_sweep("s").await.unwrap().counts.succeeded, 1);
    let sessions = "SELECT count(*) FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name = 'besom'";
    let sessions: i64 = sqlx::query_scalar(sessions).fetch_one(&mut other).await.unwrap();
    assert!(sessions <= 10, "ten times a hundred coordinators is what a server is set up for: {sessions}");
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    let mut answered = 0;
    for reader in &mut readers {
        answered += usize::from(reader.recv().await.is_some_and(|batch| batch.is_ok()));
    }
    assert!(answered >= 1, "whoever had a turn has an answer");
}

/// Statements of readers that wait for a lock.
const READING: &str = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND application_name = 'besom sql' AND wait_event_type = 'Lock'";

/// Sessions of the store that wait for a lock.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND application_name = 'besom' AND wait_event_type = 'Lock'";

/// Sweeps of so many jobs, and a worker.
async fn sweeps(store: &Client, names: &[&str], jobs: u32) -> (Vec<SweepId>, WorkerId) {
    let mut ids = Vec::new();
    for name in names {
        let (sweep, _) = store.create_sweep(new_sweep(name, jobs), None).await.unwrap();
        store.add_jobs(sweep.id, 0, (0..jobs).map(new_job).collect()).await.unwrap();
        ids.push(sweep.id);
    }
    (ids, store.register_worker(new_worker("w"), None).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_of_a_sweep_after_its_pause_was_acknowledged() {
    let url = database().await.url;
    let store = Client::new(Arc::new(PostgresStore::open(&url).await.unwrap()));
    let (ids, worker) = sweeps(&store, &["first", "second", "other"], 1).await;
    store.command_sweep(ids[2], SweepCommand::Pause, None).await.unwrap();
    let wish = request(worker, 2);
    // The grant of the first sweep's job stands still here, after both sweeps were found to have
    // one.
    let mut holder = sqlx::PgConnection::connect(&url).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    let insert = "INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, started_at, lease) \
                  SELECT id, 9, $1, 0, $2, 0, 1 FROM jobs WHERE sweep_id = $3";
    sqlx::query(insert).bind(worker.0).bind(&wish.request_id).bind(ids[2].0).execute(&mut *held).await.unwrap();
    let granted = tokio::spawn({
        let store = store.clone();
        async move { store.acquire(wish, None).await.unwrap() }
    });
    let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
    eventually("the grant waits", Duration::from_secs(10), async || {
        sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut other).await.unwrap() == 1
    })
    .await;
    store.command_sweep(ids[1], SweepCommand::Pause, None).await.unwrap();
    held.rollback().await.unwrap();
    let granted: Vec<SweepId> = granted.await.unwrap().iter().map(|job| job.sweep).collect();
    assert_eq!(granted, [ids[0]]);
}

/// A sweep that is being written, or cancelled, may be held for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_somebody_holds_keeps_only_its_own_results_waiting() {
    let url = database().await.url;
    let store = Client::new(Arc::new(PostgresStore::open(&url).await.unwrap()));
    let (ids, worker) = sweeps(&store, &["held", "free"], 12).await;
    let jobs = store.acquire(request(worker, 24), None).await.unwrap();
    let mut holder = sqlx::PgConnection::connect(&url).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("SELECT id FROM sweeps WHERE id = $1 FOR NO KEY UPDATE")
        .bind(ids[0].0)
        .execute(&mut *held)
        .await
        .unwrap();
    let mut ends: Vec<_> = jobs.iter().map(|job| (job.sweep, succeeded(job.at, vec![record(1, 0.5)]))).collect();
    // Turn by turn, so that both share each transaction.
    ends.sort_by_key(|(sweep, end)| (end.lease.at.job.0 % 12, *sweep));
    let (mut of_held, mut of_free) = (tokio::task::JoinSet::new(), tokio::task::JoinSet::new());
    for (sweep, end) in ends {
        let store = store.clone();
        let end = async move { store.complete(end, RetryPolicy::default(), None).await.unwrap() };
        if sweep == ids[0] {
            of_held.spawn(end)
        } else {
            of_free.spawn(end)
        };
    }
    assert_eq!(of_free.join_all().await, [WriteResult::Accepted; 12]);
    assert_eq!(store.find_sweep("free").await.unwrap().state, SweepState::Completed);
    assert_eq!(store.find_sweep("held").await.unwrap().counts.running, 12);
    held.rollback().await.unwrap();
    assert_eq!(of_held.join_all().await, [WriteResult::Accepted; 12]);
    assert_eq!(store.find_sweep("held").await.unwrap().state, SweepState::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_is_unavailable_and_the_store_works_when_it_is_back() {
    let server = tokio::task::spawn_blocking(PostgresServer::start_new).await.unwrap();
    let url = server.database().await.url;
    let store = PostgresStore::open(&url).await.unwrap();
    let (sweep, _) = store.create_sweep(new_sweep("s", 1), None).await.unwrap();
    for how in [Stop::Fast, Stop::Immediate] {
        let server = &server;
        tokio::task::block_in_place(|| server.stop(how));
        let error = store.register_worker(new_worker("w"), None).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(error.is_retryable());
        tokio::task::block_in_place(|| server.start());
        eventually("the store works again", Duration::from_secs(30), async || {
            store.register_worker(new_worker("w"), None).await.is_ok()
        })
        .await;
        assert_eq!(store.find_sweep("s").await.unwrap(), sweep);
    }
}

#[tokio::test]
async fn a_job_that_comes_back_from_far_before_the_others_is_handed_out_as_well() {
    let bench = store_support::postgres().await;
    bench.sweep("s", 10_020).await;
    let worker = bench.worker("w").await;
    bench.execute("UPDATE jobs SET state = 'cancelled', ended_at = 0 WHERE id <= 10010").await.unwrap();
    let first = bench.acquire(worker, 2, None).await;
    let jobs = |given: &[store_support::Given]| given.iter().map(|given| given.at.job.0).collect::<Vec<_>>();
    assert_eq!(jobs(&first), [10_011, 10_012]);
    for given in first {
        bench.complete(succeeded(given.at, vec![record(1, 0.5)]), None).await;
    }
    bench.execute("UPDATE jobs SET state = 'queued', ended_at = NULL WHERE id = 3").await.unwrap();
    let mut rest = jobs(&bench.acquire(worker, 16, None).await);
    rest.sort_unstable();
    assert_eq!(rest, [3, 10_013, 10_014, 10_015, 10_016, 10_017, 10_018, 10_019, 10_020]);
}

/// The job whose number is `job` stands far before those that were handed out last.
async fn is_handed_out_at_once(bench: &store_support::Bench, worker: besom_coordinator::domain::WorkerId, job: i64) {
    let given = bench.acquire(worker, 1, None).await;
    assert_eq!(given.iter().map(|given| given.at.job.0).collect::<Vec<_>>(), [job], "while others are queued");
}

#[tokio::test]
async fn what_is_retried_released_or_has_its_dataset_again_is_handed_out_before_what_stands_far_behind_it() {
    let bench = store_support::postgres().await;
    let sweep = bench.sweep("s", 10_040).await;
    let worker = bench.worker("w").await;
    let lease = bench.acquire(worker, 1, None).await.remove(0);
    bench.execute("UPDATE jobs SET state = 'failed', ended_at = 0, error = 'e' WHERE id = 2").await.unwrap();
    let hindered = "UPDATE jobs SET hindrance = 'artifact', not_before = 4102444800000000, hindrances = 1 WHERE id = 3";
    bench.execute("UPDATE jobs SET state = 'cancelled', ended_at = 0 WHERE id BETWEEN 4 AND 10010").await.unwrap();
    // The next look begins behind all of these.
    let far = async || {
        for _ in 0..2 {
            assert!(bench.acquire(worker, 1, None).await[0].at.job.0 > 10_010);
        }
    };
    bench.execute("UPDATE jobs SET state = 'cancelled', ended_at = 0 WHERE id = 3").await.unwrap();
    far().await;
    bench.store.release(worker, vec![lease.at], false, None).await.unwrap();
    is_handed_out_at_once(&bench, worker, 1).await;
    far().await;
    bench.store.retry_sweep(sweep.id, Some(besom_coordinator::domain::JobId(2)), None).await.unwrap();
    is_handed_out_at_once(&bench, worker, 2).await;
    far().await;
    bench.execute("UPDATE jobs SET state = 'queued', ended_at = NULL WHERE id = 3").await.unwrap();
    bench.execute(hindered).await.unwrap();
    bench.store.dataset_is_there(store_support::digest(0xda7a)).await.unwrap();
    is_handed_out_at_once(&bench, worker, 3).await;
}
