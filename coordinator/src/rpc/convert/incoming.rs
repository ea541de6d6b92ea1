//! From the wire to the domain: every number, text and list is checked, and refused by the name of
//! its field.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use besom_proto::{BUILD, PROTOCOL_VERSION, v1};
use besom_sweep::{Lists, MetricName};
use tonic::Status;

use super::super::status::invalid;
use super::bounds::{
    self, MAX_EPOCHS, MAX_ERROR, MAX_METRICS, MAX_SLOTS, MAX_TEXT, MAX_TRAINERS, MAX_WAIT_MS, seconds,
};
use crate::artifacts::ArtifactKind;
use crate::domain::{
    AttemptRef, Completion, Confusion, Digest, EpochRecord, Hindrance, JobId, JobOutcome, Key, Lease, NewWorker,
    Session, SweepId, Trainers, WorkerId,
};
use crate::store::{AcquireRequest, JobReport};

/// A worker that waits for a job calls every twenty seconds, and calls are noted every five: one of
/// short leases is not gone sooner than that.
const LEAST_SILENCE: Duration = Duration::from_secs(30);

/// Refuses a peer of another protocol, saying what both speak.
pub(crate) fn peer(peer: Option<&v1::Peer>) -> Result<(), Status> {
    let peer = peer.ok_or_else(|| invalid("peer", "missing"))?;
    if peer.protocol != PROTOCOL_VERSION {
        let build: String = peer.build.chars().take(MAX_TEXT).collect();
        return Err(Status::failed_precondition(format!(
            "peer: {build} speaks protocol {}, the coordinator ({BUILD}) speaks {PROTOCOL_VERSION}; use the same \
             version of besom at both ends",
            peer.protocol
        )));
    }
    Ok(())
}

/// As [`check_text`], of a text that is taken.
pub(crate) fn text(field: &str, given: String, most: usize) -> Result<String, Status> {
    check_text(field, &given, most).map(|()| given)
}

/// Refuses a text that is empty, has more than `most` bytes or cannot be stored by every database.
pub(crate) fn check_text(field: &str, given: &str, most: usize) -> Result<(), Status> {
    match given.len() {
        0 => Err(invalid(field, "missing")),
        length if length > most => Err(invalid(field, format!("{length} bytes; at most {most}"))),
        // Postgres has no place for it, in text or in JSON.
        _ if given.contains('\0') => Err(invalid(field, "contains a NUL character")),
        _ => Ok(()),
    }
}

/// A SHA-256 in lower-case hex.
pub(crate) fn digest(field: &str, given: &str) -> Result<Digest, Status> {
    Digest::parse(given).ok_or_else(|| invalid(field, "not a SHA-256 in lower-case hex"))
}

pub(crate) fn artifact_kind(given: i32) -> Result<ArtifactKind, Status> {
    match known::<v1::ArtifactKind>("head.kind", given)? {
        v1::ArtifactKind::Unspecified => Err(unspecified("head.kind")),
        v1::ArtifactKind::Dataset => Ok(ArtifactKind::Dataset),
        v1::ArtifactKind::Model => Ok(ArtifactKind::Model),
        v1::ArtifactKind::Checkpoint => Ok(ArtifactKind::Checkpoint),
    }
}

/// The worker that calls, as it says.
pub(crate) fn session(store: &str, worker: i64, secret: &str) -> Result<Session, Status> {
    if worker <= 0 {
        return Err(invalid("worker", "missing; register first"));
    }
    let key = |field: &str, given: &str| {
        Key::parse(given).ok_or_else(|| invalid(field, "expected 32 lower-case hex digits, as Register answered them"))
    };
    Ok(Session { store: key("store", store)?, worker: WorkerId(worker), secret: key("secret", secret)? })
}

/// The worker, whose leases last so long.
pub(crate) fn new_worker(request: v1::RegisterRequest, lease_ttl: Duration) -> Result<NewWorker, Status> {
    let build = request.peer.as_ref().map(|peer| peer.build.clone()).unwrap_or_default();
    peer(request.peer.as_ref())?;
    if request.slots == 0 || request.slots as usize > MAX_SLOTS {
        return Err(invalid("slots", format!("{}; must be between 1 and {MAX_SLOTS}", request.slots)));
    }
    if request.trainers.is_empty() || request.trainers.len() > MAX_TRAINERS {
        let problem = format!("expected 1 to {MAX_TRAINERS} trainers, got {}", request.trainers.len());
        return Err(invalid("trainers", problem));
    }
    let mut trainers = BTreeMap::new();
    for (name, version) in request.trainers {
        if name.is_empty() || version == 0 {
            return Err(invalid("trainers", format!("expected a name and a version from 1, got {name:?}: {version}")));
        }
        trainers.insert(text("trainers", name, MAX_TEXT)?, version);
    }
    Ok(NewWorker {
        instance: uuid("instance", request.instance)?,
        name: text("name", request.name, MAX_TEXT)?,
        host: text("host", request.host, MAX_TEXT)?,
        slots: request.slots,
        build: text("peer.build", build, MAX_TEXT)?,
        trainers: Trainers(trainers),
        device: text("device", request.device, MAX_TEXT)?,
        gone_after: (lease_ttl * 2).max(LEAST_SILENCE),
    })
}

/// The request and how long it may wait.
pub(crate) fn acquire(request: v1::AcquireRequest, lease_ttl: Duration) -> Result<(AcquireRequest, Duration), Status> {
    let session = session(&request.store, request.worker, &request.secret)?;
    let request_id = uuid("request_id", request.request_id)?;
    if request.free_slots.is_empty() {
        return Err(invalid("free_slots", "empty; name the slots that are free"));
    }
    at_most("free_slots", request.free_slots.len(), MAX_SLOTS)?;
    if let Some(slot) = request.free_slots.iter().find(|slot| **slot as usize > MAX_SLOTS) {
        return Err(invalid("free_slots", format!("slot {slot}; at most {MAX_SLOTS}")));
    }
    distinct("free_slots", request.free_slots.iter())?;
    if request.wait_ms > MAX_WAIT_MS {
        return Err(invalid("wait_ms", format!("{}; at most {MAX_WAIT_MS}", request.wait_ms)));
    }
    let sweep = match request.sweep {
        Some(id) if id <= 0 => return Err(invalid("sweep", format!("{id} is no sweep's number"))),
        given => given.map(SweepId),
    };
    let wish = AcquireRequest { session, request_id, slots: request.free_slots, take: true, sweep, lease_ttl };
    Ok((wish, Duration::from_millis(request.wait_ms)))
}

pub(crate) fn reports(jobs: Vec<v1::JobReport>) -> Result<Vec<JobReport>, Status> {
    at_most("jobs", jobs.len(), MAX_SLOTS)?;
    let reports: Vec<JobReport> = jobs
        .into_iter()
        .enumerate()
        .map(|(index, job)| {
            let field = format!("jobs[{index}]");
            Ok(JobReport { lease: lease(&field, job.attempt)?, epochs: epochs(&field, job.epochs)? })
        })
        .collect::<Result<_, Status>>()?;
    distinct("jobs", reports.iter().map(|report| report.lease.at))?;
    Ok(reports)
}

pub(crate) fn completions(jobs: Vec<v1::Completion>) -> Result<Vec<Completion>, Status> {
    at_most("jobs", jobs.len(), MAX_SLOTS)?;
    let completions: Vec<Completion> = jobs
        .into_iter()
        .enumerate()
        .map(|(index, job)| completion(&format!("jobs[{index}]"), job))
        .collect::<Result<_, Status>>()?;
    distinct("jobs", completions.iter().map(|completion| completion.lease.at))?;
    Ok(completions)
}

pub(crate) fn leases(given: Vec<v1::AttemptRef>) -> Result<Vec<Lease>, Status> {
    at_most("attempts", given.len(), MAX_SLOTS)?;
    let leases: Vec<Lease> = given
        .into_iter()
        .enumerate()
        .map(|(index, at)| lease_of(&format!("attempts[{index}]"), at))
        .collect::<Result<_, Status>>()?;
    distinct("attempts", leases.iter().map(|lease| lease.at))?;
    Ok(leases)
}

fn completion(field: &str, job: v1::Completion) -> Result<Completion, Status> {
    let name = |part: &str| format!("{field}.{part}");
    let outcome = match known::<v1::Outcome>(&name("outcome"), job.outcome)? {
        v1::Outcome::Unspecified => return Err(unspecified(&name("outcome"))),
        v1::Outcome::Succeeded => JobOutcome::Succeeded,
        v1::Outcome::Stopped => JobOutcome::Stopped,
        v1::Outcome::Diverged => JobOutcome::Diverged,
        v1::Outcome::Failed => {
            let error = job.error.chars().take(MAX_ERROR).collect();
            match hindrance(&name("hindrance"), job.hindrance)? {
                Some(by) => JobOutcome::Hindered { problem: error, by },
                None => JobOutcome::Failed { error, retryable: job.retryable },
            }
        }
    };
    let model = |part: &str, given: &str| match given {
        "" => Ok(None),
        given => digest(&name(part), given).map(Some),
    };
    Ok(Completion {
        lease: lease(field, job.attempt)?,
        config_hash: digest(&name("config_hash"), &job.config_hash)?.as_str().to_owned(),
        outcome,
        epochs: epochs(field, job.epochs)?,
        confusion: job.confusion.map(|given| confusion(&name("confusion"), given)).transpose()?,
        final_model: model("final_model", &job.final_model)?,
        best_model: model("best_model", &job.best_model)?,
        seconds: seconds(&name("seconds"), job.seconds)?,
    })
}

fn hindrance(field: &str, given: i32) -> Result<Option<Hindrance>, Status> {
    Ok(match known::<v1::Hindrance>(field, given)? {
        v1::Hindrance::Unspecified => None,
        v1::Hindrance::Artifact => Some(Hindrance::Artifact),
        v1::Hindrance::Machine => Some(Hindrance::Machine),
    })
}

fn lease(field: &str, given: Option<v1::AttemptRef>) -> Result<Lease, Status> {
    let field = format!("{field}.attempt");
    lease_of(&field, given.ok_or_else(|| invalid(&field, "missing"))?)
}

fn lease_of(field: &str, given: v1::AttemptRef) -> Result<Lease, Status> {
    let v1::AttemptRef { job, attempt, lease } = given;
    if job <= 0 || attempt == 0 || lease <= 0 {
        let problem = format!("expected a job, an attempt and a lease above 0, got {job}, {attempt} and {lease}");
        return Err(invalid(field, problem));
    }
    Ok(Lease { at: AttemptRef { job: JobId(job), attempt }, number: lease })
}

fn epochs(field: &str, given: Vec<v1::EpochRecord>) -> Result<Vec<EpochRecord>, Status> {
    at_most(&format!("{field}.epochs"), given.len(), MAX_EPOCHS)?;
    let mut before = None;
    given
        .into_iter()
        .enumerate()
        .map(|(index, record)| {
            let field = format!("{field}.epochs[{index}]");
            before = Some(bounds::step(&format!("{field}.step"), record.step, before)?);
            epoch(&field, record)
        })
        .collect()
}

fn epoch(field: &str, given: v1::EpochRecord) -> Result<EpochRecord, Status> {
    let part = |name: &str| format!("{field}.{name}");
    at_most(&part("metrics"), given.metrics.len(), MAX_METRICS)?;
    let mut metrics = BTreeMap::new();
    for (name, value) in given.metrics {
        let name = MetricName::new(&name).map_err(|problem| invalid(part("metrics"), problem))?;
        let value = bounds::metric(&part(&format!("metrics[{name}]")), value)?;
        metrics.insert(name, value);
    }
    let rate = given.learning_rate.map(|rate| bounds::learning_rate(&part("learning_rate"), rate));
    Ok(EpochRecord {
        step: given.step,
        metrics,
        learning_rate: rate.transpose()?,
        seconds: given.seconds.map(|given| seconds(&part("seconds"), given)).transpose()?,
    })
}

fn confusion(field: &str, given: v1::Confusion) -> Result<Confusion, Status> {
    let v1::Confusion { classes, counts, gaps, by_class } = given;
    Confusion::of_lists(classes, &Lists { counts, gaps, by_class }).map_err(|problem| invalid(field, problem))
}

fn uuid(field: &str, given: String) -> Result<String, Status> {
    match uuid::Uuid::try_parse(&given) {
        Ok(parsed) => Ok(parsed.hyphenated().to_string()),
        Err(_) => Err(invalid(field, "not a UUID")),
    }
}

/// The generated getters turn an unknown number into the first variant; here it is refused.
fn known<E: TryFrom<i32>>(field: &str, given: i32) -> Result<E, Status> {
    E::try_from(given).map_err(|_| invalid(field, format!("unknown value {given}")))
}

fn unspecified(field: &str) -> Status {
    invalid(field, "missing")
}

fn at_most(field: &str, given: usize, most: usize) -> Result<(), Status> {
    if given > most { Err(invalid(field, format!("{given} entries; at most {most}"))) } else { Ok(()) }
}

fn distinct<T: Hash + Eq>(field: &str, items: impl Iterator<Item = T>) -> Result<(), Status> {
    let mut seen = HashSet::new();
    for (index, item) in items.enumerate() {
        if !seen.insert(item) {
            return Err(invalid(format!("{field}[{index}]"), "named twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion_of(change: impl FnOnce(&mut v1::Completion)) -> Result<Vec<Completion>, Status> {
        let mut job = v1::Completion {
            attempt: Some(v1::AttemptRef { job: 1, attempt: 1, lease: 7 }),
            config_hash: "0".repeat(64),
            outcome: v1::Outcome::Succeeded as i32,
            ..v1::Completion::default()
        };
        change(&mut job);
        completions(vec![job])
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        type Change = fn(&mut v1::Completion);
        let record = |step| v1::EpochRecord { step, ..v1::EpochRecord::default() };
        fn lost() -> v1::EpochRecord {
            v1::EpochRecord { metrics: [("loss".to_owned(), f64::NAN)].into(), ..v1::EpochRecord::default() }
        }
        assert!(completion_of(|_| ()).is_ok());
        let cases: [(Change, &str); 9] = [
            (|job| job.outcome = 7, "jobs[0].outcome: unknown value 7"),
            (|job| job.outcome = 0, "jobs[0].outcome: missing"),
            (|job| job.attempt = None, "jobs[0].attempt: missing"),
            (
                |job| job.attempt = Some(v1::AttemptRef { job: 1, attempt: 1, lease: 0 }),
                "jobs[0].attempt: expected a job, an attempt and a lease above 0, got 1, 1 and 0",
            ),
            (|job| job.config_hash.clear(), "jobs[0].config_hash: not a SHA-256 in lower-case hex"),
            (
                |job| job.seconds = f64::NAN,
                "jobs[0].seconds: expected a finite number, got NaN; leave out a number that is not finite",
            ),
            (|job| job.final_model = "../etc".to_owned(), "jobs[0].final_model: not a SHA-256 in lower-case hex"),
            (
                |job| job.confusion = Some(v1::Confusion { classes: 2, counts: vec![1], ..Default::default() }),
                "jobs[0].confusion: expected 4 counts of 2 classes, got 1",
            ),
            (
                |job| job.epochs = vec![lost()],
                "jobs[0].epochs[0].metrics[loss]: expected a finite number, got NaN; leave out a number that is not finite",
            ),
        ];
        for (change, message) in cases {
            assert_eq!(completion_of(change).unwrap_err().message(), message);
        }
        let error = completion_of(|job| job.epochs = vec![record(2), record(2)]).unwrap_err();
        assert_eq!(error.message(), "jobs[0].epochs[1].step: expected a step above 2 after it, got 2");
    }

    #[test]
    fn a_text_that_not_every_database_can_store_is_refused() {
        let name = text("name", "wor\0ker".to_owned(), MAX_TEXT).unwrap_err();
        assert_eq!(name.message(), "name: contains a NUL character");
        let metrics = [("a\0b".to_owned(), 1.0)].into();
        let record = v1::EpochRecord { step: 1, metrics, ..v1::EpochRecord::default() };
        let error = completion_of(move |job| job.epochs = vec![record]).unwrap_err();
        assert_eq!(
            error.message(),
            "jobs[0].epochs[0].metrics: expected a name of 1 to 128 printable characters, got \"a b\""
        );
    }

    #[test]
    fn slots_are_distinct_and_at_most_1024() {
        let wish = |free_slots: Vec<u32>| {
            let request_id = "0190b3a0-0000-7000-8000-000000000000".to_owned();
            let (store, secret) = ("0".repeat(32), "1".repeat(32));
            let request = v1::AcquireRequest { worker: 1, store, secret, request_id, free_slots, ..Default::default() };
            acquire(request, Duration::from_secs(30)).map_err(|status| status.message().to_owned())
        };
        assert!(wish(vec![0, 1, 2]).is_ok());
        assert_eq!(wish(vec![0, 1, 0]).unwrap_err(), "free_slots[2]: named twice");
        assert_eq!(wish((0..1_025).collect()).unwrap_err(), "free_slots: 1025 entries; at most 1024");
        assert_eq!(wish(vec![]).unwrap_err(), "free_slots: empty; name the slots that are free");
    }

    #[test]
    fn a_peer_of_another_protocol_is_refused_readably() {
        let status = peer(Some(&v1::Peer { protocol: 99, build: "besom 9.9.9".to_owned() })).unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert!(status.message().contains("besom 9.9.9 speaks protocol 99"), "{}", status.message());
    }
}
