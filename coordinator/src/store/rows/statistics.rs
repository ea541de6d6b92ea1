//! What is worked out of ended runs.

use besom_sweep::Params;
use sqlx::types::Json;

use super::place::Place;
use crate::{
    domain::{ConfigRun, JobState},
    store::error::StoreError,
};

/// See sql/config_runs.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct ConfigRunRow {
    pub(in crate::store) job: i64,
    state: String,
    objective: Option<f64>,
    last: Option<f64>,
    best: Option<f64>,
    seconds: Option<f64>,
    params: Json<Params>,
    swept: Json<Vec<String>>,
}

impl ConfigRunRow {
    /// The values of the parameters that its sweep varies.
    pub(in crate::store) fn swept(&self) -> Params {
        let mut swept = self.params.0.clone();
        swept.retain(|name, _| self.swept.0.contains(name));
        swept
    }
}

impl TryFrom<ConfigRunRow> for ConfigRun {
    type Error = StoreError;

    fn try_from(row: ConfigRunRow) -> Result<Self, StoreError> {
        let place = Place { table: "jobs", id: row.job };
        Ok(Self {
            state: place.word("state", &row.state, JobState::parse)?,
            objective: row.objective,
            last: row.last,
            best: row.best,
            seconds: row.seconds,
        })
    }
}

/// See sql/importance_standing.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct ImportanceStanding {
    unsummed_after: Option<i64>,
    /// How often the sweep was opened again.
    pub(in crate::store) reopened: i64,
    weighed_runs: i64,
    succeeded: i64,
    stopped: i64,
    diverged: i64,
    failed: i64,
}

impl ImportanceStanding {
    /// Whether runs have ended that it does not count. While earlier runs are still being summed it
    /// stays as it is.
    pub(in crate::store) fn is_stale(&self) -> bool {
        self.unsummed_after.is_none() && self.weighed_runs != self.ended_runs()
    }

    pub(in crate::store) fn ended_runs(&self) -> i64 {
        let all = [self.succeeded, self.stopped, self.diverged, self.failed];
        all.into_iter().fold(0, i64::saturating_add)
    }
}
