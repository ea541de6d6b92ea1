//! Tells the coordinator who this worker is, and learns the terms of its leases.

use std::sync::Arc;
use std::time::Duration;

use besom_client::backoff::{delay, spread};
use besom_client::network::explain;
use besom_proto::v1;
use besom_proto::v1::worker_service_client::WorkerServiceClient;
use besom_sweep::MLP;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use super::{DropReason, Ledger, Link, Refusal, Session, SessionKey, WorkerConfig, WorkerError, again, call};

/// A registration writes one row.
const DEADLINE: Duration = Duration::from_secs(10);

/// Registers one worker, as often as it takes; the same instance is the same worker.
pub(super) struct Registrar {
    request: v1::RegisterRequest,
    client: WorkerServiceClient<Channel>,
    link: Arc<Link>,
    ledger: Arc<Ledger>,
}

impl Registrar {
    pub(super) fn new(
        config: &WorkerConfig,
        (host, name): (String, String),
        client: WorkerServiceClient<Channel>,
        link: Arc<Link>,
        ledger: Arc<Ledger>,
    ) -> Self {
        let request = v1::RegisterRequest {
            peer: Some(besom_proto::peer()),
            instance: Uuid::now_v7().to_string(),
            name,
            host,
            slots: config.slots,
            trainers: [(MLP.name.to_owned(), MLP.version)].into(),
            device: "cpu".to_owned(),
        };
        Self { request, client, link, ledger }
    }

    /// Registers, waiting for a coordinator that is away and asking again where it refuses. Where
    /// the store does not know this worker any more, it drops every attempt that it holds: they are
    /// of a store that is no longer there.
    pub(super) async fn register(&self) -> Result<(), WorkerError> {
        let (mut failures, mut refusals) = (0, 0);
        loop {
            let mut client = self.client.clone();
            match call(DEADLINE, client.register(self.request.clone())).await {
                Ok(answer) => match session(&answer) {
                    Ok(session) => {
                        tracing::info!(worker.id = session.key.worker, "worker registered");
                        if self.link.registered(session) {
                            tracing::warn!("the store took this worker for a new one; it drops the jobs that it held");
                            self.ledger.drop_all(DropReason::LeaseLost);
                        }
                        return Ok(());
                    }
                    Err(error) if again(&mut refusals) => tracing::warn!(%error, "registering again"),
                    Err(error) => return Err(error),
                },
                Err(Refusal::Away(status)) => self.link.away(&status),
                Err(Refusal::Other(status) | Refusal::Unknown(status) | Refusal::Stale(status)) => {
                    if !again(&mut refusals) {
                        return Err(refusal("register", &status));
                    }
                    tracing::warn!(error = explain(&status), "refused to register, asking again");
                }
            }
            failures += 1;
            tokio::time::sleep(delay(failures, spread())).await;
        }
    }
}

/// The name of this machine and that of the worker on it.
pub(super) fn who(config: &WorkerConfig) -> (String, String) {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.map_or_else(|_| "unknown".to_owned(), |host| host.trim().to_owned());
    let name = config.name.clone().unwrap_or_else(|| format!("{host}-{}", std::process::id()));
    (host, name)
}

fn session(answer: &v1::RegisterResponse) -> Result<Session, WorkerError> {
    let (ttl, interval) = (answer.lease_ttl_ms, answer.report_interval_ms);
    if interval == 0 || interval > ttl / 3 {
        return Err(WorkerError::Refused {
            action: "register",
            message: format!("its reports every {interval} ms do not fit leases of {ttl} ms"),
        });
    }
    Ok(Session {
        generation: 0,
        key: SessionKey { store: answer.store.clone(), worker: answer.worker, secret: answer.secret.clone() },
        lease_ttl: Duration::from_millis(ttl),
        report_interval: Duration::from_millis(interval),
    })
}

/// What the worker asked for in vain, with the coordinator's words.
pub(super) fn refusal(action: &'static str, status: &Status) -> WorkerError {
    WorkerError::Refused { action, message: status.message().to_owned() }
}
