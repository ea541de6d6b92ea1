//! Results in SQL: statements that a coordinator runs, as tables.
//!
//! A statement that would meet a bound of the coordinator ends with an error, and nothing of its
//! result is used. What may be large is therefore read in parts ([`Pages`], [`Parts`]), each far
//! below the bounds.

mod pages;
mod parts;

use besom_proto::v1::{self, query_service_client::QueryServiceClient};
use besom_sweep::{Cell, CellType, Column, Table, TableError};
use tonic::{Code, Status, transport::Channel};

pub use self::{
    pages::{Pages, Paging},
    parts::{JobLength, OfJob, Parts},
};

/// The most that a result may hold, in bytes of memory: what is printed of it takes as much again.
const MAX_RESULT: usize = 384 << 20;

/// The largest message: a batch of a result and the largest row behind it stay far below.
const MAX_MESSAGE: usize = 32 << 20;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The coordinator does not know the service.
    #[error(
        "the coordinator is older than this command and runs no statements; start one of this build, or name its store with --store"
    )]
    Unknown,
    /// The coordinator, or its database, does not answer.
    #[error("the coordinator is not available: {0}")]
    Unavailable(String),
    /// A bound is met: of the coordinator, which names it, or of this process.
    #[error("{0}")]
    Bound(String),
    /// The coordinator refuses the statement, in its words.
    #[error("{0}")]
    Refused(String),
    /// The result does not have what the statement asks for.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A client of the results of one coordinator.
#[derive(Debug, Clone)]
pub struct Queries(QueryServiceClient<Channel>);

impl Queries {
    /// Of the coordinator at the other end of `channel`.
    pub fn new(channel: Channel) -> Self {
        Self(QueryServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
    }

    /// Runs a statement with the values of `$1`, `$2`, ..., and keeps its whole result.
    ///
    /// # Errors
    /// There is no result, or not all of it: see [`QueryError`].
    pub async fn query(&self, statement: &str, parameters: Vec<Cell>) -> Result<Table, QueryError> {
        let parameters = parameters.into_iter().map(outgoing).collect();
        let request = v1::QueryRequest { statement: statement.to_owned(), parameters, limits: None };
        let mut batches = self.0.clone().query(request).await.map_err(refused)?.into_inner();
        let (mut table, mut bytes) = (Table::default(), 0);
        while let Some(batch) = batches.message().await.map_err(refused)? {
            let batch = incoming(batch);
            bytes += size(&batch);
            if bytes > MAX_RESULT {
                let most = MAX_RESULT >> 20;
                return Err(QueryError::Bound(format!(
                    "the result is larger than {most} MiB; add a LIMIT, or choose fewer columns"
                )));
            }
            table.append(batch);
        }
        Ok(table)
    }

    /// The result of a statement page by page.
    pub fn pages(&self, paging: Paging) -> Pages {
        Pages::new(self.clone(), paging)
    }
}

/// Bytes of memory.
fn size(table: &Table) -> usize {
    table.rows.iter().flatten().map(Cell::size).sum()
}

fn refused(status: Status) -> QueryError {
    let message = status.message().to_owned();
    match status.code() {
        Code::Unimplemented => QueryError::Unknown,
        Code::Unavailable => QueryError::Unavailable(message),
        Code::ResourceExhausted => QueryError::Bound(message),
        _ => QueryError::Refused(message),
    }
}

fn outgoing(cell: Cell) -> v1::Cell {
    use v1::cell::Value;
    let value = match cell {
        Cell::Null => None,
        Cell::Integer(value) => Some(Value::Integer(value)),
        Cell::Float(value) => Some(Value::Float(value)),
        Cell::Text(value) => Some(Value::Text(value)),
        Cell::Boolean(value) => Some(Value::Boolean(value)),
        Cell::Bytes(value) => Some(Value::Bytes(value)),
    };
    v1::Cell { value }
}

fn incoming(batch: v1::QueryBatch) -> Table {
    use v1::cell::Value;
    let columns = batch.columns.into_iter().map(|column| Column {
        kind: match column.r#type() {
            v1::CellType::Unspecified | v1::CellType::Null => CellType::Null,
            v1::CellType::Integer => CellType::Integer,
            v1::CellType::Float => CellType::Float,
            v1::CellType::Text => CellType::Text,
            v1::CellType::Boolean => CellType::Boolean,
            v1::CellType::Bytes => CellType::Bytes,
        },
        name: column.name,
    });
    let cell = |cell: v1::Cell| match cell.value {
        None => Cell::Null,
        Some(Value::Integer(value)) => Cell::Integer(value),
        Some(Value::Float(value)) => Cell::Float(value),
        Some(Value::Text(value)) => Cell::Text(value),
        Some(Value::Boolean(value)) => Cell::Boolean(value),
        Some(Value::Bytes(value)) => Cell::Bytes(value),
    };
    let rows = batch.rows.into_iter().map(|row| row.cells.into_iter().map(cell).collect());
    Table { columns: columns.collect(), rows: rows.collect() }
}
