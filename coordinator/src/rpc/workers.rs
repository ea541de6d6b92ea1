//! WorkerService: the life of a lease, as workers ask for it.

use std::sync::Arc;

use besom_proto::v1;
use besom_proto::v1::worker_service_server::WorkerService;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::{Instrument, debug_span, info};

use super::convert;
use crate::dispatcher::Dispatcher;
use crate::store::StoreError;

/// The service.
pub(crate) struct Workers {
    pub(crate) dispatcher: Arc<Dispatcher>,
    /// Cancelled when the server stops: waiting workers are answered then.
    pub(crate) closing: CancellationToken,
}

#[tonic::async_trait]
impl WorkerService for Workers {
    async fn register(&self, request: Request<v1::RegisterRequest>) -> Result<Response<v1::RegisterResponse>, Status> {
        let new = convert::new_worker(request.into_inner(), self.dispatcher.config().lease_ttl)?;
        let (name, host, slots, build) = (new.name.clone(), new.host.clone(), new.slots, new.build.clone());
        let session = self.dispatcher.register(new).await?;
        info!(worker.id = %session.worker, name, host, slots, build, "worker registered");
        let config = self.dispatcher.config();
        Ok(Response::new(v1::RegisterResponse {
            worker: session.worker.0,
            peer: Some(besom_proto::peer()),
            lease_ttl_ms: millis(config.lease_ttl),
            report_interval_ms: millis(config.report_interval),
            store: session.store.to_string(),
            secret: session.secret.to_string(),
        }))
    }

    async fn acquire(&self, request: Request<v1::AcquireRequest>) -> Result<Response<v1::AcquireResponse>, Status> {
        let (wish, wait) = convert::acquire(request.into_inner(), self.dispatcher.config().lease_ttl)?;
        let span = debug_span!("rpc.acquire", worker.id = %wish.session.worker);
        let offer = self.dispatcher.acquire(wish, wait, &self.closing).instrument(span).await;
        Ok(Response::new(convert::acquired(offer?)))
    }

    async fn report(&self, request: Request<v1::ReportRequest>) -> Result<Response<v1::ReportResponse>, Status> {
        let v1::ReportRequest { worker, jobs, store, secret } = request.into_inner();
        let session = convert::session(&store, worker, &secret)?;
        let reports = convert::reports(jobs)?;
        let leases: Vec<_> = reports.iter().map(|report| report.lease).collect();
        let span = debug_span!("rpc.report", worker.id = %session.worker, jobs = leases.len());
        let answers = self.dispatcher.report(session, reports).instrument(span).await?;
        Ok(Response::new(convert::directives(leases.into_iter().zip(answers))))
    }

    async fn complete(&self, request: Request<v1::CompleteRequest>) -> Result<Response<v1::CompleteResponse>, Status> {
        let v1::CompleteRequest { worker, jobs, store, secret } = request.into_inner();
        let session = convert::session(&store, worker, &secret)?;
        let completions = convert::completions(jobs)?;
        let leases: Vec<_> = completions.iter().map(|completion| completion.lease).collect();
        // All at once, so that they share a transaction.
        let ends = completions.into_iter().map(|completion| {
            let at = completion.lease.at;
            let span =
                debug_span!("rpc.complete", worker.id = %session.worker, job.id = %at.job, job.attempt = at.attempt);
            self.dispatcher.complete(session, completion).instrument(span)
        });
        let (mut results, mut refused) = (Vec::with_capacity(leases.len()), None);
        for (index, (lease, ended)) in leases.into_iter().zip(join_all(ends).await).enumerate() {
            match ended {
                Ok(result) => results.push((lease, result)),
                // Whoever repeats the call is told of the other jobs what they were told now.
                Err(error) if error.is_retryable() => return Err(error.into()),
                // The other jobs end all the same; the first refusal answers the call.
                Err(StoreError::InvalidState { what }) => {
                    refused.get_or_insert_with(|| Status::failed_precondition(format!("jobs[{index}]: {what}")));
                }
                Err(error) => {
                    refused.get_or_insert(error.into());
                }
            }
        }
        match refused {
            Some(status) => Err(status),
            None => Ok(Response::new(v1::CompleteResponse { jobs: convert::results(results.into_iter()) })),
        }
    }

    async fn release(&self, request: Request<v1::ReleaseRequest>) -> Result<Response<v1::ReleaseResponse>, Status> {
        let v1::ReleaseRequest { worker, attempts, leaving, store, secret } = request.into_inner();
        let session = convert::session(&store, worker, &secret)?;
        let leases = convert::leases(attempts)?;
        let span = debug_span!("rpc.release", worker.id = %session.worker);
        let results = self.dispatcher.release(session, leases.clone(), leaving).instrument(span);
        let results = results.await?;
        Ok(Response::new(v1::ReleaseResponse { jobs: convert::results(leases.into_iter().zip(results)) }))
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
