//! The promise of a commit, kept by the commit thread.

use crate::error::StoreError;
use crate::sync::lock;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// The promise of a commit: wait for it blocking or as a future. Dropping it does not undo the commit.
#[derive(Debug)]
#[must_use = "a commit is durable only once its promise is kept"]
pub struct Pending(Arc<Promise>);

/// The other end. Dropped without an answer (the commit thread panicked), it answers `Poisoned`.
#[derive(Debug)]
pub(crate) struct Completer(Arc<Promise>);

#[derive(Debug, Default)]
struct Promise {
    state: Mutex<State>,
    kept: Condvar,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<(), StoreError>>,
    waker: Option<Waker>,
}

/// Both ends.
pub(crate) fn promise() -> (Completer, Pending) {
    let promise = Arc::<Promise>::default();
    (Completer(promise.clone()), Pending(promise))
}

impl Pending {
    /// Blocks until durable.
    pub fn wait(self) -> Result<(), StoreError> {
        let mut state = lock(&self.0.state);
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            state = self
                .0
                .kept
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Same, as a future.
    pub async fn done(self) -> Result<(), StoreError> {
        poll_fn(|context| {
            let mut state = lock(&self.0.state);
            match &state.outcome {
                Some(outcome) => Poll::Ready(outcome.clone()),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Completer {
    /// Answers whoever waits. The first answer counts.
    pub(crate) fn complete(&self, outcome: Result<(), StoreError>) {
        let mut state = lock(&self.0.state);
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome);
        let waker = state.waker.take();
        drop(state);
        self.0.kept.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        self.complete(Err(StoreError::Poisoned));
    }
}
