//! Who may run statements, and how many at once.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use besom_sweep::{Cell, Table};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::spawn_blocking,
    time::timeout_at,
};

use super::{
    error::QueryError,
    postgres::Postgres,
    question::{Query, Rights},
    sender::Sender,
    sqlite,
};
use crate::store::StoreUrl;

/// Statements at once. Each has some tens of megabytes at most, and there are cores that leases
/// need as well.
const AT_ONCE: usize = 3;

/// How long a statement waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Batches that wait for whoever reads them.
const AHEAD: usize = 2;

/// The batches of a result as they are read. The last one may be an error. Dropping it ends the
/// statement.
pub type Batches = mpsc::Receiver<Result<Table, QueryError>>;

/// Runs statements on one store.
#[derive(Debug)]
pub struct Queries {
    url: StoreUrl,
    source: Source,
    turns: Arc<Semaphore>,
}

#[derive(Debug, Clone)]
enum Source {
    Sqlite(PathBuf),
    Postgres(Arc<Postgres>),
}

impl Queries {
    /// Statements on this store. Connections are made when they are needed.
    pub fn new(url: &StoreUrl, rights: Rights) -> Self {
        let source = match url {
            StoreUrl::Sqlite(path) => Source::Sqlite(path.clone()),
            StoreUrl::Postgres(url) => Source::Postgres(Arc::new(Postgres::new(url, rights))),
        };
        Self { url: url.clone(), source, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The store that they run on.
    pub(crate) fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// Makes the login for readers where there is none yet.
    ///
    /// # Errors
    /// `NoReader` where that is not possible, with the SQL that makes it; the others as they say.
    pub async fn prepare(&self) -> Result<(), QueryError> {
        match &self.source {
            Source::Sqlite(_) => Ok(()),
            Source::Postgres(postgres) => postgres.prepare().await,
        }
    }

    /// Starts a statement once it is its turn.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn start(&self, query: Query) -> Batches {
        let (batches, results) = mpsc::channel(AHEAD);
        let (source, turns) = (self.source.clone(), self.turns.clone());
        tokio::spawn(async move {
            let result = tokio::select! {
                result = run(source, turns, query, batches.clone()) => result,
                () = batches.closed() => return,
            };
            if let Err(error) = result {
                // Whoever reads slowly still has to hear that this is not all; it ends when nobody
                // reads any more.
                let _ = batches.send(Err(error)).await;
            }
        });
        results
    }
}

async fn run(
    source: Source,
    turns: Arc<Semaphore>,
    query: Query,
    batches: mpsc::Sender<Result<Table, QueryError>>,
) -> Result<(), QueryError> {
    if query.statement.contains('\0') {
        return Err(QueryError::Refused("the statement contains a NUL character".to_owned()));
    }
    if query.parameters.iter().any(|value| matches!(value, Cell::Float(value) if !value.is_finite())) {
        return Err(QueryError::Refused("expected finite numbers for the parameters, got one that is not".to_owned()));
    }
    let turn = tokio::time::timeout(PATIENCE, turns.acquire_owned()).await.map_err(|_| crowded())?;
    let turn = turn.map_err(|_| crowded())?;
    let deadline = Instant::now() + query.limits.time;
    let sender = Sender::new(batches, query.limits, deadline);
    match source {
        Source::Sqlite(path) => on_a_thread(path, query, sender, turn).await,
        Source::Postgres(postgres) => {
            let _turn = turn;
            let late = || query.limits.too_long();
            // The database ends the statement by itself at the same time; this is for one that says
            // nothing any more.
            timeout_at((deadline + PATIENCE).into(), postgres.run(&query, sender)).await.map_err(|_| late())?
        }
    }
}

fn crowded() -> QueryError {
    QueryError::Crowded(format!(
        "{AT_ONCE} statements run already, which is the bound, and none ended within {} s; try again in a moment",
        PATIENCE.as_secs()
    ))
}

/// The thread keeps the turn until it has really ended, also when nobody waits for it any more.
async fn on_a_thread(
    path: PathBuf,
    query: Query,
    mut sender: Sender,
    turn: OwnedSemaphorePermit,
) -> Result<(), QueryError> {
    let runtime = Handle::current();
    let work = spawn_blocking(move || {
        let _turn = turn;
        sqlite::run(&path, &query, &runtime, &mut sender)?;
        runtime.block_on(sender.finish())
    });
    work.await.unwrap_or_else(|error| Err(QueryError::Unavailable(error.into())))
}
