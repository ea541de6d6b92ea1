//! Epoch records in, directives out, leases renewed.

use super::{
    acquire::{after, renew},
    complete::outcome_of,
    dialect::Conn,
    epochs, workers,
};
use crate::{
    domain::{AttemptOutcome, AttemptRef, Directive, Timestamp, WorkerId},
    store::{JobReport, failure::Failure},
};

pub(super) async fn report(
    conn: &mut Conn,
    now: Timestamp,
    worker: WorkerId,
    reports: &[JobReport],
    lease_ttl: std::time::Duration,
) -> Result<Vec<Directive>, Failure> {
    workers::seen(conn, now, worker).await?;
    let until = after(now, lease_ttl);
    let mut directives = vec![Directive::LeaseLost; reports.len()];
    // By job, so that two transactions that hold several jobs cannot wait for each other.
    let mut order: Vec<usize> = (0..reports.len()).collect();
    order.sort_by_key(|&index| reports[index].at);
    for index in order {
        let at = reports[index].at;
        directives[index] = if renew(conn, at, until).await? { Directive::Continue } else { lost(conn, at).await? };
    }
    let mut records = Vec::new();
    for (report, directive) in reports.iter().zip(&directives) {
        if *directive == Directive::Continue {
            records.extend(report.epochs.iter().map(|record| (report.at, record)));
        }
    }
    epochs::insert(conn, &records).await?;
    Ok(directives)
}

/// Why an attempt that does not run any more is to be dropped.
async fn lost(conn: &mut Conn, at: AttemptRef) -> Result<Directive, Failure> {
    Ok(match outcome_of(conn, at).await? {
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
    })
}
