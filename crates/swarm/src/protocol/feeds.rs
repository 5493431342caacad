//! Our own side: certificates and feeds of the set, as they come and change.

use super::summary::Entry;
use super::{PeerId, Replication, SETTLE, SETTLE_BUSY};
use crate::wire::discovery_key;
use bytes::Bytes;
use cobox_feed::bitfield::RangeSet;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// What is known of one feed, beyond what the feed itself knows.
pub(super) struct FeedState {
    pub feed: Arc<Feed>,
    /// Discovery key.
    pub name: [u8; 32],
    /// Only what a certificate vouches for is spoken about.
    pub certified: bool,
    /// Blocks asked for or arrived, and not yet stored.
    pub claimed: RangeSet,
    /// Of these, the ones somebody waits for.
    pub urgent: RangeSet,
    /// A longer head has been asked for, from this peer.
    pub upgrading: Option<PeerId>,
    /// A head of this length would break the quota.
    pub over_quota: Option<u64>,
}

impl Replication {
    /// Certificates that are stored and not yet known here, as at the start and when upper floors add some.
    pub(super) fn load_certificates(&mut self) -> Vec<Bytes> {
        let mut accepted = Vec::new();
        for certificate in self.set.certificates() {
            let added = self.certificates.add(certificate);
            accepted.extend(added.accepted);
            for feed in added.feeds {
                self.set.admit(FeedKey(feed.feed_key), feed.kind as u8);
            }
        }
        accepted
    }

    pub(super) fn load_feeds(&mut self) {
        for feed in self.set.feeds() {
            let key = feed.key();
            self.keep(feed);
            let entry = self.entry_of(&key);
            self.table.update(key, entry);
        }
    }

    pub(super) fn keep(&mut self, feed: Arc<Feed>) {
        let key = feed.key();
        let certified = self.certificates.vouches_for(&key);
        if let Some(state) = self.feeds.get_mut(&key) {
            state.certified = certified;
            return;
        }
        let name = discovery_key(&key);
        self.names.insert(name, key);
        let state = FeedState {
            feed,
            name,
            certified,
            claimed: RangeSet::default(),
            urgent: RangeSet::default(),
            upgrading: None,
            over_quota: None,
        };
        self.feeds.insert(key, state);
    }

    pub(super) fn entry_of(&self, feed: &FeedKey) -> Option<Entry> {
        let state = self.feeds.get(feed).filter(|state| state.certified)?;
        Entry::of(&state.feed, &self.set)
    }

    /// Looks at a feed's state again. True if it changed.
    pub(super) fn refresh(&mut self, feed: &FeedKey, now: Instant) -> bool {
        let entry = self.entry_of(feed);
        let changed = self.table.update(*feed, entry);
        if changed {
            self.summary_changed(now);
        }
        changed
    }

    pub(super) fn summary_changed(&mut self, now: Instant) {
        let wait = match self.table.missing() {
            0 => SETTLE,
            _ => SETTLE_BUSY,
        };
        let due = now + wait;
        self.summary_due = Some(self.summary_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// New certificates in the set: ours, told to everybody.
    pub(super) fn certificates_changed(&mut self, now: Instant) {
        let accepted = self.load_certificates();
        if accepted.is_empty() {
            return;
        }
        self.tell_certificates(&accepted, None);
        self.certified(now);
    }

    /// Feeds may have become certified.
    pub(super) fn certified(&mut self, now: Instant) {
        self.summary_changed(now);
        let waiting = self.feeds.iter().filter(|(_, state)| !state.certified);
        let waiting: Vec<_> = waiting.map(|(key, _)| *key).collect();
        for key in waiting {
            self.feed_appeared(&key, now);
        }
    }

    pub(super) fn feed_appeared(&mut self, key: &FeedKey, now: Instant) {
        let Some(feed) = self.set.feed(key) else {
            return;
        };
        self.keep(feed);
        if self.refresh(key, now) {
            self.announce_to_all(key);
        }
    }

    pub(super) fn feed_changed(
        &mut self,
        key: &FeedKey,
        blocks: Range<u64>,
        length: u64,
        now: Instant,
    ) {
        if !self.feeds.contains_key(key) {
            self.feed_appeared(key, now);
            return;
        }
        self.refresh(key, now);
        self.announce_change(key, blocks, length);
        for peer in self.peers.values_mut() {
            let behind = peer
                .feeds
                .get(key)
                .is_none_or(|known| known.length <= length);
            if behind {
                peer.ahead.remove(key);
            }
        }
        if self.table.missing() > 0 {
            self.hungry = true;
        }
    }
}
