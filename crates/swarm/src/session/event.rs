//! What connections tell upwards.

use crate::protocol::{Receipt, Role};
use crate::transport::Hint;
use cobox_feed::manifest::FeedKey;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use std::net::SocketAddr;

/// What happened on the network side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SwarmEvent {
    /// In a space.
    Connected {
        /// peer
        device: PublicKey,
        /// space
        address: Address,
    },
    /// From a space.
    Disconnected {
        /// peer
        device: PublicKey,
        /// space
        address: Address,
    },
    /// How far a space is has changed; told once a second at most, and only while somebody is connected.
    Progress {
        /// space
        address: Address,
    },
    /// Both sides equal and complete.
    Synced {
        /// peer
        device: PublicKey,
        /// space
        address: Address,
        /// Unix ms
        time_ms: u64,
    },
    /// A verified receipt.
    Receipt(Receipt),
    /// Something a peer sent was refused; sync of the rest goes on.
    Refused {
        /// peer
        device: PublicKey,
        /// space
        address: Address,
        /// why, in words
        reason: String,
    },
    /// A peer holds a validly signed head of one of our own feeds that is longer than ours: this data folder was put back
    /// from an older state, and must take a new incarnation before it writes again.
    OwnFeedAhead {
        /// space
        address: Address,
        /// our feed
        feed: FeedKey,
        /// blocks in the peer's head
        length: u64,
    },
    /// A peer holds another history of one of our own feeds, signed by us: this data folder was put back from an older
    /// state and has written since. What it wrote then is taken by nobody who holds the other history.
    OwnFeedForked {
        /// space
        address: Address,
        /// our feed
        feed: FeedKey,
    },
    /// Another program is alive under our own device key: a copy of this home runs elsewhere. It has proven that it holds
    /// the key.
    Twin {
        /// where it answers
        at: Vec<SocketAddr>,
        /// it was there before us, so it is for us to give way
        is_older: bool,
    },
    /// A device that can be claimed announces itself on the local network, or says something else of itself than before.
    DeviceSeen {
        /// its device key
        device: PublicKey,
    },
    /// It has fallen silent.
    DeviceGone {
        /// its device key
        device: PublicKey,
    },
    /// Blocks arrived and could not be stored (a full disk, say); tried again after a while.
    StoreFailed {
        /// space
        address: Address,
        /// why, in words
        reason: String,
    },
}

/// Whoever remembers peers and passes events on. Calls return at once.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn tell(&self, event: SwarmEvent);
    /// A device has proven that it belongs to a space.
    fn proven(&self, address: Address, hint: Hint, role: Role);
    /// A peer told of devices that may belong to a space.
    fn heard_of(&self, address: Address, hints: Vec<Hint>);
    /// Somebody may be alive under our own device key there.
    fn elsewhere(&self, addresses: Vec<SocketAddr>);
}
