//! What the state machine says: what to send, to serve, to tell.

use super::Receipt;
use crate::transport::Hint;
use crate::wire::{Message, frame};
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::tree;
use std::collections::VecDeque;
use std::sync::Arc;

/// What one side is in a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// holds a key
    Member,
    /// holds only the address
    Replicator,
}

/// One connection's part in a space. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// Bounds that the owner of the disk sets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /** most bytes that signed heads may promise, all feeds together */
    pub quota: Option<u64>,
}

/// What is to be done now, in order.
pub enum Action {
    /// Put a message on a peer's control stream.
    Send {
        /** to whom */
        peer: PeerId,
        /** our slot; 0 = about the space */
        slot: u64,
        /** which message */
        kind: u64,
        /** its bytes */
        payload: Vec<u8>,
    },
    /// Read and send what a peer asked for, in its turn; or send `NoData`.
    Serve(Serve),
    /// Forget a request that has not been served yet.
    Unserve {
        /** whose */
        peer: PeerId,
        /** its id */
        request: u64,
    },
    /// Sign a receipt for what is held and send it.
    Receipt {
        /** to whom */
        peer: PeerId,
        /** hash of the heads */
        summary: [u8; 32],
        /** nothing of them is missing or skipped */
        complete: bool,
    },
    /// Close the connection: this peer does not keep to the rules.
    Drop {
        /** which */
        peer: PeerId,
        /** why, in words */
        reason: String,
    },
    /// Tell upwards.
    Tell(Fact),
}

/// A request to be answered from disk.
pub struct Serve {
    /// who asks
    pub peer: PeerId,
    /// our slot of the feed
    pub slot: u64,
    /// the asker's id of it
    pub id: u64,
    /// asks to be served before others
    pub urgent: bool,
    /// of what
    pub feed: Arc<Feed>,
    /// what
    pub request: tree::Request,
}

/// Something that people or upper floors may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Both sides are equal and miss nothing.
    Synced {
        /** with */
        peer: PeerId,
    },
    /// A signed and verified word about what the peer holds.
    Receipt(Receipt),
    /// Something a peer sent was refused.
    Refused {
        /** whose */
        peer: PeerId,
        /** why, in words */
        reason: String,
    },
    /// A peer told of other devices.
    Peers {
        /** hints, unproven */
        hints: Vec<Hint>,
    },
    /// A peer has a validly signed head of one of our own feeds that is longer than ours: this store was put back from an older state.
    OwnFeedAhead {
        /** which */
        feed: FeedKey,
        /** blocks in that head */
        length: u64,
    },
    /// A peer has another history of one of our own feeds, signed by us: this store was put back from an older state, and
    /// has written since.
    OwnFeedForked {
        /** which */
        feed: FeedKey,
    },
    /// Checked blocks could not be stored.
    StoreFailed {
        /** why, in words */
        reason: String,
    },
}

/// The queue of actions.
#[derive(Default)]
pub(super) struct Actions(pub VecDeque<Action>);

impl Actions {
    pub fn push(&mut self, action: Action) {
        self.0.push_back(action);
    }

    pub fn send<M: Message>(&mut self, peer: PeerId, slot: u64, message: &M) {
        let payload = frame::payload(message);
        self.push(Action::Send {
            peer,
            slot,
            kind: M::KIND,
            payload,
        });
    }

    pub fn refused(&mut self, peer: PeerId, reason: String) {
        tracing::debug!(peer = peer.0, reason, "refused");
        self.push(Action::Tell(Fact::Refused { peer, reason }));
    }
}
