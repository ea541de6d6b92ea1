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
    Query, QueryError,
    limits::{Limits, Meter},
    postgres::Postgres,
    sqlite,
};
use crate::store::StoreUrl;

/// Statements at once. Each has some tens of megabytes at most, and there are cores that leases need as well.
const AT_ONCE: usize = 3;

/// How long a statement waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Batches that wait for whoever reads them.
const AHEAD: usize = 2;

/// As whom statements run on Postgres. SQLite has no roles: there all statements can read the views
/// and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// With the rights of the store's URL, for whoever names that URL.
    OfTheUrl,
    /// As a role that can read the views and nothing else: the one of this URL, else the one that
    /// the coordinator makes.
    OfAReader {
        /// `--reader-url`.
        url: Option<String>,
    },
}

/// The batches of a result as they are read. The last one may be an error. Dropping it ends the statement.
pub type Batches = mpsc::Receiver<Result<Table, QueryError>>;

/// Runs statements on one store.
#[derive(Debug)]
pub struct Queries {
    source: Source,
    turns: Arc<Semaphore>,
}

#[derive(Debug, Clone)]
enum Source {
    Sqlite(PathBuf),
    Postgres(Arc<Postgres>),
}

/// What a running statement gives its rows to.
pub(super) struct Sender {
    batches: mpsc::Sender<Result<Table, QueryError>>,
    limits: Limits,
    deadline: Instant,
    meter: Option<Meter>,
}

impl Queries {
    /// Statements on this store. Connections are made when they are needed.
    pub fn new(url: &StoreUrl, rights: Rights) -> Self {
        let source = match url {
            StoreUrl::Sqlite(path) => Source::Sqlite(path.clone()),
            StoreUrl::Postgres(url) => Source::Postgres(Arc::new(Postgres::new(url, rights))),
        };
        Self { source, turns: Arc::new(Semaphore::new(AT_ONCE)) }
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
    let sender = Sender { batches, limits: query.limits, deadline, meter: None };
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
    QueryError::Bound(format!(
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

impl Sender {
    /// When the statement has to have ended.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Says, from any thread, whether nobody waits for the result any more.
    pub(super) fn is_gone(&self) -> impl Fn() -> bool + 'static {
        let batches = self.batches.clone();
        move || batches.is_closed()
    }

    /// The columns of the result.
    pub(super) fn begin(&mut self, names: Vec<String>) {
        self.meter = Some(Meter::new(self.limits, names));
    }

    /// Takes a row behind [`Sender::begin`], and gives the batch that has to be sent now.
    pub(super) fn take(&mut self, row: Vec<Cell>) -> Result<Option<Table>, QueryError> {
        self.meter.as_mut().map_or(Ok(None), |meter| meter.push(row))
    }

    /// Sends a batch, within the time of the statement: whoever reads slowly must not hold a
    /// snapshot of the database for ever.
    pub(super) async fn send(&self, batch: Table) -> Result<(), QueryError> {
        match timeout_at(self.deadline.into(), self.batches.send(Ok(batch))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(QueryError::Gone),
            Err(_) => Err(self.limits.too_long()),
        }
    }

    /// Sends what is left.
    pub(super) async fn finish(&mut self) -> Result<(), QueryError> {
        match self.meter.take().and_then(Meter::finish) {
            Some(batch) => self.send(batch).await,
            None => Ok(()),
        }
    }
}
