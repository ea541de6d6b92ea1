//! In which order `besom runs` shows runs: by a column of the view, as a person names it.

use std::{cmp::Ordering, str::FromStr};

use besom_sweep::{Cell, Row, Table};

use crate::{output::usage, results::put_in_order};

/// A column and a direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sort {
    column: String,
    descending: bool,
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (column, descending) = match text.rsplit_once(':') {
            None => (text, false),
            Some((column, "asc")) => (column, false),
            Some((column, "desc")) => (column, true),
            Some((_, other)) => {
                return Err(format!("expected COLUMN, COLUMN:asc or COLUMN:desc, got the direction {other:?}"));
            }
        };
        if column.is_empty() {
            return Err("expected the name of a column of the view runs".to_owned());
        }
        Ok(Self { column: column.to_owned(), descending })
    }
}

impl Sort {
    /// Puts rows into this order. Null comes last in both directions, and equal values stay in
    /// their order.
    ///
    /// # Errors
    /// There is no such column: a usage error.
    pub(crate) fn apply(&self, table: &mut Table) -> anyhow::Result<()> {
        if !table.names().any(|name| name == self.column) {
            let names: Vec<&str> = table.names().collect();
            return Err(usage(format_args!(
                "--sort: expected a column of the view runs, got {:?}; the columns are {}",
                self.column,
                names.join(", ")
            )));
        }
        let key = |row: Row<'_>| Ok(row.cell(&self.column)?.clone());
        Ok(put_in_order(table, key, |a: &Cell, b| self.compare(a, b))?)
    }

    fn compare(&self, a: &Cell, b: &Cell) -> Ordering {
        let directed = |order: Ordering| if self.descending { order.reverse() } else { order };
        match (a, b) {
            (Cell::Null, Cell::Null) => Ordering::Equal,
            (Cell::Null, _) => Ordering::Greater,
            (_, Cell::Null) => Ordering::Less,
            (Cell::Integer(a), Cell::Integer(b)) => directed(a.cmp(b)),
            (Cell::Text(a), Cell::Text(b)) => directed(a.cmp(b)),
            (a, b) => match (number(a), number(b)) {
                (Some(a), Some(b)) => directed(a.total_cmp(&b)),
                _ => Ordering::Equal,
            },
        }
    }
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Integer(value) => Some(*value as f64),
        Cell::Float(value) => Some(*value),
        Cell::Null | Cell::Text(_) | Cell::Boolean(_) | Cell::Bytes(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(by: &str) -> Vec<i64> {
        let mut table = Table::new(["job", "objective", "state"]);
        let rows = [(1, Some(0.5), "queued"), (2, None, "failed"), (3, Some(1.0), "queued"), (4, Some(-2.0), "failed")];
        for (job, objective, state) in rows {
            table.push(vec![Cell::Integer(job), objective.map_or(Cell::Null, Cell::Float), state.into()]);
        }
        by.parse::<Sort>().unwrap().apply(&mut table).unwrap();
        table.iter().map(|row| row.integer("job").unwrap()).collect()
    }

    #[test]
    fn numbers_and_texts_are_sorted_and_null_comes_last() {
        assert_eq!(sorted("objective"), [4, 1, 3, 2]);
        assert_eq!(sorted("objective:desc"), [3, 1, 4, 2]);
        assert_eq!(sorted("state"), [2, 4, 1, 3]);
        assert_eq!(sorted("job:desc"), [4, 3, 2, 1]);
    }

    #[test]
    fn what_is_no_column_is_refused_with_the_columns() {
        assert!("job:up".parse::<Sort>().unwrap_err().contains("got the direction \"up\""));
        assert!(":desc".parse::<Sort>().is_err());
        let mut table = Table::new(["job", "state"]);
        let error = "jbo".parse::<Sort>().unwrap().apply(&mut table).unwrap_err().to_string();
        assert!(error.contains("got \"jbo\"; the columns are job, state"), "{error}");
    }
}
