//! What one statement may cost, and the counting of what it gives.

use std::time::Duration;

use besom_sweep::{Cell, Table};

use super::error::QueryError;

/// A batch is sent when it has so many bytes. With the largest row behind it, it stays below the 4
/// MiB that gRPC clients take.
const BATCH: usize = 256 << 10;

/// The largest row, in bytes of memory.
pub(super) const MAX_ROW: usize = 2 << 20;

/// The bounds of one statement. What meets one ends with an error that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the result.
    pub rows: u64,
    /// Bytes of the result, as it lies in memory.
    pub bytes: u64,
    /// From the start of the statement until its last row is taken.
    pub time: Duration,
}

impl Limits {
    /// The bounds of a statement that a coordinator runs for somebody.
    pub const COORDINATOR: Self = Self { rows: 1_000_000, bytes: 64 << 20, time: Duration::from_secs(30) };

    /// The bounds of a statement that a person runs on a store of their own. The result is kept in
    /// memory, and what is printed of it takes as much again.
    pub const OWN_STORE: Self = Self { rows: u64::MAX, bytes: 384 << 20, time: Duration::from_secs(600) };

    /// These bounds, or narrower ones. A bound of zero asks for nothing else.
    #[must_use]
    pub fn narrowed(self, rows: u64, bytes: u64, time: Duration) -> Self {
        let narrower = |given: u64, most: u64| if given == 0 { most } else { given.min(most) };
        Self {
            rows: narrower(rows, self.rows),
            bytes: narrower(bytes, self.bytes),
            time: if time.is_zero() { self.time } else { time.min(self.time) },
        }
    }

    pub(super) fn too_long(&self) -> QueryError {
        QueryError::Bound(format!(
            "the statement was stopped after {} s, which is the bound on its time; add a WHERE or a LIMIT, or ask for less at once",
            self.time.as_secs_f64()
        ))
    }
}

/// Collects rows into batches and counts them against the bounds.
pub(super) struct Meter {
    limits: Limits,
    batch: Table,
    names: Vec<String>,
    batch_bytes: usize,
    rows: u64,
    bytes: u64,
}

impl Meter {
    pub(super) fn new(limits: Limits, names: Vec<String>) -> Self {
        let batch = Table::new(names.iter().cloned());
        Self { limits, batch, names, batch_bytes: 0, rows: 0, bytes: 0 }
    }

    /// Takes a row, and gives the batches that are full.
    pub(super) fn push(&mut self, row: Vec<Cell>) -> Result<Option<Table>, QueryError> {
        let size = row.iter().map(Cell::size).sum::<usize>() + size_of::<Vec<Cell>>();
        if size > MAX_ROW {
            return Err(row_too_large());
        }
        self.rows += 1;
        self.bytes += size as u64;
        if self.rows > self.limits.rows {
            return Err(QueryError::Bound(format!(
                "the result has more than {} rows, which is the bound; add a LIMIT and ask for the rest behind the last row \
                 (besom export writes any size)",
                self.limits.rows
            )));
        }
        if self.bytes > self.limits.bytes {
            return Err(QueryError::Bound(format!(
                "the result is too large: its first {} rows fill {}, which is the bound; add a LIMIT, or choose fewer columns (besom \
                 export writes any size)",
                self.rows - 1,
                in_bytes(self.limits.bytes)
            )));
        }
        self.batch_bytes += size;
        self.batch.push(row);
        if self.batch_bytes < BATCH {
            return Ok(None);
        }
        self.batch_bytes = 0;
        let next = Table::new(self.names.iter().cloned());
        Ok(Some(std::mem::replace(&mut self.batch, next)))
    }

    /// The last batch: what is left, or the columns of a result without rows.
    pub(super) fn finish(self) -> Option<Table> {
        let nothing_came = self.rows == 0;
        (nothing_came || !self.batch.rows.is_empty()).then_some(self.batch)
    }
}

/// A row that is too large for one message.
pub(super) fn row_too_large() -> QueryError {
    QueryError::Bound(format!(
        "a row of the result is larger than {} MiB, which is the bound; choose fewer columns, or a part of a text with substr",
        MAX_ROW >> 20
    ))
}

fn in_bytes(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Vec<Cell> {
        vec![Cell::Text("x".repeat(1_000)), Cell::Integer(1)]
    }

    fn meter(limits: Limits) -> Meter {
        Meter::new(limits, vec!["text".to_owned(), "number".to_owned()])
    }

    #[test]
    fn a_result_that_would_fill_the_memory_is_refused() {
        let mut meter = meter(Limits { bytes: 1 << 20, ..Limits::OWN_STORE });
        let error = (0..2_000).find_map(|_| meter.push(row()).err()).unwrap().to_string();
        assert!(error.contains("rows fill 1 MiB, which is the bound; add a LIMIT"), "{error}");
    }

    #[test]
    fn a_result_of_too_many_rows_is_refused() {
        let mut meter = meter(Limits { rows: 10, ..Limits::OWN_STORE });
        let error = (0..2_000).find_map(|_| meter.push(row()).err()).unwrap().to_string();
        assert!(error.contains("more than 10 rows, which is the bound; add a LIMIT"), "{error}");
    }

    #[test]
    fn rows_come_in_batches_and_the_last_one_is_the_rest() {
        let mut meter = meter(Limits::OWN_STORE);
        let full: Vec<Table> = (0..1_000).filter_map(|_| meter.push(row()).unwrap()).collect();
        assert!(full.len() > 1, "{}", full.len());
        let rest = meter.finish().unwrap();
        assert_eq!(full.iter().map(|batch| batch.rows.len()).sum::<usize>() + rest.rows.len(), 1_000);
    }

    #[test]
    fn a_result_without_rows_has_one_batch() {
        assert_eq!(meter(Limits::OWN_STORE).finish().unwrap().columns.len(), 2);
    }

    #[test]
    fn bounds_are_narrowed_and_never_widened() {
        let most = Limits::COORDINATOR;
        assert_eq!(most.narrowed(0, 0, Duration::ZERO), most);
        assert_eq!(most.narrowed(u64::MAX, u64::MAX, Duration::MAX), most);
        let narrow = most.narrowed(5, 6, Duration::from_secs(1));
        assert_eq!(narrow, Limits { rows: 5, bytes: 6, time: Duration::from_secs(1) });
    }
}
