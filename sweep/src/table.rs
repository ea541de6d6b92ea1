//! A result of SQL: named columns, and rows of cells that carry their own types.
//!
//! The coordinator fills a table from a database, the wire carries it, and renderers and figures
//! read it. SQLite has types of values and not of columns, so a cell has its own type, and the type
//! of a column is that of its cells.
//!
//! ```
//! use besom_sweep::{Cell, CellType, Table};
//!
//! let mut table = Table::new(["job", "objective"]);
//! table.push(vec![Cell::Integer(1), Cell::Float(0.5)]);
//! table.push(vec![Cell::Integer(2), Cell::Integer(1)]);
//! assert_eq!(table.columns[1].kind, CellType::Float);
//!
//! // Whoever needs a value asks for it by the name of its column.
//! let best = table.iter().next().expect("two rows");
//! assert_eq!(best.float("objective")?, 0.5);
//! assert!(best.text("job").unwrap_err().to_string().contains("expected text, got an integer"));
//! # Ok::<(), besom_sweep::TableError>(())
//! ```

/// One value of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// There is no value.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number. A `numeric` of Postgres that is no whole number is one as well.
    Float(f64),
    /// Text. JSON is compact with sorted keys in both databases, a time of Postgres is
    /// `2026-11-23T17:30:00.123456Z`, and a value of any type that has no variant of its own is the
    /// text that the database prints for it.
    Text(String),
    /// True or false. SQLite has no such type; it gives the integers 0 and 1.
    Boolean(bool),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The type of a cell, and of a column as the type of all its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CellType {
    /// No cell has a value.
    Null,
    /// Whole numbers.
    Integer,
    /// Numbers of which at least one is no integer.
    Float,
    /// Text, or values of several types that are not all numbers.
    Text,
    /// Booleans.
    Boolean,
    /// Bytes.
    Bytes,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name, which several columns may share.
    pub name: String,
    /// The type of its cells.
    pub kind: CellType,
}

/// One row of a table, whose values are asked for by the names of their columns.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    columns: &'a [Column],
    cells: &'a [Cell],
}

/// A value that was expected in a row and is not there, or is of another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the column {column} of a result: expected {expected}, got {found}")]
pub struct TableError {
    column: String,
    expected: &'static str,
    found: &'static str,
}

/// Named columns and rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The columns, in the order of the statement.
    pub columns: Vec<Column>,
    /// The rows; each has as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Cell {
    /// The type of the cell.
    pub fn kind(&self) -> CellType {
        match self {
            Self::Null => CellType::Null,
            Self::Integer(_) => CellType::Integer,
            Self::Float(_) => CellType::Float,
            Self::Text(_) => CellType::Text,
            Self::Boolean(_) => CellType::Boolean,
            Self::Bytes(_) => CellType::Bytes,
        }
    }

    /// How many bytes of memory the cell takes, with what it points to.
    pub fn size(&self) -> usize {
        let heap = match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Null | Self::Integer(_) | Self::Float(_) | Self::Boolean(_) => 0,
        };
        size_of::<Self>() + heap
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl CellType {
    /// The type of a column that has cells of both types: null changes nothing, an integer and a
    /// float are floats, and everything else that is mixed is text.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        match (self, other) {
            (one, two) if one == two => one,
            (Self::Null, kind) | (kind, Self::Null) => kind,
            (Self::Integer, Self::Float) | (Self::Float, Self::Integer) => Self::Float,
            _ => Self::Text,
        }
    }
}

impl Table {
    /// A table without rows.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let columns = names.into_iter().map(|name| Column { name: name.into(), kind: CellType::Null }).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row and joins the types of its cells into those of the columns.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a row has as many cells as the table has columns");
        for (column, cell) in self.columns.iter_mut().zip(&row) {
            column.kind = column.kind.with(cell.kind());
        }
        self.rows.push(row);
    }

    /// Adds the rows of another batch of the same result. The first batch brings the columns.
    pub fn append(&mut self, mut batch: Self) {
        if self.columns.is_empty() && self.rows.is_empty() {
            *self = batch;
            return;
        }
        for (column, other) in self.columns.iter_mut().zip(&batch.columns) {
            column.kind = column.kind.with(other.kind);
        }
        self.rows.append(&mut batch.rows);
    }

    /// The rows, whose values can be asked for by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'_>> + Clone {
        self.rows.iter().map(|cells| Row { columns: &self.columns, cells })
    }

    /// The row at this place, from 0.
    pub fn row(&self, place: usize) -> Option<Row<'_>> {
        self.rows.get(place).map(|cells| Row { columns: &self.columns, cells })
    }

    /// The same table without the columns of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        while let Some(place) = self.columns.iter().position(|column| column.name == name) {
            self.columns.remove(place);
            self.rows.iter_mut().filter(|row| place < row.len()).for_each(|row| drop(row.remove(place)));
        }
        self
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

impl<'a> Row<'a> {
    /// The cells with their columns, in order.
    pub fn cells(self) -> impl ExactSizeIterator<Item = (&'a Column, &'a Cell)> + Clone {
        self.columns.iter().zip(self.cells)
    }

    /// The cell of the first column of this name.
    ///
    /// # Errors
    /// There is no such column.
    pub fn cell(self, column: &str) -> Result<&'a Cell, TableError> {
        let found = self.cells().find(|(one, _)| one.name == column);
        found.map(|(_, cell)| cell).ok_or_else(|| error(column, "a column", "none of that name"))
    }

    /// A text.
    ///
    /// # Errors
    /// It is null or something else, or there is no such column.
    pub fn text(self, column: &str) -> Result<&'a str, TableError> {
        self.maybe_text(column)?.ok_or_else(|| error(column, "text", words(&Cell::Null)))
    }

    /// A text, or nothing for null.
    ///
    /// # Errors
    /// It is something else, or there is no such column.
    pub fn maybe_text(self, column: &str) -> Result<Option<&'a str>, TableError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            other => Err(error(column, "text", words(other))),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// It is null or something else, or there is no such column.
    pub fn integer(self, column: &str) -> Result<i64, TableError> {
        self.maybe_integer(column)?.ok_or_else(|| error(column, "an integer", words(&Cell::Null)))
    }

    /// A whole number, or nothing for null.
    ///
    /// # Errors
    /// It is something else, or there is no such column.
    pub fn maybe_integer(self, column: &str) -> Result<Option<i64>, TableError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Integer(value) => Ok(Some(*value)),
            other => Err(error(column, "an integer", words(other))),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// It is null or something else, or there is no such column.
    pub fn float(self, column: &str) -> Result<f64, TableError> {
        self.maybe_float(column)?.ok_or_else(|| error(column, "a number", words(&Cell::Null)))
    }

    /// A number, or nothing for null.
    ///
    /// # Errors
    /// It is something else, or there is no such column.
    pub fn maybe_float(self, column: &str) -> Result<Option<f64>, TableError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Integer(value) => Ok(Some(*value as f64)),
            Cell::Float(value) => Ok(Some(*value)),
            other => Err(error(column, "a number", words(other))),
        }
    }
}

fn error(column: &str, expected: &'static str, found: &'static str) -> TableError {
    TableError { column: column.to_owned(), expected, found }
}

fn words(cell: &Cell) -> &'static str {
    match cell {
        Cell::Null => "null",
        Cell::Integer(_) => "an integer",
        Cell::Float(_) => "a number with a fraction",
        Cell::Text(_) => "text",
        Cell::Boolean(_) => "a boolean",
        Cell::Bytes(_) => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_a_column_is_that_of_its_cells() {
        let text = || Cell::Text("x".to_owned());
        for (cells, kind) in [
            (vec![], CellType::Null),
            (vec![Cell::Null, Cell::Null], CellType::Null),
            (vec![Cell::Null, Cell::Integer(1)], CellType::Integer),
            (vec![Cell::Integer(1), Cell::Float(0.5), Cell::Null], CellType::Float),
            (vec![Cell::Float(0.5), Cell::Integer(1)], CellType::Float),
            (vec![Cell::Boolean(true), Cell::Boolean(false)], CellType::Boolean),
            (vec![Cell::Boolean(true), Cell::Integer(1)], CellType::Text),
            (vec![Cell::Bytes(vec![1])], CellType::Bytes),
            (vec![Cell::Bytes(vec![1]), text()], CellType::Text),
            (vec![Cell::Integer(1), text(), Cell::Integer(1)], CellType::Text),
        ] {
            let mut table = Table::new(["value"]);
            for cell in cells.clone() {
                table.push(vec![cell]);
            }
            assert_eq!(table.columns[0].kind, kind, "{cells:?}");
        }
    }

    #[test]
    fn batches_join_to_one_table() {
        let mut table = Table::default();
        let mut first = Table::new(["job", "objective"]);
        first.push(vec![Cell::Integer(1), Cell::Null]);
        let mut second = Table::new(["job", "objective"]);
        second.push(vec![Cell::Integer(2), Cell::Float(0.5)]);
        table.append(first);
        table.append(second);
        assert_eq!(table.names().collect::<Vec<_>>(), ["job", "objective"]);
        assert_eq!(table.rows.len(), 2);
        assert_eq!(
            table.columns.iter().map(|column| column.kind).collect::<Vec<_>>(),
            [CellType::Integer, CellType::Float]
        );
    }

    #[test]
    fn a_value_is_found_by_name_and_one_of_another_type_is_named() {
        let mut table = Table::new(["sweep", "job", "objective", "error"]);
        table.push(vec![Cell::Text("s".to_owned()), Cell::Integer(7), Cell::Integer(1), Cell::Null]);
        let row = table.row(0).unwrap();
        assert_eq!((row.text("sweep").unwrap(), row.integer("job").unwrap()), ("s", 7));
        assert_eq!(row.float("objective").unwrap(), 1.0, "an integer is a number");
        assert_eq!((row.maybe_text("error").unwrap(), row.maybe_float("error").unwrap()), (None, None));
        let says = |error: TableError| error.to_string();
        assert_eq!(says(row.text("error").unwrap_err()), "the column error of a result: expected text, got null");
        assert!(says(row.integer("sweep").unwrap_err()).ends_with("expected an integer, got text"));
        assert!(says(row.cell("rank").unwrap_err()).ends_with("expected a column, got none of that name"));
        let less = table.clone().without("job").without("job");
        assert_eq!(less.names().collect::<Vec<_>>(), ["sweep", "objective", "error"]);
        assert_eq!(less.rows[0].len(), 3);
    }
}
