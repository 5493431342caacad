//! `Replica`: what a replicator holds: an address and a set of feeds, nothing else.

use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use std::sync::Arc;

/// A space kept for others, unread.
pub struct Replica;
impl Replica {
    /// Its address.
    pub fn address(&self) -> Address { unimplemented!() }
    /// Name given by whoever replicates (local only).
    pub fn name(&self) -> Option<String> { unimplemented!() }
    /// The feeds.
    pub fn set(&self) -> &Arc<FeedSet> { unimplemented!() }
    /// Bytes on disk.
    pub fn size(&self) -> u64 { unimplemented!() }
}
