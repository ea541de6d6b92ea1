//! What people and pages read.

use super::{dialect::Conn, sweep_rows};
use crate::{
    domain::{Progress, SweepId},
    store::{
        error::Failure,
        rows::{BestRow, RunningRow},
    },
};

const RUNNING: &str = include_str!("../sql/running.sql");
const RUNNING_EPOCHS: &str = include_str!("../sql/running_epochs.sql");
const BEST: &str = include_str!("../sql/best.sql");

pub(super) async fn ping(conn: &mut Conn) -> Result<(), Failure> {
    sqlx::query("SELECT 1").execute(conn).await?;
    Ok(())
}

pub(super) async fn progress(conn: &mut Conn, id: SweepId) -> Result<Progress, Failure> {
    let row = sweep_rows::existing(conn, id).await?;
    let totals = sweep_rows::totals(conn, id).await?;
    let (epochs, epoch_seconds): (i64, f64) = sqlx::query_as(RUNNING_EPOCHS).bind(id.0).fetch_one(&mut *conn).await?;
    let running: Vec<RunningRow> = sqlx::query_as(RUNNING).bind(id.0).fetch_all(&mut *conn).await?;
    let best: Option<BestRow> = sqlx::query_as(BEST).bind(id.0).fetch_optional(&mut *conn).await?;
    let mut sweep = row.with(totals.counts)?;
    sweep.problem = sweep_rows::problem(conn, &sweep).await?;
    Ok(Progress {
        sweep,
        epochs_done: totals.epochs_final.saturating_add(epochs.unsigned_abs()),
        epochs_total: totals.epochs,
        epoch_seconds: totals.epoch_seconds + epoch_seconds,
        running: running.into_iter().map(RunningRow::into).collect(),
        best: best.map(BestRow::into),
    })
}
