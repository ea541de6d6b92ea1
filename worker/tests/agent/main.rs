//! The worker's agent against a scripted coordinator: leases, outages, directives, results,
//! shutdown.

#![allow(clippy::unwrap_used, reason = "tests, and what they share")]

mod fake;
mod hung;
mod refusals;
mod script;

use std::time::Duration;

use besom_proto::v1;
use besom_worker::agent::{WorkerError, WorkerEvent};
use tonic::Status;

use crate::fake::sha256;
use crate::script::{Play, Script, coordinator, dataset, job, work, work_for, work_in_earnest};

/// Long enough that no test meets its end.
const LONG: Duration = Duration::from_secs(30);

/// Short enough that a test can wait for its end.
const SHORT: Duration = Duration::from_secs(2);

fn epochs(records: &[v1::EpochRecord]) -> Vec<u64> {
    records.iter().map(|record| record.step).collect()
}

#[tokio::test]
async fn a_job_is_trained_and_its_result_delivered() {
    let fake = coordinator(LONG, [1]);
    let mut worker = work(&fake, 1, Script::all(Play::Finish(3)));
    assert_eq!(worker.outcome(1).await, ("succeeded", None));
    fake.with(|state| {
        let done = &state.completed[0];
        assert_eq!(done.outcome(), v1::Outcome::Succeeded);
        assert_eq!(
            (done.final_model.clone(), done.best_model.clone()),
            (sha256(&b"final".repeat(300_000)), sha256(&b"best".repeat(300_000)))
        );
        assert!(state.artifacts.contains_key(&done.final_model) && state.artifacts.contains_key(&done.best_model));
        assert_eq!(
            done.confusion,
            Some(v1::Confusion { classes: 2, counts: vec![1, 0, 0, 1], ..v1::Confusion::default() })
        );
        assert_eq!(done.seconds, 1.5);
        let mut all = state.reported_epochs(1);
        all.extend(epochs(&done.epochs));
        assert_eq!(all.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((state.registered[0].name.as_str(), state.registered[0].slots), ("tester", 1));
    });
    worker.drain().await;
}

#[tokio::test]
async fn an_epoch_record_arrives_as_it_was() {
    let fake = coordinator(LONG, [1]);
    let worker = work(&fake, 1, Script::all(Play::Hold(1)));
    fake.until("a report", |state| !state.reported_epochs(1).is_empty()).await;
    fake.with(|state| {
        let records = state.reported.iter().flat_map(|(_, report)| &report.jobs[0].epochs);
        let first = records.into_iter().next().unwrap();
        let metrics: [(&str, f64); 4] = [("loss", 1.0), ("accuracy", 0.5), ("val_accuracy", 0.25), ("extra", 3.0)];
        assert_eq!(first.metrics, metrics.map(|(name, value)| (name.to_owned(), value)).into());
        assert_eq!((first.step, first.learning_rate, first.seconds), (1, Some(0.01), Some(0.001)));
    });
    worker.drain().await;
}

#[tokio::test]
async fn a_real_job_comes_back_with_its_model_and_numbers() {
    let fake = coordinator(LONG, [1]);
    let mut worker = work_in_earnest(&fake);
    assert_eq!(worker.outcome(1).await, ("succeeded", None));
    fake.with(|state| {
        let done = &state.completed[0];
        let reported = state.reported.iter().flat_map(|(_, report)| &report.jobs[0].epochs);
        let record = reported.chain(&done.epochs).next().unwrap();
        assert!(record.metrics["loss"].is_finite() && record.metrics.contains_key("val_accuracy"), "{record:?}");
        let model = &state.artifacts[&done.final_model];
        let header = usize::try_from(u64::from_le_bytes(model[..8].try_into().unwrap())).unwrap();
        let header = std::str::from_utf8(&model[8..8 + header]).unwrap();
        assert!(header.contains("layers.0.weight"), "{header}");
        assert_eq!(done.confusion.as_ref().unwrap().counts.iter().sum::<u32>(), 1, "one row is tested");
    });
    worker.drain().await;
}

#[tokio::test]
async fn an_acquire_whose_answer_got_lost_is_repeated_with_the_same_request_id() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.lost_answers.insert("acquire", 2));
    let mut worker = work(&fake, 1, Script::default());
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    fake.with(|state| {
        let ids: Vec<&str> = state.acquired.iter().map(|request| request.request_id.as_str()).collect();
        assert_eq!((ids[0], ids[1]), (ids[1], ids[2]));
        assert!(ids[3..].iter().all(|id| *id != ids[0]), "a new wish has a new id");
        assert!(state.renewals(1) > 0, "a lease of unknown age is renewed before it is used");
        assert_eq!(state.completed.len(), 1);
    });
    worker.drain().await;
}

#[tokio::test]
async fn a_worker_asks_for_as_many_jobs_as_slots_are_free() {
    let fake = coordinator(LONG, [1, 2]);
    let mut worker = work(&fake, 3, Script::all(Play::Hold(1)));
    fake.until("two jobs run", |state| state.reported_epochs(2).len() == 1 && state.acquired.len() == 2).await;
    fake.with(|state| {
        assert_eq!(state.acquired[0].free_slots, [0, 1, 2]);
        assert_eq!(state.acquired[1].free_slots, [2]);
        state.jobs.push(job(3));
    });
    fake.until("a third runs", |state| state.reported_epochs(3).len() == 1).await;
    worker.script.set(2, Play::Finish(1));
    worker.outcome(2).await;
    fake.until("it asks for the free slot", |state| state.acquired.last().unwrap().free_slots == [1]).await;
    worker.drain().await;
}

#[tokio::test]
async fn a_lost_lease_drops_the_job_and_the_worker_takes_the_next() {
    let fake = coordinator(LONG, [1, 2]);
    fake.with(|state| state.directives.insert(1, v1::Directive::LeaseLost));
    let mut worker = work(&fake, 1, Script::default());
    worker.script.set(1, Play::Hold(1));
    assert_eq!(worker.outcome(1).await.0, "lost");
    assert_eq!(worker.outcome(2).await.0, "succeeded");
    fake.with(|state| {
        assert_eq!(state.completed.len(), 1, "a dropped job has no result");
        assert_eq!(state.renewals(1), 1, "and is not reported again");
    });
    worker.drain().await;
    assert!(fake.with(|state| state.released[0].attempts.is_empty()), "and nothing is left of it to give back");
}

#[tokio::test]
async fn a_cancelled_job_is_dropped() {
    let fake = coordinator(LONG, [1]);
    let mut worker = work(&fake, 1, Script::all(Play::Hold(1)));
    fake.until("it runs", |state| state.renewals(1) > 0).await;
    fake.with(|state| state.directives.insert(1, v1::Directive::Cancelled));
    worker.script.set(1, Play::Hold(2));
    assert_eq!(worker.outcome(1).await.0, "cancelled");
    assert!(fake.with(|state| state.completed.is_empty()));
    worker.drain().await;
}

#[tokio::test]
async fn a_job_that_is_stopped_early_ends_with_what_there_is() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.directives.insert(1, v1::Directive::StopEarly));
    let mut worker = work(&fake, 1, Script::all(Play::Hold(2)));
    assert_eq!(worker.outcome(1).await, ("stopped", None));
    fake.with(|state| {
        assert_eq!(state.completed[0].outcome(), v1::Outcome::Stopped);
        assert!(!state.completed[0].final_model.is_empty());
    });
    worker.drain().await;
}

#[tokio::test]
async fn records_that_no_report_brought_arrive_with_the_completion() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.failing.insert("report"));
    let mut worker = work(&fake, 1, Script::all(Play::Finish(5)));
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    fake.with(|state| assert_eq!(epochs(&state.completed[0].epochs), [1, 2, 3, 4, 5]));
    worker.drain().await;
}

#[tokio::test]
async fn records_that_a_slow_link_does_not_bring_at_once_are_sent_in_parts() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.most_records = Some(100));
    let worker = work(&fake, 1, Script::all(Play::Hold(300)));
    fake.until("all have arrived", |state| state.reported_epochs(1).len() == 300).await;
    worker.drain().await;
}

#[tokio::test]
async fn a_completion_is_repeated_until_it_is_acknowledged() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.lost_answers.insert("complete", 3));
    let mut worker = work(&fake, 1, Script::default());
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    fake.with(|state| assert_eq!((state.completions_received, state.completed.len()), (4, 1)));
    worker.drain().await;
}

#[tokio::test]
async fn a_coordinator_without_room_or_store_is_waited_for_at_every_call() {
    for status in [tonic::Status::resource_exhausted("no space left"), tonic::Status::unavailable("the store is away")]
    {
        let fake = coordinator(LONG, []);
        fake.with(|state| {
            state.refused = ["register", "acquire", "report", "complete"].map(|kind| (kind, status.clone())).into();
        });
        let mut worker = work(&fake, 1, Script::default());
        worker.told("registrations fail", |event| matches!(event, WorkerEvent::Away { .. })).await;
        fake.with(|state| state.refused.remove("register"));
        fake.until("wishes fail", |state| state.acquired.len() >= 3).await;
        fake.with(|state| {
            state.refused.remove("acquire");
            state.jobs.push(job(1));
        });
        fake.until("reports fail", |state| state.reports_received >= 3).await;
        fake.with(|state| state.refused.remove("report"));
        fake.until("completions fail", |state| state.completions_received >= 3).await;
        fake.with(|state| {
            assert!(state.completed.is_empty(), "{:?}", state.completed);
            state.refused.clear();
        });
        assert_eq!(worker.outcome(1).await.0, "succeeded");
        worker.drain().await;
    }
}

#[tokio::test]
async fn a_finished_result_outlives_an_outage_longer_than_its_lease() {
    let fake = coordinator(SHORT, [1]);
    fake.with(|state| state.failing.extend(["complete", "report"]));
    let mut worker = work(&fake, 1, Script::default());
    worker.told("the outage", |event| matches!(event, WorkerEvent::Away { .. })).await;
    let away = std::time::Instant::now();
    // The completion is tried ever more rarely: after so many tries the lease is over.
    fake.until("tries beyond the lease", |state| state.completions_received >= 5 && away.elapsed() > SHORT).await;
    fake.with(|state| state.failing.clear());
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    worker.drain().await;
}

#[tokio::test]
async fn a_worker_fences_itself() {
    let fake = coordinator(SHORT, [1]);
    let mut worker = work(&fake, 1, Script::all(Play::Hold(1)));
    fake.until("it is renewed", |state| state.renewals(1) >= 2).await;
    let renewed = fake.with(|state| {
        state.away = true;
        state.reported.last().unwrap().0
    });
    let (outcome, error) = worker.outcome(1).await;
    let dropped = renewed.elapsed();
    assert_eq!((outcome, error.as_deref()), ("lost", Some("the lease could not be renewed in time")));
    assert!(dropped < SHORT, "dropped {dropped:?} after the last renewal arrived");
    assert!(dropped > SHORT / 2, "dropped {dropped:?} after the last renewal, too early");
    fake.with(|state| {
        state.away = false;
        state.jobs.push(job(2));
    });
    worker.script.set(2, Play::Finish(1));
    assert_eq!(worker.outcome(2).await.0, "succeeded");
    fake.with(|state| assert_eq!(state.completed.len(), 1, "nothing was said of the dropped job"));
    worker.drain().await;
}

#[tokio::test]
async fn an_outage_is_told_once_and_so_is_its_end() {
    let fake = coordinator(LONG, []);
    fake.with(|state| state.away = true);
    let mut worker = work(&fake, 1, Script::default());
    worker.told("it is away", |event| matches!(event, WorkerEvent::Away { .. })).await;
    fake.with(|state| {
        state.away = false;
        state.failing.insert("acquire");
    });
    worker.told("it is back", |event| matches!(event, WorkerEvent::Connected { worker: 1 })).await;
    fake.until("it asks again and again", |state| state.acquired.len() >= 3).await;
    fake.with(|state| {
        state.failing.clear();
        state.jobs.push(job(1));
    });
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    let standing: Vec<&str> = worker
        .events
        .borrow()
        .iter()
        .filter_map(|event| match event {
            WorkerEvent::Away { error } => Some(error.as_str()),
            WorkerEvent::Connected { .. } => Some("back"),
            _other => None,
        })
        .map(|word| if word == "back" { "back" } else { "away" })
        .collect();
    assert_eq!(standing, ["away", "back", "away", "back"]);
    worker.drain().await;
}

#[tokio::test]
async fn busy_trainers_do_not_delay_reports() {
    let fake = coordinator(Duration::from_secs(3), [1, 2]);
    let busy = Duration::from_secs(2);
    let mut worker = work(&fake, 2, Script::all(Play::Busy(busy)));
    worker.outcome(1).await;
    worker.outcome(2).await;
    fake.with(|state| {
        let times: Vec<_> = state.reported.iter().map(|(time, _)| *time).collect();
        assert!(times.len() >= 4, "{} reports in {busy:?}, one is due every 300 ms", times.len());
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest < Duration::from_secs(1), "{longest:?} between two reports");
        assert_eq!(state.completed.len(), 2);
    });
    worker.drain().await;
}

#[tokio::test]
async fn a_drain_gives_jobs_back_and_says_goodbye() {
    let fake = coordinator(LONG, [1, 2]);
    let mut worker = work(&fake, 2, Script::all(Play::Hold(1)));
    fake.until("both run", |state| state.renewals(1) > 0 && state.renewals(2) > 0).await;
    worker.shutdown.drain.cancel();
    assert_eq!((worker.outcome(1).await.0, worker.outcome(2).await.0), ("released", "released"));
    worker.ended().await.unwrap();
    fake.with(|state| {
        assert_eq!(state.released.len(), 1);
        assert!(state.released[0].leaving);
        assert_eq!(state.released[0].attempts.iter().map(|at| at.job).collect::<Vec<_>>(), [1, 2]);
        assert!(state.completed.is_empty());
    });
}

#[tokio::test]
async fn an_idle_worker_says_goodbye_too() {
    let fake = coordinator(LONG, []);
    let worker = work(&fake, 1, Script::default());
    fake.until("it waits for jobs", |state| !state.acquired.is_empty()).await;
    worker.drain().await;
    fake.with(|state| {
        let (store, secret) = ("store".to_owned(), "secret".to_owned());
        assert_eq!(state.released, [v1::ReleaseRequest { worker: 1, attempts: vec![], leaving: true, store, secret }]);
    });
}

#[tokio::test]
async fn jobs_granted_to_a_wish_that_a_drain_left_open_are_given_back() {
    let fake = coordinator(LONG, []);
    let worker = work(&fake, 1, Script::default());
    fake.until("it waits for jobs", |state| !state.acquired.is_empty()).await;
    fake.with(|state| {
        state.lost_answers.insert("acquire", 1);
        state.jobs.push(job(1));
    });
    fake.until("it was granted", |state| state.jobs.is_empty()).await;
    worker.drain().await;
    fake.with(|state| {
        let given_back: Vec<i64> =
            state.released.iter().flat_map(|release| &release.attempts).map(|at| at.job).collect();
        assert_eq!(given_back, [1]);
        assert!(state.released.last().unwrap().leaving);
    });
}

#[tokio::test]
async fn a_drain_without_a_coordinator_ends_within_its_bound() {
    let fake = coordinator(LONG, [1]);
    let worker = work(&fake, 1, Script::all(Play::Hold(1)));
    fake.until("it runs", |state| state.renewals(1) > 0).await;
    fake.with(|state| state.away = true);
    worker.drain().await;
}

#[tokio::test]
async fn a_stop_returns_at_once() {
    let fake = coordinator(LONG, [1]);
    let worker = work(&fake, 1, Script::all(Play::Hold(1)));
    fake.until("it runs", |state| state.renewals(1) > 0).await;
    let started = std::time::Instant::now();
    worker.shutdown.stop.cancel();
    worker.ended().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(fake.with(|state| state.released.is_empty()));
}

#[tokio::test]
async fn a_panic_of_the_trainer_fails_the_attempt_and_the_worker_goes_on() {
    let fake = coordinator(LONG, [1, 2]);
    let mut worker = work(&fake, 1, Script::default());
    worker.script.set(1, Play::Panic);
    let (outcome, error) = worker.outcome(1).await;
    assert_eq!((outcome, error.unwrap().as_str()), ("failed", "the trainer panicked: index out of bounds: 7"));
    assert_eq!(worker.outcome(2).await.0, "succeeded");
    fake.with(|state| {
        assert!(state.completed[0].retryable && state.completed[0].error.contains("index out of bounds"))
    });
    worker.drain().await;
}

#[tokio::test]
async fn a_job_that_cannot_be_trained_fails_as_the_trainer_says() {
    let fake = coordinator(LONG, [1, 2]);
    let mut worker = work(&fake, 1, Script::default());
    worker.script.set(1, Play::Fail(false));
    worker.script.set(2, Play::Fail(true));
    worker.outcome(1).await;
    worker.outcome(2).await;
    fake.with(|state| {
        let said: Vec<(bool, &str)> =
            state.completed.iter().map(|done| (done.retryable, done.error.as_str())).collect();
        assert_eq!(said, [(false, "no such layer"), (true, "no such layer")]);
    });
    worker.drain().await;
}

#[tokio::test]
async fn a_job_of_another_trainer_version_is_refused_for_good() {
    let fake = coordinator(LONG, []);
    let mut other = job(1);
    other.config = other.config.replace(r#""trainer_version":"#, r#""trainer_version":99"#);
    other.config_hash = sha256(other.config.as_bytes());
    let mut damaged = job(2);
    damaged.config_hash = sha256(b"something else");
    fake.with(|state| state.jobs.extend([other, damaged]));
    let mut worker = work(&fake, 2, Script::default());
    worker.outcome(1).await;
    worker.outcome(2).await;
    fake.with(|state| {
        let of = |job| state.completed.iter().find(|done| done.attempt.unwrap().job == job).unwrap();
        assert!(of(1).error.contains("trainer_version") && !of(1).retryable, "{:?}", of(1));
        assert!(
            of(2).error.contains("config_hash") && of(2).retryable,
            "another attempt may get it whole: {:?}",
            of(2)
        );
    });
    worker.drain().await;
}

#[tokio::test]
async fn an_unknown_worker_registers_again_and_keeps_its_jobs() {
    let fake = coordinator(LONG, [1]);
    let mut worker = work(&fake, 2, Script::all(Play::Hold(1)));
    fake.until("it runs", |state| state.renewals(1) > 0).await;
    fake.with(|state| state.forgotten = true);
    worker.script.set(1, Play::Finish(2));
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    fake.with(|state| {
        assert!(state.registered.len() >= 2);
        assert_eq!(state.registered[0].instance, state.registered[1].instance, "the same process is the same worker");
    });
    worker.drain().await;
}

#[tokio::test]
async fn a_coordinator_of_another_protocol_ends_the_worker_with_its_words() {
    let fake = coordinator(LONG, []);
    let words = "peer: protocol 2 needed, this worker speaks 1";
    fake.with(|state| state.refused.insert("register", Status::failed_precondition(words)));
    let error = work(&fake, 1, Script::default()).ended().await.unwrap_err();
    assert!(matches!(error, WorkerError::Refused { .. }));
    assert_eq!(error.to_string(), format!("the coordinator refused to register: {words}"));
}

#[tokio::test]
async fn a_sweep_that_is_unknown_ends_the_worker() {
    let fake = coordinator(LONG, []);
    fake.with(|state| state.refused.insert("acquire", Status::not_found("sweep 7")));
    let error = work_for(&fake, 1, Some(7), Script::default()).ended().await.unwrap_err();
    assert!(error.to_string().ends_with("sweep 7"), "{error}");
}

#[tokio::test]
async fn models_that_are_not_kept_are_not_sent() {
    let fake = coordinator(LONG, []);
    fake.with(|state| state.jobs.push(v1::Assignment { keep_models: v1::KeepModels::None.into(), ..job(1) }));
    let mut worker = work(&fake, 1, Script::default());
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    fake.with(|state| {
        assert_eq!(state.puts, 0);
        assert!(state.completed[0].final_model.is_empty() && state.completed[0].best_model.is_empty());
        assert!(state.completed[0].confusion.is_some());
    });
    worker.drain().await;
}

#[tokio::test]
async fn an_upload_that_breaks_is_begun_again() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.failing.insert("put"));
    let mut worker = work(&fake, 1, Script::default());
    fake.until("tries", |state| state.puts >= 2).await;
    fake.with(|state| state.failing.clear());
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    fake.with(|state| assert!(state.artifacts.contains_key(&state.completed[0].final_model)));
    worker.drain().await;
}

#[tokio::test]
async fn a_result_that_is_refused_becomes_a_failure() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.refused.insert("complete", Status::invalid_argument("confusion: 5 counts")));
    let mut worker = work(&fake, 1, Script::default());
    assert_eq!(worker.outcome(1).await, ("failed", Some("confusion: 5 counts".to_owned())));
    fake.with(|state| assert_eq!(state.completions_received, 6, "the result, then the failure, each three times"));
    worker.drain().await;
}

#[tokio::test]
async fn a_dataset_is_fetched_once_for_all_slots_and_renewals_go_on_meanwhile() {
    let fake = coordinator(SHORT, [1, 2]);
    fake.with(|state| state.stalled = true);
    let mut worker = work(&fake, 2, Script::default());
    // Twelve renewals at tenths of the lease are more than its length.
    fake.until("renewals", |state| state.renewals(1) >= 12 && state.renewals(2) >= 12).await;
    fake.with(|state| state.stalled = false);
    assert_eq!((worker.outcome(1).await.0, worker.outcome(2).await.0), ("succeeded", "succeeded"));
    fake.with(|state| assert_eq!(state.gets, 1));
    let fetching = |event: &&WorkerEvent| matches!(event, WorkerEvent::FetchingDataset { .. });
    assert_eq!(worker.events.borrow().iter().filter(fetching).count(), 1);
    worker.drain().await;
}

/// What the only completion so far blames.
fn hindrance(state: &fake::State) -> (v1::Hindrance, String) {
    let done = &state.completed[0];
    assert_eq!(done.outcome(), v1::Outcome::Failed);
    (done.hindrance(), done.error.clone())
}

#[tokio::test]
async fn a_job_whose_dataset_arrives_damaged_is_given_back_and_the_dataset_fetched_again() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.artifacts.insert(sha256(&dataset()), b"other bytes".to_vec()));
    let mut worker = work(&fake, 1, Script::default());
    assert_eq!(worker.outcome(1).await.0, "released");
    fake.with(|state| {
        let (by, problem) = hindrance(state);
        assert!(by == v1::Hindrance::Machine && problem.starts_with("worker tester: dataset "), "{problem}");
        state.artifacts.insert(sha256(&dataset()), dataset());
        state.jobs.push(job(2));
    });
    assert_eq!(worker.outcome(2).await.0, "succeeded");
    worker.drain().await;
}

#[tokio::test]
async fn a_job_whose_dataset_is_not_there_is_given_back_with_what_brings_it_back() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.artifacts.clear());
    let mut worker = work(&fake, 1, Script::default());
    assert_eq!(worker.outcome(1).await.0, "released");
    let digest = sha256(&dataset());
    let says = format!("dataset {}... is not in the store; submit the file again", &digest[..12]);
    fake.with(|state| assert_eq!(hindrance(state), (v1::Hindrance::Artifact, says)));
    worker.drain().await;
}

#[tokio::test]
async fn a_job_whose_dataset_is_damaged_in_the_store_is_given_back() {
    let fake = coordinator(LONG, [1]);
    fake.with(|state| state.refused.insert("get", Status::data_loss("damaged in storage")));
    let mut worker = work(&fake, 1, Script::default());
    assert_eq!(worker.outcome(1).await.0, "released");
    fake.with(|state| {
        let (by, problem) = hindrance(state);
        assert!(by == v1::Hindrance::Artifact && problem.contains("is damaged in the store; submit"), "{problem}");
    });
    worker.drain().await;
}

#[tokio::test]
async fn a_result_whose_model_is_gone_from_the_store_is_no_failure_of_its_job() {
    let fake = coordinator(LONG, [1]);
    let gone = Status::failed_precondition("jobs[0]: job 1, attempt 1: its model is not stored");
    fake.with(|state| {
        state.forgets = true;
        state.refusals.insert("complete", (3, gone));
    });
    let mut worker = work(&fake, 1, Script::default());
    assert_eq!(worker.outcome(1).await.0, "released");
    fake.with(|state| {
        let (by, problem) = hindrance(state);
        assert!(
            by == v1::Hindrance::Machine && problem.contains("is gone from the store; the job is trained"),
            "{problem}"
        );
    });
    worker.drain().await;
}

#[tokio::test]
async fn a_machine_that_lacks_something_gives_its_job_back_and_rests_before_the_next() {
    let fake = coordinator(LONG, [1]);
    let mut worker = work(&fake, 1, Script::default());
    worker.script.set(1, Play::Lack);
    assert_eq!(worker.outcome(1).await, ("released", Some("worker tester: no memory is free".to_owned())));
    let given_back = std::time::Instant::now();
    fake.with(|state| {
        assert_eq!(hindrance(state).0, v1::Hindrance::Machine);
        state.jobs.push(job(2));
    });
    assert_eq!(worker.outcome(2).await.0, "succeeded");
    assert!(given_back.elapsed() >= Duration::from_millis(400), "it rests for half a second at least");
    worker.drain().await;
}

#[tokio::test]
async fn what_was_given_up_is_given_back_once_the_coordinator_can_write_again() {
    let fake = coordinator(SHORT, [1]);
    let mut worker = work(&fake, 1, Script::all(Play::Hold(1)));
    fake.until("it trains", |state| !state.reported_epochs(1).is_empty()).await;
    let full = (u32::MAX, Status::resource_exhausted("the disk of the store is full"));
    fake.with(|state| {
        for kind in ["report", "release"] {
            state.refusals.insert(kind, full.clone());
        }
    });
    assert_eq!(worker.outcome(1).await.0, "lost");
    fake.with(|state| {
        state.refusals.clear();
        state.jobs.push(job(2));
    });
    fake.until("it is given back", |state| state.released.iter().any(|release| !release.attempts.is_empty())).await;
    worker.drain().await;
}

#[tokio::test]
async fn a_worker_of_one_sweep_ends_with_it() {
    let fake = coordinator(LONG, [1]);
    let mut worker = work_for(&fake, 2, Some(5), Script::default());
    assert_eq!(worker.outcome(1).await.0, "succeeded");
    fake.with(|state| state.sweep_ended = true);
    worker.ended().await.unwrap();
    fake.with(|state| {
        assert!(state.acquired.iter().all(|request| request.sweep == Some(5)));
        assert!(state.released.last().unwrap().leaving);
    });
}
