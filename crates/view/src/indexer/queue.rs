//! Feeds that may have something new, each once, in turn.

use cobox_feed::manifest::FeedKey;
use std::collections::{BTreeSet, VecDeque};

/// First in, first out; a feed that is in it already keeps its place.
#[derive(Default)]
pub(super) struct Queue {
    order: VecDeque<FeedKey>,
    members: BTreeSet<FeedKey>,
}

impl Queue {
    pub fn push(&mut self, feed: FeedKey) {
        if self.members.insert(feed) {
            self.order.push_back(feed);
        }
    }

    pub fn pop(&mut self) -> Option<FeedKey> {
        let feed = self.order.pop_front()?;
        self.members.remove(&feed);
        Some(feed)
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Empties it and gives what it held.
    pub fn drain(&mut self) -> impl Iterator<Item = FeedKey> + use<> {
        self.members.clear();
        std::mem::take(&mut self.order).into_iter()
    }
}
