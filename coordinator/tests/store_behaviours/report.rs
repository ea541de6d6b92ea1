use besom_coordinator::domain::{
    AttemptRef, Directive, EpochRecord, JobId, NewSweep, NewWorker, RetryPolicy, Trainers, WriteResult,
};

use sqlx::Connection;

use crate::store_support::{
    Bench, assert_invalid_state, at, failed, new_sweep, new_worker, record, reported, succeeded, told,
};

pub(crate) async fn records_come_back_bit_for_bit(bench: Bench) {
    // The perceptron's accuracies end at 1.
    let sweep = bench.sweep_of(NewSweep { trainer: "program".to_owned(), ..new_sweep("s", 8) }).await;
    let new = NewWorker { trainers: Trainers([("program".to_owned(), 1)].into()), ..new_worker("w") };
    let worker = bench.store.register_worker(new, at(0.0)).await.unwrap();
    let jobs = bench.acquire(worker, 8, at(0.0)).await;
    // Numbers whose shortest decimal form has 17 digits, and the extremes, a job each.
    let odd = [0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE, f64::MAX, 5e-324, 1.0, 123_456_789.123_456_78, 2.0_f64.sqrt()];
    let records: Vec<EpochRecord> = odd
        .iter()
        .map(|&value| {
            let metrics = [("loss", value), ("val_loss", -value), ("val_accuracy", value), ("ünï", value), ("b", 0.0)];
            EpochRecord { learning_rate: Some(value), seconds: Some(value), ..told(1, &metrics) }
        })
        .collect();
    let reports = jobs.iter().zip(&records).map(|(job, record)| reported(job.at, vec![record.clone()])).collect();
    assert!(bench.report(worker, reports, at(1.0)).await.iter().all(|answer| *answer == Directive::Continue));
    let history = bench.history(sweep.id).await;
    let expected: Vec<_> = jobs.iter().zip(records).map(|(job, record)| (job.at, vec![record])).collect();
    assert_eq!(history, expected);
}

pub(crate) async fn a_number_that_is_not_finite_is_stored_as_none(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(0.0)).await.remove(0).at;
    let odd = [("loss", f64::NAN), ("val_loss", f64::INFINITY), ("not", f64::NEG_INFINITY)];
    let finite = [("accuracy", 0.5), ("finite", 1.0)];
    let wild = told(1, &[&odd[..], &finite].concat());
    bench.report(worker, vec![reported(job, vec![wild.clone()])], at(1.0)).await;
    let stored = bench.history(sweep.id).await.remove(0).1.remove(0);
    assert_eq!(stored, told(1, &finite));
    let again = bench.report(worker, vec![reported(job, vec![wild])], at(2.0)).await;
    assert_eq!(again, [Directive::Continue], "it is the same record");
}

pub(crate) async fn a_record_that_is_there_is_left_as_it_is(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(0.0)).await.remove(0).at;
    bench.report(worker, vec![reported(job, vec![record(1, 0.5)])], at(1.0)).await;
    // The answer was lost; the worker sends it again with the next one.
    let again = vec![record(1, 0.5), record(2, 0.6)];
    assert_eq!(bench.report(worker, vec![reported(job, again)], at(2.0)).await, [Directive::Continue]);
    let other = vec![record(1, 0.9), record(2, 0.6)];
    let answer = bench.report(worker, vec![reported(job, other)], at(3.0)).await;
    assert!(matches!(&answer[..], [Directive::Refused(problem)] if problem.contains("epoch 1")), "{answer:?}");
    let history = bench.history(sweep.id).await;
    assert_eq!(history, [(job, vec![record(1, 0.5), record(2, 0.6)])]);
}

pub(crate) async fn answers_come_in_the_order_of_the_reports_and_a_stale_job_spoils_none(bench: Bench) {
    let sweep = bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    let jobs: Vec<AttemptRef> = bench.acquire(worker, 3, at(0.0)).await.iter().map(|job| job.at).collect();
    bench.complete(succeeded(jobs[1], vec![record(1, 0.5)]), at(1.0)).await;
    let reports = vec![
        reported(jobs[2], vec![record(1, 0.3)]),
        reported(AttemptRef { job: JobId(777), attempt: 1 }, vec![record(1, 0.3)]),
        reported(jobs[1], vec![record(2, 0.3)]),
        reported(AttemptRef { attempt: 2, ..jobs[0] }, vec![record(1, 0.3)]),
        reported(jobs[0], vec![record(1, 0.1)]),
    ];
    use Directive::{Continue, LeaseLost};
    assert_eq!(bench.report(worker, reports, at(2.0)).await, [Continue, LeaseLost, LeaseLost, LeaseLost, Continue]);
    let history = bench.history(sweep.id).await;
    let expected = [(jobs[0], vec![record(1, 0.1)]), (jobs[1], vec![record(1, 0.5)]), (jobs[2], vec![record(1, 0.3)])];
    assert_eq!(history, expected);
}

pub(crate) async fn a_report_renews_the_lease(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(0.0)).await.remove(0).at;
    assert_eq!(bench.report(worker, vec![reported(job, vec![])], at(25.0)).await, [Directive::Continue]);
    assert!(bench.store.expire(RetryPolicy::default(), 10, at(54.999)).await.unwrap().is_empty());
    assert_eq!(bench.store.expire(RetryPolicy::default(), 10, at(55.0)).await.unwrap()[0].at, job);
}

pub(crate) async fn a_lease_past_its_deadline_counts_until_somebody_settles_it(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(0.0)).await.remove(0).at;
    assert_eq!(bench.report(worker, vec![reported(job, vec![])], at(1000.0)).await, [Directive::Continue]);
    assert!(bench.store.expire(RetryPolicy::default(), 10, at(1001.0)).await.unwrap().is_empty());
}

pub(crate) async fn a_delayed_report_does_not_shorten_the_lease(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(0.0)).await.remove(0).at;
    bench.report(worker, vec![reported(job, vec![])], at(20.0)).await;
    bench.report(worker, vec![reported(job, vec![])], at(5.0)).await;
    assert!(bench.store.expire(RetryPolicy::default(), 10, at(49.0)).await.unwrap().is_empty());
}

pub(crate) async fn an_attempt_that_was_replaced_is_told_so(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let slow = bench.worker("slow").await;
    let fast = bench.worker("fast").await;
    let old = bench.acquire(slow, 1, at(0.0)).await.remove(0).at;
    bench.report(slow, vec![reported(old, vec![record(1, 0.1)])], at(1.0)).await;
    bench.store.expire(RetryPolicy::default(), 10, at(31.0)).await.unwrap();
    let new = bench.acquire(fast, 1, at(32.0)).await.remove(0).at;
    assert_eq!((new.job, new.attempt), (old.job, 2));
    let late = reported(old, vec![record(2, 0.2)]);
    assert_eq!(bench.report(slow, vec![late], at(33.0)).await, [Directive::LeaseLost]);
    assert!(bench.history(sweep.id).await.is_empty(), "nothing of the current attempt");
    bench.report(fast, vec![reported(new, vec![record(1, 0.3)])], at(34.0)).await;
    assert_eq!(bench.history(sweep.id).await, [(new, vec![record(1, 0.3)])]);
    assert_eq!(bench.complete(failed(old, "late", true), at(35.0)).await, WriteResult::LeaseLost);
}

pub(crate) async fn records_that_cannot_be_are_refused(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(0.0)).await.remove(0).at;
    for (bad, words) in [
        (EpochRecord { learning_rate: Some(f64::NAN), ..record(1, 0.5) }, "finite"),
        (EpochRecord { seconds: Some(f64::INFINITY), ..record(1, 0.5) }, "finite"),
    ] {
        let answer = bench.store.report(worker, vec![reported(job, vec![bad])], crate::store_support::TTL, at(1.0));
        assert_invalid_state(answer.await, words);
    }
}

pub(crate) async fn an_empty_report_is_fine(bench: Bench) {
    let worker = bench.worker("w").await;
    assert!(bench.report(worker, Vec::new(), at(1.0)).await.is_empty());
}

/// Calls that come at once share a transaction: whatever one of them sends, the others are
/// answered.
pub(crate) async fn an_attempt_that_is_reported_twice_at_once_spoils_no_other_report(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let (twice, other) = (bench.worker("twice").await, bench.worker("other").await);
    let again = bench.acquire(twice, 1, at(0.0)).await.remove(0).at;
    let once = bench.acquire(other, 1, at(0.0)).await.remove(0).at;
    let calls = (0..24).map(|call| {
        let (worker, job) = if call % 3 == 0 { (other, once) } else { (twice, again) };
        bench.report(worker, vec![reported(job, vec![record(1, 0.5), record(2, 0.5)])], None)
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == [Directive::Continue]), "{answers:?}");
    let records = vec![record(1, 0.5), record(2, 0.5)];
    assert_eq!(bench.history(sweep.id).await, [(again, records.clone()), (once, records)]);
}

/// Whoever writes a worker's row - it leaves, say, and waits for a sweep - keeps no renewal
/// waiting.
pub(crate) async fn a_renewal_waits_for_no_row_of_its_worker(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(0.0)).await.remove(0).at;
    if bench.is_sqlite() {
        // It has one writer.
        return;
    }
    let mut other = sqlx::PgConnection::connect(&bench.url()).await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::query("UPDATE workers SET left_at = NULL").execute(&mut *held).await.unwrap();
    bench.store.note_seen(vec![(worker, std::time::Duration::ZERO)]).await.unwrap();
    assert_eq!(bench.report(worker, vec![reported(job, vec![])], at(60.0)).await, [Directive::Continue]);
    assert_eq!(bench.complete(succeeded(job, vec![record(1, 0.5)]), at(61.0)).await, WriteResult::Accepted);
    held.rollback().await.unwrap();
}
