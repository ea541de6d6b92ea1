//! `besom sql "SELECT ..."`: through a coordinator, or straight to a store, also while a
//! coordinator writes to it.

use std::io::IsTerminal;

use besom_coordinator::query;
use besom_sweep::Table;

use crate::{
    connect::{self, Connection},
    output::{self, Exit},
    render::{sql, table},
    settings::{Settings, Target, Where},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One statement that reads
    #[arg(allow_hyphen_values = true)]
    statement: String,
    /// How rows are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    at: Where,
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
    let result = match settings.target(&args.at)? {
        Target::Coordinator(url) => {
            let connection = Connection::remote(&url).await?;
            connection.reader().queries().query(&args.statement, Vec::new()).await?
        }
        Target::Store(url) => query(&connect::parse_store(&url)?, &args.statement).await?,
    };
    match args.format {
        Format::Table => output::line(shown(&result)?)?,
        Format::Csv if std::io::stdout().is_terminal() => output::bytes(&sql::csv(&sql::escaped_table(&result))?)?,
        Format::Csv => output::bytes(&sql::csv(&result)?)?,
        Format::Json => sql::print_json(&result)?,
    }
    Ok(Exit::Success)
}

/// Cells of a table, at most: each takes some hundred bytes until all are as wide as their column.
const MOST: usize = 1_000_000;

fn shown(result: &Table) -> anyhow::Result<String> {
    let (rows, columns) = (result.rows.len(), result.columns.len());
    if rows * columns > MOST {
        anyhow::bail!(
            "{rows} rows of {columns} columns are too many for a table: add a LIMIT, or say --format csv or json"
        );
    }
    let mut table = table::Table::new(result.names().map(sql::escaped));
    for row in &result.rows {
        table.row(row.iter().map(|cell| sql::escaped(&sql::text(cell))));
    }
    Ok(table.render())
}
