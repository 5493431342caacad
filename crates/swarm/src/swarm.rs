//! `Swarm`: join an address, leave it, introduce peers, report who is there and how far everybody is.

use crate::transport::{Hint, Transport};
use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::broadcast;

/// How a swarm behaves.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /** where known peers are remembered (a file) */
    pub cache: Option<PathBuf>,
    /** announce and listen on the LAN */
    pub lan: bool,
    /** most bytes a set may grow to, checked against signed sizes before fetching */
    pub quota: Option<u64>,
}
/// What this side is in a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /** holds a key */
    Member,
    /** holds only the address */
    Replicator,
}
/// A peer as people see it.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /** device key */
    pub device: PublicKey,
    /** spaces we share in this connection */
    pub spaces: Vec<(Address, Role)>,
    /** connection path in words */
    pub path: String,
    /** connected now */
    pub connected: bool,
    /** last time both sides were equal and complete, Unix ms, per space */
    pub last_sync: Vec<(Address, u64)>,
    /** bytes sent, received */
    pub traffic: (u64, u64),
}
/// A replicator's (or member's) signed word that it holds everything: `{ address, summary, time, free space }`, signed by its device key and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /** space */
    pub address: Address,
    /** who */
    pub device: PublicKey,
    /** its role */
    pub replicator: bool,
    /** summary hash of what it holds */
    pub summary: [u8; 32],
    /** complete (nothing missing) */
    pub complete: bool,
    /** its clock, Unix ms */
    pub time_ms: u64,
    /** bytes it has left */
    pub free: u64,
}
/// What happened on the network side.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SwarmEvent {
    /** in a space */
    Connected {
        /** peer */
        device: PublicKey,
        /** space */
        address: Address,
    },
    /** from a space */
    Disconnected {
        /** peer */
        device: PublicKey,
        /** space */
        address: Address,
    },
    /** both sides equal and complete */
    Synced {
        /** peer */
        device: PublicKey,
        /** space */
        address: Address,
        /** Unix ms */
        time_ms: u64,
    },
    /** a verified receipt */
    Receipt(Receipt),
    /** something a peer sent was refused; sync of the rest goes on */
    Refused {
        /** peer */
        device: PublicKey,
        /** space */
        address: Address,
        /** why, in words */
        reason: String,
    },
}
/// How far a space is, from what peers say they have and what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncProgress {
    /** blocks known to exist and wanted here */
    pub known: u64,
    /** of those, held */
    pub held: u64,
    /** bytes in the signed heads */
    pub bytes_known: u64,
    /** bytes of blocks held (estimate where blocks are unequal) */
    pub bytes_held: u64,
}
/// Everything that talks to other devices. Cheap to clone.
#[derive(Clone)]
pub struct Swarm;
impl Swarm {
    /// Starts accepting, dialling and (if asked) the LAN beacon, on the current tokio runtime.
    pub async fn start(transport: Arc<dyn Transport>, options: Options) -> Swarm {
        unimplemented!()
    }
    /// Takes part at an address. Certificates found in the set admit feeds; those that peers send are verified (keys::Chain), stored, and their feeds admitted.
    pub fn join(&self, address: Address, role: Role, set: Arc<FeedSet>) {
        unimplemented!()
    }
    /// Ends it.
    pub fn leave(&self, address: &Address) {
        unimplemented!()
    }
    /// Remembers a peer for an address and dials it now and again.
    pub fn introduce(&self, address: Address, hint: Hint) {
        unimplemented!()
    }
    /// Forgets what is remembered for an address.
    pub fn forget(&self, address: &Address) {
        unimplemented!()
    }
    /// How others reach us.
    pub fn hint(&self) -> Hint {
        unimplemented!()
    }
    /// Peers now, and those known from before.
    pub fn peers(&self) -> Vec<PeerStatus> {
        unimplemented!()
    }
    /// Hints of peers at an address that were reached lately (for invites).
    pub fn hints(&self, address: &Address) -> Vec<Hint> {
        unimplemented!()
    }
    /// Newest verified receipts for an address.
    pub fn receipts(&self, address: &Address) -> Vec<Receipt> {
        unimplemented!()
    }
    /// How far.
    pub fn progress(&self, address: &Address) -> SyncProgress {
        unimplemented!()
    }
    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<SwarmEvent> {
        unimplemented!()
    }
    /// Says goodbye to peers and stops.
    pub async fn stop(&self) {
        unimplemented!()
    }
}
