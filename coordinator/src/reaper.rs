//! Takes jobs back from workers that no longer renew their leases.
//!
//! Downtime is nobody's fault: while a coordinator or the store was away no worker could renew, so
//! nothing expires before every worker has had a whole lease's time to come back.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::dispatcher::Dispatcher;
use crate::domain::Settled;
use crate::error_chain::chain;
use crate::patience::bounded;
use crate::store::{Store, StoreError};

/// Leases settled in one transaction.
const BATCH: u32 = 500;

/// The loop that expires leases.
pub(crate) struct Reaper {
    store: Arc<dyn Store>,
    dispatcher: Arc<Dispatcher>,
    grace: Grace,
}

/// When leases may be judged again.
struct Grace {
    ttl: Duration,
    /// Silence beyond this counts as the store, or this process, having been away.
    patience: Duration,
    /// The store's latest answer; `None`: it is away.
    answered: Option<Instant>,
    until: Instant,
}

impl Grace {
    fn new(ttl: Duration, interval: Duration, now: Instant) -> Self {
        // Two missed rounds are a busy machine; more, and workers may have found nobody to renew
        // with.
        Self { ttl, patience: (interval * 3).max(ttl / 2), answered: Some(now), until: now + ttl }
    }

    /// The store answered; whether leases may be judged now.
    fn answered(&mut self, now: Instant) -> bool {
        let present = self.answered.is_some_and(|last| now.saturating_duration_since(last) <= self.patience);
        if !present {
            self.until = self.until.max(now + self.ttl);
        }
        self.answered = Some(now);
        now >= self.until
    }

    fn failed(&mut self) {
        self.answered = None;
    }
}

impl Reaper {
    pub(crate) fn new(store: Arc<dyn Store>, dispatcher: Arc<Dispatcher>, now: Instant) -> Self {
        let grace = Grace::new(dispatcher.config().lease_ttl, dispatcher.config().reaper_interval, now);
        Self { store, dispatcher, grace }
    }

    pub(crate) async fn run(mut self, token: CancellationToken) {
        let interval = self.dispatcher.config().reaper_interval;
        let mut away = false;
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => break,
                () = tokio::time::sleep(interval) => {}
            }
            let outcome = tokio::select! {
                biased;
                () = token.cancelled() => break,
                outcome = self.step() => outcome,
            };
            match outcome {
                Ok(_) if away => info!("the store answers again; leases are judged after one lease's time"),
                Ok(_) => {}
                Err(ref error) if !away => warn!(error = chain(error), "the store is away; no lease expires"),
                Err(_) => {}
            }
            away = outcome.is_err();
        }
    }

    /// One round.
    async fn step(&mut self) -> Result<Vec<Settled>, StoreError> {
        if let Err(error) = bounded(self.store.ping()).await {
            self.grace.failed();
            return Err(error);
        }
        // After the answer: what the wait for it took counts as silence.
        self.judge(Instant::now()).await
    }

    /// Settles what has expired, if leases may be judged `now` that the store has answered.
    async fn judge(&mut self, now: Instant) -> Result<Vec<Settled>, StoreError> {
        let mut all = Vec::new();
        if self.dispatcher.take_renewal_failed() {
            self.grace.failed();
        }
        if !self.grace.answered(now) {
            return Ok(all);
        }
        loop {
            let settled = match self.dispatcher.expire(BATCH).await {
                Ok(settled) => settled,
                Err(error) => {
                    self.grace.failed();
                    return Err(error);
                }
            };
            for Settled { at, state, worker } in &settled {
                warn!(job.id = %at.job, job.attempt = at.attempt, worker, state = state.as_str(), "lease lost");
            }
            let more = settled.len() == BATCH as usize;
            all.extend(settled);
            if !more {
                return Ok(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use besom_sweep::{Expansion, TRAINER_VERSION};

    use super::*;
    use crate::config::CoordinatorConfig;
    use crate::domain::{AttemptRef, Digest, Key, NewSweep, NewWorker, Session, Trainers, WorkerId};
    use crate::store::{AcquireRequest, sqlite::SqliteStore};

    const TTL: Duration = Duration::from_secs(30);
    const INTERVAL: Duration = Duration::from_secs(5);

    /// Lets the store answer every interval from `from` to `to` seconds; at which of them leases
    /// could be judged.
    fn rounds(grace: &mut Grace, start: Instant, from: u64, to: u64) -> Vec<u64> {
        (from..=to).step_by(5).filter(|second| grace.answered(start + Duration::from_secs(*second))).collect()
    }

    #[test]
    fn downtime_is_nobodys_fault() {
        let start = Instant::now();
        let mut grace = Grace::new(TTL, INTERVAL, start);
        assert_eq!(rounds(&mut grace, start, 5, 40), [30, 35, 40], "after the start");

        grace.failed();
        assert_eq!(rounds(&mut grace, start, 45, 80), [75, 80], "after the store was away");

        assert_eq!(rounds(&mut grace, start, 200, 240), [230, 235, 240], "after nothing answered for two minutes");
    }

    #[tokio::test]
    async fn an_expired_lease_outlives_the_reapers_first_ttl_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("besom.db")).await.unwrap());
        let lease = expired_lease(&*store).await;
        let start = Instant::now();
        let dispatcher = Arc::new(Dispatcher::new(store.clone(), CoordinatorConfig::default()));
        let mut reaper = Reaper::new(store, dispatcher, start);
        for second in (5..30).step_by(5) {
            assert_eq!(reaper.judge(start + Duration::from_secs(second)).await.unwrap(), []);
        }
        let settled = reaper.judge(start + TTL).await.unwrap();
        assert_eq!(settled.iter().map(|settled| settled.at).collect::<Vec<_>>(), [lease]);
    }

    #[tokio::test]
    async fn a_report_that_the_store_did_not_take_counts_as_the_store_away() {
        let dir = tempfile::tempdir().unwrap();
        let open = async || Arc::new(SqliteStore::open(&dir.path().join("besom.db")).await.unwrap());
        let (store, away) = (open().await, open().await);
        let lease = expired_lease(&*store).await;
        away.close().await;
        let start = Instant::now();
        let mut dispatcher = Dispatcher::new(away, CoordinatorConfig::default());
        // Reading may go on all the while: a full disk takes no renewal and answers every ping.
        let (store_key, secret) = (Key::random(), Key::random());
        let nobody = Session { store: store_key, worker: WorkerId(1), secret };
        dispatcher.report(nobody, Vec::new()).await.unwrap_err();
        dispatcher.turn_to(store.clone());
        let mut reaper = Reaper::new(store, Arc::new(dispatcher), start);
        // The first round notices; a whole lease's time begins there.
        let settled = rounds_until(&mut reaper, start, start + INTERVAL + TTL).await;
        assert_eq!(settled, [lease]);
    }

    /// What is settled in rounds of every interval, none before the last.
    async fn rounds_until(reaper: &mut Reaper, mut now: Instant, last: Instant) -> Vec<AttemptRef> {
        loop {
            now += INTERVAL;
            let settled = reaper.judge(now).await.unwrap();
            if now >= last {
                return settled.iter().map(|settled| settled.at).collect();
            }
            assert_eq!(settled, []);
        }
    }

    /// A job of a new sweep, leased for no time at all.
    async fn expired_lease(store: &dyn Store) -> AttemptRef {
        let text = "{method: grid, parameters: {epochs: {value: 1}}, besom: {dataset: {source: 'builtin:sketches'}}}";
        let spec = besom_sweep::parse(text).unwrap();
        let digest = "0".repeat(64);
        let new = NewSweep {
            name: "x".to_owned(),
            title: "x".to_owned(),
            digest: digest.clone(),
            text: text.to_owned(),
            spec: None,
            method: spec.method.as_str().to_owned(),
            metric: spec.metric.clone(),
            scored_epoch: spec.scored_epoch,
            keep_models: spec.keep_models,
            engine: None,
            dataset: Digest::parse(&digest).unwrap(),
            dataset_source: spec.dataset.source.clone(),
            dataset_sha256: String::new(),
            swept: Vec::new(),
            jobs_total: Some(1),
            trainer: "mlp".to_owned(),
            trainer_version: TRAINER_VERSION,
            shared_config: "{}".to_owned(),
            classes: None,
        };
        let (sweep, _) = store.create_sweep(new, None).await.unwrap();
        let expansion = Expansion::new(&spec, None).unwrap();
        let job = crate::expander::new_job(&expansion, 0, &sweep.new.dataset);
        store.add_jobs(sweep.id, 0, vec![job]).await.unwrap();
        let word = || "x".to_owned();
        let slots = 1;
        let worker = NewWorker {
            instance: word(),
            name: word(),
            host: word(),
            slots,
            build: word(),
            trainers: Trainers([("mlp".to_owned(), TRAINER_VERSION)].into()),
            device: word(),
            gone_after: TTL,
        };
        let session = store.register_worker(worker, None).await.unwrap();
        let lease_ttl = Duration::from_micros(1);
        let wish = AcquireRequest { session, request_id: word(), slots: vec![0], take: true, sweep: None, lease_ttl };
        store.acquire(wish, None).await.unwrap().assignments[0].lease.at
    }
}
