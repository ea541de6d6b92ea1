//! What a sweep has by job and within a job - records of its history, attempts - in parts of some
//! jobs each, or of one long job.

use std::collections::VecDeque;

use besom_sweep::{Cell, Row, Table, TableError};

use super::{Queries, QueryError};

/// Rows of a part, as far as it is known how many rows a job has.
const ROWS: u64 = 5_000;

/// A job, and how many rows it has at most, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLength {
    /// Its number.
    pub job: i64,
    /// Rows; a wrong number costs time and nothing else.
    pub rows: u64,
}

/// Statements on the rows of one long job.
#[derive(Debug, Clone, Copy)]
pub struct OfJob {
    /// How many there are (`records`), and their `first` and `last` step. Its parameters are the
    /// sweep and the job.
    pub steps: &'static str,
    /// Those of some steps. Its parameters are the sweep, the job, the step to begin behind, and
    /// the last step.
    pub rows: &'static str,
}

/// The parts of a result.
#[derive(Debug)]
pub struct Parts {
    queries: Queries,
    several: &'static str,
    one: Option<OfJob>,
    sweep: Cell,
    spans: VecDeque<Span>,
    /// Of a long job.
    steps: Option<Steps>,
}

/// Steps of a long job that are still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Steps {
    job: i64,
    after: i64,
    last: i64,
    /// How many steps a part has: they may have gaps.
    width: i64,
}

/// Jobs behind `after` and up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    after: i64,
    to: i64,
    /// One job, which is read by steps.
    is_long: bool,
}

impl Parts {
    /// The rows of these jobs, which are in order. The parameters of `several` are the sweep, the
    /// job to begin behind and the last job.
    pub fn new(
        queries: &Queries,
        several: &'static str,
        one: Option<OfJob>,
        sweep: impl Into<Cell>,
        jobs: impl IntoIterator<Item = JobLength>,
    ) -> Self {
        Self { queries: queries.clone(), several, one, sweep: sweep.into(), spans: spans(jobs), steps: None }
    }

    /// The next part; nothing behind the last one. The first part tells the columns, also where
    /// there are no rows.
    ///
    /// # Errors
    /// As [`Queries::query`]; where a part meets a bound, smaller ones are asked for first.
    pub async fn next(&mut self) -> Result<Option<Table>, QueryError> {
        loop {
            if let (Some(steps), Some(of_job)) = (self.steps, self.one) {
                match self.some_steps(of_job.rows, steps).await? {
                    Some(part) => return Ok(Some(part)),
                    None => continue,
                }
            }
            let Some(span) = self.spans.pop_front() else { return Ok(None) };
            match self.one {
                Some(of_job) if span.is_long => {
                    let found = self.queries.query(of_job.steps, vec![self.sweep.clone(), span.to.into()]).await?;
                    self.steps = found.row(0).map(|row| Steps::of(span.to, row)).transpose()?.flatten();
                    // A job without records still tells the columns.
                    if self.steps.is_some() {
                        continue;
                    }
                }
                _ => {}
            }
            let jobs = vec![self.sweep.clone(), span.after.into(), span.to.into()];
            match self.queries.query(self.several, jobs).await {
                Ok(part) => return Ok(Some(part)),
                Err(QueryError::Bound(problem)) => {
                    for smaller in span.divided(self.one.is_some()).ok_or(QueryError::Bound(problem))? {
                        self.spans.push_front(smaller);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The next steps of a long job; nothing where a smaller part has to be asked for.
    async fn some_steps(&mut self, statement: &'static str, steps: Steps) -> Result<Option<Table>, QueryError> {
        let Steps { job, after, last, width } = steps;
        let to = after.saturating_add(width).min(last);
        let parameters = vec![self.sweep.clone(), job.into(), after.into(), to.into()];
        match self.queries.query(statement, parameters).await {
            Ok(part) => {
                self.steps = (to < last).then(|| Steps { after: to, ..steps }.fitting(part.rows.len() as u64));
                Ok(Some(part))
            }
            Err(QueryError::Bound(_)) if width > 1 => {
                self.steps = Some(Steps { width: (width / 16).max(1), ..steps });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Steps {
    /// All steps of a job; nothing where it has no records.
    fn of(job: i64, row: Row<'_>) -> Result<Option<Self>, TableError> {
        let records = row.integer("records")?;
        let (Some(first), Some(last)) = (row.maybe_integer("first")?, row.maybe_integer("last")?) else {
            return Ok(None);
        };
        let each = (i128::from(last) - i128::from(first)) / i128::from(records.max(1)) + 1;
        let width = i64::try_from(each * i128::from(ROWS)).unwrap_or(i64::MAX);
        Ok(Some(Self { job, after: first.saturating_sub(1), last, width }))
    }

    /// With the width for the next part, behind one of so many rows: gaps are passed in ever larger
    /// steps.
    fn fitting(self, rows: u64) -> Self {
        let width = match rows {
            many if many > ROWS => (self.width / 2).max(1),
            few if few < ROWS / 2 => self.width.saturating_mul(2),
            _ => self.width,
        };
        Self { width, ..self }
    }
}

impl Span {
    /// The same jobs in smaller parts, the last part first; `None` where there is none.
    fn divided(self, has_steps: bool) -> Option<Vec<Self>> {
        let Self { after, to, is_long } = self;
        if is_long {
            return None;
        }
        let middle = after + to.saturating_sub(after) / 2;
        if after < middle && middle < to {
            return Some(vec![Self { after: middle, ..self }, Self { to: middle, ..self }]);
        }
        (has_steps && after < to).then(|| vec![Self { is_long: true, ..self }])
    }
}

/// Jobs that have together no more rows than a part, and long ones by themselves. No jobs are one
/// span of no jobs.
fn spans(jobs: impl IntoIterator<Item = JobLength>) -> VecDeque<Span> {
    let mut spans: VecDeque<Span> = VecDeque::new();
    let (mut last, mut rows) = (0, 0_u64);
    for JobLength { job, rows: more } in jobs {
        let is_long = more > ROWS;
        rows = rows.saturating_add(more.max(1));
        match spans.back_mut() {
            Some(span) if !span.is_long && !is_long && rows <= ROWS => span.to = job,
            _ => {
                // Other sweeps' jobs lie between those of two spans.
                spans.push_back(Span { after: job.saturating_sub(1).max(last), to: job, is_long });
                rows = more.max(1);
            }
        }
        last = job;
    }
    if spans.is_empty() {
        spans.push_back(Span { after: 0, to: 0, is_long: false });
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(jobs: &[(i64, u64)]) -> Vec<(i64, i64, bool)> {
        let jobs = jobs.iter().map(|&(job, rows)| JobLength { job, rows });
        spans(jobs).into_iter().map(|span| (span.after, span.to, span.is_long)).collect()
    }

    #[test]
    fn short_jobs_are_read_together_and_a_long_one_by_itself() {
        assert_eq!(of(&[]), [(0, 0, false)]);
        assert_eq!(of(&[(3, 10), (4, 10), (7, 10)]), [(2, 7, false)]);
        assert_eq!(of(&[(1, 3_000), (2, 2_000), (3, 1)]), [(0, 2, false), (2, 3, false)]);
        assert_eq!(
            of(&[(1, 5), (2, 5_001), (9, u64::MAX), (10, 5)]),
            [(0, 1, false), (1, 2, true), (8, 9, true), (9, 10, false)]
        );
        // A job without a number of rows counts as one row.
        assert_eq!(
            of(&(1..=5_001).map(|job| (job, 0)).collect::<Vec<_>>()),
            [(0, 5_000, false), (5_000, 5_001, false)]
        );
    }

    #[test]
    fn a_part_that_is_too_large_is_divided_down_to_the_steps_of_one_job() {
        let span = |after, to| Span { after, to, is_long: false };
        assert_eq!(span(0, 4).divided(false), Some(vec![span(2, 4), span(0, 2)]));
        assert_eq!(span(2, 3).divided(false), None);
        assert_eq!(span(2, 3).divided(true), Some(vec![Span { is_long: true, ..span(2, 3) }]));
        assert_eq!(span(0, 0).divided(true), None);
        assert_eq!(Span { is_long: true, ..span(2, 3) }.divided(true), None, "nothing is smaller than a job");
        assert_eq!(span(0, i64::MAX).divided(true).unwrap().len(), 2);
    }

    #[test]
    fn steps_of_a_long_job_are_read_as_densely_as_they_lie() {
        let of = |records, first, last| {
            let mut table = Table::new(["records", "first", "last"]);
            table.push(vec![Cell::Integer(records), first, last]);
            Steps::of(7, table.row(0).unwrap()).unwrap()
        };
        let number = Cell::Integer;
        assert_eq!(of(0, Cell::Null, Cell::Null), None);
        let dense = of(1_000_000, number(1), number(1_000_000)).unwrap();
        assert_eq!(dense, Steps { job: 7, after: 0, last: 1_000_000, width: 5_000 });
        assert_eq!(of(100, number(0), number(100_000)).unwrap().width, 1_001 * 5_000);
        assert_eq!(of(2, number(1), number(i64::MAX)).unwrap().width, i64::MAX);
        assert_eq!(
            (dense.fitting(0).width, dense.fitting(5_000).width, dense.fitting(9_000).width),
            (10_000, 5_000, 2_500)
        );
    }
}
