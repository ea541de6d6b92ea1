//! Trainers that hang: their leases are renewed, and nothing else happens.

use std::time::Duration;

use besom_proto::v1;
use besom_worker::Patience;
use besom_worker::agent::{WorkerError, WorkerEvent};

use crate::LONG;
use crate::script::{Play, Script, coordinator, job, work_impatiently};

/// Short enough to wait for, and far longer than a scripted epoch takes on a busy machine.
const SHORT: Patience = Patience {
    first_epoch: Duration::from_secs(3),
    first_batches: Duration::from_secs(2),
    times: 20,
    least: Duration::from_secs(1),
};

#[tokio::test]
async fn a_trainer_that_hangs_fails_its_attempt_and_takes_its_slot_along() {
    let fake = coordinator(LONG, [1]);
    let script = Script::default();
    script.set(1, Play::Hang(3));
    let mut worker = work_impatiently(&fake, 2, SHORT, script);
    let (outcome, error) = worker.outcome(1).await;
    assert_eq!(outcome, "failed");
    let error = error.unwrap();
    assert!(error.contains("the trainer hangs") && error.contains("after epoch 3"), "{error}");
    let given_up = |event: &WorkerEvent| matches!(event, WorkerEvent::Notice(text) if text.contains("1 of 2 are left"));
    worker.told("the slot is given up", given_up).await;
    fake.with(|state| {
        assert!(state.completed[0].retryable, "the job runs elsewhere: {:?}", state.completed);
        state.jobs.push(job(2));
    });
    assert_eq!(worker.outcome(2).await.0, "succeeded", "the other slot works on");
    worker.drain().await;
    fake.with(|state| {
        let last = state.acquired.last().unwrap();
        assert_eq!(last.free_slots, [1], "nothing is asked for the slot that is gone");
    });
}

#[tokio::test]
async fn a_worker_whose_every_trainer_hangs_ends_with_an_error() {
    for (hang, says) in [(Play::Hang(0), "no batch of the first epoch"), (Play::Hold(0), "no first epoch")] {
        let fake = coordinator(LONG, [1]);
        let mut worker = work_impatiently(&fake, 1, SHORT, Script::all(hang));
        let (outcome, error) = worker.outcome(1).await;
        assert_eq!(outcome, "failed");
        assert!(error.as_deref().unwrap().contains(says), "{error:?}");
        let error = worker.ended().await.unwrap_err();
        assert!(matches!(error, WorkerError::Hung { slots: 1 }), "{error}");
        fake.with(|state| {
            assert_eq!(state.completed[0].outcome(), v1::Outcome::Failed);
            assert!(state.released.last().is_some_and(|release| release.leaving), "it says goodbye");
        });
    }
}
