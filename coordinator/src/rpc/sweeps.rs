//! SweepService: what people and scripts ask for.

use std::sync::Arc;

use besom_proto::v1;
use besom_proto::v1::sweep_service_server::SweepService;
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::{Instrument, debug_span};

use super::{Watches, convert, create, removal, status};
use crate::artifacts::ArtifactStore;
use crate::dispatcher::Dispatcher;
use crate::domain::{JobId, Sweep};
use crate::patience::bounded;
use crate::remover::Remover;
use crate::store::{Store, SweepCommand};

/// A name has no more bytes, in whatever script, and a number has fewer.
const MAX_REF: usize = 500;

/// The service.
pub(crate) struct Sweeps {
    /// For what is only read.
    pub(crate) store: Arc<dyn Store>,
    /// For what changes a sweep.
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) remover: Arc<Remover>,
    /// Cancelled when the server stops: open streams end then.
    pub(crate) closing: CancellationToken,
}

impl Sweeps {
    async fn find(&self, request: Request<v1::SweepRef>) -> Result<Sweep, Status> {
        let name = convert::text("sweep", request.into_inner().sweep, MAX_REF)?;
        bounded(self.store.find_sweep(&name)).await.map_err(status::of_read)
    }

    async fn command(
        &self,
        request: Request<v1::SweepRef>,
        command: SweepCommand,
    ) -> Result<Response<v1::Sweep>, Status> {
        let name = convert::text("sweep", request.into_inner().sweep, MAX_REF)?;
        let span = debug_span!("rpc.command_sweep", sweep.name = name);
        let sweep = self.dispatcher.command(&name, command).instrument(span).await?;
        Ok(Response::new(convert::sweep(sweep)))
    }
}

#[tonic::async_trait]
impl SweepService for Sweeps {
    async fn create_sweep(
        &self,
        request: Request<v1::CreateSweepRequest>,
    ) -> Result<Response<v1::CreateSweepResponse>, Status> {
        let span = debug_span!("rpc.create_sweep");
        let created =
            create::create(&*self.store, &self.dispatcher, &*self.artifacts, request.into_inner()).instrument(span);
        created.await.map(Response::new)
    }

    async fn get_sweep(&self, request: Request<v1::SweepRef>) -> Result<Response<v1::Sweep>, Status> {
        let sweep = self.find(request).await?;
        Ok(Response::new(convert::sweep_with_text(sweep)))
    }

    async fn list_sweeps(&self, _: Request<v1::ListSweepsRequest>) -> Result<Response<v1::ListSweepsResponse>, Status> {
        let sweeps = bounded(self.store.list_sweeps()).await.map_err(status::of_read)?;
        Ok(Response::new(v1::ListSweepsResponse { sweeps: sweeps.into_iter().map(convert::sweep).collect() }))
    }

    type WatchSweepStream = BoxStream<'static, Result<v1::SweepProgress, Status>>;

    async fn watch_sweep(&self, request: Request<v1::SweepRef>) -> Result<Response<Self::WatchSweepStream>, Status> {
        let sweep = self.find(request).await?.id;
        Ok(Response::new(self.watches.watch(sweep, self.closing.clone())))
    }

    async fn pause_sweep(&self, request: Request<v1::SweepRef>) -> Result<Response<v1::Sweep>, Status> {
        self.command(request, SweepCommand::Pause).await
    }

    async fn resume_sweep(&self, request: Request<v1::SweepRef>) -> Result<Response<v1::Sweep>, Status> {
        self.command(request, SweepCommand::Resume).await
    }

    async fn cancel_sweep(&self, request: Request<v1::SweepRef>) -> Result<Response<v1::Sweep>, Status> {
        self.command(request, SweepCommand::Cancel).await
    }

    async fn retry_sweep(
        &self,
        request: Request<v1::RetrySweepRequest>,
    ) -> Result<Response<v1::RetrySweepResponse>, Status> {
        let v1::RetrySweepRequest { sweep, job } = request.into_inner();
        let name = convert::text("sweep", sweep, MAX_REF)?;
        let span = debug_span!("rpc.retry_sweep", sweep.name = name);
        let job = (job != 0).then_some(JobId(job));
        let retried = self.dispatcher.retry(&name, job).instrument(span).await?;
        Ok(Response::new(v1::RetrySweepResponse { sweep: Some(convert::sweep(retried.sweep)), jobs: retried.jobs }))
    }

    async fn remove_sweep(
        &self,
        request: Request<v1::RemoveSweepRequest>,
    ) -> Result<Response<v1::RemoveSweepResponse>, Status> {
        let v1::RemoveSweepRequest { sweep, validate_only } = request.into_inner();
        let name = convert::text("sweep", sweep, MAX_REF)?;
        let span = debug_span!("rpc.remove_sweep", sweep.name = name);
        let removed = removal::remove(&*self.store, &self.remover, &*self.artifacts, &name, validate_only);
        removed.instrument(span).await.map(Response::new)
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let workers = bounded(self.store.workers(request.into_inner().all)).await.map_err(status::of_read)?;
        Ok(Response::new(v1::ListWorkersResponse { workers: workers.into_iter().map(convert::worker_row).collect() }))
    }
}
