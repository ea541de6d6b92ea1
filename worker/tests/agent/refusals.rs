//! What a worker does about a refusal, and about jobs that arrive damaged: a bit that flipped on
//! the way is another one the next time, so it asks again before it gives anything up.

use besom_proto::v1;
use tonic::Status;

use crate::script::{Script, coordinator, work};
use crate::{LONG, dataset, job, sha256};

#[tokio::test]
async fn what_is_refused_twice_is_asked_a_third_time() {
    for kind in ["register", "acquire", "get", "stat", "put", "complete", "release"] {
        let fake = coordinator(LONG, [1]);
        fake.with(|state| state.refusals.insert(kind, (2, Status::invalid_argument("damaged"))));
        let mut worker = work(&fake, 1, Script::default());
        assert_eq!(worker.outcome(1).await, ("succeeded", None), "{kind}");
        worker.drain().await;
        fake.with(|state| {
            assert!(state.refusals.is_empty(), "{kind}: {:?}", state.refusals);
            assert_eq!(state.completed.len(), 1, "{kind}");
            assert!(state.released.last().is_some_and(|release| release.leaving), "{kind}");
        });
    }
}

#[tokio::test]
async fn a_wish_that_stays_refused_ends_the_worker_with_the_coordinators_words() {
    let fake = coordinator(LONG, []);
    fake.with(|state| state.refused.insert("acquire", Status::invalid_argument("free_slots: none")));
    let error = work(&fake, 1, Script::default()).ended().await.unwrap_err();
    assert_eq!(error.to_string(), "the coordinator refused to acquire jobs: free_slots: none");
    fake.with(|state| assert_eq!(state.acquired.len(), 3));
}

#[tokio::test]
async fn a_job_that_arrives_damaged_is_asked_for_again() {
    let damages: [fn(&mut v1::Assignment); 6] = [
        |job| job.config = job.config.replacen("trainer_version", "trainer_versioo", 1),
        |job| job.config_hash = sha256(b"something else"),
        |job| job.metric = "val_accurary".into(),
        |job| job.goal = 64,
        |job| job.slot += 1 << 20,
        |job| job.attempt = None,
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let fake = coordinator(LONG, [1, 2]);
        fake.with(|state| state.damage = Some((2, damage)));
        let mut worker = work(&fake, 2, Script::default());
        assert_eq!((worker.outcome(1).await.0, worker.outcome(2).await.0), ("succeeded", "succeeded"), "{number}");
        worker.drain().await;
        fake.with(|state| {
            assert_eq!(state.acquired[0].request_id, state.acquired[2].request_id, "it is the same wish");
            assert!(state.completed.iter().all(|done| done.outcome() == v1::Outcome::Succeeded), "{number}");
        });
    }
}

#[tokio::test]
async fn a_job_that_stays_damaged_is_left_to_another_attempt() {
    let fake = coordinator(LONG, []);
    fake.with(|state| {
        state.artifacts.insert(sha256(&dataset()), dataset());
        state.jobs.push(v1::Assignment { config_hash: sha256(b"something else"), ..job(1) });
    });
    let mut worker = work(&fake, 1, Script::default());
    let (outcome, error) = worker.outcome(1).await;
    assert_eq!(outcome, "failed");
    assert!(error.unwrap().contains("config_hash"));
    worker.drain().await;
    fake.with(|state| assert!(state.completed[0].retryable, "{:?}", state.completed));
}
