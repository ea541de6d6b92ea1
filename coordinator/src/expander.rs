//! Writes the jobs of accepted sweeps, batch by batch.
//!
//! A sweep's jobs are a function of its stored text, engine and dataset, so any coordinator can go
//! on where another stopped: `add_jobs` compares the number of jobs already there before it sets.
//! Sweeps take turns, one batch each.

use std::collections::{HashMap, HashSet};
use std::{sync::Arc, time::Duration};

use besom_sweep::{Engine, Expansion, TRAINER_VERSION};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::dispatcher::Dispatcher;
use crate::domain::{Digest, NewJob, Sweep, SweepId};
use crate::error_chain::chain;
use crate::jitter::jittered;
use crate::patience::bounded;
use crate::store::{Store, StoreError};

/// Jobs of one transaction: some hundred milliseconds, so that reports are never kept waiting for
/// long.
pub(crate) const BATCH: u64 = 5_000;

/// How often sweeps are looked for that nobody works on: a client that hung up, another coordinator
/// that died.
const SCAN: Duration = Duration::from_secs(10);

/// The loop that creates jobs.
pub(crate) struct Expander {
    store: Arc<dyn Store>,
    dispatcher: Arc<Dispatcher>,
    under_way: HashMap<SweepId, Arc<Expansion>>,
    /// Sweeps that this build cannot expand, or whose jobs the store does not take; said once.
    refused: HashSet<SweepId>,
}

impl Expander {
    pub(crate) fn new(store: Arc<dyn Store>, dispatcher: Arc<Dispatcher>) -> Self {
        Self { store, dispatcher, under_way: HashMap::new(), refused: HashSet::new() }
    }

    pub(crate) async fn run(mut self, token: CancellationToken) {
        loop {
            let left = tokio::select! {
                biased;
                () = token.cancelled() => break,
                left = self.step() => left,
            };
            match left {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => warn!(error = chain(&error), "jobs were not created; trying again"),
            }
            tokio::select! {
                biased;
                () = token.cancelled() => break,
                () = self.dispatcher.expansions().woken() => {}
                () = tokio::time::sleep(jittered(SCAN)) => {}
            }
        }
    }

    /// Writes one batch of every sweep that lacks jobs; whether any of them still does.
    pub(crate) async fn step(&mut self) -> Result<bool, StoreError> {
        // Before the sweeps are listed, so that none of those that were handed on is missing from
        // the list.
        self.under_way.extend(self.dispatcher.expansions().take_made());
        let sweeps = bounded(self.store.unexpanded_sweeps()).await?;
        let refused = &self.refused;
        self.under_way.retain(|id, _| !refused.contains(id) && sweeps.iter().any(|sweep| sweep.id == *id));
        let mut left = false;
        for sweep in sweeps {
            if self.refused.contains(&sweep.id) {
                continue;
            }
            let expansion = match self.under_way.get(&sweep.id) {
                Some(expansion) => expansion.clone(),
                None => match expansion_of(&*self.store, &self.dispatcher, &sweep).await {
                    Ok(Ok(expansion)) => self.under_way.entry(sweep.id).or_insert(Arc::new(expansion)).clone(),
                    Ok(Err(problem)) => {
                        self.refuse(&sweep, &problem);
                        continue;
                    }
                    Err(error) if error.is_retryable() => return Err(error),
                    Err(error) => {
                        self.refuse(&sweep, &chain(&error));
                        continue;
                    }
                },
            };
            let created = match add_batch(&self.dispatcher, &sweep, expansion, sweep.jobs_created).await {
                Ok(created) => created,
                Err(error) if error.is_retryable() => return Err(error),
                // It was removed.
                Err(StoreError::NotFound { .. }) => continue,
                // It would fail at every look, and keep all older sweeps from theirs.
                Err(error) => {
                    self.refuse(&sweep, &chain(&error));
                    continue;
                }
            };
            if sweep.new.jobs_total.is_none_or(|total| created < total) {
                left = true;
            } else {
                info!(sweep.id = %sweep.id, jobs = created, "all jobs created");
            }
        }
        Ok(left)
    }

    fn refuse(&mut self, sweep: &Sweep, problem: &str) {
        error!(sweep.id = %sweep.id, sweep.name = sweep.new.name, problem, "sweep cannot be expanded");
        self.refused.insert(sweep.id);
    }
}

/// Writes the jobs from `first` on, if they are still the next ones; how many there are now.
pub(crate) async fn add_batch(
    dispatcher: &Dispatcher,
    sweep: &Sweep,
    expansion: Arc<Expansion>,
    first: u64,
) -> Result<u64, StoreError> {
    let end = (first + BATCH).min(expansion.jobs_total());
    let dataset = sweep.new.dataset.clone();
    let jobs = spawn_blocking(move || (first..end).map(|index| new_job(&expansion, index, &dataset)).collect());
    let jobs = jobs.await.expect("a checked sweep expands without a panic");
    dispatcher.add_jobs(sweep.id, first, jobs).await
}

/// The expansion that the sweep was made with, for a sweep that another process accepted, or this
/// one before it was started anew; within, why this build has none.
async fn expansion_of(
    store: &dyn Store,
    dispatcher: &Dispatcher,
    sweep: &Sweep,
) -> Result<Result<Expansion, String>, StoreError> {
    if sweep.new.trainer_version != TRAINER_VERSION {
        let version = sweep.new.trainer_version;
        return Ok(Err(format!("made for trainer version {version}, this build has {TRAINER_VERSION}")));
    }
    let stored = bounded(store.sweep_spec(sweep.id)).await?;
    let new = sweep.new.clone();
    let turn = dispatcher.expansions().own_turn().await;
    let expanded = spawn_blocking(move || {
        let _turn = turn;
        let spec = stored.read()?;
        let engine = match &new.engine {
            Some(word) => Some(Engine::parse(word).ok_or_else(|| format!("unknown engine {word}"))?),
            None => None,
        };
        let expansion = Expansion::new(&spec, engine).map_err(|error| error.to_string())?;
        // Another meaning of the same text would mix two sweeps in one.
        if Some(expansion.jobs_total()) != new.jobs_total || expansion.sweep_digest(new.dataset.as_str()) != new.digest
        {
            return Err("this build reads it otherwise than the one that accepted it".to_owned());
        }
        Ok(expansion)
    });
    Ok(expanded.await.expect("reading and expanding do not panic"))
}

pub(crate) fn new_job(expansion: &Expansion, index: u64, dataset: &Digest) -> NewJob {
    let job = expansion.job(index, dataset.as_str());
    NewJob {
        config_hash: job.config.config_hash(),
        params: job.config.params(),
        seed: job.seed,
        engine: Some(job.config.engine.as_str().to_owned()),
        device: Some(job.config.engine.device().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CoordinatorConfig;
    use crate::domain::NewSweep;
    use crate::store::sqlite::SqliteStore;

    /// A sweep of six jobs that nobody has written yet.
    async fn accepted(store: &dyn Store, name: &str, trainer_version: u32) -> Sweep {
        accepted_once(store, name, trainer_version, TEXT).await
    }

    const TEXT: &str = "{method: grid, parameters: {epochs: {values: [1, 2, 3, 4, 5, 6]}}, besom: {dataset: {source: \
                        'builtin:sketches'}}}";

    /// As [`accepted`], of a file that this build may refuse.
    async fn accepted_once(store: &dyn Store, name: &str, trainer_version: u32, text: &str) -> Sweep {
        let spec = besom_sweep::parse_stored(text).unwrap();
        let expansion = Expansion::new(&spec, None).unwrap();
        let dataset = Digest::parse(&"0".repeat(64)).unwrap();
        let new = NewSweep {
            name: name.to_owned(),
            title: name.to_owned(),
            digest: expansion.sweep_digest(dataset.as_str()),
            text: text.to_owned(),
            spec: None,
            method: spec.method.as_str().to_owned(),
            metric: spec.metric.clone(),
            scored_epoch: spec.scored_epoch,
            keep_models: spec.keep_models,
            engine: None,
            dataset,
            dataset_source: spec.dataset.source.clone(),
            dataset_sha256: String::new(),
            swept: Vec::new(),
            jobs_total: Some(expansion.jobs_total()),
            trainer: "mlp".to_owned(),
            trainer_version,
            shared_config: "{}".to_owned(),
            classes: None,
        };
        store.create_sweep(new, None).await.unwrap().0
    }

    struct Setup {
        store: Arc<SqliteStore>,
        expander: Expander,
        dir: tempfile::TempDir,
    }

    async fn setup() -> Setup {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("besom.db")).await.unwrap());
        let dispatcher = Dispatcher::new(store.clone(), CoordinatorConfig::default());
        let expander = Expander::new(store.clone(), Arc::new(dispatcher));
        Setup { store, expander, dir }
    }

    #[tokio::test]
    async fn a_sweep_of_another_trainer_version_is_left_alone() {
        let Setup { store, mut expander, dir: _dir } = setup().await;
        accepted(&*store, "ours", TRAINER_VERSION).await;
        accepted(&*store, "theirs", TRAINER_VERSION + 1).await;
        assert!(!expander.step().await.unwrap(), "nothing is left that this build could do");
        let created = async |name| store.find_sweep(name).await.unwrap().jobs_created;
        assert_eq!((created("ours").await, created("theirs").await), (6, 0));
    }

    #[tokio::test]
    async fn a_sweep_whose_file_would_be_refused_today_is_expanded_to_its_end() {
        let Setup { store, mut expander, dir: _dir } = setup().await;
        let text = TEXT.replace("{method", "{metric: {name: val_loss, goal: maximize}, method");
        besom_sweep::parse(&text).expect_err("the largest loss would rank first");
        let old = accepted_once(&*store, "old", TRAINER_VERSION, &text).await;
        assert!(!expander.step().await.unwrap());
        assert_eq!(store.find_sweep(&old.new.name).await.unwrap().jobs_created, 6);
    }

    #[tokio::test]
    async fn a_sweep_is_expanded_from_what_was_checked_without_another_look_at_its_file() {
        let Setup { store, mut expander, dir } = setup().await;
        accepted(&*store, "checked", TRAINER_VERSION).await;
        let database = sqlx::SqlitePool::connect(&format!("sqlite:{}/besom.db", dir.path().display())).await.unwrap();
        let spec = besom_sweep::parse(TEXT).unwrap().canonical_json();
        sqlx::query("UPDATE sweeps SET text = 'nonsense', spec = $1").bind(spec).execute(&database).await.unwrap();
        assert!(!expander.step().await.unwrap());
        assert_eq!(store.find_sweep("checked").await.unwrap().jobs_created, 6);
    }

    #[tokio::test]
    async fn a_sweep_whose_jobs_cannot_be_written_holds_up_no_other() {
        let Setup { store, mut expander, dir } = setup().await;
        let sound = accepted(&*store, "sound", TRAINER_VERSION).await;
        // The newest comes first. One of its jobs is there already, which nothing of besom's would
        // do.
        let damaged = accepted(&*store, "damaged", TRAINER_VERSION).await;
        let expansion = Arc::new(expansion_of(&*store, &expander.dispatcher, &damaged).await.unwrap().unwrap());
        add_batch(&expander.dispatcher, &damaged, expansion, 0).await.unwrap();
        let database = sqlx::SqlitePool::connect(&format!("sqlite:{}/besom.db", dir.path().display())).await.unwrap();
        let forget = "UPDATE sweeps SET jobs_created = 0 WHERE name = 'damaged'";
        sqlx::query(forget).execute(&database).await.unwrap();
        assert!(!expander.step().await.unwrap());
        assert_eq!(store.find_sweep(&sound.new.name).await.unwrap().jobs_created, 6);
        assert!(expander.refused.contains(&damaged.id), "said once, not at every look");
    }

    #[tokio::test]
    async fn the_points_of_a_sweep_that_was_just_made_are_not_worked_out_again() {
        let Setup { store, mut expander, dir } = setup().await;
        let sweep = accepted(&*store, "new", TRAINER_VERSION).await;
        let expansion = expansion_of(&*store, &expander.dispatcher, &sweep).await.unwrap().unwrap();
        // Whoever read the file again could not expand it any more.
        let database = sqlx::SqlitePool::connect(&format!("sqlite:{}/besom.db", dir.path().display())).await.unwrap();
        sqlx::query("UPDATE sweeps SET text = 'nonsense'").execute(&database).await.unwrap();
        expander.dispatcher.expansions().hand_on(sweep.id, Arc::new(expansion));
        assert!(!expander.step().await.unwrap());
        assert_eq!(store.find_sweep("new").await.unwrap().jobs_created, 6);
    }
}
