//! Answers that come in parts: each part is read from the store when the client has taken the one before.

use std::sync::Arc;

use besom_proto::v1;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tonic::Status;

use super::{convert, status};
use crate::domain::{AttemptRef, EpochRecord, JobId, SweepId};
use crate::scheduler::bounded;
use crate::store::Store;

/// Epoch records of one message: about 1 MB, a quarter of what a client takes.
const RECORDS: usize = 10_000;
/// Jobs that are read at once, before it is known how many records they have, and at most.
const FIRST_JOBS: u32 = 16;
const MOST_JOBS: u32 = 500;
/// Runs that are read at first, since somebody may want one only, and then: 1.2 kB each.
const FIRST_RUNS: u32 = 16;
const MOST_RUNS: u32 = 1_000;
/// Confusion matrices that are read at once: 255 classes make 260 kB each.
const MATRICES: u32 = 16;

type Parts<T> = BoxStream<'static, Result<T, Status>>;

/// Runs by job, those after a job where one is given.
pub(super) fn runs(store: Arc<dyn Store>, sweep: SweepId, after: Option<JobId>) -> Parts<v1::RunBatch> {
    stream::try_unfold((after, FIRST_RUNS), move |(after, limit)| {
        let store = store.clone();
        async move {
            let page = bounded(store.runs_after(sweep, after, limit)).await.map_err(status::of_store)?;
            let last = page.last().map(|run| run.job);
            let batch = v1::RunBatch { runs: page.into_iter().map(convert::run).collect() };
            Ok(last.map(|last| (batch, (Some(last), MOST_RUNS))))
        }
    })
    .boxed()
}

/// Records of all jobs, by job and epoch. Jobs of many epochs come in several parts.
pub(super) fn history(store: Arc<dyn Store>, sweep: SweepId) -> Parts<v1::HistoryBatch> {
    let pages = stream::try_unfold((None, FIRST_JOBS), move |(after, jobs)| {
        let store = store.clone();
        async move {
            let page = bounded(store.history(sweep, after, jobs)).await.map_err(status::of_store)?;
            let Some(last) = page.last().map(|(at, _)| at.job) else { return Ok(None) };
            let records: usize = page.iter().map(|(_, records)| records.len()).sum();
            let each = (records / page.len()).max(1);
            let jobs = u32::try_from(RECORDS / each).unwrap_or(MOST_JOBS).clamp(1, MOST_JOBS);
            Ok::<_, Status>(Some((packed(page), (Some(last), jobs))))
        }
    });
    pages.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten().boxed()
}

/// Cuts a page into messages of at most [`RECORDS`] records.
fn packed(page: Vec<(AttemptRef, Vec<EpochRecord>)>) -> Vec<v1::HistoryBatch> {
    let mut batches = Vec::new();
    let (mut jobs, mut room) = (Vec::new(), RECORDS);
    for (at, mut records) in page {
        while records.len() > room {
            let rest = records.split_off(room);
            jobs.push(convert::history(at, records));
            batches.push(v1::HistoryBatch { jobs: std::mem::take(&mut jobs) });
            (records, room) = (rest, RECORDS);
        }
        room -= records.len();
        if !records.is_empty() {
            jobs.push(convert::history(at, records));
        }
    }
    if !jobs.is_empty() {
        batches.push(v1::HistoryBatch { jobs });
    }
    batches
}

/// All attempts, by job and attempt.
pub(super) fn attempts(store: Arc<dyn Store>, sweep: SweepId) -> Parts<v1::AttemptBatch> {
    stream::try_unfold(None, move |after: Option<JobId>| {
        let store = store.clone();
        async move {
            let rows = bounded(store.attempts(sweep, after, MOST_JOBS)).await.map_err(status::of_store)?;
            let last = rows.last().map(|row| row.at.job);
            Ok(last.map(|last| (convert::attempt_batch(rows), Some(last))))
        }
    })
    .boxed()
}

/// Configurations with an ended run, by first job.
pub(super) fn config_stats(store: Arc<dyn Store>, sweep: SweepId) -> Parts<v1::ConfigStatsBatch> {
    stream::try_unfold(None, move |after: Option<JobId>| {
        let store = store.clone();
        async move {
            let configs = bounded(store.config_stats(sweep, after, MOST_JOBS)).await.map_err(status::of_store)?;
            let last = configs.last().map(|config| config.job);
            Ok(last.map(|last| (convert::config_stats(configs), Some(last))))
        }
    })
    .boxed()
}

/// The confusion matrices of the jobs that have one, by job.
pub(super) fn confusion(store: Arc<dyn Store>, sweep: SweepId) -> Parts<v1::JobConfusion> {
    let pages = stream::try_unfold(None, move |after: Option<JobId>| {
        let store = store.clone();
        async move {
            let page = bounded(store.confusions(sweep, after, MATRICES)).await.map_err(status::of_store)?;
            let last = page.last().map(|(job, _)| *job);
            Ok::<_, Status>(last.map(|last| (page, Some(last))))
        }
    });
    let parts = pages
        .map_ok(|page| stream::iter(page.into_iter().map(|(job, confusion)| Ok(convert::confusion(job, confusion)))));
    parts.try_flatten().boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_has_too_many_records_and_none_is_lost() {
        let page: Vec<_> = [3, RECORDS, 0, 2 * RECORDS + 1, 5]
            .into_iter()
            .enumerate()
            .map(|(job, count)| {
                let at = AttemptRef { job: JobId(job as i64 + 1), attempt: 1 };
                let record = |epoch| EpochRecord { epoch, ..EpochRecord::default() };
                (at, (1..=count as u32).map(record).collect::<Vec<_>>())
            })
            .collect();
        let batches = packed(page.clone());
        let size = |batch: &v1::HistoryBatch| batch.jobs.iter().map(|job| job.epochs.len()).sum::<usize>();
        assert!(batches.iter().all(|batch| (1..=RECORDS).contains(&size(batch))));
        let sent: Vec<_> = batches
            .iter()
            .flat_map(|b| &b.jobs)
            .flat_map(|job| job.epochs.iter().map(|e| (job.job, e.epoch)))
            .collect();
        let had: Vec<_> = page.iter().flat_map(|(at, r)| r.iter().map(|e| (at.job.0, e.epoch))).collect();
        assert_eq!(sent, had);
    }
}
