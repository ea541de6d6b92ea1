//! QueryService: results in SQL.

use std::{sync::Arc, time::Duration};

use besom_proto::v1::{self, query_service_server::QueryService};
use besom_sweep::{Cell, CellType, Table};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::debug;

use super::status;
use crate::settling::settle;
use crate::store::{
    OpenError, Store,
    query::{Batches, Limits, Queries, Query, QueryError},
};

/// The longest statement, and the most values for it.
const MAX_STATEMENT: usize = 256 << 10;
const MAX_PARAMETERS: usize = 1_000;

/// The service.
pub(crate) struct QueryDesk {
    pub(crate) store: Arc<dyn Store>,
    /// None where nobody said how the store is read.
    pub(crate) queries: Option<Arc<Queries>>,
    /// Cancelled when the server stops: open results end then, with an error.
    pub(crate) closing: CancellationToken,
}

#[tonic::async_trait]
impl QueryService for QueryDesk {
    type QueryStream = BoxStream<'static, Result<v1::QueryBatch, Status>>;

    async fn query(&self, request: Request<v1::QueryRequest>) -> Result<Response<Self::QueryStream>, Status> {
        let Some(queries) = &self.queries else {
            return Err(Status::failed_precondition("this coordinator runs no statements of readers"));
        };
        let query = incoming(request.into_inner())?;
        settle(&self.store, queries.url(), &query.statement).await;
        Ok(Response::new(sent(queries.start(query), self.closing.clone())))
    }
}

/// The batches as messages. Dropping the stream, as when the client goes away, ends the statement.
fn sent(batches: Batches, closing: CancellationToken) -> BoxStream<'static, Result<v1::QueryBatch, Status>> {
    let next = |(batches, closing): (Option<Batches>, CancellationToken)| async move {
        let mut batches = batches?;
        tokio::select! {
            batch = batches.recv() => batch.map(|batch| (batch.map(outgoing).map_err(refused), (Some(batches), closing))),
            () = closing.cancelled() => {
                let stopping = Status::unavailable("the coordinator stops, and this is not the whole result; ask again");
                Some((Err(stopping), (None, closing)))
            }
        }
    };
    stream::unfold((Some(batches), closing), next).boxed()
}

fn incoming(request: v1::QueryRequest) -> Result<Query, Status> {
    let v1::QueryRequest { statement, parameters, limits } = request;
    if statement.len() > MAX_STATEMENT {
        let problem = format!(
            "expected at most {} KiB, got {} bytes; give long values as parameters",
            MAX_STATEMENT >> 10,
            statement.len()
        );
        return Err(status::invalid("statement", problem));
    }
    if parameters.len() > MAX_PARAMETERS {
        let problem = format!("expected at most {MAX_PARAMETERS} values, got {}", parameters.len());
        return Err(status::invalid("parameters", problem));
    }
    let v1::QueryLimits { rows, bytes, seconds } = limits.unwrap_or_default();
    let limits = Limits::COORDINATOR.narrowed(rows, bytes, Duration::from_secs(seconds.into()));
    Ok(Query { statement, parameters: parameters.into_iter().map(parameter).collect(), limits })
}

fn parameter(cell: v1::Cell) -> Cell {
    use v1::cell::Value;
    match cell.value {
        None => Cell::Null,
        Some(Value::Integer(value)) => Cell::Integer(value),
        Some(Value::Float(value)) => Cell::Float(value),
        Some(Value::Text(value)) => Cell::Text(value),
        Some(Value::Boolean(value)) => Cell::Boolean(value),
        Some(Value::Bytes(value)) => Cell::Bytes(value),
    }
}

fn outgoing(table: Table) -> v1::QueryBatch {
    use v1::cell::Value;
    let columns = table.columns.into_iter().map(|column| v1::Column {
        name: column.name,
        r#type: match column.kind {
            CellType::Null => v1::CellType::Null,
            CellType::Integer => v1::CellType::Integer,
            CellType::Float => v1::CellType::Float,
            CellType::Text => v1::CellType::Text,
            CellType::Boolean => v1::CellType::Boolean,
            CellType::Bytes => v1::CellType::Bytes,
        }
        .into(),
    });
    let cell = |cell| v1::Cell {
        value: match cell {
            Cell::Null => None,
            Cell::Integer(value) => Some(Value::Integer(value)),
            Cell::Float(value) => Some(Value::Float(value)),
            Cell::Text(value) => Some(Value::Text(value)),
            Cell::Boolean(value) => Some(Value::Boolean(value)),
            Cell::Bytes(value) => Some(Value::Bytes(value)),
        },
    };
    let rows = table.rows.into_iter().map(|row| v1::Row { cells: row.into_iter().map(cell).collect() });
    v1::QueryBatch { columns: columns.collect(), rows: rows.collect() }
}

/// What a client is told. The words of the database about its statement are the client's business;
/// a store's address is not.
fn refused(error: QueryError) -> Status {
    let text = error.to_string();
    let text = status::fitting(text.lines());
    match error {
        QueryError::Refused(_) | QueryError::Sql { .. } => Status::invalid_argument(text),
        QueryError::Bound(_) => Status::resource_exhausted(text),
        // Not a bound of the result: a smaller part of it is as late.
        QueryError::Crowded(_) => Status::aborted(text),
        QueryError::NoReader(_) => Status::failed_precondition(text),
        QueryError::Open(OpenError::NotFound { .. }) => Status::failed_precondition(text),
        QueryError::Open(_) | QueryError::Unavailable(_) => {
            debug!(error = %text, "a statement of a reader found no database");
            Status::unavailable(
                "the database is not available to readers; the coordinator's log says more (BESOM_LOG=debug)",
            )
        }
        QueryError::Gone => Status::cancelled(text),
    }
}
