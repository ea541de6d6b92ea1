//! Statements that a coordinator runs, as tables.

use besom_proto::v1::{self, query_service_client::QueryServiceClient};
use besom_sweep::{Cell, CellType, Column, Table};
use tonic::{Code, Status, transport::Channel};

/// The most that a result may hold, in bytes of memory: what is printed of it takes as much again.
const MAX_RESULT: usize = 384 << 20;

/// Runs a statement and keeps its whole result.
///
/// # Errors
/// What the coordinator answers, in its words.
pub(crate) async fn query(
    mut client: QueryServiceClient<Channel>,
    statement: &str,
    parameters: Vec<Cell>,
) -> anyhow::Result<Table> {
    let parameters = parameters.into_iter().map(outgoing).collect();
    let request = v1::QueryRequest { statement: statement.to_owned(), parameters, limits: None };
    let mut batches = client.query(request).await.map_err(refused)?.into_inner();
    let (mut table, mut bytes) = (Table::default(), 0);
    while let Some(batch) = batches.message().await.map_err(refused)? {
        let batch = incoming(batch);
        bytes += batch.rows.iter().flatten().map(Cell::size).sum::<usize>();
        if bytes > MAX_RESULT {
            anyhow::bail!("the result is larger than {} MiB; add a LIMIT, or choose fewer columns", MAX_RESULT >> 20);
        }
        table.append(batch);
    }
    Ok(table)
}

/// A statement that is refused is not wrong use of the command: it is text that somebody wrote.
fn refused(status: Status) -> anyhow::Error {
    match status.code() {
        Code::Unimplemented => anyhow::anyhow!(
            "the coordinator is older than this command and runs no statements; start one of this build, or name its store with --store"
        ),
        Code::Unavailable => anyhow::anyhow!("the coordinator is not available: {}", status.message()),
        _ => anyhow::anyhow!("{}", status.message()),
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
