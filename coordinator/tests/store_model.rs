//! Random histories: both databases must answer as a small model in memory does.
//!
//! The model knows the rules and nothing of SQL. Time is part of the history, so every run can be
//! repeated: a failure prints its seed, and `BESOM_MODEL_SEED=<seed>` runs it again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod store_support;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use besom_coordinator::{
    domain::{
        AttemptOutcome, AttemptRef, ConfigRun, ConfigSums, Directive, EpochRecord, Hindrance, JobId, JobOutcome,
        JobState, RetryDecision, RetryPolicy, SweepId, SweepState, Timestamp, WorkerId, WriteResult, after_hindrance,
        spread,
    },
    store::{AcquireRequest, StoreError, SweepCommand},
};
use store_support::{Bench, TTL, completion, new_sweep, record, reported, request};

const POLICY: RetryPolicy = RetryPolicy { max_failures: 3, max_losses: 4 };
const SWEEPS: u32 = 3;
const JOBS: u32 = 6;
const STEPS: u32 = 250;
/// Of each job, which may end before.
const EPOCHS: u32 = 5;

/// SplitMix64: enough randomness for a test, the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % sides as u64) as usize
    }
}

#[derive(Debug, Clone)]
struct Job {
    sweep: SweepId,
    state: JobState,
    attempt: u32,
    lease_until: i64,
    not_before: i64,
    failures: u32,
    losses: u32,
    hindrances: u32,
    hindered_by: Option<Hindrance>,
    objective: Option<f64>,
}

/// One operation, with everything that the stores need to repeat it.
#[derive(Debug, Clone)]
enum Step {
    Acquire(AcquireRequest),
    Report(AttemptRef, Vec<EpochRecord>),
    Complete(AttemptRef, JobOutcome, Vec<EpochRecord>),
    Release(AttemptRef),
    Expire(u32),
    Command(SweepId, SweepCommand),
    Retry(SweepId, Option<JobId>),
}

/// An answer, as far as it is compared.
#[derive(Debug, PartialEq)]
enum Answer {
    Jobs(Vec<(AttemptRef, u32)>),
    Directive(Directive),
    Written(WriteResult),
    Settled(Vec<(AttemptRef, JobState)>),
    Sweep(SweepState),
    Retried(SweepState, u64),
    Refused,
}

#[derive(Default)]
struct Model {
    sweeps: BTreeMap<SweepId, SweepState>,
    jobs: BTreeMap<JobId, Job>,
    attempts: BTreeMap<AttemptRef, Option<AttemptOutcome>>,
    requests: BTreeMap<String, Vec<(AttemptRef, u32)>>,
    epochs: BTreeMap<AttemptRef, BTreeMap<u64, EpochRecord>>,
}

impl Model {
    fn apply(&mut self, step: &Step, now: i64) -> Answer {
        match step {
            Step::Acquire(wish) => Answer::Jobs(self.acquire(wish, now)),
            Step::Report(at, records) => Answer::Directive(self.report(*at, records, now)),
            Step::Complete(at, outcome, records) => self.complete(*at, outcome, records, now),
            Step::Release(at) => Answer::Written(self.release(*at, now)),
            Step::Expire(limit) => Answer::Settled(self.expire(*limit, now)),
            Step::Command(sweep, command) => self.command(*sweep, *command),
            Step::Retry(sweep, job) => self.retry(*sweep, *job),
        }
    }

    fn retry(&mut self, sweep: SweepId, job: Option<JobId>) -> Answer {
        if let Some(job) = job {
            let state = self.jobs[&job].state;
            if matches!(state, JobState::Succeeded | JobState::Stopped | JobState::Diverged) {
                return Answer::Refused;
            }
        }
        let mut retried = 0;
        for (id, found) in &mut self.jobs {
            let wanted = found.sweep == sweep && job.is_none_or(|job| job == *id);
            if wanted && matches!(found.state, JobState::Failed | JobState::Cancelled) {
                (found.state, found.not_before, found.failures, found.losses) = (JobState::Queued, 0, 0, 0);
                (found.hindrances, found.hindered_by) = (0, None);
                retried += 1;
            }
        }
        let state = self.sweeps[&sweep];
        if state.is_final() && retried == 0 {
            return Answer::Refused;
        }
        if state.is_final() {
            self.sweeps.insert(sweep, SweepState::Active);
        }
        Answer::Retried(self.sweeps[&sweep], retried)
    }

    fn runs(&self, at: AttemptRef) -> bool {
        self.jobs.get(&at.job).is_some_and(|job| job.state == JobState::Running && job.attempt == at.attempt)
    }

    fn job(&mut self, at: AttemptRef) -> &mut Job {
        self.jobs.get_mut(&at.job).unwrap()
    }

    fn acquire(&mut self, wish: &AcquireRequest, now: i64) -> Vec<(AttemptRef, u32)> {
        let until = now + TTL.as_micros() as i64;
        let granted = self.requests.get(&wish.request_id).cloned().unwrap_or_default();
        let held: Vec<_> = granted.into_iter().filter(|(at, _)| self.runs(*at)).collect();
        if !held.is_empty() {
            for (at, _) in &held {
                let job = self.job(*at);
                job.lease_until = job.lease_until.max(until);
            }
            return held;
        }
        let mut given = Vec::new();
        let waits = |job: &&Job| {
            job.state == JobState::Queued && job.hindered_by == Some(Hindrance::Artifact) && job.not_before > now
        };
        let waiting: BTreeSet<SweepId> = self.jobs.values().filter(waits).map(|job| job.sweep).collect();
        for (id, job) in self.jobs.iter_mut().filter(|(_, job)| !waiting.contains(&job.sweep)) {
            let wanted = wish.sweep.is_none_or(|sweep| sweep == job.sweep);
            let ready = job.state == JobState::Queued && job.not_before <= now;
            if wanted && ready && self.sweeps[&job.sweep] == SweepState::Active && given.len() < wish.slots.len() {
                (job.state, job.attempt, job.lease_until) = (JobState::Running, job.attempt + 1, until);
                given.push((AttemptRef { job: *id, attempt: job.attempt }, wish.slots[given.len()]));
            }
        }
        self.attempts.extend(given.iter().map(|(at, _)| (*at, None)));
        self.requests.insert(wish.request_id.clone(), given.clone());
        given
    }

    fn keep(&mut self, at: AttemptRef, records: &[EpochRecord]) {
        let kept = self.epochs.entry(at).or_default();
        for record in records {
            kept.entry(record.step).or_insert_with(|| record.clone());
        }
    }

    /// Whether records follow what is known of the attempt.
    fn follows(&self, at: AttemptRef, records: &[EpochRecord]) -> bool {
        let mut known = self.epochs.get(&at).cloned().unwrap_or_default();
        records.iter().all(|record| {
            let next = known.len() as u64 + 1;
            let kept = known.entry(record.step).or_insert_with(|| record.clone());
            record.step <= next.min(EPOCHS.into()) && kept == record
        })
    }

    fn report(&mut self, at: AttemptRef, records: &[EpochRecord], now: i64) -> Directive {
        if self.runs(at) {
            let follows = self.follows(at, records);
            if follows {
                self.keep(at, records);
            }
            let job = self.job(at);
            job.lease_until = job.lease_until.max(now + TTL.as_micros() as i64);
            return if follows { Directive::Continue } else { Directive::Refused(String::new()) };
        }
        match self.attempts.get(&at) {
            Some(Some(AttemptOutcome::Cancelled)) => Directive::Cancelled,
            _ => Directive::LeaseLost,
        }
    }

    fn complete(&mut self, at: AttemptRef, outcome: &JobOutcome, records: &[EpochRecord], now: i64) -> Answer {
        let (ended, state) = match outcome {
            JobOutcome::Succeeded => (AttemptOutcome::Succeeded, JobState::Succeeded),
            JobOutcome::Stopped => (AttemptOutcome::Stopped, JobState::Stopped),
            JobOutcome::Diverged => (AttemptOutcome::Diverged, JobState::Diverged),
            JobOutcome::Failed { .. } => (AttemptOutcome::Failed, JobState::Failed),
            JobOutcome::Hindered { .. } => (AttemptOutcome::Released, JobState::Queued),
        };
        if !self.runs(at) {
            return Answer::Written(self.stale(at, ended));
        }
        // Nobody tells a job to stop here.
        if !self.follows(at, records) || *outcome == JobOutcome::Stopped {
            return Answer::Refused;
        }
        if let JobOutcome::Failed { retryable, .. } = outcome {
            self.keep(at, records);
            self.job(at).failures += 1;
            let failures = self.job(at).failures;
            let decision = POLICY.after_failure(failures, *retryable, spread(at));
            self.set_back(at, decision, now);
        } else if let JobOutcome::Hindered { by, .. } = outcome {
            self.keep(at, records);
            let job = self.job(at);
            let times = job.hindrances + 1;
            self.set_back(at, RetryDecision::Again(after_hindrance(*by, times, spread(at))), now);
            let job = self.job(at);
            (job.hindrances, job.hindered_by) = (times, Some(*by));
        } else {
            self.keep(at, records);
            let last = self.epochs[&at].values().last().and_then(|record| record.metric("val_accuracy"));
            let job = self.job(at);
            job.state = state;
            job.objective = last.filter(|_| state != JobState::Diverged);
        }
        self.attempts.insert(at, Some(ended));
        self.finish_sweeps();
        Answer::Written(WriteResult::Accepted)
    }

    fn set_back(&mut self, at: AttemptRef, decision: RetryDecision, now: i64) {
        let job = self.job(at);
        match decision {
            RetryDecision::Again(wait) => {
                (job.hindrances, job.hindered_by) = (0, None);
                job.state = JobState::Queued;
                job.not_before = now + wait.as_micros() as i64;
            }
            RetryDecision::GiveUp => job.state = JobState::Failed,
        }
    }

    fn stale(&self, at: AttemptRef, outcome: AttemptOutcome) -> WriteResult {
        match self.attempts.get(&at) {
            Some(Some(ended)) if *ended == outcome => WriteResult::Accepted,
            Some(Some(AttemptOutcome::Cancelled)) => WriteResult::Cancelled,
            _ => WriteResult::LeaseLost,
        }
    }

    fn release(&mut self, at: AttemptRef, now: i64) -> WriteResult {
        if !self.runs(at) {
            return self.stale(at, AttemptOutcome::Released);
        }
        self.set_back(at, RetryDecision::Again(Duration::ZERO), now);
        self.attempts.insert(at, Some(AttemptOutcome::Released));
        WriteResult::Accepted
    }

    fn expire(&mut self, limit: u32, now: i64) -> Vec<(AttemptRef, JobState)> {
        let late = |(id, job): (&JobId, &Job)| {
            let ends = job.state == JobState::Running && job.lease_until <= now;
            ends.then_some(AttemptRef { job: *id, attempt: job.attempt })
        };
        let expired: Vec<_> = self.jobs.iter().filter_map(late).take(limit as usize).collect();
        let mut settled = Vec::new();
        for at in expired {
            self.job(at).losses += 1;
            let decision = POLICY.after_loss(self.job(at).losses, spread(at));
            self.set_back(at, decision, now);
            self.attempts.insert(at, Some(AttemptOutcome::Lost));
            settled.push((at, self.job(at).state));
        }
        self.finish_sweeps();
        settled
    }

    fn command(&mut self, sweep: SweepId, command: SweepCommand) -> Answer {
        use {SweepCommand as C, SweepState as S};
        let next = match (self.sweeps[&sweep], command) {
            (S::Completed, _) | (S::Cancelled, C::Pause | C::Resume) => return Answer::Refused,
            (S::Active | S::Paused, C::Pause) => S::Paused,
            (S::Active | S::Paused, C::Resume) => S::Active,
            (_, C::Cancel) => S::Cancelled,
        };
        self.sweeps.insert(sweep, next);
        if next == S::Cancelled {
            for (id, job) in self.jobs.iter_mut().filter(|(_, job)| job.sweep == sweep && !job.state.is_final()) {
                if job.state == JobState::Running {
                    let at = AttemptRef { job: *id, attempt: job.attempt };
                    self.attempts.insert(at, Some(AttemptOutcome::Cancelled));
                }
                job.state = JobState::Cancelled;
            }
        }
        self.finish_sweeps();
        Answer::Sweep(self.sweeps[&sweep])
    }

    fn finish_sweeps(&mut self) {
        for (sweep, state) in &mut self.sweeps {
            let open = self.jobs.values().any(|job| job.sweep == *sweep && !job.state.is_final());
            if *state == SweepState::Active && !open {
                *state = SweepState::Completed;
            }
        }
    }
}

async fn apply(bench: &Bench, worker: WorkerId, step: &Step, now: i64) -> Answer {
    let (store, now) = (&bench.store, Some(Timestamp(now)));
    let refused = |error: StoreError| match error {
        StoreError::InvalidState { .. } => Answer::Refused,
        error => panic!("{error:?}"),
    };
    match step.clone() {
        Step::Acquire(wish) => {
            let given = store.acquire(wish, now).await.unwrap();
            Answer::Jobs(given.iter().map(|job| (job.at, job.slot)).collect())
        }
        Step::Report(at, records) => {
            let answers = store.report(worker, vec![reported(at, records)], TTL, now).await.unwrap();
            Answer::Directive(match answers[0].clone() {
                Directive::Refused(_) => Directive::Refused(String::new()),
                directive => directive,
            })
        }
        Step::Complete(at, outcome, records) => {
            let answer = store.complete(completion(at, outcome, records), POLICY, now).await;
            answer.map_or_else(refused, Answer::Written)
        }
        Step::Release(at) => Answer::Written(store.release(worker, vec![at], false, now).await.unwrap()[0]),
        Step::Expire(limit) => {
            let settled = store.expire(POLICY, limit, now).await.unwrap();
            Answer::Settled(settled.iter().map(|lease| (lease.at, lease.state)).collect())
        }
        Step::Command(sweep, command) => {
            let answer = store.command_sweep(sweep, command, now).await;
            answer.map_or_else(refused, |sweep| Answer::Sweep(sweep.state))
        }
        Step::Retry(sweep, job) => {
            let answer = store.retry_sweep(sweep, job, now).await;
            answer.map_or_else(refused, |retried| Answer::Retried(retried.sweep.state, retried.jobs))
        }
    }
}

/// A step that makes sense often enough: mostly about attempts that were handed out, some of them
/// long ago.
fn choose(dice: &mut Dice, model: &Model, worker: WorkerId, wishes: &mut Vec<AcquireRequest>) -> Step {
    let attempts: Vec<AttemptRef> = model.attempts.keys().copied().collect();
    let running: Vec<AttemptRef> = attempts.iter().copied().filter(|at| model.runs(*at)).collect();
    let pick = |dice: &mut Dice| match (dice.roll(4), running.len()) {
        (1.., 1..) => running[dice.roll(running.len())],
        _ if attempts.is_empty() => AttemptRef { job: JobId(1), attempt: 1 },
        _ => attempts[dice.roll(attempts.len())],
    };
    let sweep = |dice: &mut Dice| *model.sweeps.keys().nth(dice.roll(model.sweeps.len())).unwrap();
    match dice.roll(100) {
        0..30 => {
            if !wishes.is_empty() && dice.roll(4) == 0 {
                return Step::Acquire(wishes[dice.roll(wishes.len())].clone());
            }
            let mut wish = request(worker, 1 + dice.roll(3) as u32);
            // Slots that no other request names: what is given to them does not depend on what
            // runs.
            let first = 1 + 10 * wishes.len() as u32;
            wish.slots = (first..first + wish.slots.len() as u32).collect();
            wish.sweep = (dice.roll(3) == 0).then(|| sweep(dice));
            wishes.push(wish.clone());
            Step::Acquire(wish)
        }
        30..55 => {
            let at = pick(dice);
            let known = model.epochs.get(&at).map_or(0, BTreeMap::len) as u32;
            let from = known.saturating_sub(dice.roll(2) as u32) + 1;
            let records = (from..=known + dice.roll(3) as u32).map(|epoch| scored(dice, epoch)).collect();
            Step::Report(at, records)
        }
        55..75 => {
            let at = pick(dice);
            let known = model.epochs.get(&at).map_or(0, BTreeMap::len) as u32;
            // Now and then an epoch is missing in between.
            let next = known + 1 + u32::from(dice.roll(10) == 0);
            let outcome = match dice.roll(8) {
                0 => JobOutcome::Stopped,
                1 => JobOutcome::Diverged,
                4 => JobOutcome::Hindered {
                    problem: "no".to_owned(),
                    by: Hindrance::ALL[dice.roll(Hindrance::ALL.len())],
                },
                2..4 => JobOutcome::Failed { error: "no".to_owned(), retryable: dice.roll(4) > 0 },
                _ => JobOutcome::Succeeded,
            };
            let mut last = scored(dice, next);
            if outcome == JobOutcome::Diverged {
                last.metrics.remove("val_loss");
            }
            Step::Complete(at, outcome, vec![last])
        }
        75..83 => Step::Release(pick(dice)),
        83..93 => Step::Expire(1 + dice.roll(4) as u32),
        93..95 => {
            let sweep = sweep(dice);
            let jobs: Vec<JobId> = model.jobs.iter().filter(|(_, job)| job.sweep == sweep).map(|(id, _)| *id).collect();
            Step::Retry(sweep, (dice.roll(3) == 0).then(|| jobs[dice.roll(jobs.len())]))
        }
        95..97 => Step::Command(sweep(dice), SweepCommand::Pause),
        97..99 => Step::Command(sweep(dice), SweepCommand::Resume),
        _ => Step::Command(sweep(dice), SweepCommand::Cancel),
    }
}

fn scored(dice: &mut Dice, epoch: u32) -> EpochRecord {
    let accuracy = dice.roll(1000) as f64 / 1000.0;
    let mut record = record(epoch, accuracy);
    if dice.roll(20) == 0 {
        record.metrics.remove("val_accuracy");
    }
    record
}

fn of_config(run: &store_support::views::Run) -> ConfigRun {
    ConfigRun {
        state: run.state,
        objective: run.objective,
        last: run.final_val_accuracy,
        best: run.best_val_accuracy,
        seconds: run.seconds,
    }
}

/// What the database holds at the end, against what the model does.
async fn compare(bench: &Bench, model: &Model, seed: u64) {
    for sweep in bench.store.list_sweeps().await.unwrap() {
        assert_eq!(sweep.state, model.sweeps[&sweep.id], "seed {seed}, sweep {}", sweep.id);
        let runs = bench.runs(sweep.id).await;
        let count = |state| runs.iter().filter(|run| run.state == state).count() as u64;
        let kept = [sweep.counts.queued, sweep.counts.running, sweep.counts.failed, sweep.counts.cancelled];
        let states = [JobState::Queued, JobState::Running, JobState::Failed, JobState::Cancelled];
        assert_eq!(kept, states.map(count), "seed {seed}, sweep {}", sweep.id);
        // Each job is a configuration of its own here.
        let sums =
            runs.iter().map(|run| (run.job, ConfigSums::of(&[of_config(run)]))).filter(|(_, sums)| !sums.is_empty());
        let configs = bench.configs(sweep.id).await;
        let configs: Vec<_> = configs.into_iter().map(|config| (config.job, config.sums)).collect();
        assert_eq!(configs, sums.collect::<Vec<_>>(), "seed {seed}, sweep {}", sweep.id);
        for run in runs {
            let job = &model.jobs[&run.job];
            let stored = (run.state, run.attempts, run.objective);
            assert_eq!(stored, (job.state, i64::from(job.attempt), job.objective), "seed {seed}, job {}", run.job);
        }
        for row in bench.attempts(sweep.id).await {
            assert_eq!(row.outcome, model.attempts[&row.at], "seed {seed}, {:?}", row.at);
        }
        for (at, records) in bench.history(sweep.id).await {
            let expected: Vec<EpochRecord> = model.epochs[&at].values().cloned().collect();
            assert_eq!(records, expected, "seed {seed}, {at:?}");
        }
        let mut ranked: Vec<(f64, i64)> = model
            .jobs
            .iter()
            .filter(|(_, job)| job.sweep == sweep.id)
            .filter_map(|(id, job)| job.objective.map(|objective| (objective, id.0)))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let leaders: Vec<(f64, i64)> = bench
            .leaders(sweep.id)
            .await
            .iter()
            .filter_map(|run| run.objective.map(|objective| (objective, run.job.0)))
            .collect();
        assert_eq!(leaders, ranked, "seed {seed}");
    }
    let stored = bench.query("SELECT count(*) FROM job_attempts").await;
    assert_eq!(stored, [[model.attempts.len().to_string()]], "seed {seed}");
    let stored = bench.query("SELECT count(*) FROM epochs").await;
    let expected: usize = model.epochs.values().map(BTreeMap::len).sum();
    assert_eq!(stored, [[expected.to_string()]], "seed {seed}");
}

async fn run(seed: u64) {
    let benches = [store_support::sqlite().await, store_support::postgres().await];
    let mut model = Model::default();
    let mut workers = Vec::new();
    for bench in &benches {
        workers.push(bench.worker("w").await);
        for n in 0..SWEEPS {
            let sweep = bench.sweep_of(new_sweep(&format!("s{n}"), JOBS)).await;
            model.sweeps.insert(sweep.id, SweepState::Active);
            for run in bench.runs(sweep.id).await {
                let job = Job {
                    sweep: sweep.id,
                    state: JobState::Queued,
                    attempt: 0,
                    lease_until: 0,
                    not_before: 0,
                    failures: 0,
                    losses: 0,
                    hindrances: 0,
                    hindered_by: None,
                    objective: None,
                };
                model.jobs.insert(run.job, job);
            }
        }
    }
    // The two databases number everything alike, or the model could not speak for both.
    assert_eq!((workers[0], model.jobs.len()), (workers[1], (SWEEPS * JOBS) as usize));

    let mut dice = Dice(seed);
    let mut wishes = Vec::new();
    let mut now = store_support::at(1.0).unwrap().0;
    for number in 0..STEPS {
        now += [0, 1, 500_000, 3_000_000, 12_000_000, 40_000_000][dice.roll(6)];
        let step = choose(&mut dice, &model, workers[0], &mut wishes);
        let expected = model.apply(&step, now);
        for (bench, name) in benches.iter().zip(["sqlite", "postgres"]) {
            let answer = apply(bench, workers[0], &step, now).await;
            assert_eq!(answer, expected, "seed {seed}, step {number} on {name} at {now}: {step:?}");
        }
    }
    for bench in &benches {
        compare(bench, &model, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_agree_with_the_model_on_random_histories() {
    let seeds: Vec<u64> = match std::env::var("BESOM_MODEL_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=12).collect(),
    };
    for seed in seeds {
        run(seed).await;
    }
}
