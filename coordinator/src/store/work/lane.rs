//! Calls of one kind that wait share a transaction, and with it one sync of the disk.
//!
//! While a transaction runs, whoever comes meanwhile waits in its lane; the next transaction takes all of them. Each is
//! answered after the commit, and each by itself: a refusal of one is no matter of the others. Only where the database
//! gives up the whole transaction for something that one of them holds does each get one of its own.

use tokio::sync::{mpsc, oneshot};

use super::transaction::{Body, Handle};
use crate::{
    domain::Timestamp,
    store::{StoreError, failure},
};

/// Calls of one transaction: some ten milliseconds of work, so that nobody waits long behind it.
const MOST: usize = 64;

/// Calls that may wait. Beyond it they wait outside, where their own patience ends them.
const QUEUE: usize = 4_096;

/// What becomes of the calls of one transaction, in their order.
pub(super) type Answers<T> = Vec<Result<T, StoreError>>;

/// One kind of call, and the one transaction of it that may run at a time.
pub(super) struct Lane<A, T> {
    waiting: mpsc::Sender<Waiting<A, T>>,
    shared: Shared<A, T>,
}

struct Waiting<A, T> {
    call: A,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

/// How calls are executed together.
struct Shared<A, T> {
    handle: Handle,
    operation: &'static str,
    body: Body<Vec<A>, Answers<T>>,
}

impl<A, T> Lane<A, T>
where
    A: Clone + Send + Sync + 'static,
    T: Send + 'static,
{
    /// A lane that ends when it is dropped.
    pub(super) fn new(handle: Handle, operation: &'static str, body: Body<Vec<A>, Answers<T>>) -> Self {
        let (waiting, calls) = mpsc::channel(QUEUE);
        let serving = Shared { handle: handle.clone(), operation, body };
        tokio::spawn(serving.serve(calls));
        Self { waiting, shared: Shared { handle, operation, body } }
    }

    /// Executes the call with those that wait as well, or, at a time that a test gives, by itself.
    pub(super) async fn call(&self, call: A, now: Option<Timestamp>) -> Result<T, StoreError> {
        if now.is_some() {
            return self.shared.alone(call, now).await;
        }
        let (answer, answered) = oneshot::channel();
        let stopped = || StoreError::Unavailable("the store is closing".into());
        self.waiting.send(Waiting { call, answer }).await.map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl<A, T> Shared<A, T>
where
    A: Clone + Send + Sync + 'static,
    T: Send + 'static,
{
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
        let (calls, waiting): (Vec<A>, Vec<_>) = batch.into_iter().map(|each| (each.call, each.answer)).unzip();
        let together = self.handle.write(self.operation, None, calls.clone(), self.body).await;
        match together {
            // Whoever hung up does not hear it.
            Ok(answers) => waiting.into_iter().zip(answers).for_each(|(caller, answer)| drop(caller.send(answer))),
            // The database is away or full: it would be for each of them.
            Err(error) if error.is_retryable() => {
                waiting.into_iter().for_each(|caller| drop(caller.send(Err(failure::again(&error)))));
            }
            Err(error) if waiting.len() > 1 => {
                tracing::debug!(operation = self.operation, %error, "calls do not share a transaction this time");
                for (call, caller) in calls.into_iter().zip(waiting) {
                    drop(caller.send(self.alone(call, None).await));
                }
            }
            Err(error) => {
                let mut waiting = waiting;
                if let Some(caller) = waiting.pop() {
                    drop(caller.send(Err(error)));
                }
            }
        }
    }

    async fn alone(&self, call: A, now: Option<Timestamp>) -> Result<T, StoreError> {
        let mut answers = self.handle.write(self.operation, now, vec![call], self.body).await?;
        answers.pop().expect("one answer for one call")
    }
}
