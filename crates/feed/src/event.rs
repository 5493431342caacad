//! Facts told upwards, only after they are durable.

use crate::manifest::FeedKey;
use std::ops::Range;
use std::sync::OnceLock;
use tokio::sync::broadcast;

/// Events a receiver may be behind before it lags. A lagging receiver looks at the state again, so this trades memory (every
/// set that is listened to pays for all of it) against a rare second look.
const CAPACITY: usize = 256;

/// What happened, told only after it is durable. A receiver that lags must look at the state again (everything is idempotent).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A certificate was stored.
    Certificate,
    /// A feed was admitted.
    Admitted(FeedKey),
    /// Blocks arrived or were appended and/or the head moved.
    Appended {
        /// which
        feed: FeedKey,
        /// blocks now held that were not before; may be empty
        blocks: Range<u64>,
        /// signed length now
        length: u64,
    },
    /// Somebody waits for blocks (see `FeedSet::wants`).
    Wanted,
    /// Another history of a feed turned out to be signed as well.
    Forked(FeedKey),
    /// Blocks were found rotten on disk and are missing again.
    Rot {
        /// which
        feed: FeedKey,
        /// blocks
        blocks: Range<u64>,
    },
}

/// The channel of one set, made when the first listener comes.
#[derive(Debug, Default)]
pub(crate) struct Events(OnceLock<broadcast::Sender<Event>>);

impl Events {
    /// Tells whoever listens.
    pub(crate) fn tell(&self, event: Event) {
        if let Some(channel) = self.0.get() {
            // No listener at the moment: fine.
            let _ = channel.send(event);
        }
    }

    /// Events from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0
            .get_or_init(|| broadcast::channel(CAPACITY).0)
            .subscribe()
    }
}
