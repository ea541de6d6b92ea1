//! A result by job, page by page: each page is the statement again, behind the last job of the page
//! before.

use besom_sweep::{Cell, Table};

use super::{Queries, QueryError, size};

/// Rows of the first page, and of any page.
const FIRST: u64 = 256;
const MOST: u64 = 5_000;

/// Bytes that a page shall have: a sixteenth of what a coordinator sends at once.
const BYTES: usize = 4 << 20;

/// How a statement that orders its result by job is read in pages: its parameters are `before`, the
/// last job of the page before, how many rows, `behind`.
#[derive(Debug, Clone)]
pub struct Paging {
    /// The statement.
    pub statement: &'static str,
    /// The parameters before the place.
    pub before: Vec<Cell>,
    /// The job to begin behind.
    pub after: i64,
    /// The parameters behind the number of rows.
    pub behind: Vec<Cell>,
    /// Rows of all pages together.
    pub most: u64,
}

impl Paging {
    /// All that a sweep has by job: `$1` is the sweep, `$2` the job to begin behind, and `$3` how
    /// many rows.
    pub fn of_jobs(statement: &'static str, sweep: impl Into<Cell>) -> Self {
        Self { statement, before: vec![sweep.into()], after: 0, behind: Vec::new(), most: u64::MAX }
    }
}

/// The pages of a result.
#[derive(Debug)]
pub struct Pages {
    queries: Queries,
    paging: Paging,
    rows: u64,
    ended: bool,
}

impl Pages {
    pub(super) fn new(queries: Queries, paging: Paging) -> Self {
        Self { queries, paging, rows: FIRST, ended: false }
    }

    /// The next page; nothing behind the last one. The first page tells the columns, also where it
    /// has no rows.
    ///
    /// # Errors
    /// As [`Queries::query`]; where a page meets a bound, a smaller one is asked for first.
    pub async fn next(&mut self) -> Result<Option<Table>, QueryError> {
        if self.ended {
            return Ok(None);
        }
        loop {
            let rows = self.rows.min(self.paging.most);
            match self.queries.query(self.paging.statement, self.parameters(rows)).await {
                Ok(page) => return self.take(page, rows).map(Some),
                Err(QueryError::Bound(_)) if rows > 1 => self.rows = rows / 2,
                Err(error) => return Err(error),
            }
        }
    }

    /// All that is left, as one table.
    ///
    /// # Errors
    /// As [`Pages::next`].
    pub async fn all(mut self) -> Result<Table, QueryError> {
        let mut table = Table::default();
        while let Some(page) = self.next().await? {
            table.append(page);
        }
        Ok(table)
    }

    fn parameters(&self, rows: u64) -> Vec<Cell> {
        let place = [self.paging.after.into(), i64::try_from(rows).unwrap_or(i64::MAX).into()];
        self.paging.before.iter().cloned().chain(place).chain(self.paging.behind.iter().cloned()).collect()
    }

    fn take(&mut self, page: Table, asked: u64) -> Result<Table, QueryError> {
        let count = page.rows.len() as u64;
        self.paging.most -= count.min(self.paging.most);
        self.ended = count < asked || self.paging.most == 0;
        if let Some(last) = page.rows.len().checked_sub(1).and_then(|last| page.row(last)) {
            self.paging.after = last.integer("job")?;
            let each = (size(&page) / page.rows.len()).max(1);
            self.rows = ((BYTES / each) as u64).clamp(1, MOST).min(self.rows.saturating_mul(4));
        }
        Ok(page)
    }
}
