//! Watching sweeps: one look at the store for everybody who watches the same sweep.
//!
//! The first watcher of a sweep starts a task that looks at it, and the last one to go ends it.
//! What it sees it converts once; each watcher sends that to its client as fast as the client takes
//! it, and skips what it has missed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use besom_proto::v1;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Status;

use super::convert;
use crate::domain::{Progress, SweepId};
use crate::patience::bounded;
use crate::store::{Store, StoreError};

/// Progress is looked at twice a second: no person reads faster.
const LOOK: Duration = Duration::from_millis(500);
/// And more seldom where a look takes long: it takes a fiftieth of the time, until a look takes
/// more than a tenth of a second.
const LOOK_SHARE: u32 = 50;
/// It is sent so often when nothing changes, so that a client knows that the coordinator is there.
const SILENCE: Duration = Duration::from_secs(5);

/// What the looks at one sweep have shown.
#[derive(Debug, Clone)]
enum Seen {
    /// Nothing yet.
    Nothing,
    /// This; `last`: and there will be nothing else.
    Progress { message: Arc<v1::SweepProgress>, last: bool },
    /// That the store does not answer, or that the sweep is gone.
    Failed(Status),
}

/// Who looks at which sweep.
pub(crate) struct Watches {
    store: Arc<dyn Store>,
    lookers: Mutex<HashMap<SweepId, watch::Sender<Seen>>>,
    tasks: TaskTracker,
    token: CancellationToken,
}

impl Watches {
    /// Looks with tasks of this tracker until the token is cancelled.
    pub(crate) fn new(store: Arc<dyn Store>, tasks: TaskTracker, token: CancellationToken) -> Self {
        Self { store, lookers: Mutex::default(), tasks, token }
    }

    /// Progress at once, at every change that a look shows, and every 5 s; ends after the last of
    /// an ended sweep.
    pub(super) fn watch(
        self: &Arc<Self>,
        sweep: SweepId,
        closing: CancellationToken,
    ) -> BoxStream<'static, Result<v1::SweepProgress, Status>> {
        let watching = Watching { seen: self.join(sweep), closing, begun: false, ended: false };
        stream::try_unfold(watching, async |mut watching| {
            if watching.ended {
                return Ok(None);
            }
            let message = watching.next().await?;
            Ok(Some((message, watching)))
        })
        .boxed()
    }

    /// What the one who looks at this sweep sees. Nobody leaves in between: both happen under the
    /// lock.
    fn join(self: &Arc<Self>, sweep: SweepId) -> watch::Receiver<Seen> {
        match self.lookers().entry(sweep) {
            Entry::Occupied(looker) => looker.get().subscribe(),
            Entry::Vacant(place) => {
                let (sender, receiver) = watch::channel(Seen::Nothing);
                place.insert(sender.clone());
                self.tasks.spawn(self.clone().look(sweep, sender));
                receiver
            }
        }
    }

    /// Looks until nobody watches any more, or there is nothing more to see.
    async fn look(self: Arc<Self>, sweep: SweepId, sender: watch::Sender<Seen>) {
        let mut sent: Option<(Instant, Progress)> = None;
        loop {
            let start = Instant::now();
            let look = tokio::select! {
                biased;
                () = self.token.cancelled() => break,
                look = bounded(self.store.progress(sweep)) => look,
            };
            let pause = (start.elapsed() * LOOK_SHARE).clamp(LOOK, SILENCE);
            match look {
                Ok(now) => {
                    let last = now.sweep.state.is_final();
                    if last {
                        self.lookers().remove(&sweep);
                    }
                    if sent.as_ref().is_none_or(|(at, before)| at.elapsed() >= SILENCE || *before != now) {
                        sent = Some((Instant::now(), now.clone()));
                        let message = Arc::new(convert::progress(now));
                        sender.send_replace(Seen::Progress { message, last });
                    }
                    if last {
                        return;
                    }
                }
                Err(error) => {
                    // Whoever comes now finds out by a look of their own.
                    self.lookers().remove(&sweep);
                    let status = match error {
                        StoreError::NotFound { .. } => Status::not_found(format!("sweep {sweep} was removed")),
                        error => error.into(),
                    };
                    sender.send_replace(Seen::Failed(status));
                    return;
                }
            }
            tokio::select! {
                () = self.token.cancelled() => break,
                () = sleep(pause) => {}
                () = sender.closed() => {}
            }
            let mut lookers = self.lookers();
            if sender.receiver_count() == 0 {
                lookers.remove(&sweep);
                return;
            }
        }
        self.lookers().remove(&sweep);
    }

    fn lookers(&self) -> MutexGuard<'_, HashMap<SweepId, watch::Sender<Seen>>> {
        self.lookers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who watches.
struct Watching {
    seen: watch::Receiver<Seen>,
    closing: CancellationToken,
    begun: bool,
    ended: bool,
}

impl Watching {
    /// What is there at first, then what is new.
    async fn next(&mut self) -> Result<v1::SweepProgress, Status> {
        loop {
            if self.begun {
                let stopping = || Status::unavailable("the coordinator is stopping");
                tokio::select! {
                    () = self.closing.cancelled() => return Err(stopping()),
                    changed = self.seen.changed() => changed.map_err(|_| stopping())?,
                }
            }
            self.begun = true;
            match &*self.seen.borrow_and_update() {
                Seen::Nothing => {}
                Seen::Progress { message, last } => {
                    self.ended = *last;
                    return Ok(v1::SweepProgress::clone(message));
                }
                Seen::Failed(status) => return Err(status.clone()),
            }
        }
    }
}
