//! Epoch records in, directives out, leases renewed.

use std::time::Duration;

use super::{acquire::after, dialect::Conn, epochs, session};
use crate::{
    domain::{AttemptOutcome, AttemptRef, Directive, EpochRecord, Lease, Session, Timestamp, refuse_records},
    store::{
        contract::JobReport,
        error::{Failure, StoreError},
    },
};

/// What one worker reports.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) session: Session,
    pub(super) jobs: Vec<JobReport>,
    pub(super) lease_ttl: Duration,
}

/// Answers each report, in the order of its jobs.
pub(super) async fn report_all(
    conn: &mut Conn,
    now: Timestamp,
    reports: &[Report],
) -> Result<Vec<Result<Vec<Directive>, StoreError>>, Failure> {
    let mut answers = Vec::with_capacity(reports.len());
    for report in reports {
        let known = session::caller(conn, report.session).await?;
        answers.push(known.map(|_| vec![Directive::LeaseLost; report.jobs.len()]));
    }
    // By job, so that two transactions that hold several jobs cannot wait for each other.
    let mut order: Vec<(Lease, usize, usize)> = Vec::new();
    for (index, report) in reports.iter().enumerate().filter(|(index, _)| answers[*index].is_ok()) {
        order.extend(report.jobs.iter().enumerate().map(|(job, reported)| (reported.lease, index, job)));
    }
    order.sort_unstable();
    let (mut records, mut before) = (Vec::new(), None);
    for (lease, index, job) in order {
        let report = &reports[index];
        // What an earlier report of the same attempt brings is stored before this one is compared
        // with it.
        if before == Some(lease.at) {
            store(conn, &mut records).await?;
        }
        before = Some(lease.at);
        let until = after(now, report.lease_ttl);
        let directive = one(conn, report.session, lease, &report.jobs[job].epochs, until, &mut records).await?;
        if let Ok(directives) = &mut answers[index] {
            directives[job] = directive;
        }
    }
    store(conn, &mut records).await?;
    Ok(answers)
}

/// Stores all of the records, each of which was new when its lease was renewed.
async fn store(conn: &mut Conn, records: &mut Vec<(AttemptRef, &EpochRecord)>) -> Result<(), Failure> {
    let records = std::mem::take(records);
    if epochs::insert(conn, &records).await? < records.len() as u64 {
        // Another coordinator stored some of them while this one waited for the lease.
        return Err(Failure::Overtaken("the same attempt was reported to two coordinators at once"));
    }
    Ok(())
}

/// Renews one lease, and adds to `records` those that are new.
async fn one<'r>(
    conn: &mut Conn,
    session: Session,
    lease: Lease,
    sent: &'r [EpochRecord],
    until: Timestamp,
    records: &mut Vec<(AttemptRef, &'r EpochRecord)>,
) -> Result<Directive, Failure> {
    let Some(renewed) = session::renew(conn, session, lease, until).await? else {
        return Ok(match session::outcome(conn, session, lease).await? {
            Some(AttemptOutcome::Cancelled) => Directive::Cancelled,
            Some(
                AttemptOutcome::Succeeded
                | AttemptOutcome::Stopped
                | AttemptOutcome::Diverged
                | AttemptOutcome::Failed
                | AttemptOutcome::Lost
                | AttemptOutcome::Released,
            )
            | None => Directive::LeaseLost,
        });
    };
    if let Some(problem) = refuse_records(renewed.trainer, renewed.steps, renewed.stored, sent) {
        return Ok(Directive::Refused(problem));
    }
    let (again, new) = sent.split_at(sent.partition_point(|record| Some(record.step) <= renewed.stored));
    if let (Some(first), Some(last)) = (again.first(), again.last()) {
        let stored = epochs::of_attempt(conn, lease.at, first.step..=last.step).await?;
        if let Some(problem) = epochs::contradiction(&stored, again) {
            return Ok(Directive::Refused(problem));
        }
    }
    records.extend(new.iter().map(|record| (lease.at, record)));
    Ok(if renewed.told_to_stop { Directive::StopEarly } else { Directive::Continue })
}
