//! Who is in a space, looked at again when something was said that it depends on, and told where it differs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::super::event::ShelfEvent;
use super::super::inner::lock;
use super::Ears;
use crate::members::{Member, MemberDevice};
use crate::space::Space;

/// What happens together is looked at together.
const TOGETHER: Duration = Duration::from_millis(200);
/// Somebody was seen later than before: worth a word when it is so much later, ms.
const LATER: u64 = 60_000;

/// When to look, and who was there.
pub(super) struct Roll {
    look_at: Option<Instant>,
    told: Arc<Mutex<Option<Vec<Member>>>>,
}

impl Roll {
    pub fn new() -> Self {
        Self {
            // At once: what changes from now on is news.
            look_at: Some(Instant::now()),
            told: Arc::default(),
        }
    }

    /// Something happened.
    pub fn look_soon(&mut self) {
        self.look_at
            .get_or_insert_with(|| Instant::now() + TOGETHER);
    }

    /// Resolves when it is time to look. May be dropped and asked again.
    pub async fn due(&self) {
        match self.look_at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

impl Ears {
    pub(super) async fn call_the_roll(&mut self) -> Option<()> {
        self.roll.look_at = None;
        let (address, inner) = (self.address, self.inner.upgrade()?);
        let told = Arc::clone(&self.roll.told);
        let look = move |space: &Space| {
            let people = space.people()?;
            let before = lock(&told).replace(people.clone());
            let Some(before) = before else {
                return Ok(());
            };
            let is_known = |member: &Member| before.iter().any(|one| is_same(one, member));
            for member in people.into_iter().filter(|member| !is_known(member)) {
                inner.say(ShelfEvent::MemberChanged { address, member });
            }
            Ok(())
        };
        self.with_space(look).await
    }
}

/// Whether a person is shown the same, but for who is here now, which is told at once.
fn is_same(before: &Member, now: &Member) -> bool {
    let later = now
        .last_seen
        .unwrap_or(0)
        .abs_diff(before.last_seen.unwrap_or(0));
    lasting(before) == lasting(now) && later < LATER
}

fn lasting(member: &Member) -> Member {
    let device = |device: &MemberDevice| MemberDevice {
        online: false,
        last_seen: None,
        ..device.clone()
    };
    Member {
        online: false,
        last_seen: None,
        devices: member.devices.iter().map(device).collect(),
        ..member.clone()
    }
}
