//! docs/sql.md tells the truth: its queries run on both databases and in stock clients with the
//! same answers, and its tables list the columns that there are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sql_support;

use std::process::Command;

use besom_coordinator::store::{StoreUrl, query::query};
use besom_sweep::{Cell, Table};
use sql_support::asking::asking;

const PAGE: &str = include_str!("../../docs/sql.md");

/// Between cells, between rows, and for null: characters that no value has.
const CELL: &str = "\u{1f}";
const ROW: &str = "\u{1e}";
const NULL: &str = "\u{2205}";

/// Sums of the same numbers in another order, or printed with 15 digits.
const TOLERANCE: f64 = 1e-12;

/// The page's queries, with their headings.
fn questions() -> Vec<(&'static str, &'static str)> {
    let mut heading = "";
    let mut questions = Vec::new();
    for (index, line) in PAGE.lines().enumerate() {
        if let Some(text) = line.strip_prefix("### ") {
            heading = text;
        }
        if line == "```sql" {
            let start = PAGE.lines().take(index + 1).map(|line| line.len() + 1).sum::<usize>();
            questions.push((heading, PAGE[start..].split("\n```").next().unwrap()));
        }
    }
    questions
}

/// Columns that the page lists for a view.
fn documented(view: &str) -> Vec<String> {
    let section = PAGE.split("\n### ").find(|section| section.starts_with(&format!("`{view}`"))).unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names.map(str::to_owned).collect()
}

fn names(table: &Table) -> Vec<String> {
    table.names().map(str::to_owned).collect()
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0)
}

fn same(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Float(a), Cell::Float(b)) => near(*a, *b),
        (a, b) => a == b,
    }
}

/// Whether a stock client printed that cell.
fn printed(cell: &Cell, text: &str) -> bool {
    match cell {
        Cell::Null => text == NULL,
        Cell::Integer(value) => text.parse() == Ok(*value),
        Cell::Float(value) => text.parse().is_ok_and(|text| near(*value, text)),
        Cell::Text(value) => text == value,
        Cell::Boolean(value) => text == if *value { "t" } else { "f" },
        Cell::Bytes(_) => false,
    }
}

fn client(program: &str, package: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("this test needs {program} ({error}): install the package `{package}`"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the stock client of that store prints: a line of names, then the rows.
fn stock_client(url: &StoreUrl, sql: &str) -> Vec<Vec<String>> {
    let text = match url {
        StoreUrl::Sqlite(path) => {
            let path = path.to_str().unwrap();
            let arguments =
                ["-readonly", "-batch", "-header", "-separator", CELL, "-newline", ROW, "-nullvalue", NULL, path, sql];
            client("sqlite3", "sqlite3", &arguments)
        }
        StoreUrl::Postgres(url) => {
            let null = format!("null={NULL}");
            let arguments = [
                url,
                "-X",
                "-A",
                "-F",
                CELL,
                "-R",
                ROW,
                "-P",
                "footer=off",
                "-P",
                &null,
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                sql,
            ];
            client("psql", "postgresql-client", &arguments)
        }
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix(ROW).unwrap_or(text);
    text.split(ROW).map(|row| row.split(CELL).map(str::to_owned).collect()).collect()
}

fn assert_printed(heading: &str, result: &Table, printed_rows: &[Vec<String>]) {
    assert_eq!(printed_rows[0], names(result), "{heading}");
    assert_eq!(printed_rows.len() - 1, result.rows.len(), "{heading}");
    for (row, texts) in result.rows.iter().zip(&printed_rows[1..]) {
        assert_eq!(row.len(), texts.len(), "{heading}: {texts:?}");
        assert!(row.iter().zip(texts).all(|(cell, text)| printed(cell, text)), "{heading}: {row:?} and {texts:?}");
    }
}

#[tokio::test]
async fn every_documented_query_gives_the_same_on_both_databases_through_a_coordinator_and_in_stock_clients() {
    let (sqlite, postgres) = (sql_support::sqlite().await, sql_support::postgres().await);
    let (ask_sqlite, ask_postgres) = (asking(&sqlite), asking(&postgres));
    let questions = questions();
    assert_eq!(questions.len(), 17);
    for (heading, sql) in questions {
        assert!(sql.contains("ORDER BY"), "{heading}: without an order the answers cannot be compared");
        let of_sqlite = query(&sqlite.url, sql).await.unwrap_or_else(|error| panic!("{heading}: {error}"));
        let of_postgres = query(&postgres.url, sql).await.unwrap_or_else(|error| panic!("{heading}: {error}"));
        assert!(!of_sqlite.rows.is_empty(), "{heading}: no rows");
        assert_eq!(names(&of_sqlite), names(&of_postgres), "{heading}");
        assert_eq!(of_sqlite.rows.len(), of_postgres.rows.len(), "{heading}");
        for (a, b) in of_sqlite.rows.iter().zip(&of_postgres.rows) {
            assert!(a.iter().zip(b).all(|(a, b)| same(a, b)), "{heading}: {a:?} and {b:?}");
        }
        for (store, asking, direct) in [(&sqlite, &ask_sqlite, &of_sqlite), (&postgres, &ask_postgres, &of_postgres)] {
            let answer = asking.ask(sql).await.unwrap_or_else(|status| panic!("{heading}, {:?}: {status}", store.url));
            assert_eq!(&answer, direct, "{heading}, {:?}", store.url);
        }
        assert_printed(heading, &of_sqlite, &stock_client(&sqlite.url, sql));
        assert_printed(heading, &of_postgres, &stock_client(&postgres.url, sql));
    }
}

#[tokio::test]
async fn every_view_has_the_documented_columns_and_the_same_values_in_both() {
    let (sqlite, postgres) = (sql_support::sqlite().await, sql_support::postgres().await);
    for (view, order) in [
        ("runs", "job"),
        ("best_runs", "rank, job"),
        ("history", "job, epoch"),
        ("sweep_progress", "sweep_id"),
        ("worker_status", "worker_id"),
        ("config_stats", "job"),
        ("importance", "parameter, second_parameter NULLS FIRST"),
        ("per_class", "job, class"),
        ("confusion", "job, target, predicted"),
        ("failures", "job, attempt"),
        ("slowest", "rank, job"),
    ] {
        let sql = format!("SELECT * FROM {view} ORDER BY {order}");
        let (a, b) = (query(&sqlite.url, &sql).await.unwrap(), query(&postgres.url, &sql).await.unwrap());
        let mut columns = documented(view);
        if view == "best_runs" {
            columns = [documented("runs"), columns].concat();
        }
        assert_eq!(names(&a), columns, "{view}");
        // Stored values are equal to the last bit; only sums may differ.
        assert_eq!(a, b, "{view}");
        assert!(!a.rows.is_empty(), "{view}");
    }
}

#[tokio::test]
async fn the_best_runs_come_first_without_being_asked() {
    for filled in [sql_support::sqlite().await, sql_support::postgres().await] {
        let first = query(&filled.url, "SELECT rank, objective FROM best_runs LIMIT 3").await.unwrap();
        let best = query(&filled.url, "SELECT max(objective) FROM runs").await.unwrap();
        assert_eq!(first.rows[0], [Cell::Integer(1), best.rows[0][0].clone()]);
        assert_eq!(first.rows[2][0], Cell::Integer(3));
    }
}
