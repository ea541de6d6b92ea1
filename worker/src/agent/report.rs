//! The report thread: sends epoch records, renews leases and carries out directives, whatever the
//! trainers do.
//!
//! It has an OS thread, a runtime and a channel of its own, so that neither busy trainers nor large
//! uploads can make a renewal late. It is also the one that fences: between and during calls it
//! looks at the clock often enough that a lease which cannot be renewed is dropped before it is
//! over.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use besom_client::backoff::{delay, spread};
use besom_client::network::explain;
use besom_proto::v1;
use besom_proto::v1::worker_service_client::WorkerServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::assignment::{self, directive};
use super::ledger::{Directive, Pending};
use super::{Connect, Ledger, Link, Refusal, Session, SessionKey, WorkerError, WorkerEvent, call};

/// Epochs that end within this time of a report wait for the next: many short epochs become one
/// call.
const GAP: Duration = Duration::from_millis(500);

/// Reports of no records: as short as they can be.
const MOST_HALVINGS: u32 = 10;

/// The running report thread; it ends when this is dropped.
pub(super) struct Reporter {
    token: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Reporter {
    pub(super) fn start(connect: Connect, ledger: Arc<Ledger>, link: Arc<Link>) -> Result<Self, WorkerError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(WorkerError::Thread)?;
        let token = CancellationToken::new();
        let stop = token.clone();
        let body = move || {
            runtime.block_on(async {
                let reports = Reports { client: WorkerServiceClient::new(connect()), ledger, link };
                let ended = stop.run_until_cancelled(reports.run()).await;
                debug_assert!(ended.is_none(), "only the token ends it");
            });
        };
        let thread = std::thread::Builder::new().name("report".into()).spawn(body).map_err(WorkerError::Thread)?;
        Ok(Self { token, thread: Some(thread) })
    }

    /// Ends the thread and waits for it; it stands still only at points that can be left at once.
    pub(super) async fn stop(mut self) {
        self.token.cancel();
        let Some(thread) = self.thread.take() else { return };
        if !matches!(tokio::task::spawn_blocking(move || thread.join()).await, Ok(Ok(()))) {
            tracing::error!("the report thread panicked");
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

struct Reports {
    client: WorkerServiceClient<Channel>,
    ledger: Arc<Ledger>,
    link: Arc<Link>,
}

impl Reports {
    async fn run(mut self) {
        let (mut last, mut failures) = (Duration::ZERO, 0);
        let (mut not_before, mut halvings) = (Duration::ZERO, 0_u32);
        loop {
            let session = self.link.session().await;
            self.ledger.fence(&session);
            let Some(due) = self.ledger.due(&session, last, GAP.min(session.report_interval)) else {
                self.ledger.until_news().await;
                continue;
            };
            let now = self.ledger.now();
            let wait = due.max(not_before).saturating_sub(now);
            if !wait.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(wait.min(look(&session))) => {}
                    () = self.ledger.until_news() => {}
                }
                continue;
            }
            last = now;
            match self.step(&session, halvings).await {
                Ok(()) => (failures, halvings) = (0, halvings.saturating_sub(1)),
                Err(()) => {
                    failures += 1;
                    // What an outage saved up may be more than a slow link brings in time: the same
                    // again would fail again.
                    halvings = (halvings + 2).min(MOST_HALVINGS);
                    // However long the outage, several tries fall into one lease.
                    let most = session.report_interval / 2;
                    not_before = self.ledger.now() + delay(failures, spread()).min(most);
                }
            }
        }
    }

    /// One report, fencing meanwhile. `Err`: it was not answered, and who needs to know has been
    /// told.
    async fn step(&mut self, session: &Session, halvings: u32) -> Result<(), ()> {
        let sent = self.ledger.report(halvings);
        let requested = self.ledger.now();
        let jobs = sent
            .iter()
            .map(|pending| v1::JobReport {
                attempt: Some(pending.at.into()),
                epochs: pending.records.iter().map(assignment::epoch_record).collect(),
            })
            .collect();
        let SessionKey { store, worker, secret } = session.key.clone();
        let request = v1::ReportRequest { worker, jobs, store, secret };
        let deadline = session.report_interval.max(Duration::from_secs(1));
        let mut client = self.client.clone();
        let answer = call(deadline, client.report(request));
        tokio::pin!(answer);
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = tokio::time::sleep(look(session)) => self.ledger.fence(session),
            }
        };
        match answer {
            Ok(response) => {
                self.link.answered(session.key.worker);
                self.obey(&sent, requested, &response);
                Ok(())
            }
            Err(Refusal::Away(status)) => {
                self.link.away(&status);
                Err(())
            }
            Err(Refusal::Unknown(_)) => {
                // The main loop registers; the leases go on being watched meanwhile.
                self.link.unknown(session);
                Err(())
            }
            Err(Refusal::Stale(status) | Refusal::Other(status)) => {
                tracing::error!(error = explain(&status), "report refused");
                self.link.emit(WorkerEvent::Notice(format!("the coordinator refused a report: {}", status.message())));
                Err(())
            }
        }
    }

    fn obey(&self, sent: &[Pending], requested: Duration, response: &v1::ReportResponse) {
        for answer in &response.jobs {
            let pending = answer.attempt.and_then(|at| sent.iter().find(|pending| pending.at == at.into()));
            match (pending, directive(answer)) {
                (Some(pending), Ok(directive)) => {
                    if let Directive::Drop(reason) = directive {
                        let at = pending.at;
                        tracing::info!(
                            job.id = at.job,
                            job.attempt = at.attempt,
                            reason = reason.as_str(),
                            problem = answer.problem,
                            "the coordinator ended the attempt"
                        );
                    }
                    self.ledger.answer(pending, requested, directive);
                }
                (None, _) => tracing::warn!("a directive names no attempt of the report"),
                (Some(_), Err(error)) => tracing::warn!(error, "directive not understood"),
            }
        }
        self.ledger.answers_applied();
    }
}

/// How often the clock is looked at while a lease is held: several times within the margin, at
/// least once a second.
fn look(session: &Session) -> Duration {
    ((session.lease_ttl - session.trusted()) / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}
