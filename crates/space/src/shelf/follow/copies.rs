//! How safe a space is, looked at again when something happened that it depends on, and told when it changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cobox_keys::identity::PublicKey;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::super::event::ShelfEvent;
use super::super::inner::lock;
use super::Ears;
use crate::health::Health;
use crate::log::now_ms;
use crate::space::Space;

/// What happens together is looked at together.
const TOGETHER: Duration = Duration::from_secs(1);
/// Of two members who have heard the same receipt one shall be first, so that the other need not tell of it:
/// they wait up to so long, each by its device key.
const APART: Duration = Duration::from_millis(15);
/// The longest time without a look: clocks may be set.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// When to look, and what was seen.
pub(super) struct Safety {
    poke: Arc<Notify>,
    wait: Duration,
    look_at: Option<Instant>,
    told: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    health: Option<Health>,
    /// When it may change by itself, Unix ms.
    until: Option<u64>,
}

/// Whether a person is told the same: words get older by themselves.
fn says_the_same(one: &Health, other: &Health) -> bool {
    let facts = |health: &Health| (health.colour, health.policy, health.known);
    facts(one) == facts(other) && one.copies == other.copies
}

impl Safety {
    pub fn new(poke: &Arc<Notify>, device: PublicKey) -> Self {
        let [rank, ..] = device.0;
        Self {
            poke: Arc::clone(poke),
            wait: TOGETHER + APART * u32::from(rank),
            // At once: what changes from now on is news.
            look_at: Some(Instant::now()),
            told: Arc::default(),
        }
    }

    /// Something happened.
    pub fn look_soon(&mut self) {
        let soon = Instant::now() + self.wait;
        self.look_at = Some(self.look_at.map_or(soon, |at| at.min(soon)));
    }

    /// Resolves when it is time to look. May be dropped and asked again.
    pub async fn due(&mut self) {
        loop {
            let at = self.look_at.unwrap_or_else(|| Instant::now() + LOOK_EVERY);
            tokio::select! {
                () = sleep_until(at) => return,
                () = self.poke.notified() => self.look_soon(),
            }
        }
    }

    /// After a look: the next one when the verdict may change by itself.
    fn rest(&mut self) {
        let until = lock(&self.told).until;
        let wait = until.map(|until| Duration::from_millis(until.saturating_sub(now_ms())));
        let wait = wait.unwrap_or(LOOK_EVERY).clamp(self.wait, LOOK_EVERY);
        self.look_at = Some(Instant::now() + wait);
    }
}

impl Ears {
    pub(super) async fn look_at_copies(&mut self) -> Option<()> {
        self.safety.look_at = None;
        let (address, inner) = (self.address, self.inner.upgrade()?);
        let told = Arc::clone(&self.safety.told);
        let look = move |space: &Space| {
            let again = space.acknowledge()?;
            let health = space.health()?;
            let mut seen = lock(&told);
            seen.until = health.until_ms.into_iter().chain(again).min();
            let before = seen.health.replace(health.clone());
            if before.is_some_and(|before| !says_the_same(&before, &health)) {
                inner.say(ShelfEvent::Health { address, health });
            }
            Ok(())
        };
        let alive = self.with_space(look).await;
        self.safety.rest();
        alive
    }
}
