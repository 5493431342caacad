//! Runs one connection: hello, session proofs, the spaces both sides have, control and bulk streams, limits and time-outs.
//!
//! Its job: tasks, streams and queues around the state machine of [`crate::protocol`]. Not its job:
//! whom to dial, what to remember of peers; it tells an [`Observer`].

mod bulk;
mod connection;
mod control;
mod event;
mod knock;
mod link;
mod offers;
mod serve;
mod space;
mod spaces;

pub use connection::{Context, Outcome, run};
pub use event::{Observer, SwarmEvent};
pub use knock::ask_run;
pub use link::Link;
pub use spaces::Spaces;

use std::time::{SystemTime, UNIX_EPOCH};

/// Locks, whatever became of the last holder: all states are valid between calls.
fn lock<T: ?Sized>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}
