//! Telling peers what is held: open, sync, range; bitfields when asked.

use super::peer::PeerFeed;
use super::{Actions, FeedState, PeerId, Replication};
use crate::wire::feed::{Bitfield, Range as Held, Sync, Want};
use crate::wire::frame;
use crate::wire::space::{Certificates, MAX_CERTIFICATES};
use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use std::ops::Range;

/// Stretches told when a feed is opened; a peer that lacks more asks for a bitfield.
const STRETCHES: usize = 64;
/// Longest stretch one want may cover.
pub(super) const MAX_WANT: u64 = 1 << 21;

impl Replication {
    /// Tells a peer all about a feed: that it is, how long, and which blocks.
    pub(super) fn announce(&mut self, id: PeerId, key: &FeedKey) {
        let Some(state) = self.feeds.get(key).filter(|state| state.certified) else {
            return;
        };
        let (Some(peer), Some(head)) = (self.peers.get_mut(&id), state.feed.head()) else {
            return;
        };
        if !peer.informed {
            peer.waiting.insert(*key); // it would not know what we speak of
            return;
        }
        let slot = peer.slot(id, key, &state.name, &mut self.actions);
        let known = peer.feeds.entry(*key).or_default();
        known.told = Some(head.length);
        // What is held before how long it is: a receiver asks as soon as it knows the length.
        for stretch in state.feed.held().iter().take(STRETCHES) {
            self.actions.send(id, slot, &held(stretch));
        }
        send_sync(&mut self.actions, id, slot, state, known);
    }

    /// The peer knows our certificates now: it hears what had to wait for them.
    pub(super) fn informed(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.informed = true;
        for key in std::mem::take(&mut peer.waiting) {
            self.announce(id, &key);
        }
    }

    /// Tells everybody who might not know the feed.
    pub(super) fn announce_to_all(&mut self, key: &FeedKey) {
        for id in self.greeted() {
            self.announce(id, key);
        }
    }

    /// Peers that have sent their summary: others are reconciled with in a moment anyway.
    fn greeted(&self) -> Vec<PeerId> {
        let greeted = self.peers.iter().filter(|(_, peer)| peer.summary.is_some());
        greeted.map(|(id, _)| *id).collect()
    }

    /// Tells what is new in a feed, at once: this is how a change travels.
    pub(super) fn announce_change(&mut self, key: &FeedKey, blocks: Range<u64>, length: u64) {
        let Some(state) = self.feeds.get(key).filter(|state| state.certified) else {
            return;
        };
        let mut unaware = Vec::new();
        for (id, peer) in &mut self.peers {
            let Some(known) = peer.feeds.get_mut(key) else {
                unaware.push(*id);
                continue;
            };
            let (Some(slot), Some(told)) = (known.slot, known.told) else {
                unaware.push(*id);
                continue;
            };
            if known.refused {
                continue;
            }
            if !blocks.is_empty() {
                self.actions.send(*id, slot, &held(blocks.clone()));
            }
            if told != length {
                known.told = Some(length);
                send_sync(&mut self.actions, *id, slot, state, known);
            }
        }
        for id in unaware {
            if self
                .peers
                .get(&id)
                .is_some_and(|peer| peer.summary.is_some())
            {
                self.announce(id, key);
            }
        }
    }

    /// Sends certificates to everybody but whoever sent them.
    pub(super) fn tell_certificates(&mut self, certificates: &[Bytes], except: Option<PeerId>) {
        let others = self.peers.keys().filter(|id| Some(**id) != except);
        for id in others {
            send_certificates(&mut self.actions, *id, certificates);
        }
    }

    /// Answers which blocks of a stretch are held.
    pub(super) fn answer_want(&mut self, id: PeerId, key: &FeedKey, want: Want) {
        let sensible = want.length.is_power_of_two()
            && (32..=MAX_WANT).contains(&want.length)
            && want.start.is_multiple_of(want.length)
            && want.start < super::peer::MAX_LENGTH;
        let (Some(state), Some(peer)) = (self.feeds.get(key), self.peers.get_mut(&id)) else {
            return;
        };
        if !sensible {
            return; // as JavaScript does: it has been told the stretches anyway
        }
        let slot = peer.slot(id, key, &state.name, &mut self.actions);
        let end = (want.start + want.length).min(state.feed.length().next_multiple_of(32));
        let words = bits(state, want.start..end);
        if words.iter().any(|word| *word != 0) {
            let start = want.start;
            self.actions.send(id, slot, &Bitfield { start, words });
        }
    }
}

fn send_sync(actions: &mut Actions, id: PeerId, slot: u64, state: &FeedState, known: &PeerFeed) {
    let sync = Sync {
        fork: 0,
        length: state.feed.length(),
        remote_length: known.length,
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: false,
    };
    actions.send(id, slot, &sync);
}

fn held(blocks: Range<u64>) -> Held {
    Held {
        drop: false,
        start: blocks.start,
        length: blocks.end - blocks.start,
    }
}

fn bits(state: &FeedState, within: Range<u64>) -> Vec<u32> {
    let count = within.end.saturating_sub(within.start).div_ceil(32);
    let mut words = vec![0u32; count as usize]; // at most 2^21 / 32, by the want's own limit
    for stretch in state.feed.held().present(within.clone()) {
        for block in stretch {
            let bit = block - within.start;
            words[(bit / 32) as usize] |= 1 << (bit % 32);
        }
    }
    words
}

/// In as many messages as the limits of one ask for.
pub(super) fn send_certificates(actions: &mut Actions, id: PeerId, certificates: &[Bytes]) {
    let mut next = Vec::new();
    let mut bytes = 0;
    for certificate in certificates {
        bytes += certificate.len();
        next.push(certificate.to_vec());
        if bytes >= MAX_CERTIFICATES {
            let certificates = std::mem::take(&mut next);
            actions.send(id, frame::SPACE, &Certificates { certificates });
            bytes = 0;
        }
    }
    if !next.is_empty() {
        let certificates = next;
        actions.send(id, frame::SPACE, &Certificates { certificates });
    }
}
