//! Statements through the RPC of a coordinator.

use std::sync::Arc;

use besom_coordinator::{
    Coordinator, CoordinatorConfig,
    store::query::{Queries, Rights},
};
use besom_proto::v1::{self, query_service_client::QueryServiceClient};
use besom_sweep::{Cell, Table};
use tonic::{Status, transport::Channel};

use super::Filled;

/// A coordinator on a filled store, and a client of it.
pub(crate) struct Asking {
    pub(crate) coordinator: Coordinator,
    pub(crate) client: QueryServiceClient<Channel>,
}

/// As a coordinator is started by people: readers have a role of their own.
pub(crate) fn asking(filled: &Filled) -> Asking {
    asking_as(filled, Rights::OfAReader { url: None })
}

pub(crate) fn asking_as(filled: &Filled, rights: Rights) -> Asking {
    let queries = Some(Arc::new(Queries::new(&filled.url, rights)));
    let config = CoordinatorConfig { queries, ..CoordinatorConfig::default() };
    let coordinator = Coordinator::start(filled.opened.store.clone(), filled.opened.artifacts.clone(), config).unwrap();
    Asking::of(coordinator)
}

/// A question without values and with the coordinator's bounds.
pub(crate) fn question(sql: &str) -> v1::QueryRequest {
    v1::QueryRequest { statement: sql.to_owned(), ..v1::QueryRequest::default() }
}

/// The same with the values of `$1`, `$2`, ...
pub(crate) fn question_with(sql: &str, values: Vec<Cell>) -> v1::QueryRequest {
    use v1::cell::Value;
    let parameters = values.into_iter().map(|value| v1::Cell {
        value: match value {
            Cell::Null => None,
            Cell::Integer(value) => Some(Value::Integer(value)),
            Cell::Float(value) => Some(Value::Float(value)),
            Cell::Text(value) => Some(Value::Text(value)),
            Cell::Boolean(value) => Some(Value::Boolean(value)),
            Cell::Bytes(value) => Some(Value::Bytes(value)),
        },
    });
    v1::QueryRequest { parameters: parameters.collect(), ..question(sql) }
}

impl Asking {
    pub(crate) fn of(coordinator: Coordinator) -> Self {
        let client = QueryServiceClient::new(coordinator.connector().channel());
        Self { coordinator, client }
    }

    pub(crate) async fn ask(&self, sql: &str) -> Result<Table, Status> {
        self.request(question(sql)).await
    }

    pub(crate) async fn ask_with(&self, sql: &str, values: Vec<Cell>) -> Result<Table, Status> {
        self.request(question_with(sql, values)).await
    }

    pub(crate) async fn request(&self, request: v1::QueryRequest) -> Result<Table, Status> {
        let mut batches = self.client.clone().query(request).await?.into_inner();
        let mut table = Table::default();
        while let Some(batch) = batches.message().await? {
            let mut part = Table::new(batch.columns.iter().map(|column| column.name.clone()));
            for row in batch.rows {
                part.push(row.cells.into_iter().map(cell).collect());
            }
            table.append(part);
        }
        Ok(table)
    }
}

fn cell(cell: v1::Cell) -> Cell {
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
