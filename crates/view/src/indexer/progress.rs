//! How far every view is, for those who wait.

use crate::kv::ViewError;
use cobox_feed::manifest::FeedKey;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Shared between the thread and those who wait for it.
#[derive(Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// Per view: blocks applied of each feed, counted from the first.
    pub views: Vec<BTreeMap<FeedKey, u64>>,
    /// Why nothing moves at present.
    pub trouble: Option<ViewError>,
    /// The thread has ended.
    pub closed: bool,
}

impl State {
    /// Blocks of a feed that all views have applied.
    pub fn applied(&self, feed: &FeedKey) -> u64 {
        let applied = |view: &BTreeMap<FeedKey, u64>| view.get(feed).copied().unwrap_or(0);
        self.views.iter().map(applied).min().unwrap_or(u64::MAX)
    }
}

impl Progress {
    /// Changes the state and tells those who wait.
    pub fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `reached`; without a deadline, as long as it takes.
    pub fn wait(
        &self,
        deadline: Option<Instant>,
        mut reached: impl FnMut(&State) -> bool,
    ) -> Result<(), ViewError> {
        let mut state = self.lock();
        loop {
            if reached(&state) {
                return Ok(());
            }
            if let Some(error) = state.why_not() {
                return Err(error);
            }
            state = self.sleep(state, deadline)?;
        }
    }

    fn sleep<'a>(
        &self,
        state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> Result<MutexGuard<'a, State>, ViewError> {
        let Some(deadline) = deadline else {
            return Ok(self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner));
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ViewError::TimedOut);
        }
        let woken = self.changed.wait_timeout(state, left);
        Ok(woken.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn why_not(&self) -> Option<ViewError> {
        if self.closed {
            return Some(ViewError::Closed);
        }
        self.trouble.clone()
    }
}
