//! What a row of each view is made of: columns with their kinds, and the cells of one row in their order.

use std::{borrow::Cow, collections::BTreeMap};

use besom_proto::v1;

use crate::text::state;

/// What a column holds; every cell may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Float,
    Text,
    /// Text that is JSON.
    Json,
    /// Text that is a time: `2026-11-23T17:30:00.123456Z`.
    Time,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Integer(i64),
    Float(f64),
    /// Text, JSON or a time, as the column says.
    Text(Cow<'a, str>),
}

macro_rules! columns {
    ($($name:ident $kind:ident,)+) => { [$(Column { name: stringify!($name), kind: Kind::$kind }),+] };
}

/// The view `runs`.
pub(crate) const RUNS: [Column; 34] = columns![
    sweep Text, sweep_id Integer, job Integer, state Text, optimizer Text, learning_rate Float, batch_size Integer,
    epochs Integer, hidden Text, activation Text, dropout Float, params Json, seed Integer, objective Float,
    final_loss Float, final_accuracy Float, final_val_loss Float, final_val_accuracy Float, best_val_loss Float,
    best_val_accuracy Float, best_epoch Integer, epochs_done Integer, seconds Float, worker Text, n_attempts Integer,
    error Text, started_at Time, ended_at Time, model Text, dataset Text, engine Text, device Text,
    trainer Text, metrics Json,
];

/// The view `history`.
pub(crate) const HISTORY: [Column; 11] = columns![
    sweep Text, job Integer, epoch Integer, loss Float, accuracy Float, val_loss Float, val_accuracy Float,
    learning_rate Float, seconds Float, metrics Json, step Integer,
];

/// The cells of a run.
pub(crate) fn run(run: &v1::Run) -> [Cell<'_>; RUNS.len()] {
    [
        text(&run.sweep),
        Cell::Integer(run.sweep_id),
        Cell::Integer(run.job),
        text(state::job(run.state)),
        text(&run.optimizer),
        Cell::Float(run.learning_rate),
        Cell::Integer(run.batch_size.cast_signed()),
        Cell::Integer(run.epochs.into()),
        text(&run.hidden),
        text(&run.activation),
        Cell::Float(run.dropout),
        text(&run.params),
        Cell::Integer(run.seed),
        float(run.objective),
        float(run.final_loss),
        float(run.final_accuracy),
        float(run.final_val_loss),
        float(run.final_val_accuracy),
        float(run.best_val_loss),
        float(run.best_val_accuracy),
        integer(run.best_epoch),
        integer(run.epochs_done),
        float(run.seconds),
        maybe(run.worker.as_deref()),
        Cell::Integer(run.attempts.into()),
        maybe(run.error.as_deref()),
        maybe(run.started_at.as_deref()),
        maybe(run.ended_at.as_deref()),
        maybe(run.model.as_deref()),
        text(&run.dataset),
        text(&run.engine),
        text(&run.device),
        text(&run.trainer),
        text(&run.metrics),
    ]
}

/// The cells of an epoch.
pub(crate) fn history<'a>(sweep: &'a str, job: i64, record: &v1::EpochRecord) -> [Cell<'a>; HISTORY.len()] {
    let metrics: BTreeMap<&String, f64> = record.metrics.iter().map(|(name, &value)| (name, value)).collect();
    let metrics = serde_json::to_string(&metrics).map_or(Cell::Null, |json| Cell::Text(json.into()));
    [
        text(sweep),
        Cell::Integer(job),
        Cell::Integer(record.epoch.into()),
        float(record.loss),
        float(record.accuracy),
        float(record.val_loss),
        float(record.val_accuracy),
        Cell::Float(record.learning_rate),
        Cell::Float(record.seconds),
        metrics,
        Cell::Integer(record.epoch.into()),
    ]
}

fn text(value: &str) -> Cell<'_> {
    Cell::Text(value.into())
}

fn maybe(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Null, text)
}

fn float<'a>(value: Option<f64>) -> Cell<'a> {
    value.map_or(Cell::Null, Cell::Float)
}

fn integer<'a>(value: Option<u32>) -> Cell<'a> {
    value.map_or(Cell::Null, |value| Cell::Integer(value.into()))
}
