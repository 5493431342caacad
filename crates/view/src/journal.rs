//! Gives each arriving entry a local number, whatever feed it came from; per feed in block order without gaps.

use bytes::Bytes;
use cobox_feed::manifest::FeedKey;

/// One block with its local number.
#[derive(Clone, Debug)]
pub struct Entry {
    /// local number
    pub seq: u64,
    /// feed
    pub feed: FeedKey,
    /// the feed's kind tag
    pub kind: u8,
    /// block number in its feed
    pub index: u64,
    /// as stored (sealed)
    pub block: Bytes,
}
