//! The attempts that this worker holds: their leases, their epoch records, and which of those are
//! acknowledged.
//!
//! Trainers write records here, the report thread reads them and writes what the coordinator
//! answered, and each attempt takes what is left with its completion. All records of an attempt
//! stay until it ends: they are small, and an outage may last as long as the attempt. A lease that
//! was not renewed for [`Session::trusted`] is not held any more, whatever the coordinator thinks:
//! that is how a worker fences itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::assignment::AttemptRef;
use super::{Clock, DropReason, Session, Signal};
use besom_sweep::EpochRecord;

/// Records of one attempt in one call: far below the limit of a message, and more than an interval
/// brings.
pub(crate) const RECORDS_A_CALL: usize = 1_000;

/// Records of all attempts in one report, about a hundred bytes each: what many slots saved up
/// during an outage must not become a message that the coordinator refuses for its size.
const RECORDS_A_REPORT: usize = 10_000;

/// What an attempt does, by what may still end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Executes: only as long as its lease is trusted.
    Training,
    /// Has a result whose models are being stored: only a directive drops it. An outage does not,
    /// since the coordinator compares the number of the lease when the result arrives.
    Uploading,
    /// Its completion may have been accepted: only the answer to it counts.
    Completing,
}

struct Held {
    signal: Arc<Signal>,
    phase: Phase,
    /// Start of the request that renewed the lease last.
    renewed: Duration,
    /// Granted by a request that had to be repeated: how old the lease is shows only when it is
    /// renewed.
    unconfirmed: bool,
    records: Vec<EpochRecord>,
    acknowledged: usize,
}

/// Records of one attempt on their way to the coordinator.
pub(crate) struct Pending {
    pub(crate) at: AttemptRef,
    /// Index of the first of them.
    pub(crate) from: usize,
    pub(crate) records: Vec<EpochRecord>,
}

/// What the coordinator says about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directive {
    Continue,
    StopEarly,
    Drop(DropReason),
}

/// All attempts of a worker, shared by its threads.
pub(crate) struct Ledger {
    clock: Clock,
    held: Mutex<BTreeMap<AttemptRef, Held>>,
    /// There is something new to report.
    news: Notify,
    /// A report was answered.
    answered: Notify,
}

impl Ledger {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, held: Mutex::default(), news: Notify::new(), answered: Notify::new() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<AttemptRef, Held>> {
        self.held.lock().expect("nothing panics while it is held")
    }

    /// Takes an attempt whose lease was granted by a request that started at `requested`, and that
    /// was `repeated` or not.
    pub(crate) fn insert(&self, at: AttemptRef, requested: Duration, repeated: bool) -> Arc<Signal> {
        let signal = Arc::new(Signal::default());
        let held = Held {
            signal: Arc::clone(&signal),
            phase: Phase::Training,
            renewed: requested,
            unconfirmed: repeated,
            records: Vec::new(),
            acknowledged: 0,
        };
        self.held().insert(at, held);
        self.news.notify_one();
        signal
    }

    /// The attempt ended.
    pub(crate) fn remove(&self, at: AttemptRef) {
        self.held().remove(&at);
    }

    pub(crate) fn enter(&self, at: AttemptRef, phase: Phase) {
        if let Some(held) = self.held().get_mut(&at) {
            held.phase = phase;
        }
    }

    /// An epoch of the attempt ended.
    pub(crate) fn record(&self, at: AttemptRef, record: EpochRecord) {
        if let Some(held) = self.held().get_mut(&at) {
            held.records.push(record);
            self.news.notify_one();
        }
    }

    /// Waits until the lease is known to be young: at once, unless its request had to be repeated.
    pub(crate) async fn until_confirmed(&self, at: AttemptRef) {
        self.until(|| self.held().get(&at).is_none_or(|held| !held.unconfirmed)).await;
    }

    /// Waits until the records that no report acknowledged fit into a completion.
    pub(crate) async fn until_few_pending(&self, at: AttemptRef) {
        let few = |held: &Held| held.records.len() - held.acknowledged <= RECORDS_A_CALL;
        self.until(|| self.held().get(&at).is_none_or(few)).await;
    }

    async fn until(&self, condition: impl Fn() -> bool) {
        loop {
            let answered = self.answered.notified();
            if condition() {
                return;
            }
            answered.await;
        }
    }

    /// Records that no report acknowledged, ascending.
    pub(crate) fn pending(&self, at: AttemptRef) -> Vec<EpochRecord> {
        self.held().get(&at).map_or_else(Vec::new, |held| held.records[held.acknowledged..].to_vec())
    }

    /// What a report would say now, with `2^halvings` times fewer records than would fit: without
    /// any it still renews.
    pub(crate) fn report(&self, halvings: u32) -> Vec<Pending> {
        let all = self.held();
        let share = (RECORDS_A_REPORT / all.len().max(1)).clamp(1, RECORDS_A_CALL);
        let share = share.checked_shr(halvings).unwrap_or(0);
        let pending = |(at, held): (&AttemptRef, &Held)| {
            let end = held.records.len().min(held.acknowledged + share);
            Pending { at: *at, from: held.acknowledged, records: held.records[held.acknowledged..end].to_vec() }
        };
        all.iter().map(pending).collect()
    }

    /// When the next report is due, on this ledger's clock; `None` while nothing is held.
    pub(crate) fn due(&self, session: &Session, last: Duration, gap: Duration) -> Option<Duration> {
        let held = self.held();
        let oldest = held.values().map(|held| held.renewed).min()?;
        let news = held.values().any(|held| held.unconfirmed || held.records.len() > held.acknowledged);
        let soonest = last + gap;
        Some(if news { soonest } else { soonest.max(oldest + session.report_interval) })
    }

    /// Applies the answer about one attempt to the request that started at `requested`.
    pub(crate) fn answer(&self, sent: &Pending, requested: Duration, directive: Directive) {
        let mut all = self.held();
        let Some(held) = all.get_mut(&sent.at) else { return };
        match directive {
            Directive::Continue | Directive::StopEarly => {
                held.acknowledged = held.acknowledged.max(sent.from + sent.records.len());
                held.renewed = held.renewed.max(requested);
                held.unconfirmed = false;
                if directive == Directive::StopEarly {
                    held.signal.stop_early();
                }
            }
            // The completion decides; it needs no records if it is stale, and had them if it was
            // accepted.
            Directive::Drop(_) if held.phase == Phase::Completing => held.acknowledged = held.records.len(),
            Directive::Drop(reason) => {
                held.signal.drop_it(reason);
                all.remove(&sent.at);
            }
        }
    }

    /// Wakes those that wait for answers.
    pub(crate) fn answers_applied(&self) {
        self.answered.notify_waiters();
    }

    /// Drops every attempt whose lease is no longer trusted.
    pub(crate) fn fence(&self, session: &Session) {
        let now = self.now();
        let mut fenced = false;
        self.held().retain(|at, held| {
            let trusted = held.phase != Phase::Training || now < held.renewed + session.trusted();
            if !trusted {
                tracing::warn!(job.id = at.job, job.attempt = at.attempt, "no renewal in time, dropped");
                held.signal.drop_it(DropReason::Fenced);
                fenced = true;
            }
            trusted
        });
        if fenced {
            self.answers_applied();
        }
    }

    /// Tells every attempt that still executes to end at its next batch, for `reason`. They stay
    /// held until they did.
    pub(crate) fn drop_training(&self, reason: DropReason) {
        for held in self.held().values().filter(|held| held.phase == Phase::Training) {
            held.signal.drop_it(reason);
        }
    }

    /// Drops every attempt, whatever it does: none of them is this worker's any more.
    pub(crate) fn drop_all(&self, reason: DropReason) {
        for (_, held) in std::mem::take(&mut *self.held()) {
            held.signal.drop_it(reason);
        }
        self.answers_applied();
    }

    /// Every attempt that is held.
    pub(crate) fn attempts(&self) -> Vec<AttemptRef> {
        self.held().keys().copied().collect()
    }

    /// Returns when something new was recorded or taken.
    pub(crate) async fn until_news(&self) {
        self.news.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            generation: 1,
            key: crate::agent::SessionKey { store: String::new(), worker: 1, secret: String::new() },
            lease_ttl: Duration::from_secs(30),
            report_interval: Duration::from_secs(8),
        }
    }

    fn record(step: u64) -> EpochRecord {
        EpochRecord { step, ..EpochRecord::default() }
    }

    const AT: AttemptRef = AttemptRef { job: 3, attempt: 2, lease: 7 };

    #[test]
    fn a_record_is_pending_until_a_report_with_it_was_answered() {
        let ledger = Ledger::new(Clock::new());
        ledger.insert(AT, Duration::ZERO, false);
        ledger.record(AT, record(1));
        ledger.record(AT, record(2));
        let sent = ledger.report(0);
        ledger.record(AT, record(3));
        assert_eq!(ledger.pending(AT).len(), 3);
        ledger.answer(&sent[0], Duration::ZERO, Directive::Continue);
        assert_eq!(ledger.pending(AT), [record(3)]);
        ledger.answer(&sent[0], Duration::ZERO, Directive::Continue);
        assert_eq!(ledger.pending(AT), [record(3)], "the same answer again changes nothing");
    }

    #[test]
    fn a_report_carries_no_more_records_than_a_message_holds() {
        let ledger = Ledger::new(Clock::new());
        ledger.insert(AT, Duration::ZERO, false);
        for epoch in 1..=2_500 {
            ledger.record(AT, record(epoch));
        }
        let mut epochs = Vec::new();
        for expected in [1_000, 1_000, 500, 0] {
            let sent = ledger.report(0);
            assert_eq!(sent[0].records.len(), expected);
            epochs.extend(sent[0].records.iter().map(|record| record.step));
            ledger.answer(&sent[0], Duration::ZERO, Directive::Continue);
        }
        assert_eq!(epochs, (1..=2_500).collect::<Vec<_>>());
    }

    #[test]
    fn a_report_that_was_not_answered_is_followed_by_shorter_ones_down_to_none() {
        let ledger = Ledger::new(Clock::new());
        ledger.insert(AT, Duration::ZERO, false);
        (1..=2_500).for_each(|epoch| ledger.record(AT, record(epoch)));
        let lengths = [0, 2, 4, 9, 10, 40, u32::MAX].map(|halvings| ledger.report(halvings)[0].records.len());
        assert_eq!(lengths, [1_000, 250, 62, 1, 0, 0, 0]);
    }

    #[test]
    fn a_report_of_many_slots_carries_a_few_records_of_each() {
        let ledger = Ledger::new(Clock::new());
        for job in 0..1_024 {
            let at = AttemptRef { job, attempt: 1, lease: 7 };
            ledger.insert(at, Duration::ZERO, false);
            (1..=50).for_each(|epoch| ledger.record(at, record(epoch)));
        }
        let sent = ledger.report(0);
        let records: Vec<usize> = sent.iter().map(|pending| pending.records.len()).collect();
        assert!(records.iter().all(|&count| count == records[0] && count > 0), "{records:?}");
        assert!(records.iter().sum::<usize>() <= RECORDS_A_REPORT);
    }

    #[test]
    fn a_lease_counts_from_the_start_of_the_request_that_renewed_it() {
        let (session, gap) = (session(), Duration::from_millis(500));
        let ledger = Ledger::new(Clock::new());
        assert_eq!(ledger.due(&session, Duration::ZERO, gap), None);
        ledger.insert(AT, Duration::from_secs(100), false);
        assert_eq!(ledger.due(&session, Duration::ZERO, gap), Some(Duration::from_secs(108)));
        let sent = ledger.report(0);
        ledger.answer(&sent[0], Duration::from_secs(107), Directive::Continue);
        assert_eq!(ledger.due(&session, Duration::from_secs(107), gap), Some(Duration::from_secs(115)));
        ledger.record(AT, record(1));
        assert_eq!(ledger.due(&session, Duration::from_secs(107), gap), Some(Duration::from_millis(107_500)));
    }

    #[test]
    fn only_an_attempt_that_executes_is_fenced() {
        // Leases far in the past of a clock that has just started cannot be expressed, so the lease
        // is of no length.
        let session = Session { lease_ttl: Duration::ZERO, ..session() };
        let other = AttemptRef { job: 4, attempt: 1, lease: 7 };
        let ledger = Ledger::new(Clock::new());
        let training = ledger.insert(AT, Duration::ZERO, false);
        let finished = ledger.insert(other, Duration::ZERO, false);
        ledger.enter(other, Phase::Uploading);
        ledger.fence(&session);
        assert_eq!((training.dropped(), finished.dropped()), (Some(DropReason::Fenced), None));
        assert_eq!(ledger.attempts(), [other]);
    }

    #[test]
    fn a_stale_directive_does_not_touch_a_completion_that_was_sent() {
        let ledger = Ledger::new(Clock::new());
        let signal = ledger.insert(AT, Duration::ZERO, false);
        let sent = ledger.report(0);
        ledger.enter(AT, Phase::Completing);
        ledger.answer(&sent[0], Duration::ZERO, Directive::Drop(DropReason::LeaseLost));
        assert_eq!((signal.dropped(), ledger.attempts()), (None, vec![AT]));
    }
}
