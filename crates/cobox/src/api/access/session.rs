//! The session by which a call came, for what goes on after it is answered: streams of events end with it.

use super::Access;
use super::sessions::Lasting;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time;

/// A session that nobody uses ends by its age; so often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// None for whoever holds the token, or needs neither.
#[derive(Clone, Default)]
pub struct Session(Option<Open>);

#[derive(Clone)]
struct Open {
    access: Arc<Access>,
    lasting: Lasting,
    look_at: time::Instant,
}

impl Session {
    pub(super) fn new(access: &Arc<Access>, lasting: Lasting) -> Self {
        Self(Some(Open {
            access: access.clone(),
            lasting,
            look_at: time::Instant::now() + LOOK_EVERY,
        }))
    }

    /// Resolves when it is over; never if there is none. May be dropped and asked again.
    pub async fn over(&mut self) {
        match &mut self.0 {
            Some(open) => open.over().await,
            None => std::future::pending().await,
        }
    }
}

impl Open {
    async fn over(&mut self) {
        // Nothing is ever sent: a change is the end.
        loop {
            tokio::select! {
                _ = self.lasting.changed() => return,
                () = time::sleep_until(self.look_at) => {
                    self.access.sessions().tidy(Instant::now());
                    self.look_at = time::Instant::now() + LOOK_EVERY;
                }
            }
        }
    }
}
