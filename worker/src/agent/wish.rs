//! One wish for jobs, repeated under the same request id until it is answered.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use besom_client::backoff::{delay, spread};
use besom_proto::v1;

use super::assignment::Assignment;
use super::attempt::Bench;
use super::{ACQUIRE_WAIT, Refusal, Session, again, call};

/// Time for the answer, beyond what the coordinator may wait for jobs.
const DEADLINE: Duration = Duration::from_secs(10);

/// Wishes that find nothing start at least so far apart, should a coordinator answer them without
/// waiting.
const IDLE: Duration = Duration::from_millis(250);

/// An answered wish.
pub(super) struct Granted {
    pub(super) session: Session,
    /// Start of the request that was answered, later by what the coordinator had waited when it
    /// granted.
    pub(super) requested: Duration,
    /// Whether an earlier request of the wish got lost: its leases may be older than `requested`.
    pub(super) repeated: bool,
    pub(super) answer: Result<v1::AcquireResponse, Refusal>,
}

/// A wish under way.
pub(super) type OpenWish = Pin<Box<dyn Future<Output = Granted> + Send>>;

/// Repeats one wish until it is answered. A refusal, and an answer that makes no sense, may have
/// been damaged on the way: the same wish is granted the same jobs, so asking again a few times
/// costs nothing.
pub(super) async fn ask(bench: Arc<Bench>, session: Session, request: v1::AcquireRequest, idle: bool) -> Granted {
    if idle {
        tokio::time::sleep(IDLE).await;
    }
    let (mut failures, mut refusals) = (0, 0);
    loop {
        let requested = bench.ledger.now();
        let mut client = bench.client.clone();
        let answer = call(ACQUIRE_WAIT + DEADLINE, client.acquire(request.clone())).await;
        match answer {
            Err(Refusal::Away(status)) => bench.link.away(&status),
            Err(error @ (Refusal::Stale(_) | Refusal::Other(_))) if again(&mut refusals) => {
                tracing::warn!(%error, "a wish for jobs was refused, asking again");
            }
            Ok(ref granted)
                if let Some(problem) = unusable(&request, granted)
                    && again(&mut refusals) =>
            {
                tracing::warn!(problem, "jobs arrived that cannot be used, asking for them again");
            }
            Ok(_) | Err(Refusal::Unknown(_) | Refusal::Stale(_) | Refusal::Other(_)) => {
                bench.link.answered(session.key.worker);
                let waited = answer.as_ref().map_or(0, |answer| answer.waited_ms);
                // Never later than now, whatever a coordinator says.
                let requested = (requested + Duration::from_millis(waited)).min(bench.ledger.now());
                return Granted { session, requested, repeated: failures > 0, answer };
            }
        }
        failures += 1;
        tokio::time::sleep(delay(failures, spread())).await;
    }
}

/// What is wrong with the jobs of an answer, where something is.
fn unusable(request: &v1::AcquireRequest, answer: &v1::AcquireResponse) -> Option<String> {
    let mut free: BTreeSet<u32> = request.free_slots.iter().copied().collect();
    answer.assignments.iter().find_map(|assignment| {
        if assignment.attempt.is_none() {
            return Some("assignment: attempt: missing".to_owned());
        }
        if !free.remove(&assignment.slot) {
            return Some(format!("assignment: slot: {} is not one that is free", assignment.slot));
        }
        Assignment::try_from(assignment).err().map(|unfit| unfit.to_string())
    })
}
