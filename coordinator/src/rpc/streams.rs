//! Answers that come in parts: each part is read from the store when the client has taken the one before.

use std::sync::Arc;

use besom_proto::v1;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tonic::Status;

use super::{convert, status};
use crate::domain::{JobId, SweepId};
use crate::patience::bounded;
use crate::store::{
    HistoryPlace, Store,
    pages::{PAGE_RECORDS, pieces},
};

/// Jobs that are read at once, before it is known how many records they have, and at most.
const FIRST_JOBS: u32 = 16;
const MOST_JOBS: u32 = 500;
/// Runs that are read at first, since somebody may want one only, and then: 1.2 kB each.
const FIRST_RUNS: u32 = 16;
const MOST_RUNS: u32 = 1_000;
/// Confusion matrices that are read at once at most, and how many counts that are not 0 those may have: a matrix of 1,024
/// classes may have a million, and the first one tells how many its sweep's have.
const MATRICES: u32 = 16;
const COUNTS: usize = 1 << 20;

type Parts<T> = BoxStream<'static, Result<T, Status>>;

/// Runs by job, those after a job where one is given.
pub(super) fn runs(store: Arc<dyn Store>, sweep: SweepId, after: Option<JobId>) -> Parts<v1::RunBatch> {
    stream::try_unfold((after, FIRST_RUNS), move |(after, limit)| {
        let store = store.clone();
        async move {
            let page = bounded(store.runs_after(sweep, after, limit)).await.map_err(status::of_read)?;
            let last = page.last().map(|run| run.job);
            let batch = v1::RunBatch { runs: page.into_iter().map(convert::run).collect() };
            Ok(last.map(|last| (batch, (Some(last), MOST_RUNS))))
        }
    })
    .boxed()
}

/// Records of all jobs, by job and epoch. Jobs of many epochs come in several parts.
pub(super) fn history(store: Arc<dyn Store>, sweep: SweepId) -> Parts<v1::HistoryBatch> {
    stream::try_unfold((None, FIRST_JOBS), move |(after, jobs)| {
        let store = store.clone();
        async move {
            let page = bounded(store.history(sweep, after, jobs)).await.map_err(status::of_read)?;
            let last =
                page.last().and_then(|(at, records)| Some(HistoryPlace { at: *at, epoch: records.last()?.epoch }));
            let records: usize = page.iter().map(|(_, records)| records.len()).sum();
            let each = (records / page.len().max(1)).max(1);
            let jobs = u32::try_from(PAGE_RECORDS / each).unwrap_or(MOST_JOBS).clamp(1, MOST_JOBS);
            let batch = v1::HistoryBatch { jobs: page.into_iter().map(|(at, it)| convert::history(at, it)).collect() };
            Ok(last.map(|last| (batch, (Some(last), jobs))))
        }
    })
    .boxed()
}

/// All attempts, by job and attempt.
pub(super) fn attempts(store: Arc<dyn Store>, sweep: SweepId) -> Parts<v1::AttemptBatch> {
    let pages = stream::try_unfold(None, move |after: Option<JobId>| {
        let store = store.clone();
        async move {
            let rows = bounded(store.attempts(sweep, after, MOST_JOBS)).await.map_err(status::of_read)?;
            let last = rows.last().map(|row| row.at.job);
            Ok::<_, Status>(last.map(|last| (rows, Some(last))))
        }
    });
    // A page ends with a job, and one job may have been tried very often.
    pages
        .map_ok(|rows| stream::iter(pieces(rows).into_iter().map(|rows| Ok(convert::attempt_batch(rows)))))
        .try_flatten()
        .boxed()
}

/// Configurations with an ended run, by first job.
pub(super) fn config_stats(store: Arc<dyn Store>, sweep: SweepId) -> Parts<v1::ConfigStatsBatch> {
    stream::try_unfold(None, move |after: Option<JobId>| {
        let store = store.clone();
        async move {
            let configs = bounded(store.config_stats(sweep, after, MOST_JOBS)).await.map_err(status::of_read)?;
            let last = configs.last().map(|config| config.job);
            Ok(last.map(|last| (convert::config_stats(configs), Some(last))))
        }
    })
    .boxed()
}

/// The confusion matrices of the jobs that have one, by job.
pub(super) fn confusion(store: Arc<dyn Store>, sweep: SweepId) -> Parts<v1::JobConfusion> {
    let pages = stream::try_unfold((None, 1), move |(after, limit): (Option<JobId>, u32)| {
        let store = store.clone();
        async move {
            let page = bounded(store.confusions(sweep, after, limit)).await.map_err(status::of_read)?;
            let last = page.last().map(|(job, _)| *job);
            let most = page.iter().map(|(_, confusion)| confusion.pairs().count()).max().unwrap_or(0).max(1);
            let limit = u32::try_from(COUNTS / most).unwrap_or(MATRICES).clamp(1, MATRICES);
            Ok::<_, Status>(last.map(|last| (page, (Some(last), limit))))
        }
    });
    let parts = pages
        .map_ok(|page| stream::iter(page.into_iter().map(|(job, confusion)| Ok(convert::confusion(job, confusion)))));
    parts.try_flatten().boxed()
}
