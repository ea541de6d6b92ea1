//! What a sweep has by job and within a job - records of its history, attempts - in parts of some jobs each, or of one long job.

use std::collections::VecDeque;

use besom_sweep::{Cell, Table};

use super::{Pages, Paging, Queries, QueryError};

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

/// The parts of a result.
#[derive(Debug)]
pub struct Parts {
    queries: Queries,
    several: &'static str,
    one: Option<&'static str>,
    sweep: Cell,
    spans: VecDeque<Span>,
    /// Of a long job.
    pages: Option<Pages>,
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
    /// The rows of these jobs, which are in order. The parameters of `several` are the sweep, the job to begin behind and the last
    /// job; those of `one` are the sweep, the job, the step to begin behind, and how many rows.
    pub fn new(
        queries: &Queries,
        several: &'static str,
        one: Option<&'static str>,
        sweep: impl Into<Cell>,
        jobs: impl IntoIterator<Item = JobLength>,
    ) -> Self {
        Self { queries: queries.clone(), several, one, sweep: sweep.into(), spans: spans(jobs), pages: None }
    }

    /// The next part; nothing behind the last one. The first part tells the columns, also where there are no rows.
    ///
    /// # Errors
    /// As [`Queries::query`]; where a part meets a bound, smaller ones are asked for first.
    pub async fn next(&mut self) -> Result<Option<Table>, QueryError> {
        loop {
            if let Some(pages) = &mut self.pages {
                match pages.next().await? {
                    Some(page) => return Ok(Some(page)),
                    None => self.pages = None,
                }
            }
            let Some(span) = self.spans.pop_front() else { return Ok(None) };
            let Span { after, to, is_long } = span;
            match self.one {
                Some(statement) if is_long => {
                    let before = vec![self.sweep.clone(), to.into()];
                    let steps = Paging { statement, before, by: "step", after: -1, behind: Vec::new(), most: u64::MAX };
                    self.pages = Some(self.queries.pages(steps));
                    continue;
                }
                _ => {}
            }
            match self.queries.query(self.several, vec![self.sweep.clone(), after.into(), to.into()]).await {
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
}

impl Span {
    /// The same jobs in smaller parts, the last part first; `None` where there is none.
    fn divided(self, has_steps: bool) -> Option<Vec<Self>> {
        let Self { after, to, .. } = self;
        let middle = after + to.saturating_sub(after) / 2;
        if after < middle && middle < to {
            return Some(vec![Self { after: middle, ..self }, Self { to: middle, ..self }]);
        }
        (has_steps && after < to).then(|| vec![Self { is_long: true, ..self }])
    }
}

/// Jobs that have together no more rows than a part, and long ones by themselves. No jobs are one span of no jobs.
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
        assert_eq!(span(0, i64::MAX).divided(true).unwrap().len(), 2);
    }
}
