//! A coordinator: the services on a store, and the tasks that keep it moving.
//!
//! Every task has an owner here and ends with the [`Coordinator`], also when that is only dropped.
//! Nothing waits for a peer without bound: a connection that never says anything must not keep a
//! stopping process alive.

use std::{io, sync::Arc, time::Duration};

use besom_proto::link;
use besom_proto::v1::artifact_service_server::ArtifactServiceServer;
use besom_proto::v1::query_service_server::QueryServiceServer;
use besom_proto::v1::sweep_service_server::SweepServiceServer;
use besom_proto::v1::worker_service_server::WorkerServiceServer;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::util::MapResponse;
use tracing::{info, warn};

use crate::artifacts::ArtifactStore;
use crate::catch_up::catch_up;
use crate::config::{ConfigError, CoordinatorConfig};
use crate::dispatcher::Dispatcher;
use crate::expander::Expander;
use crate::in_process::InProcess;
use crate::keeper::keep;
use crate::listener::{self, Counted};
use crate::reaper::Reaper;
use crate::remover::Remover;
use crate::rpc::{Artifacts, QueryDesk, Sweeps, Watches, Workers, refused};
use crate::store::{Store, query::Queries};
use crate::weigher::weigh;

/// How long open calls may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// And those within this process, whose callers are stopping as well.
const DRAIN_IN_PROCESS: Duration = Duration::from_secs(2);
/// The largest message taken: a worker's report of 1,024 jobs fits many times.
const MAX_MESSAGE: usize = 8 << 20;
/// The largest message of an upload: a chunk and its frame.
const MAX_UPLOAD_MESSAGE: usize = 4 << 20;
/// The largest question: a statement with its values.
const MAX_QUESTION: usize = 1 << 20;
/// Calls of one connection at work at once; more are refused, not queued. Streams count only until
/// their first part.
const MAX_CALLS: usize = 256;
/// Streams of one connection. Above [`MAX_CALLS`], so that a client is refused rather than kept
/// waiting.
const MAX_STREAMS: u32 = 1_024;

/// The services on a store, with the tasks that keep it moving (expander, reaper, importance,
/// statistics of earlier runs, what removed sweeps leave, artifacts that nobody names).
#[derive(Debug)]
pub struct Coordinator {
    services: Services,
    in_process: InProcess,
    tasks: TaskTracker,
    token: CancellationToken,
    /// Ends the tasks when the coordinator is dropped.
    _end: DropGuard,
}

/// What a server needs to be made of.
#[derive(Clone)]
struct Services {
    store: Arc<dyn Store>,
    dispatcher: Arc<Dispatcher>,
    artifacts: Arc<dyn ArtifactStore>,
    uploads: TaskTracker,
    watches: Arc<Watches>,
    remover: Arc<Remover>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("config", &self.dispatcher.config()).finish_non_exhaustive()
    }
}

impl Coordinator {
    /// Starts on the current runtime: the in-process server, the reaper, and the expander with what
    /// an earlier coordinator left unfinished.
    ///
    /// # Errors
    /// A configuration that does not hold together.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn start(
        store: Arc<dyn Store>,
        artifacts: Arc<dyn ArtifactStore>,
        config: CoordinatorConfig,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let coordinator = Self::new(store, artifacts, config);
        let Self { services: Services { store, dispatcher, artifacts, remover, .. }, tasks, token, .. } = &coordinator;
        tasks.spawn(Reaper::new(store.clone(), dispatcher.clone(), Instant::now()).run(token.clone()));
        tasks.spawn(Expander::new(store.clone(), dispatcher.clone()).run(token.clone()));
        tasks.spawn(catch_up(store.clone(), token.clone()));
        tasks.spawn(keep(artifacts.clone(), token.clone()));
        tasks.spawn(weigh(store.clone(), token.clone()));
        tasks.spawn(remover.clone().run(token.clone()));
        tasks.spawn(dispatcher.watch_queue(token.clone()));
        Ok(coordinator)
    }

    /// The same services without the tasks that change anything, for a store that is open for
    /// reading.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn read_only(store: Arc<dyn Store>, artifacts: Arc<dyn ArtifactStore>, queries: Option<Arc<Queries>>) -> Self {
        Self::new(store, artifacts, CoordinatorConfig { queries, ..CoordinatorConfig::default() })
    }

    fn new(store: Arc<dyn Store>, artifacts: Arc<dyn ArtifactStore>, config: CoordinatorConfig) -> Self {
        let (token, tasks) = (CancellationToken::new(), TaskTracker::new());
        let watches = Arc::new(Watches::new(store.clone(), tasks.clone(), token.clone()));
        let remover = Arc::new(Remover::new(store.clone()));
        let dispatcher = Arc::new(Dispatcher::new(store.clone(), config));
        let services = Services { store, dispatcher, artifacts, uploads: tasks.clone(), watches, remover };
        let (in_process, incoming) = InProcess::new();
        // No keep-alive here: both ends live and die together, and a debugger or a busy machine may
        // stop them for long.
        let server =
            Server::builder().concurrency_limit_per_connection(MAX_CALLS).load_shed(true).serve_with_incoming_shutdown(
                MapResponse::new(services.routes(&token).prepare(), refused),
                ReceiverStream::new(incoming),
                token.clone().cancelled_owned(),
            );
        let ends = token.clone();
        tasks.spawn(async move {
            if let Err(error) = until_drained(server, ends, DRAIN_IN_PROCESS).await {
                warn!(%error, "the in-process server ended");
            }
        });
        Self { services, in_process, tasks, _end: token.clone().drop_guard(), token }
    }

    /// Connects within this process.
    pub fn connector(&self) -> InProcess {
        self.in_process.clone()
    }

    /// Serves all services, health and (where configured) reflection until `shutdown` is cancelled
    /// or the coordinator ends. Open calls then have 10 s; connections without one end at once.
    ///
    /// # Errors
    /// What the listener or the transport says.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let address = listener.local_addr()?;
        // Of the coordinator's own, so that ending either ends the server.
        let closing = self.token.child_token();
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<SweepServiceServer<Sweeps>>().await;
        health.set_serving::<WorkerServiceServer<Workers>>().await;
        health.set_serving::<ArtifactServiceServer<Artifacts>>().await;
        health.set_serving::<QueryServiceServer<QueryDesk>>().await;
        let mut routes = self.services.routes(&closing).add_service(health_service);
        if self.services.dispatcher.config().reflection {
            let reflection = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(besom_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .build_v1()
                .map_err(io::Error::other)?;
            routes = routes.add_service(reflection);
        }
        let server = Server::builder()
            .concurrency_limit_per_connection(MAX_CALLS)
            .load_shed(true)
            .max_concurrent_streams(MAX_STREAMS)
            .http2_keepalive_interval(Some(link::KEEP_ALIVE))
            .http2_keepalive_timeout(Some(link::KEEP_ALIVE_TIMEOUT))
            .serve_with_incoming_shutdown(
                Counted(MapResponse::new(routes.prepare(), refused)),
                listener::incoming(listener, closing.clone()),
                closing.clone().cancelled_owned(),
            );
        info!(%address, "serving");
        let stop = async {
            tokio::select! {
                () = shutdown.cancelled() => closing.cancel(),
                () = closing.cancelled() => {}
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            served = until_drained(server, closing.clone(), DRAIN) => served,
            () = stop => Ok(()),
        }
    }

    /// Ends the tasks and the in-process server. Bounded.
    pub async fn stop(self) {
        self.token.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            warn!("some tasks did not end in time");
        }
    }
}

impl Services {
    fn routes(&self, closing: &CancellationToken) -> Routes {
        let sweeps = Sweeps {
            store: self.store.clone(),
            dispatcher: self.dispatcher.clone(),
            artifacts: self.artifacts.clone(),
            watches: self.watches.clone(),
            remover: self.remover.clone(),
            closing: closing.clone(),
        };
        let workers = Workers { dispatcher: self.dispatcher.clone(), closing: closing.clone() };
        let artifacts = Artifacts {
            store: self.store.clone(),
            window: self.dispatcher.config().transfer_window,
            artifacts: self.artifacts.clone(),
            uploads: self.uploads.clone(),
        };
        let queries = QueryDesk {
            store: self.store.clone(),
            queries: self.dispatcher.config().queries.clone(),
            closing: closing.clone(),
        };
        Routes::new(SweepServiceServer::new(sweeps).max_decoding_message_size(MAX_MESSAGE))
            .add_service(WorkerServiceServer::new(workers).max_decoding_message_size(MAX_MESSAGE))
            .add_service(ArtifactServiceServer::new(artifacts).max_decoding_message_size(MAX_UPLOAD_MESSAGE))
            .add_service(QueryServiceServer::new(queries).max_decoding_message_size(MAX_QUESTION))
    }
}

/// Waits for the server and, once `closing`, no longer than `drain`: a call may last as long as its
/// peer wants.
async fn until_drained(
    server: impl Future<Output = Result<(), tonic::transport::Error>>,
    closing: CancellationToken,
    drain: Duration,
) -> io::Result<()> {
    let deadline = async {
        closing.cancelled().await;
        sleep(drain).await;
    };
    tokio::select! {
        served = server => served.map_err(io::Error::other),
        () = deadline => {
            warn!("calls are still open; not waiting for them any longer");
            Ok(())
        }
    }
}
