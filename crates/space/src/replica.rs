//! `Replica`: what a replicator holds: an address and a set of feeds, nothing else.
//!
//! There is no key here and no way to ask for one: what is kept for others stays unread.

use std::sync::Arc;

use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use cobox_swarm::swarm::{Role, Swarm};

/// A space kept for others, unread.
pub struct Replica {
    address: Address,
    name: Option<String>,
    set: Arc<FeedSet>,
}

impl Replica {
    /// Begins to take part at the address.
    pub(crate) fn start(
        address: Address,
        name: Option<String>,
        set: Arc<FeedSet>,
        swarm: &Swarm,
    ) -> Self {
        swarm.join(address, Role::Replicator, Arc::clone(&set));
        Self { address, name, set }
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Name given by whoever replicates (local only).
    pub fn name(&self) -> Option<String> {
        self.name.clone()
    }

    /// The feeds.
    pub fn set(&self) -> &Arc<FeedSet> {
        &self.set
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        self.set.disk_size()
    }
}
