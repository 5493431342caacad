//! All feeds that meet at one address: admission, commits, wants, events. Everything here is durable before it is told.

use crate::feed::Feed;
use crate::manifest::{FeedKey, FeedKeyPair};
use crate::store::StoreError;
use crate::tree::Proof;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::broadcast;

/// The feeds, certificates, drafts and wants of one address.
pub struct FeedSet;

/// What happened, told only after it is durable. A receiver that lags must look at the state again (everything is idempotent).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A certificate was stored.
    Certificate,
    /// A feed was admitted.
    Admitted(FeedKey),
    /// Blocks arrived or were appended and/or the head moved.
    Appended { /** which */ feed: FeedKey, /** blocks now held that were not before; may be empty */ blocks: Range<u64>, /** signed length now */ length: u64 },
    /// Somebody waits for blocks (see `FeedSet::wants`).
    Wanted,
    /// Blocks were found rotten on disk and are missing again.
    Rot { /** which */ feed: FeedKey, /** blocks */ blocks: Range<u64> },
}

/// Things to be made durable together: one write, one sync, all or nothing.
#[derive(Default)]
pub struct Batch;
impl Batch {
    /// Empty.
    pub fn new() -> Self { unimplemented!() }
    /// Appends sealed blocks to one of our own feeds; they get the next block numbers in the order of the calls.
    pub fn append(&mut self, feed: &Arc<Feed>, blocks: Vec<Bytes>) -> &mut Self { unimplemented!() }
    /// Stores a checked proof.
    pub fn ingest(&mut self, feed: &Arc<Feed>, proof: Proof) -> &mut Self { unimplemented!() }
    /// Keeps a certificate (the caller has verified it); the same bytes twice are one.
    pub fn certificate(&mut self, bytes: &[u8]) -> &mut Self { unimplemented!() }
    /// Keeps a sealed draft under a 16-byte id, replacing an earlier one; empty bytes drop it.
    pub fn draft(&mut self, id: [u8; 16], bytes: Bytes) -> &mut Self { unimplemented!() }
}

/// The promise of a commit: wait for it blocking or as a future. Dropping it does not undo the commit.
pub struct Pending;
impl Pending {
    /// Blocks until durable.
    pub fn wait(self) -> Result<(), StoreError> { unimplemented!() }
    /// Same, as a future.
    pub async fn done(self) -> Result<(), StoreError> { unimplemented!() }
}
/// A want lives as long as its guard.
pub struct WantGuard;

impl FeedSet {
    /// The 32 bytes of the address.
    pub fn address(&self) -> [u8; 32] { unimplemented!() }
    /// Stored certificates.
    pub fn certificates(&self) -> Vec<Bytes> { unimplemented!() }
    /// Admits a feed (the caller has verified its certificate, which must be committed before or with its first block). Idempotent, costs memory only until a head exists.
    pub fn admit(&self, feed: FeedKey, kind: u8) -> Arc<Feed> { unimplemented!() }
    /// Admits a feed of ours and gives it its pair, so that `Batch::append` works. Idempotent.
    pub fn own(&self, pair: FeedKeyPair, kind: u8) -> Arc<Feed> { unimplemented!() }
    /// An admitted feed.
    pub fn feed(&self, key: &FeedKey) -> Option<Arc<Feed>> { unimplemented!() }
    /// All admitted feeds, sorted by key.
    pub fn feeds(&self) -> Vec<Arc<Feed>> { unimplemented!() }
    /// Queues a commit. Hashing and signing happen here on the caller's thread; writing and syncing on the set's commit thread, shared with concurrent commits.
    /// Several commits may be in flight; they become durable in order.
    pub fn commit(&self, batch: Batch) -> Result<Pending, StoreError> { unimplemented!() }
    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> { unimplemented!() }
    /// Asks for blocks that are not here; sessions fetch wanted blocks first. `urgent` wants go before everything.
    pub fn want(&self, feed: FeedKey, blocks: Range<u64>) -> WantGuard { unimplemented!() }
    /// Open wants, oldest first.
    pub fn wants(&self) -> Vec<(FeedKey, Range<u64>)> { unimplemented!() }
    /// Blocks that this program does not need (a writer's filler, content not kept here): sessions do not fetch them unless wanted. Memory only.
    pub fn skip(&self, feed: FeedKey, blocks: Range<u64>) { unimplemented!() }
    /// Skipped blocks of a feed.
    pub fn skipped(&self, feed: &FeedKey) -> crate::bitfield::RangeSet { unimplemented!() }
    /// Stored drafts.
    pub fn drafts(&self) -> Vec<([u8; 16], Bytes)> { unimplemented!() }
    /// Bytes this set occupies on disk.
    pub fn disk_size(&self) -> u64 { unimplemented!() }
}
