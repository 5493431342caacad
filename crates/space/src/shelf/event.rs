//! What the shelf tells.

use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use cobox_swarm::swarm::{Receipt, Seen};

use crate::health::Health;
use crate::members::Member;
use crate::space::{Noted, Said};

/// Something a person may want to know, told after it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShelfEvent {
    /// files changed
    Changed {
        /// space
        address: Address,
        /// path, with slashes; empty: anything may have changed
        path: String,
    },
    /// conflicts appeared or went
    Conflicts {
        /// space
        address: Address,
    },
    /// somebody's name or a new member
    Member {
        /// space
        address: Address,
        /// who
        public_key: PublicKey,
        /// name
        name: String,
    },
    /// a message of any type came or was sent
    Message {
        /// space
        address: Address,
        /// its type
        kind: String,
    },
    /// somebody said something to all or to us
    Said {
        /// space
        address: Address,
        /// who and what
        said: Said,
    },
    /// somebody noted something on a file or folder
    Noted {
        /// space
        address: Address,
        /// who, on what, and what
        noted: Noted,
    },
    /// a member came or went, as far as we are connected
    Presence {
        /// space
        address: Address,
        /// as known now
        member: Member,
    },
    /// a member left the space; what they wrote stays
    Left {
        /// space
        address: Address,
        /// as known now
        member: Member,
    },
    /// something else is known of a member: a name, a device, an invite, who left
    MemberChanged {
        /// space
        address: Address,
        /// as known now
        member: Member,
    },
    /// something else is known of the copies of a space, or is wanted of them
    Health {
        /// space
        address: Address,
        /// as judged now
        health: Health,
    },
    /// a device proved what it holds of a space
    Receipt {
        /// space
        address: Address,
        /// as it signed it
        receipt: Receipt,
    },
    /// the space's name
    Renamed {
        /// space
        address: Address,
        /// name
        name: String,
    },
    /// peer here
    Connected {
        /// space
        address: Address,
        /// device
        device: PublicKey,
    },
    /// peer gone
    Disconnected {
        /// space
        address: Address,
        /// device
        device: PublicKey,
    },
    /// equal and complete with a peer
    Synced {
        /// space
        address: Address,
        /// device
        device: PublicKey,
        /// Unix ms
        time_ms: u64,
    },
    /// a space or replica is here that was not, or its terms have changed
    Listed {
        /// space
        address: Address,
    },
    /// a space is not here any more
    SpaceGone {
        /// space
        address: Address,
    },
    /// a replica is not here any more; as a space it may be
    ReplicaGone {
        /// space
        address: Address,
    },
    /// how far a space or replica is has changed; once a second at most, and only while somebody is connected
    Progress {
        /// space
        address: Address,
    },
    /// our own name
    Person {
        /// name
        name: String,
    },
    /// a device that can be claimed announces itself on the local network, or says something else of itself
    DeviceSeen {
        /// as heard
        seen: Seen,
    },
    /// it has fallen silent
    DeviceGone {
        /// its device key
        device: PublicKey,
    },
    /// refused input
    Refused {
        /// space
        address: Address,
        /// why
        reason: String,
    },
}
