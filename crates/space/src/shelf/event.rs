//! What the shelf tells.

use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;

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
    /// the space became safer or less safe
    Health {
        /// space
        address: Address,
        /// as judged now
        health: Health,
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
    /// refused input
    Refused {
        /// space
        address: Address,
        /// why
        reason: String,
    },
}
