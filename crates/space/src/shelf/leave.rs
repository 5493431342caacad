//! Leaving a space so that the others hear of it.

use std::time::Duration;

use cobox_keys::access::Address;
use cobox_swarm::swarm::SwarmEvent;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Shelf;
use crate::log::now_ms;

/// So long a peer that is connected may take to hear our last word; nobody waits for those who are not.
const GOODBYE: Duration = Duration::from_secs(5);

impl Shelf {
    /// Says in the space that this device leaves and waits a little until somebody has heard it. Leaving
    /// goes on whether or not anybody did.
    pub(super) fn say_goodbye(&self, address: &Address) {
        let Some(space) = self.opened(address) else {
            return;
        };
        let events = self.swarm().subscribe();
        if let Err(error) = space.say_goodbye() {
            return tracing::debug!(%address, %error, "the others could not be told");
        }
        let alone = space.online().len() <= 1;
        if alone || !space.writable() {
            return;
        }
        let heard = heard(events, *address, now_ms());
        let in_time = self.0.runtime.block_on(async {
            tokio::time::timeout(GOODBYE, heard).await // made inside: it needs the runtime's clock
        });
        if in_time.is_err() {
            tracing::debug!(%address, "nobody has heard yet that we leave");
        }
    }
}

/// Until a peer has everything we have, told from `since` on (Unix ms).
async fn heard(mut events: Receiver<SwarmEvent>, here: Address, since: u64) {
    loop {
        match events.recv().await {
            Ok(SwarmEvent::Synced {
                address, time_ms, ..
            }) if address == here && time_ms >= since => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
