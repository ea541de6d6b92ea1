//! Statements on SQLite: each has a connection and a thread of its own, which can only select from
//! the views.

mod authorizer;
mod bounds;
mod functions;
pub(in crate::store) mod memory;
mod names;
mod patterns;
mod spill;
mod statement;

use std::{collections::BTreeSet, path::Path, time::Instant};

use besom_sweep::Cell;
use libsqlite3_sys as ffi;
use tokio::runtime::Handle;

pub(super) use self::names::named_tables;
use self::{
    authorizer::Denied,
    bounds::{MAX_MEMORY, MAX_SPILL, MAX_VALUE},
    memory::Budget,
    statement::{Connection, Problem, Refusal, Statement, Stop, Watch},
};
use super::{
    error::{Position, QueryError},
    limits::Limits,
    nearest::{self, View},
    question::Query,
    sender::Sender,
    views::VIEWS,
};
use crate::store::{OpenError, StoreUrl, error::sqlite_words, url::IS_FOLDER};

/// Runs the statement on this thread, which is none of the runtime's.
pub(super) fn run(path: &Path, query: &Query, runtime: &Handle, sender: &mut Sender) -> Result<(), QueryError> {
    let deadline = sender.deadline();
    if !path.exists() {
        let what = format!("no database {}: run or submit a sweep first", path.display());
        return Err(OpenError::NotFound { what }.into());
    }
    memory::install();
    if !memory::is_in_use() {
        return Err(QueryError::Unavailable("SQLite was in use before its memory could be bounded".into()));
    }
    let _budget = Budget::enter(MAX_MEMORY, deadline)
        .ok_or_else(|| QueryError::Crowded("too many statements run at once; try again in a moment".to_owned()))?;
    if let Some(view) = names::shadowed_view(&query.statement) {
        return Err(QueryError::Refused(format!(
            "{view} is the name of a view; give the table expression in WITH, or the window, another name"
        )));
    }
    let connection =
        Connection::open(path, Watch::new(deadline, sender.is_gone())).map_err(|problem| unopened(path, problem))?;
    let limits = &query.limits;
    let failed = |problem| failed(&query.statement, limits, &connection, deadline, problem);
    let mut statement = connection.prepare(&query.statement).map_err(|refusal| match refusal {
        Refusal::Denied(Denied::Table(table)) => QueryError::hidden(&table),
        Refusal::Denied(Denied::Function(name)) => QueryError::function(&name),
        Refusal::Denied(Denied::Action) => QueryError::writes(),
        Refusal::Several => QueryError::several(),
        Refusal::Nothing => QueryError::nothing(),
        Refusal::Problem(problem) => failed(problem),
    })?;
    // After the compiler, which knows a statement that writes, and before anything runs.
    if let Some(table) = named_tables(&query.statement).iter().find(|name| connection.has_table(name)) {
        return Err(QueryError::hidden(table));
    }
    bind(&mut statement, &query.parameters, failed)?;
    sender.begin(statement.columns());
    while let Some(row) = statement.next().map_err(failed)? {
        if let Some(batch) = sender.take(row)? {
            runtime.block_on(sender.send(batch))?;
        }
    }
    Ok(())
}

/// Gives `$1`, `$2`, ... their values. SQLite would take a missing one for null.
fn bind(
    statement: &mut Statement<'_>,
    values: &[Cell],
    failed: impl Fn(Problem) -> QueryError,
) -> Result<(), QueryError> {
    let numbers: Vec<usize> = statement
        .parameters()
        .into_iter()
        .map(|name| number(name.as_deref()).ok_or_else(QueryError::parameter_form))
        .collect::<Result<_, _>>()?;
    let expected: BTreeSet<usize> = numbers.iter().copied().collect();
    let count = expected.last().copied().unwrap_or(0);
    if count != values.len() {
        return Err(QueryError::parameter_count(count, values.len()));
    }
    if let Some(missing) = (1..=count).find(|number| !expected.contains(number)) {
        return Err(QueryError::Refused(format!(
            "the statement has ${count} and no ${missing}; number the parameters from $1"
        )));
    }
    for (place, number) in numbers.into_iter().enumerate() {
        statement.bind(place, &values[number - 1]).map_err(&failed)?;
    }
    Ok(())
}

/// Of `$1`, and of `$1::bigint`, which SQLite takes for one name.
fn number(name: Option<&str>) -> Option<usize> {
    let name = name?.strip_prefix('$')?;
    let digits = name.find(|character: char| !character.is_ascii_digit()).unwrap_or(name.len());
    let rest = &name[digits..];
    let number: usize = name[..digits].parse().ok()?;
    (number > 0 && (rest.is_empty() || rest.starts_with("::"))).then_some(number)
}

fn unopened(path: &Path, problem: Problem) -> QueryError {
    let store = StoreUrl::of_file(path).to_string();
    let said = match problem.code {
        // A file in write-ahead mode whose last user closed it cleanly can only be opened by
        // somebody who may write beside it.
        ffi::SQLITE_READONLY_DIRECTORY | ffi::SQLITE_READONLY_CANTINIT => {
            "it cannot be read without the right to write beside it: start the coordinator, or copy the file".to_owned()
        }
        _ if path.is_dir() => IS_FOLDER.to_owned(),
        code => sqlite_words(problem.message, code),
    };
    OpenError::Unavailable { store, problem: said }.into()
}

/// The views as the guarded connection shows them to everybody.
fn views(connection: &Connection) -> Vec<View> {
    let columns = |view| connection.prepare(&format!("SELECT * FROM {view}")).map(|statement| statement.columns());
    VIEWS.into_iter().filter_map(|view| Some((view, columns(view).ok()?))).collect()
}

/// What might help where SQLite does not know a name.
fn hint(message: &str, sql: &str, connection: &Connection) -> Option<String> {
    if let Some(table) = message.strip_prefix("no such table: ") {
        let name = nearest::parts(table).pop()?;
        return Some(nearest::view_hint(&name));
    }
    let column = message.strip_prefix("no such column: ")?;
    nearest::column_hint(column, &named_tables(sql), &views(connection))
}

fn failed(sql: &str, limits: &Limits, connection: &Connection, deadline: Instant, problem: Problem) -> QueryError {
    match (problem.code & 0xff, connection.stopped()) {
        (ffi::SQLITE_INTERRUPT | ffi::SQLITE_NOMEM, Some(Stop::Gone)) => QueryError::Gone,
        (ffi::SQLITE_INTERRUPT, Some(Stop::Spill)) => QueryError::Bound(format!(
            "the statement sorts or groups more than {} GiB beyond its memory, which is the bound; choose fewer rows or columns",
            MAX_SPILL >> 30
        )),
        (ffi::SQLITE_INTERRUPT, _) => limits.too_long(),
        (ffi::SQLITE_NOMEM, _) if Instant::now() >= deadline => limits.too_long(),
        (ffi::SQLITE_NOMEM, _) => QueryError::Bound(format!(
            "the statement takes more than {} MiB of memory or has too many parts, which is the bound; choose fewer columns, or ask in \
             smaller steps",
            MAX_MEMORY >> 20
        )),
        (ffi::SQLITE_TOOBIG, _) => QueryError::Bound(format!(
            "a value is larger than {} MiB, or the statement is too long, which is the bound; choose a part of it with substr",
            MAX_VALUE >> 20
        )),
        (ffi::SQLITE_FULL, _) => QueryError::Bound(
            "there is no room left for the temporary files of the statement; free some space, or choose fewer rows or columns"
                .to_owned(),
        ),
        (ffi::SQLITE_BUSY, _) => QueryError::Unavailable(problem.message.into()),
        _ => {
            let index = problem.offset.and_then(|offset| sql.get(..offset)).map(|before| before.chars().count());
            let hint = hint(&problem.message, sql, connection);
            QueryError::Sql { message: problem.message, position: index.map(|index| Position::of(sql, index)), hint }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered() {
        for (name, expected) in [
            (Some("$1"), Some(1)),
            (Some("$12::bigint"), Some(12)),
            (Some("$0"), None),
            (Some("$x"), None),
            (Some("$1x"), None),
            (Some(":a"), None),
            (Some("?1"), None),
            (None, None),
        ] {
            assert_eq!(number(name), expected, "{name:?}");
        }
    }
}
