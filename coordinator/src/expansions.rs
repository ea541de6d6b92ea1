//! Working out the points of sweeps: a few at once, since a sweep of a million points takes a core for a second, and
//! memory in proportion to its points. What was worked out when a sweep was made goes on to the expander, which writes its
//! jobs: no file is parsed for it again.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use besom_sweep::Expansion;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::domain::SweepId;

/// So many at once, by all who ask and the expander together.
const AT_ONCE: usize = 2;
/// So many more may wait for their turn, and so long.
const WAITING: usize = 30;
const PATIENCE: Duration = Duration::from_secs(10);

/// Expansions that wait for the expander; it takes all of them at each of its looks. Of any more the expander reads the
/// stored text.
const MOST_MADE: usize = 64;

/// The points of sweeps: whose turn it is to work some out, and those that are worked out and whose jobs are not created yet.
pub(crate) struct Expansions {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    patience: Duration,
    made: Mutex<HashMap<SweepId, Arc<Expansion>>>,
    /// Sweeps may have jobs to be created.
    unexpanded: Notify,
}

/// A turn; it ends when this is dropped. It goes along with the work, which goes on when a client hangs up.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    _place: Option<OwnedSemaphorePermit>,
}

/// Too many others are waiting, or for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowded;

impl Expansions {
    pub(crate) fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            turns: semaphore(AT_ONCE),
            places: semaphore(AT_ONCE + WAITING),
            patience: PATIENCE,
            made: Mutex::default(),
            unexpanded: Notify::new(),
        }
    }

    /// Hands the points of a sweep on to the expander.
    pub(crate) fn hand_on(&self, sweep: SweepId, expansion: Arc<Expansion>) {
        {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            if made.len() < MOST_MADE || made.contains_key(&sweep) {
                made.insert(sweep, expansion);
            }
        }
        self.wake();
    }

    /// Tells the expander to look for sweeps that lack jobs.
    pub(crate) fn wake(&self) {
        self.unexpanded.notify_one();
    }

    /// Waits until somebody tells the expander to look.
    pub(crate) async fn woken(&self) {
        self.unexpanded.notified().await;
    }

    /// What was handed on since this was last asked.
    pub(crate) fn take_made(&self) -> HashMap<SweepId, Arc<Expansion>> {
        mem::take(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A turn for a client, who waits only so long and only where few others do.
    pub(crate) async fn turn(&self) -> Result<Turn, Crowded> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Crowded)?;
        match timeout(self.patience, self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(Turn { _turn: turn, _place: Some(place) }),
            Ok(Err(_)) | Err(_) => Err(Crowded),
        }
    }

    /// A turn for the expander, which is one and cannot be told to come back.
    pub(crate) async fn own_turn(&self) -> Turn {
        let turn = self.turns.clone().acquire_owned().await.expect("the semaphore is never closed");
        Turn { _turn: turn, _place: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_few_work_some_wait_and_the_rest_are_refused() {
        let expansions = Expansions { patience: Duration::from_millis(500), ..Expansions::new() };
        let working = [expansions.turn().await.unwrap(), expansions.own_turn().await];
        let mut waiting: Vec<_> = (0..WAITING + 1).map(|_| Box::pin(expansions.turn())).collect();
        for wait in &mut waiting {
            assert!(timeout(Duration::ZERO, wait).await.is_err(), "there is no third turn");
        }
        assert_eq!(expansions.turn().await.err(), Some(Crowded), "nobody stands behind all of these");
        drop(working);
        let first = waiting.remove(0).await.unwrap();
        let second = waiting.remove(0).await.unwrap();
        for wait in waiting {
            assert_eq!(wait.await.err(), Some(Crowded), "those two take longer than anybody waits");
        }
        drop((first, second));
        expansions.turn().await.unwrap();
    }
}
