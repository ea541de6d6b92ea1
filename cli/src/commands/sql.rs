//! `besom sql "SELECT ..."`: straight to the store, read-only, also while a coordinator writes to it.

use besom_coordinator::store::query::{QueryResult, query};

use crate::{
    connect,
    output::{self, Exit},
    render::{sql, table::Table},
    settings::Settings,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One statement that reads
    #[arg(allow_hyphen_values = true)]
    statement: String,
    /// How rows are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The store: sqlite:PATH or postgres://... [env: BESOM_STORE] [default: sqlite:$BESOM_HOME/besom.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Taken so that the answer says how to reach the store.
    #[arg(long, value_name = "URL", hide = true)]
    coordinator: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// RFC 4180 with a header line and line feeds; NULL is empty
    Csv,
    /// A list of objects
    Json,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let url = connect::parse_store(&settings.store_of_sql(args.store.as_deref(), args.coordinator.as_deref())?)?;
    let result = query(&url, &args.statement).await?;
    match args.format {
        Format::Table => output::line(table(&result)?)?,
        Format::Csv => output::bytes(&sql::csv(&result)?)?,
        Format::Json => sql::print_json(&result)?,
    }
    Ok(Exit::Success)
}

/// Cells of a table, at most: each takes some hundred bytes until all are as wide as their column.
const MOST: usize = 1_000_000;

fn table(result: &QueryResult) -> anyhow::Result<String> {
    let (rows, columns) = (result.rows.len(), result.columns.len());
    if rows * columns > MOST {
        anyhow::bail!(
            "{rows} rows of {columns} columns are too many for a table: add a LIMIT, or say --format csv or json"
        );
    }
    let mut table = Table::new(result.columns.iter().cloned());
    for row in &result.rows {
        table.row(row.iter().map(sql::text));
    }
    Ok(table.render())
}
