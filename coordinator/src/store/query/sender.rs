//! From the rows of a running statement to the batches that its reader takes.

use std::time::Instant;

use besom_sweep::{Cell, Table};
use tokio::{sync::mpsc, time::timeout_at};

use super::{
    error::QueryError,
    limits::{Limits, Meter},
};

/// What a running statement gives its rows to.
pub(super) struct Sender {
    batches: mpsc::Sender<Result<Table, QueryError>>,
    limits: Limits,
    deadline: Instant,
    meter: Option<Meter>,
}

impl Sender {
    /// Nothing has been read yet.
    pub(super) fn new(batches: mpsc::Sender<Result<Table, QueryError>>, limits: Limits, deadline: Instant) -> Self {
        Self { batches, limits, deadline, meter: None }
    }

    /// When the statement has to have ended.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Says, from any thread, whether nobody waits for the result any more.
    pub(super) fn is_gone(&self) -> impl Fn() -> bool + 'static {
        let batches = self.batches.clone();
        move || batches.is_closed()
    }

    /// The columns of the result.
    pub(super) fn begin(&mut self, names: Vec<String>) {
        self.meter = Some(Meter::new(self.limits, names));
    }

    /// Takes a row behind [`Sender::begin`], and gives the batch that has to be sent now.
    pub(super) fn take(&mut self, row: Vec<Cell>) -> Result<Option<Table>, QueryError> {
        self.meter.as_mut().map_or(Ok(None), |meter| meter.push(row))
    }

    /// Sends a batch, within the time of the statement: whoever reads slowly must not hold a
    /// snapshot of the database for ever.
    pub(super) async fn send(&self, batch: Table) -> Result<(), QueryError> {
        match timeout_at(self.deadline.into(), self.batches.send(Ok(batch))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(QueryError::Gone),
            Err(_) => Err(self.limits.too_long()),
        }
    }

    /// Sends what is left.
    pub(super) async fn finish(&mut self) -> Result<(), QueryError> {
        match self.meter.take().and_then(Meter::finish) {
            Some(batch) => self.send(batch).await,
            None => Ok(()),
        }
    }
}
