//! `besom sql "SELECT ..."`: through a coordinator, or straight to a store, also while a
//! coordinator writes to it.

use std::{
    fs::File,
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use besom_coordinator::query;
use besom_sweep::Table;

use crate::{
    connect::{self, Connection},
    output::{self, Exit, say, usage},
    render::{records, sql, table},
    settings::{Settings, Target, Where},
};

/// The longest statement that is run.
const MAX_STATEMENT: u64 = 256 << 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One statement that reads; `-` reads it from stdin
    #[arg(allow_hyphen_values = true, required_unless_present = "file", conflicts_with = "file")]
    statement: Option<String>,
    /// Read the statement from this file; `-` is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How rows are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print JSON: the same as --format json, and an error is JSON as well
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: as a table, and on a terminal that is too narrow for it record by record
    Table,
    /// RFC 4180 with a header line and line feeds; NULL is empty
    Csv,
    /// A list of objects
    Json,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let target = settings.target(&args.at)?;
    let statement = match (args.statement, args.file) {
        (Some(statement), _) if statement != "-" => statement,
        (_, Some(file)) if file.as_os_str() != "-" => read_file(&file)?,
        _ => read_stdin()?,
    };
    let result = match target {
        Target::Coordinator(url) => {
            let connection = Connection::remote(&url).await?;
            connection.reader().queries().query(&statement, Vec::new()).await?
        }
        Target::Store(url) => query(&connect::parse_store(&url)?, &statement).await?,
    };
    match args.format {
        _ if args.json => sql::print_json(&result)?,
        Format::Table => print_table(&result)?,
        Format::Csv if std::io::stdout().is_terminal() => output::bytes(&sql::csv(&sql::escaped_table(&result))?)?,
        Format::Csv => output::bytes(&sql::csv(&result)?)?,
        Format::Json => sql::print_json(&result)?,
    }
    Ok(Exit::Success)
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| usage(format_args!("{name}: {error}")))?;
    read(file, &name)
}

fn read_stdin() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        say("type the statement, and end it with Ctrl-D on a line of its own");
    }
    read(stdin.lock(), "stdin")
}

/// A statement from a file, which may be another one than was meant.
fn read(from: impl Read, name: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(MAX_STATEMENT + 1).read_to_end(&mut bytes).with_context(|| name.to_owned())?;
    if bytes.len() as u64 > MAX_STATEMENT {
        return Err(usage(format_args!(
            "{name}: expected a statement of at most {} KiB, got more",
            MAX_STATEMENT >> 10
        )));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| usage(format_args!("{name}: expected a statement as UTF-8 text")))?;
    // Some editors begin a file with a mark that no database knows.
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Cells of a table, at most: each takes some hundred bytes until all are as wide as their column.
const MOST: usize = 1_000_000;

fn print_table(result: &Table) -> anyhow::Result<()> {
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
    match output::stdout_width() {
        Some(width) if !table.fits(width) => output::line(records::text(result, width)),
        _ => output::line(table.render()),
    }
}
