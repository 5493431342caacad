//! `Replica`: what a replicator holds: an address and a set of feeds, nothing else.
//!
//! There is no key here and no way to ask for one: what is kept for others stays unread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use cobox_swarm::swarm::{Role, Swarm};

/// A space kept for others, unread.
pub struct Replica {
    address: Address,
    terms: Mutex<Terms>,
    set: Arc<FeedSet>,
}

/// What whoever asked for the copy may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// a name for it here
    pub name: Option<String>,
    /// most bytes that its signed trees may promise
    pub quota: Option<u64>,
}

impl Replica {
    /// Begins to take part at the address.
    pub(crate) fn start(address: Address, terms: Terms, set: Arc<FeedSet>, swarm: &Swarm) -> Self {
        swarm.join_within(address, Role::Replicator, Arc::clone(&set), terms.quota);
        let terms = Mutex::new(terms);
        Self {
            address,
            terms,
            set,
        }
    }

    /// Other terms from now on. What is held stays.
    pub(crate) fn adjust(&self, terms: Terms, swarm: &Swarm) {
        if self.terms().quota != terms.quota {
            swarm.limit(&self.address, terms.quota);
        }
        *self.lock() = terms;
    }

    fn lock(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under which terms.
    pub fn terms(&self) -> Terms {
        self.lock().clone()
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Name given by whoever replicates (local only).
    pub fn name(&self) -> Option<String> {
        self.terms().name
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
