//! Where blocks come from: the set of feeds at an address, or its twin in memory.
//!
//! Not its job: order across feeds (the journal gives it).

mod memory;

pub use memory::MemorySource;

use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::{Event, FeedSet};
use cobox_feed::store::StoreError;
use std::ops::Range;
use tokio::sync::broadcast;

/// What an indexer needs of a set of feeds. What it answers is committed, and an event never comes before what it tells of.
pub trait Source: Send + Sync + 'static {
    /// All admitted feeds with their kind tags.
    fn feeds(&self) -> Vec<(FeedKey, u8)>;
    /// Kind tag of a feed; none while it is not admitted.
    fn kind(&self, feed: &FeedKey) -> Option<u8>;
    /// Blocks in the signed head.
    fn length(&self, feed: &FeedKey) -> u64;
    /// Blocks held from the first on without a gap.
    fn held_prefix(&self, feed: &FeedKey) -> u64;
    /// Consecutive blocks as stored; stops at the first that cannot be had.
    fn get_range(&self, feed: &FeedKey, range: Range<u64>) -> Result<Vec<Bytes>, StoreError>;
    /// Events from now on.
    fn subscribe(&self) -> broadcast::Receiver<Event>;
}

impl Source for FeedSet {
    fn feeds(&self) -> Vec<(FeedKey, u8)> {
        let feeds = FeedSet::feeds(self).into_iter();
        feeds.map(|feed| (feed.key(), feed.kind())).collect()
    }

    fn kind(&self, feed: &FeedKey) -> Option<u8> {
        self.feed(feed).map(|feed| feed.kind())
    }

    fn length(&self, feed: &FeedKey) -> u64 {
        self.feed(feed).map_or(0, |feed| feed.length())
    }

    fn held_prefix(&self, feed: &FeedKey) -> u64 {
        self.feed(feed).map_or(0, |feed| feed.held().contiguous())
    }

    fn get_range(&self, feed: &FeedKey, range: Range<u64>) -> Result<Vec<Bytes>, StoreError> {
        self.feed(feed)
            .map_or(Ok(Vec::new()), |feed| feed.get_range(range))
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        FeedSet::subscribe(self)
    }
}
