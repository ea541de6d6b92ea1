//! What the views show, read as any program reads it and by the names of their columns.

use std::collections::BTreeMap;

use besom_coordinator::{
    domain::{
        AttemptOutcome, AttemptRef, ClassCounts, ConfigSums, Confusion, Counts, Digest, EpochRecord, Estimate,
        Importance, ImportanceKind, Importances, JobId, JobState, Spread, SweepId, Timestamp,
    },
    store::{StoreUrl, query::query},
};
use besom_sweep::{Cell, MetricName, Params};

use super::Bench;

/// One row of `runs`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) job: JobId,
    pub(crate) state: JobState,
    pub(crate) hidden: Option<String>,
    pub(crate) params: Params,
    pub(crate) seed: i64,
    pub(crate) objective: Option<f64>,
    pub(crate) final_loss: Option<f64>,
    pub(crate) final_accuracy: Option<f64>,
    pub(crate) final_val_loss: Option<f64>,
    pub(crate) final_val_accuracy: Option<f64>,
    pub(crate) best_val_loss: Option<f64>,
    pub(crate) best_val_accuracy: Option<f64>,
    pub(crate) best_epoch: Option<i64>,
    pub(crate) epochs_done: Option<i64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) worker: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) error: Option<String>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) model: Option<Digest>,
    pub(crate) device: Option<String>,
}

/// One row of `attempts`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    pub(crate) at: AttemptRef,
    pub(crate) worker: String,
    pub(crate) slot: i64,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) outcome: Option<AttemptOutcome>,
    pub(crate) error: Option<String>,
}

/// One row of `config_stats`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) config_hash: String,
    pub(crate) params: Params,
    pub(crate) job: JobId,
    pub(crate) sums: ConfigSums,
}

/// A row by the names of its columns.
pub(crate) struct Row(BTreeMap<String, Cell>);

impl Row {
    fn cell(&self, name: &str) -> &Cell {
        self.0.get(name).unwrap_or_else(|| panic!("there is no column {name}"))
    }

    fn integer(&self, name: &str) -> Option<i64> {
        match self.cell(name) {
            Cell::Null => None,
            Cell::Integer(value) => Some(*value),
            other => panic!("{name} is {other:?}"),
        }
    }

    fn float(&self, name: &str) -> Option<f64> {
        match self.cell(name) {
            Cell::Null => None,
            Cell::Integer(value) => Some(*value as f64),
            Cell::Float(value) => Some(*value),
            other => panic!("{name} is {other:?}"),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.cell(name) {
            Cell::Null => None,
            Cell::Text(value) => Some(value.clone()),
            other => panic!("{name} is {other:?}"),
        }
    }

    fn count(&self, name: &str) -> u32 {
        self.integer(name).unwrap().try_into().unwrap()
    }

    pub(crate) fn job(&self) -> JobId {
        JobId(self.integer("job").unwrap())
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_str(&self.text(name).unwrap()).unwrap()
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name).map(|text| time(&text))
    }

    fn estimate(&self, of: &str) -> Option<Estimate> {
        let [mean, deviation, low, high] =
            ["mean", "std", "low", "high"].map(|name| self.float(&format!("{of}{name}")));
        let spread = match (deviation, low, high) {
            (Some(deviation), Some(low), Some(high)) => Some(Spread { deviation, low, high }),
            _ => None,
        };
        mean.map(|mean| Estimate { mean, spread })
    }
}

/// The reverse of `besom_coordinator::domain::utc`.
fn time(text: &str) -> Timestamp {
    let numbers: Vec<i64> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    let [year, month, day, hour, minute, second, micros] = numbers[..] else { panic!("{text} is no time") };
    // Days since the first of March of year 0: the leap day is the last one of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let seconds = (days - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second;
    Timestamp(seconds * 1_000_000 + micros)
}

fn run(row: &Row) -> Run {
    Run {
        job: row.job(),
        state: JobState::parse(&row.text("state").unwrap()).unwrap(),
        hidden: row.text("hidden"),
        params: row.json("params"),
        seed: row.integer("seed").unwrap(),
        objective: row.float("objective"),
        final_loss: row.float("final_loss"),
        final_accuracy: row.float("final_accuracy"),
        final_val_loss: row.float("final_val_loss"),
        final_val_accuracy: row.float("final_val_accuracy"),
        best_val_loss: row.float("best_val_loss"),
        best_val_accuracy: row.float("best_val_accuracy"),
        best_epoch: row.integer("best_epoch"),
        epochs_done: row.integer("epochs_done"),
        seconds: row.float("seconds"),
        worker: row.text("worker"),
        attempts: row.integer("n_attempts").unwrap(),
        error: row.text("error"),
        started_at: row.time("started_at"),
        ended_at: row.time("ended_at"),
        model: row.text("model").map(|digest| Digest::parse(&digest).unwrap()),
        device: row.text("device"),
    }
}

impl Bench {
    /// What a statement of a reader gives.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Row> {
        let table = query(&StoreUrl::parse(&self.url()).unwrap(), sql).await.unwrap();
        let names: Vec<String> = table.columns.into_iter().map(|column| column.name).collect();
        table.rows.into_iter().map(|row| Row(names.iter().cloned().zip(row).collect())).collect()
    }

    pub(crate) async fn runs(&self, sweep: SweepId) -> Vec<Run> {
        let sql = format!("SELECT * FROM runs WHERE sweep_id = {sweep} ORDER BY job");
        self.rows(&sql).await.iter().map(run).collect()
    }

    /// Those with an objective, best first.
    pub(crate) async fn leaders(&self, sweep: SweepId) -> Vec<Run> {
        let sql = format!("SELECT * FROM best_runs WHERE sweep_id = {sweep} ORDER BY rank, job");
        self.rows(&sql).await.iter().map(run).collect()
    }

    /// The records of each job's accepted or current attempt.
    pub(crate) async fn history(&self, sweep: SweepId) -> Vec<(AttemptRef, Vec<EpochRecord>)> {
        let sql = format!(
            "SELECT h.*, r.n_attempts FROM history h JOIN runs r ON r.job = h.job WHERE r.sweep_id = {sweep} \
             ORDER BY h.job, h.step"
        );
        let mut jobs: Vec<(AttemptRef, Vec<EpochRecord>)> = Vec::new();
        for row in self.rows(&sql).await {
            let at = AttemptRef { job: row.job(), attempt: row.count("n_attempts") };
            let mut metrics: BTreeMap<MetricName, f64> = row.json("metrics");
            for name in ["loss", "accuracy", "val_loss", "val_accuracy"] {
                metrics.extend(row.float(name).map(|value| (MetricName::of(name), value)));
            }
            let record = EpochRecord {
                step: row.integer("step").unwrap().cast_unsigned(),
                metrics,
                learning_rate: row.float("learning_rate"),
                seconds: row.float("seconds"),
            };
            match jobs.last_mut() {
                Some((last, records)) if *last == at => records.push(record),
                _ => jobs.push((at, vec![record])),
            }
        }
        jobs
    }

    pub(crate) async fn attempts(&self, sweep: SweepId) -> Vec<Attempt> {
        let sql = format!("SELECT * FROM attempts WHERE sweep_id = {sweep} ORDER BY job, attempt");
        let attempt = |row: &Row| Attempt {
            at: AttemptRef { job: row.job(), attempt: row.count("attempt") },
            worker: row.text("worker").unwrap(),
            slot: row.integer("slot").unwrap(),
            started_at: row.time("started_at").unwrap(),
            ended_at: row.time("ended_at"),
            outcome: row.text("outcome").map(|word| AttemptOutcome::parse(&word).unwrap()),
            error: row.text("error"),
        };
        self.rows(&sql).await.iter().map(attempt).collect()
    }

    /// The confusion matrices that are kept whole, and the sums of the others.
    pub(crate) async fn confusions(&self, sweep: SweepId) -> Vec<(JobId, Confusion)> {
        let classes = format!("SELECT * FROM per_class WHERE sweep_id = {sweep} ORDER BY job, class");
        let mut sums: BTreeMap<JobId, Vec<ClassCounts>> = BTreeMap::new();
        for row in self.rows(&classes).await {
            let [support, predicted, correct] =
                ["support", "predicted", "correct"].map(|name| row.integer(name).unwrap().cast_unsigned());
            sums.entry(row.job()).or_default().push(ClassCounts { support, predicted, correct });
        }
        let pairs = format!("SELECT * FROM confusion WHERE sweep_id = {sweep}");
        let mut counts: BTreeMap<JobId, BTreeMap<u32, u32>> = BTreeMap::new();
        for row in self.rows(&pairs).await {
            let place = row.count("target") * sums[&row.job()].len() as u32 + row.count("predicted");
            counts.entry(row.job()).or_default().insert(place, row.count("count"));
        }
        let confusion = |(job, classes): (JobId, Vec<ClassCounts>)| {
            let number = classes.len() as u32;
            let counts = match counts.remove(&job) {
                Some(pairs) => Counts::Pairs(pairs),
                None => Counts::Classes(classes),
            };
            (job, Confusion { classes: number, counts })
        };
        sums.into_iter().map(confusion).collect()
    }

    /// Configurations with an ended run.
    pub(crate) async fn configs(&self, sweep: SweepId) -> Vec<Config> {
        let sql = format!("SELECT * FROM config_stats WHERE sweep_id = {sweep} ORDER BY job");
        let config = |row: &Row| Config {
            config_hash: row.text("config_hash").unwrap(),
            params: row.json("params"),
            job: row.job(),
            sums: ConfigSums {
                n: row.count("n"),
                diverged: row.count("diverged"),
                failed: row.count("failed"),
                objective: row.estimate(""),
                last: row.estimate("final_val_accuracy_"),
                best: row.estimate("best_val_accuracy_"),
                mean_seconds: row.float("mean_seconds"),
            },
        };
        self.rows(&sql).await.iter().map(config).collect()
    }

    /// What is kept of a sweep: hyperparameters, then pairs, each by name.
    pub(crate) async fn kept_importance(&self, sweep: SweepId) -> Option<Importances> {
        let sql = format!(
            "SELECT * FROM importance WHERE sweep_id = {sweep} \
             ORDER BY second_parameter IS NOT NULL, parameter, second_parameter"
        );
        let rows = self.rows(&sql).await;
        let first = rows.first()?;
        let importance = |row: &Row| Importance {
            parameter: row.text("parameter").unwrap(),
            second: row.text("second_parameter"),
            value: row.float("value").unwrap(),
            cells: row.integer("cells").unwrap().cast_unsigned(),
            cells_total: row.integer("cells_total").unwrap().cast_unsigned(),
        };
        Some(Importances {
            kind: ImportanceKind::parse(&first.text("kind").unwrap()).unwrap(),
            computed_at: first.time("computed_at").unwrap(),
            importances: rows.iter().map(importance).collect(),
        })
    }

    /// What whoever asks a coordinator finds: of an ended sweep it counts all runs.
    pub(crate) async fn importance(&self, sweep: SweepId) -> Option<Importances> {
        assert!(self.store.settle_importance(None).await.unwrap());
        self.kept_importance(sweep).await
    }
}
