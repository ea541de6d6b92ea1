//! What all callers of a coordinator share: who the worker is there, whether it answers, and how a
//! refusal is read.
//!
//! One place registers (the main loop); whoever learns that the worker is unknown says so here and
//! waits for the next registration.

use std::future::Future;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use besom_client::network::explain;
use tokio::sync::watch;
use tonic::{Code, Response, Status};

use super::{Events, WorkerEvent};

/// How often an outage is told again while it lasts.
const AGAIN: Duration = Duration::from_secs(60);

/// What names this worker to the store: one of another store, or of a copy that has forgotten this
/// worker, differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionKey {
    /// The identity of the store.
    pub(crate) store: String,
    /// The worker's number there.
    pub(crate) worker: i64,
    /// Known to the store and this worker alone.
    pub(crate) secret: String,
}

/// What the coordinator answered to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// Counts registrations, so that an old refusal does not end a new session.
    pub(crate) generation: u64,
    /// What every call carries.
    pub(crate) key: SessionKey,
    /// Length of a lease.
    pub(crate) lease_ttl: Duration,
    /// Reports go out at least this often.
    pub(crate) report_interval: Duration,
}

impl Session {
    /// How long after the start of the request that renewed it a lease is trusted: the margin
    /// covers the way of the request and a batch that is still running.
    pub(crate) fn trusted(&self) -> Duration {
        self.lease_ttl - (self.lease_ttl / 6).min(Duration::from_secs(5))
    }
}

/// How long the coordinator may hold an Acquire that finds nothing, under the usual idle limits of
/// what stands in between. It says how much of that had passed when it granted, so that a lease is
/// as young as it is.
pub(crate) const ACQUIRE_WAIT: Duration = Duration::from_secs(20);

/// How a call failed, by what the worker does about it.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The coordinator is away, overloaded or in trouble, or the answer was lost: the same call
    /// again, later.
    Away(Status),
    /// The coordinator does not know this worker (any more): register, then call again.
    Unknown(Status),
    /// A later attempt exists: final.
    Stale(Status),
    /// The request itself is at fault: it is repeated a few times, in case it was damaged on its
    /// way.
    Other(Status),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        // A status with a source was made on this side of the wire, of a broken connection; its
        // code says little.
        if std::error::Error::source(&status).is_some() {
            return Self::Away(status);
        }
        match status.code() {
            // CANCELLED is what a server answers when its own limit on the time of a request was
            // reached. INTERNAL is the coordinator's own trouble: nothing trained is thrown away
            // for it, and no worker ends.
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Cancelled | Code::Internal => {
                Self::Away(status)
            }
            Code::Aborted => Self::Stale(status),
            Code::NotFound => Self::Unknown(status),
            _not_retried => Self::Other(status),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(status) | Self::Unknown(status) | Self::Stale(status) | Self::Other(status) => {
                f.write_str(&explain(status))
            }
        }
    }
}

/// Awaits one call, at most `deadline` long.
pub(crate) async fn call<T>(
    deadline: Duration,
    request: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(deadline, request).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(status.into()),
        Err(_elapsed) => {
            Err(Refusal::Away(Status::deadline_exceeded(format!("no answer within {} s", deadline.as_secs_f64()))))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    New,
    Answers,
    Away,
}

/// The worker's standing with its coordinator.
pub(crate) struct Link {
    session: watch::Sender<Option<Session>>,
    unknown: watch::Sender<bool>,
    standing: Mutex<Standing>,
    /// When an outage was last told.
    told: Mutex<Option<Instant>>,
    /// Where the coordinator is, for people.
    coordinator: String,
    events: Events,
}

impl Link {
    pub(crate) fn new(coordinator: String, events: Events) -> Self {
        Self {
            session: watch::Sender::new(None),
            unknown: watch::Sender::new(false),
            standing: Mutex::new(Standing::New),
            told: Mutex::new(None),
            coordinator,
            events,
        }
    }

    pub(crate) fn emit(&self, event: WorkerEvent) {
        (self.events)(event);
    }

    /// The current session; waits while there is none.
    pub(crate) async fn session(&self) -> Session {
        let mut sessions = self.session.subscribe();
        let session = sessions.wait_for(Option::is_some).await.expect("the sender lives in self");
        session.clone().expect("waited for it")
    }

    /// Begins a session; its generation is given here. Says whether the store takes this worker for
    /// another one than before: then nothing that it holds is its own any more.
    pub(crate) fn registered(&self, mut session: Session) -> bool {
        let (worker, mut another) = (session.key.worker, false);
        self.session.send_modify(|current| {
            another = current.as_ref().is_some_and(|last| last.key != session.key);
            session.generation = current.as_ref().map_or(0, |last| last.generation) + 1;
            *current = Some(session);
        });
        self.unknown.send_replace(false);
        self.answered(worker);
        another
    }

    /// The coordinator does not know the worker of this session: the main loop should register.
    pub(crate) fn unknown(&self, stale: &Session) {
        let current = self.session.borrow().as_ref().is_some_and(|session| session.generation == stale.generation);
        if current {
            self.unknown.send_replace(true);
        }
    }

    /// As [`Link::unknown`], and waits for the session after `stale`.
    pub(crate) async fn renewed(&self, stale: &Session) -> Session {
        self.unknown(stale);
        let mut sessions = self.session.subscribe();
        let newer =
            |session: &Option<Session>| session.as_ref().is_some_and(|session| session.generation > stale.generation);
        let session = sessions.wait_for(newer).await.expect("the sender lives in self");
        session.clone().expect("waited for it")
    }

    /// Whether the worker has to register (again).
    pub(crate) fn is_unknown(&self) -> bool {
        *self.unknown.borrow()
    }

    /// Returns while the worker has to register (again).
    pub(crate) async fn until_unknown(&self) {
        let mut unknown = self.unknown.subscribe();
        unknown.wait_for(|unknown| *unknown).await.expect("the sender lives in self");
    }

    /// A call was answered.
    pub(crate) fn answered(&self, worker: i64) {
        if self.turn(Standing::Answers) {
            self.emit(WorkerEvent::Connected { worker });
        }
    }

    /// A call was not answered: said at once, and again every minute while it lasts.
    pub(crate) fn away(&self, status: &Status) {
        let begins = self.turn(Standing::Away);
        if begins || self.is_due(Instant::now()) {
            tracing::warn!("{}", self.outage(status));
            self.is_told(Instant::now());
        }
        if begins {
            self.emit(WorkerEvent::Away { error: explain(status) });
        }
    }

    /// What is wrong, and what to try.
    fn outage(&self, status: &Status) -> String {
        let (coordinator, error) = (&self.coordinator, explain(status));
        // A status with a source, or none of the coordinator's own, was made on this side of the
        // wire.
        if std::error::Error::source(status).is_some() || status.code() == Code::DeadlineExceeded {
            format!(
                "cannot reach the coordinator at {coordinator}: {error}; trying again. Check that it runs there, that it listens \
                 beyond its own machine (besom coordinator --listen 0.0.0.0:7070 --insecure), the address, and the firewalls in \
                 between"
            )
        } else {
            format!("the coordinator at {coordinator} cannot answer now: {error}; trying again")
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let told = self.told.lock().expect("nothing panics while it is held");
        told.is_none_or(|told| now.saturating_duration_since(told) >= AGAIN)
    }

    fn is_told(&self, now: Instant) {
        *self.told.lock().expect("nothing panics while it is held") = Some(now);
    }

    fn turn(&self, to: Standing) -> bool {
        let mut standing = self.standing.lock().expect("nothing panics while it is held");
        std::mem::replace(&mut *standing, to) != to
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_lease_is_trusted_for_less_than_it_lasts() {
        let session = |seconds| Session {
            generation: 0,
            key: SessionKey { store: String::new(), worker: 1, secret: String::new() },
            lease_ttl: Duration::from_secs(seconds),
            report_interval: Duration::from_secs(seconds / 3),
        };
        assert_eq!(session(30).trusted(), Duration::from_secs(25));
        assert_eq!(session(6).trusted(), Duration::from_secs(5));
        assert_eq!(session(300).trusted(), Duration::from_secs(295));
    }

    #[test]
    fn a_coordinator_that_is_away_or_in_trouble_is_asked_again() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted, Code::Internal] {
            assert!(matches!(Refusal::from(Status::new(code, "")), Refusal::Away(_)), "{code:?}");
        }
        for code in [Code::FailedPrecondition, Code::InvalidArgument, Code::Unimplemented] {
            assert!(matches!(Refusal::from(Status::new(code, "")), Refusal::Other(_)), "{code:?}");
        }
        assert!(matches!(Refusal::from(Status::aborted("")), Refusal::Stale(_)));
        assert!(matches!(Refusal::from(Status::not_found("")), Refusal::Unknown(_)));
        let broken = Status::from_error(Box::new(std::io::Error::from(std::io::ErrorKind::BrokenPipe)));
        assert!(matches!(Refusal::from(broken), Refusal::Away(_)), "a connection that broke");
    }

    #[test]
    fn an_outage_is_told_again_every_minute_with_the_address_and_what_to_try() {
        let link = Link::new("http://hub:7070".into(), Arc::new(|_| {}));
        let start = Instant::now();
        assert!(link.is_due(start));
        link.is_told(start);
        assert!(!link.is_due(start + AGAIN / 2));
        assert!(link.is_due(start + AGAIN));
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let outage = link.outage(&Status::from_error(Box::new(refused)));
        assert!(outage.starts_with("cannot reach the coordinator at http://hub:7070: connection refused"), "{outage}");
        assert!(outage.contains("--listen 0.0.0.0:7070 --insecure"), "{outage}");
        let busy = link.outage(&Status::unavailable("the database is not available"));
        assert_eq!(
            busy,
            "the coordinator at http://hub:7070 cannot answer now: the database is not available; trying again"
        );
    }

    #[test]
    fn an_outage_is_told_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&told);
        let link = Link::new("hub:1".into(), Arc::new(move |event| into.lock().unwrap().push(format!("{event:?}"))));
        for _ in 0..3 {
            link.away(&Status::unavailable("gone"));
        }
        for _ in 0..3 {
            link.answered(7);
        }
        link.away(&Status::unavailable("gone again"));
        let told = told.lock().unwrap();
        assert_eq!(*told, [r#"Away { error: "gone" }"#, "Connected { worker: 7 }", r#"Away { error: "gone again" }"#]);
    }
}
