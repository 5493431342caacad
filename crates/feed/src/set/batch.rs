//! What one commit is to contain.

use crate::feed::Feed;
use crate::tree::Proof;
use bytes::Bytes;
use std::sync::Arc;

/// Things to be made durable together: one write, one sync, all or nothing.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) items: Vec<Item>,
}

/// One thing of a batch.
#[derive(Debug)]
pub(crate) enum Item {
    /// With the number that the first block must get, if it matters.
    Append(Arc<Feed>, Option<u64>, Vec<Bytes>),
    Ingest(Arc<Feed>, Box<Proof>),
    Certificate(Bytes),
    Draft([u8; 16], Bytes),
}

impl Batch {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends sealed blocks to one of our own feeds; they get the next block numbers in the order of the calls.
    pub fn append(&mut self, feed: &Arc<Feed>, blocks: Vec<Bytes>) -> &mut Self {
        self.push(Item::Append(feed.clone(), None, blocks))
    }

    /// Same, for blocks that were spoken of by number already: refused with [`crate::error::StoreError::Moved`] unless
    /// the first one gets the number `first` (it would not after an earlier commit in flight has failed).
    pub fn append_at(&mut self, feed: &Arc<Feed>, first: u64, blocks: Vec<Bytes>) -> &mut Self {
        self.push(Item::Append(feed.clone(), Some(first), blocks))
    }

    /// Stores a checked proof.
    pub fn ingest(&mut self, feed: &Arc<Feed>, proof: Proof) -> &mut Self {
        self.push(Item::Ingest(feed.clone(), Box::new(proof)))
    }

    /// Keeps a certificate (the caller has verified it); the same bytes twice are one.
    pub fn certificate(&mut self, bytes: &[u8]) -> &mut Self {
        self.push(Item::Certificate(Bytes::copy_from_slice(bytes)))
    }

    /// Keeps a sealed draft under a 16-byte id, replacing an earlier one; empty bytes drop it.
    pub fn draft(&mut self, id: [u8; 16], bytes: Bytes) -> &mut Self {
        self.push(Item::Draft(id, bytes))
    }

    fn push(&mut self, item: Item) -> &mut Self {
        self.items.push(item);
        self
    }
}
