//! A worker can only do what is its own: what it may write is compared with whom the lease was
//! granted to, and with what its job allows.

use besom_coordinator::{
    domain::{
        Completion, Confusion, Directive, EpochRecord, JobOutcome, JobState, Key, Lease, NewSweep, RetryPolicy,
        Session, Timestamp, WorkerId, WriteResult,
    },
    store::{AcquireRequest, JobReport, Store, StoreError},
};

use crate::store_support::{
    Bench, TTL, assert_invalid_state, at, completion, digest, failed, new_job, new_sweep, new_worker, record, reported,
    request, succeeded,
};

/// A job of five epochs that has no patience.
async fn strict(bench: &Bench, name: &str) -> besom_coordinator::domain::Sweep {
    let (sweep, _) =
        bench.store.create_sweep(NewSweep { classes: Some(2), ..new_sweep(name, 1) }, at(0.0)).await.unwrap();
    let mut job = new_job(0);
    job.params.insert("patience".to_owned(), serde_json::Value::Null);
    bench.store.add_jobs(sweep.id, 0, vec![job]).await.unwrap();
    sweep
}

/// Every call of a worker that could change something, under this session and lease.
async fn attempts_at(store: &dyn Store, session: Session, lease: Lease, config_hash: &str) -> Vec<String> {
    let now = Some(Timestamp(at(2.0).unwrap().0));
    let done = Completion {
        lease,
        config_hash: config_hash.to_owned(),
        ..succeeded(lease.at, (1..=5).map(|epoch| record(epoch, 0.99)).collect())
    };
    let report = vec![JobReport { lease, epochs: vec![record(1, 0.99)] }];
    let outcome = |answer: Result<String, StoreError>| match answer {
        Ok(answer) => answer,
        Err(StoreError::NotFound { .. }) => "unknown".to_owned(),
        Err(error) => panic!("{error:?}"),
    };
    vec![
        outcome(store.report(session, report, TTL, now).await.map(|answers| format!("{:?}", answers[0]))),
        outcome(store.complete(session, done, RetryPolicy::default(), now).await.map(|answer| format!("{answer:?}"))),
        outcome(store.release(session, vec![lease], false, now).await.map(|answers| format!("{:?}", answers[0]))),
    ]
}

pub(crate) async fn an_attempt_is_its_workers_alone(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let (owner, other) = (bench.worker("owner").await, bench.worker("other").await);
    let given = bench.acquire(owner, 1, at(1.0)).await.remove(0);
    let (session, lease) = (bench.store.session(owner), bench.store.lease(given.at));
    let rows = async || {
        let mut rows = bench.query("SELECT * FROM jobs").await;
        rows.extend(bench.query("SELECT * FROM job_attempts").await);
        rows.extend(bench.query("SELECT * FROM epochs").await);
        rows
    };
    let before = rows().await;
    let lost = ["LeaseLost", "LeaseLost", "LeaseLost"];
    let unknown = ["unknown", "unknown", "unknown"];
    let strangers = [
        (bench.store.session(other), lease, lost, "another worker"),
        (session, Lease { number: lease.number ^ 1, ..lease }, lost, "another lease"),
        (Session { secret: Key::random(), ..session }, lease, unknown, "another secret"),
        (Session { store: Key::random(), ..session }, lease, unknown, "another store"),
        (Session { worker: WorkerId(77), ..session }, lease, unknown, "a worker that never registered"),
        (Session { worker: other, ..session }, lease, unknown, "another worker's number"),
    ];
    for (caller, lease, expected, who) in strangers {
        let answers = attempts_at(&*bench.store.arc(), caller, lease, &given.config_hash).await;
        assert_eq!(answers, expected, "{who}");
        assert_eq!(rows().await, before, "{who}");
    }
    let wish = AcquireRequest { session: Session { secret: Key::random(), ..session }, ..request(owner, 1) };
    let answer = bench.store.arc().acquire(wish, at(2.0)).await;
    assert!(matches!(answer, Err(StoreError::NotFound { .. })), "{answer:?}");
    assert_eq!(bench.complete(succeeded(given.at, vec![record(1, 0.5)]), at(3.0)).await, WriteResult::Accepted);
    // What was accepted is nobody else's either.
    let late = bench.store.session(other);
    let again = Completion { lease, config_hash: given.config_hash, ..succeeded(given.at, vec![record(1, 0.5)]) };
    let answer = bench.store.arc().complete(late, again, RetryPolicy::default(), at(4.0)).await.unwrap();
    assert_eq!(answer, WriteResult::LeaseLost);
    assert_eq!(bench.runs(sweep.id).await[0].objective, Some(0.5));
}

pub(crate) async fn a_result_of_another_configuration_is_not_taken(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let given = bench.acquire(worker, 1, at(1.0)).await.remove(0);
    let (session, lease) = (bench.store.session(worker), bench.store.lease(given.at));
    let done =
        |hash: &str| Completion { lease, config_hash: hash.to_owned(), ..succeeded(given.at, vec![record(1, 0.914)]) };
    let store = bench.store.arc();
    let foreign = store.complete(session, done(digest(1).as_str()), RetryPolicy::default(), at(2.0)).await.unwrap();
    assert_eq!(foreign, WriteResult::LeaseLost);
    assert_eq!(bench.runs(sweep.id).await[0].state, JobState::Running);
    let own = store.complete(session, done(&given.config_hash), RetryPolicy::default(), at(3.0)).await.unwrap();
    assert_eq!(own, WriteResult::Accepted);
}

pub(crate) async fn every_store_and_every_lease_is_one_of_its_kind(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let mut numbers = std::collections::HashSet::new();
    for round in 1..=20 {
        let given = bench.acquire(worker, 1, at(f64::from(round))).await.remove(0);
        assert!(numbers.insert(bench.store.lease(given.at).number));
        bench.store.release(worker, vec![given.at], false, at(f64::from(round))).await.unwrap();
    }
    assert_eq!(bench.runs(sweep.id).await[0].attempts, 20);
    let (first, second) = (bench.store.session(worker), bench.store.session(bench.worker("second").await));
    assert!(first.store == second.store && first.secret != second.secret);
    let other = crate::store_support::sqlite().await;
    assert_ne!(other.store.session(other.worker("w").await).store, first.store);
    let columns = bench.columns("worker_status").await.join(" ");
    assert!(!columns.contains("secret"), "{columns}");
}

pub(crate) async fn a_worker_that_registers_again_keeps_its_session(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let session = bench.store.session(worker);
    let given = bench.acquire(worker, 1, at(1.0)).await.remove(0);
    assert_eq!(bench.store.arc().register_worker(new_worker("w"), at(2.0)).await.unwrap(), session);
    assert_eq!(bench.report(worker, vec![reported(given.at, vec![])], at(3.0)).await, [Directive::Continue]);
}

pub(crate) async fn records_follow_one_another_up_to_the_jobs_epochs(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let send =
        async |epochs: Vec<EpochRecord>| bench.report(worker, vec![reported(job, epochs)], at(2.0)).await.remove(0);
    for far in [u32::MAX, 401, 6, 2] {
        let answer = send(vec![record(far, 0.5)]).await;
        assert!(matches!(&answer, Directive::Refused(problem) if problem.contains(&far.to_string())), "{answer:?}");
    }
    assert_eq!(bench.history(sweep.id).await, []);
    assert_eq!(send(vec![record(1, 0.1), record(2, 0.2)]).await, Directive::Continue);
    // A repetition is the same; another number is not, wherever it stands.
    assert_eq!(send(vec![record(1, 0.1), record(2, 0.2)]).await, Directive::Continue);
    for other in [vec![record(1, 0.3)], vec![record(2, 0.3), record(3, 0.4)], vec![record(4, 0.4)]] {
        let answer = send(other.clone()).await;
        assert!(matches!(answer, Directive::Refused(_)), "{other:?}: {answer:?}");
    }
    let whole: Vec<_> = (1..=5).map(|epoch| record(epoch, 0.1 * f64::from(epoch))).collect();
    for (rest, words) in [
        (vec![record(2, 0.9), record(3, 0.3)], "epoch 2 again as it is stored"),
        (vec![record(4, 0.4)], "expected a record of epoch 3"),
        ((3..=6).map(|epoch| record(epoch, 0.1)).collect(), "expected epochs from 1 to 5"),
    ] {
        for outcome in [JobOutcome::Succeeded, JobOutcome::Failed { error: "no".to_owned(), retryable: true }] {
            let done = completion(job, outcome, rest.clone());
            assert_invalid_state(bench.store.complete(done, RetryPolicy::default(), at(3.0)).await, words);
        }
    }
    assert_eq!(bench.history(sweep.id).await, [(job, whole[..2].to_vec())]);
    assert_eq!(bench.complete(succeeded(job, whole[1..].to_vec()), at(4.0)).await, WriteResult::Accepted);
    assert_eq!(bench.history(sweep.id).await, [(job, whole)]);
}

pub(crate) async fn an_outcome_is_borne_out_by_its_records(bench: Bench) {
    let sweep = strict(&bench, "s").await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let session = bench.store.session(worker);
    let hash = digest(0).as_str().to_owned();
    let end = async |outcome: JobOutcome, epochs: Vec<EpochRecord>| {
        let done =
            Completion { lease: bench.store.lease(job), config_hash: hash.clone(), ..completion(job, outcome, epochs) };
        bench.store.arc().complete(session, done, RetryPolicy::default(), at(2.0)).await
    };
    let records = |epochs: u32| (1..=epochs).map(|epoch| record(epoch, 0.5)).collect::<Vec<_>>();
    for (outcome, epochs, words) in [
        (JobOutcome::Succeeded, records(0), "all 5 epochs"),
        (JobOutcome::Succeeded, records(4), "all 5 epochs"),
        (JobOutcome::Diverged, records(3), "not finite"),
        (JobOutcome::Diverged, records(0), "diverged"),
        (JobOutcome::Stopped, records(3), "told to"),
    ] {
        assert_invalid_state(end(outcome, epochs).await, words);
    }
    assert_eq!(bench.runs(sweep.id).await[0].state, JobState::Running);
    assert_eq!(bench.query("SELECT count(*) FROM epochs").await, [["0"]]);
    bench.tell_to_stop(job).await;
    assert_eq!(bench.report(worker, vec![reported(job, records(2))], at(2.0)).await, [Directive::StopEarly]);
    assert_eq!(end(JobOutcome::Stopped, records(3)).await.unwrap(), WriteResult::Accepted);
    assert_eq!(bench.runs(sweep.id).await[0].state, JobState::Stopped);
}

pub(crate) async fn a_confusion_matrix_has_the_datasets_classes(bench: Bench) {
    let sweep = strict(&bench, "s").await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let records: Vec<_> = (1..=5).map(|epoch| record(epoch, 0.5)).collect();
    let matrix = |classes: u32| Confusion::of_rows(classes, &vec![1; (classes * classes) as usize]);
    let done = |classes| Completion { confusion: Some(matrix(classes)), ..succeeded(job, records.clone()) };
    let answer = bench.store.complete(done(255), RetryPolicy::default(), at(2.0)).await;
    assert_invalid_state(answer, "the dataset's 2 classes");
    assert_eq!(bench.complete(done(2), at(3.0)).await, WriteResult::Accepted);
    assert_eq!(bench.confusions(sweep.id).await.len(), 1);
}

pub(crate) async fn a_worker_holds_no_more_jobs_than_it_registered_slots(bench: Bench) {
    bench.sweep("s", 9).await;
    let new = besom_coordinator::domain::NewWorker { slots: 2, ..new_worker("w") };
    let session = bench.store.arc().register_worker(new, at(0.0)).await.unwrap();
    let ask = async |slots: Vec<u32>| {
        let wish = AcquireRequest { session, slots, ..request(session.worker, 0) };
        bench.store.arc().acquire(wish, at(1.0)).await.map(|acquired| (acquired.assignments.len(), acquired.looked))
    };
    assert_invalid_state(ask((0..9).collect()).await, "expected slots from 0 to 1");
    assert_eq!(ask(vec![1]).await.unwrap(), (1, true));
    // Whatever it asks for again: only the other slot is free.
    assert_eq!(ask(vec![0, 1]).await.unwrap(), (1, true));
    assert_eq!(ask(vec![0, 1]).await.unwrap(), (0, false), "what waits for others is not known by this");
    assert_eq!(bench.store.find_sweep("s").await.unwrap().counts.running, 2);
}

pub(crate) async fn a_worker_that_is_gone_and_held_nothing_is_forgotten_after_a_day(bench: Bench) {
    bench.sweep("s", 1).await;
    let (idle, busy) = (bench.worker("idle").await, bench.worker("busy").await);
    assert_eq!(bench.acquire(busy, 1, at(1.0)).await.len(), 1);
    let day = 24.0 * 3600.0;
    assert_eq!(bench.store.forget_workers(at(day - 60.0)).await.unwrap(), 0);
    assert_eq!(bench.store.forget_workers(at(day + 60.0)).await.unwrap(), 1);
    let left = bench.query("SELECT id FROM workers").await;
    assert_eq!(left, [[busy.to_string()]], "an attempt names the other");
    // It may come back, as a new one.
    let again = bench.store.acquire(request(idle, 1), at(day + 61.0)).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
    bench.worker("idle").await;
}

pub(crate) async fn registrations_are_bounded(bench: Bench) {
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)";
    let fill = |seen: i64| {
        format!(
            "{numbers} INSERT INTO workers (instance, name, host, slots, build, trainers, device, registered_at, \
             last_seen_at, has_leased) SELECT 'stranger ' || i, 'w', 'h', 1, 'b', '{{}}', 'cpu', {seen}, {seen}, 0 FROM n"
        )
    };
    let insert = |sql: String| match bench.is_sqlite() {
        true => sql
            .replace(&format!("{numbers} INSERT"), "INSERT")
            .replace(" SELECT 'stranger", &format!(" {numbers} SELECT 'stranger")),
        false => sql,
    };
    let now = at(0.0).unwrap().0;
    bench.execute(&insert(fill(now))).await.unwrap();
    let refused = bench.store.register_worker(new_worker("w"), at(1.0)).await;
    assert!(matches!(refused, Err(StoreError::TooMany { .. })), "{refused:?}");
    // Those that have not called for long make room.
    bench.store.register_worker(new_worker("w"), at(601.0)).await.unwrap();
    assert_eq!(bench.query("SELECT count(*) FROM workers").await, [["1"]]);
}

pub(crate) async fn counts_are_those_of_the_jobs(bench: Bench) {
    let sweep = bench.sweep("s", 8).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 6, at(1.0)).await;
    bench.complete(succeeded(jobs[0].at, vec![record(1, 0.5)]), at(2.0)).await;
    bench.complete(completion(jobs[1].at, JobOutcome::Diverged, vec![record(1, 0.5)]), at(2.0)).await;
    bench.complete(failed(jobs[2].at, "never", false), at(2.0)).await;
    bench.complete(failed(jobs[3].at, "again", true), at(2.0)).await;
    bench.tell_to_stop(jobs[4].at).await;
    bench.complete(completion(jobs[4].at, JobOutcome::Stopped, vec![record(1, 0.5)]), at(2.0)).await;
    let compare = async || {
        let kept = bench.store.find_sweep("s").await.unwrap().counts;
        let counted = bench
            .query(
                "SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running'), \
                 count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'stopped'), \
                 count(*) FILTER (WHERE state = 'diverged'), count(*) FILTER (WHERE state = 'failed'), \
                 count(*) FILTER (WHERE state = 'cancelled') FROM jobs",
            )
            .await;
        let kept =
            [kept.queued, kept.running, kept.succeeded, kept.stopped, kept.diverged, kept.failed, kept.cancelled];
        assert_eq!(counted, [kept.map(|count| count.to_string())]);
        kept
    };
    assert_eq!(compare().await, [3, 1, 1, 1, 1, 1, 0]);
    bench.store.command_sweep(sweep.id, besom_coordinator::store::SweepCommand::Cancel, at(3.0)).await.unwrap();
    assert_eq!(compare().await, [0, 0, 1, 1, 1, 1, 4]);
    let progress = bench.store.progress(sweep.id).await.unwrap();
    assert_eq!((progress.epochs_done, progress.epochs_total), (40, 40));
}
