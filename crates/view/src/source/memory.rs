//! Feeds in memory that can lose blocks and fail, for tests of views.

use super::Source;
use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::Event;
use cobox_feed::store::StoreError;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// A [`Source`] without keys, signatures or disk.
pub struct MemorySource {
    feeds: Mutex<BTreeMap<FeedKey, MemoryFeed>>,
    events: broadcast::Sender<Event>,
}

#[derive(Default)]
struct MemoryFeed {
    kind: u8,
    blocks: Vec<Bytes>,
    /// From this block on nothing can be read.
    rot: Option<u64>,
    failing: bool,
}

impl Default for MemorySource {
    fn default() -> Self {
        Self::with_capacity(1024)
    }
}

impl MemorySource {
    /// Without feeds; a receiver may fall `events` behind before it is told that it lags.
    pub fn with_capacity(events: usize) -> Self {
        Self {
            feeds: Mutex::default(),
            events: broadcast::Sender::new(events),
        }
    }

    /// Admits a feed.
    pub fn admit(&self, feed: FeedKey, kind: u8) {
        self.lock().entry(feed).or_default().kind = kind;
        self.tell(Event::Admitted(feed));
    }

    /// Appends blocks to an admitted feed.
    pub fn append(&self, feed: FeedKey, blocks: Vec<Bytes>) {
        let mut feeds = self.lock();
        let held = feeds.entry(feed).or_default();
        let before = held.blocks.len() as u64;
        held.blocks.extend(blocks);
        let length = held.blocks.len() as u64;
        drop(feeds);
        self.tell_appended(feed, before..length, length);
    }

    /// Nothing of the feed can be read from `block` on, as if found rotten.
    pub fn rot(&self, feed: FeedKey, block: u64) {
        self.lock().entry(feed).or_default().rot = Some(block);
    }

    /// What was rotten is back.
    pub fn heal(&self, feed: FeedKey) {
        let mut feeds = self.lock();
        let held = feeds.entry(feed).or_default();
        let length = held.blocks.len() as u64;
        let from = held.rot.take().unwrap_or(length);
        drop(feeds);
        self.tell_appended(feed, from..length, length);
    }

    /// Reading the feed fails, or works again; told by no event.
    pub fn set_failing(&self, feed: FeedKey, failing: bool) {
        self.lock().entry(feed).or_default().failing = failing;
    }

    /// Cuts a feed, as a proven fork does.
    pub fn cut(&self, feed: FeedKey, length: u64) {
        let kept = usize::try_from(length).unwrap_or(usize::MAX);
        self.lock().entry(feed).or_default().blocks.truncate(kept);
        self.tell_appended(feed, length..length, length);
    }

    fn tell_appended(&self, feed: FeedKey, blocks: Range<u64>, length: u64) {
        self.tell(Event::Appended {
            feed,
            blocks,
            length,
        });
    }

    fn tell(&self, event: Event) {
        // Nobody listens: nobody needs to know.
        let _ = self.events.send(event);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FeedKey, MemoryFeed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryFeed {
    fn readable(&self) -> u64 {
        let length = self.blocks.len() as u64;
        self.rot.map_or(length, |rot| rot.min(length))
    }
}

impl Source for MemorySource {
    fn feeds(&self) -> Vec<(FeedKey, u8)> {
        let feeds = self.lock();
        feeds.iter().map(|(key, feed)| (*key, feed.kind)).collect()
    }

    fn kind(&self, feed: &FeedKey) -> Option<u8> {
        self.lock().get(feed).map(|feed| feed.kind)
    }

    fn length(&self, feed: &FeedKey) -> u64 {
        self.lock()
            .get(feed)
            .map_or(0, |feed| feed.blocks.len() as u64)
    }

    fn held_prefix(&self, feed: &FeedKey) -> u64 {
        self.lock().get(feed).map_or(0, MemoryFeed::readable)
    }

    fn get_range(&self, feed: &FeedKey, range: Range<u64>) -> Result<Vec<Bytes>, StoreError> {
        let feeds = self.lock();
        let Some(feed) = feeds.get(feed) else {
            return Ok(Vec::new());
        };
        if feed.failing {
            return Err(StoreError::DiskFull);
        }
        let end = range.end.min(feed.readable());
        let numbers = range.start.min(end)..end;
        Ok(numbers
            .filter_map(|number| feed.blocks.get(usize::try_from(number).ok()?).cloned())
            .collect())
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
