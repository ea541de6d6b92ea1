//! Calls of one kind that wait share a transaction, and with it one sync of the disk.
//!
//! While a transaction runs, whoever comes meanwhile waits in its lane; the next transaction takes
//! all of them. Each is answered after the commit, and each by itself: a refusal of one is no
//! matter of the others. What one of them would have to wait for is not either, where the lane has
//! another one apart for such calls. Only where the database gives up the whole transaction for
//! something that one of them holds does each get one of its own.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::transaction::{Body, Handle};
use crate::{
    domain::Timestamp,
    store::{
        error::{self, StoreError},
        way::Way,
    },
};

/// Calls of one transaction: some ten milliseconds of work, so that nobody waits long behind it.
const MOST: usize = 64;

/// Calls that may wait. Beyond it they wait outside, where their own patience ends them.
const QUEUE: usize = 4_096;

/// What a worker asks for, or tells.
pub(super) trait Call: Clone + Send + Sync + 'static {}

impl<A: Clone + Send + Sync + 'static> Call for A {}

/// What becomes of the calls of one transaction, in their order. `None`: somebody else holds what
/// it changes, so that nothing was done of it.
pub(super) type Answers<T> = Vec<Option<Result<T, StoreError>>>;

/// How a lane executes the calls of one transaction.
pub(super) type Together<A, T> = Body<Arc<[A]>, Answers<T>>;

/// One kind of call, and the one transaction of it that may run at a time.
pub(super) struct Lane<A, T> {
    waiting: mpsc::Sender<Waiting<A, T>>,
    /// For calls by themselves, which wait for whatever they need.
    alone: Shared<A, T>,
}

struct Waiting<A, T> {
    call: A,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

/// How calls are executed together.
struct Shared<A, T> {
    handle: Handle,
    operation: &'static str,
    body: Together<A, T>,
    /// Where calls wait that could not be executed at once.
    apart: Option<mpsc::Sender<Waiting<A, T>>>,
}

impl<A: Call, T: Send + 'static> Lane<A, T> {
    /// A lane that ends when it is dropped. Its transactions wait for whatever they need.
    pub(super) fn new(handle: Handle, operation: &'static str, body: Together<A, T>) -> Self {
        let waiting = Shared { handle: handle.clone(), operation, body, apart: None }.start();
        Self { waiting, alone: Shared { handle, operation, body, apart: None } }
    }

    /// The same, with two ways to execute calls: `body` waits for nobody, and what it leaves out
    /// goes to another lane with `waits`. Those who wait there hold one connection together.
    pub(super) fn and_apart(
        handle: Handle,
        operation: &'static str,
        body: Together<A, T>,
        waits: Together<A, T>,
    ) -> Self {
        let Self { waiting: apart, alone } = Self::new(handle.clone(), operation, waits);
        let waiting = Shared { handle, operation, body, apart: Some(apart) }.start();
        Self { waiting, alone }
    }

    /// Executes the call with those that wait as well, or, at a time that a test gives, by itself.
    pub(super) async fn call(&self, call: A, now: Option<Timestamp>) -> Result<T, StoreError> {
        if now.is_some() {
            return self.alone.alone(call, now).await?.unwrap_or_else(|| Err(held()));
        }
        let (answer, answered) = oneshot::channel();
        let stopped = || StoreError::Unavailable("the store is closing".into());
        self.waiting.send(Waiting { call, answer }).await.map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl<A: Call, T: Send + 'static> Shared<A, T> {
    fn start(self) -> mpsc::Sender<Waiting<A, T>> {
        let (waiting, calls) = mpsc::channel(QUEUE);
        tokio::spawn(self.serve(calls));
        waiting
    }

    async fn serve(self, mut calls: mpsc::Receiver<Waiting<A, T>>) {
        while let Some(first) = calls.recv().await {
            let mut batch = vec![first];
            while batch.len() < MOST
                && let Ok(next) = calls.try_recv()
            {
                batch.push(next);
            }
            // Who has given up meanwhile asks again, maybe elsewhere.
            batch.retain(|waiting| !waiting.answer.is_closed());
            if !batch.is_empty() {
                self.execute(batch).await;
            }
        }
    }

    async fn execute(&self, batch: Vec<Waiting<A, T>>) {
        let (calls, mut waiting): (Vec<A>, Vec<_>) = batch.into_iter().map(|each| (each.call, each.answer)).unzip();
        let calls: Arc<[A]> = calls.into();
        match self.together(calls.clone(), None).await {
            Ok(answers) => {
                for ((call, answer), caller) in calls.iter().zip(answers).zip(waiting) {
                    self.answer(call, answer, caller);
                }
            }
            // The database is away or full: it would be for each of them.
            Err(error) if error.is_retryable() => {
                // Whoever hung up does not hear it.
                waiting.into_iter().for_each(|caller| drop(caller.send(Err(error::again(&error)))));
            }
            Err(error) if waiting.len() > 1 => {
                tracing::debug!(operation = self.operation, %error, "calls do not share a transaction this time");
                for (call, caller) in calls.iter().zip(waiting) {
                    match self.alone(call.clone(), None).await {
                        Ok(answer) => self.answer(call, answer, caller),
                        Err(error) => drop(caller.send(Err(error))),
                    }
                }
            }
            Err(error) => {
                if let Some(caller) = waiting.pop() {
                    drop(caller.send(Err(error)));
                }
            }
        }
    }

    /// Answers one call, or lets it wait apart from the others.
    fn answer(&self, call: &A, answer: Option<Result<T, StoreError>>, caller: oneshot::Sender<Result<T, StoreError>>) {
        match (answer, &self.apart) {
            (Some(answer), _) => drop(caller.send(answer)),
            (None, Some(apart)) => {
                if let Err(full) = apart.try_send(Waiting { call: call.clone(), answer: caller }) {
                    drop(full.into_inner().answer.send(Err(held())));
                }
            }
            (None, None) => drop(caller.send(Err(held()))),
        }
    }

    async fn together(&self, calls: Arc<[A]>, now: Option<Timestamp>) -> Result<Answers<T>, StoreError> {
        self.handle.run(Way::Write, self.operation, now, calls, self.body).await
    }

    async fn alone(&self, call: A, now: Option<Timestamp>) -> Result<Option<Result<T, StoreError>>, StoreError> {
        let mut answers = self.together(Arc::new([call]), now).await?;
        Ok(answers.pop().expect("one answer for one call"))
    }
}

/// Somebody else holds what the call changes, and too many others wait for it already.
fn held() -> StoreError {
    StoreError::Unavailable("too many calls wait for a sweep that is being written".into())
}
