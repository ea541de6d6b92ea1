//! SQL as people type it: one statement that only reads, beside a coordinator that writes or
//! without one.
//!
//! Each database has guards of its own (`sqlite`, `postgres`), and what comes out is the same: a
//! table whose cells carry their types. A statement has a connection for itself, so none, however
//! long, holds up a lease. Its rows come in batches as they are read, and everything that it may
//! cost has a bound (`limits`).

mod error;
mod limits;
mod nearest;
mod postgres;
mod queries;
mod question;
mod sender;
pub(super) mod sqlite;
mod views;

use besom_sweep::Table;

use super::{made::until_made, url::StoreUrl};

pub use error::{Position, QueryError};
pub use limits::Limits;
pub use queries::{Batches, Queries};
pub use question::{Query, Rights};
pub use views::VIEWS;

/// Runs one statement that only reads on a store of one's own, with the rights of its URL, and
/// keeps the whole result. Dropping the future ends the statement.
///
/// # Errors
/// `Refused` for whatever could change something, for several statements and for parameters; the
/// others as they say.
pub async fn query(url: &StoreUrl, sql: &str) -> Result<Table, QueryError> {
    let query = Query { statement: sql.to_owned(), parameters: Vec::new(), limits: Limits::OWN_STORE };
    until_made(url).await;
    let mut batches = Queries::new(url, Rights::OfTheUrl).start(query);
    let mut table = Table::default();
    while let Some(batch) = batches.recv().await {
        table.append(batch?);
    }
    Ok(table)
}
