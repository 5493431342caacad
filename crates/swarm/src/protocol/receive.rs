//! What peers say, message by message, and what became of their answers.

use super::job::{Arrived, Ticket, Weight};
use super::peer::{Asked, MAX_LENGTH, MAX_STRIKES};
use super::{Action, Fact, PeerId, Receipt, Replication};
use crate::wire::feed::{
    Bitfield, Cancel, Data, NoData, Range as Held, Reason, Request, Sync, Want,
};
use crate::wire::space::{
    Buckets, CertificateList, Certificates, Heads, Open, Peers, Reject, SignedReceipt, Summary,
};
use crate::wire::{Message, frame};
use cobox_feed::codec::{DecodeError, Reader};
use cobox_feed::manifest::FeedKey;
use cobox_feed::tree::UntrustedProof;
use std::time::Instant;

/// Messages of hints taken from one peer.
const MAX_INTRODUCTIONS: u32 = 64;
/// Unknown feeds a peer may name before it is dropped.
const MAX_UNKNOWN_FEEDS: u32 = 4096;
/// Of these, how many are told.
const TOLD_UNKNOWN_FEEDS: u32 = 8;

impl Replication {
    /// A control message came.
    pub fn receive(&mut self, id: PeerId, slot: u64, kind: u64, payload: &[u8], now: Instant) {
        let mut reader = Reader::new(payload);
        let outcome = match slot {
            frame::SPACE => self.about_space(id, kind, &mut reader, now),
            _ => self.about_feed(id, slot, kind, &mut reader, payload.len(), now),
        };
        if let Err(error) = outcome {
            self.drop_peer(id, format!("a message could not be read: {error}"));
        }
    }

    fn about_space(
        &mut self,
        id: PeerId,
        kind: u64,
        reader: &mut Reader<'_>,
        now: Instant,
    ) -> Result<(), DecodeError> {
        match kind {
            Summary::KIND => self.on_summary(id, Summary::decode(reader)?, now),
            Buckets::KIND => self.on_buckets(id, &Buckets::decode(reader)?),
            Heads::KIND => self.on_heads(id, &Heads::decode(reader)?, now),
            CertificateList::KIND => {
                self.on_certificate_list(id, &CertificateList::decode(reader)?);
            }
            Certificates::KIND => {
                self.on_certificates(id, Certificates::decode(reader)?.certificates, now);
            }
            Open::KIND => self.on_open(id, Open::decode(reader)?, now),
            Reject::KIND => self.on_reject(id, Reject::decode(reader)?),
            SignedReceipt::KIND => self.on_receipt(id, &SignedReceipt::decode(reader)?),
            Peers::KIND => self.on_peers(id, Peers::decode(reader)?),
            _ => {} // a newer peer's; it will see that nothing comes of it
        }
        Ok(())
    }

    fn about_feed(
        &mut self,
        id: PeerId,
        slot: u64,
        kind: u64,
        reader: &mut Reader<'_>,
        size: usize,
        now: Instant,
    ) -> Result<(), DecodeError> {
        let Some(key) = self
            .peers
            .get(&id)
            .and_then(|peer| peer.slots.get(&slot).copied())
        else {
            return Ok(()); // about a feed that was rejected
        };
        match kind {
            Sync::KIND => self.on_sync(id, &key, Sync::decode(reader)?),
            Request::KIND => self.on_request(id, &key, Request::decode(reader)?),
            Cancel::KIND => {
                let request = Cancel::decode(reader)?.request;
                self.actions.push(Action::Unserve { peer: id, request });
            }
            Data::KIND => {
                let weight = Weight::of(size);
                self.on_data(id, &key, Data::decode(reader)?, weight, now);
            }
            NoData::KIND => self.on_no_data(id, NoData::decode(reader)?, now),
            Want::KIND => self.answer_want(id, &key, Want::decode(reader)?),
            Bitfield::KIND => self.on_bitfield(id, &key, &Bitfield::decode(reader)?),
            Held::KIND => self.on_range(id, &key, Held::decode(reader)?),
            _ => {} // unwant and extensions change nothing here
        }
        Ok(())
    }

    /// Blocks came on a bulk stream.
    pub fn receive_data(
        &mut self,
        id: PeerId,
        slot: u64,
        data: Data,
        weight: Weight,
        now: Instant,
    ) {
        let known = self
            .peers
            .get(&id)
            .and_then(|peer| peer.slots.get(&slot).copied());
        if let Some(key) = known {
            self.on_data(id, &key, data, weight, now);
        }
    }

    fn on_open(&mut self, id: PeerId, open: Open, now: Instant) {
        let known = self.names.get(&open.feed).copied();
        let vouched = known.filter(|key| self.feeds.get(key).is_some_and(|f| f.certified));
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if let Some(key) = vouched {
            peer.slots.retain(|_, other| *other != key); // opened anew: the old number is void
            peer.slots.insert(open.slot, key);
            self.wake(now);
            return;
        }
        peer.unknown_feeds += 1;
        let (count, slot) = (peer.unknown_feeds, open.slot);
        self.actions.send(id, frame::SPACE, &Reject { slot });
        if count <= TOLD_UNKNOWN_FEEDS {
            let reason = "no certificate vouches for a feed that was offered";
            self.actions.refused(id, reason.into());
        }
        if count > MAX_UNKNOWN_FEEDS {
            self.drop_peer(id, "too many feeds that no certificate vouches for".into());
        }
    }

    fn on_reject(&mut self, id: PeerId, reject: Reject) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let index = usize::try_from(reject.slot)
            .ok()
            .and_then(|slot| slot.checked_sub(1));
        let feed = index.and_then(|index| peer.our_slots.get(index));
        if let Some(known) = feed.and_then(|feed| peer.feeds.get_mut(feed)) {
            // It is told again when it opens the feed itself, or knows the certificate.
            (known.slot, known.told) = (None, None);
        }
    }

    fn on_receipt(&mut self, id: PeerId, signed: &SignedReceipt) {
        let Some(device) = self.peers.get(&id).map(|peer| peer.device) else {
            return;
        };
        match Receipt::verify(&signed.bytes, &device) {
            Ok(receipt) if receipt.address == self.address => {
                self.actions.push(Action::Tell(Fact::Receipt(receipt)));
            }
            Ok(_) => self.strike(id, "a receipt was refused: it is for another space".into()),
            Err(error) => self.strike(id, format!("a receipt was refused: {error}")),
        }
    }

    fn on_peers(&mut self, id: PeerId, peers: Peers) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.introductions += 1;
        if peer.introductions <= MAX_INTRODUCTIONS {
            self.actions
                .push(Action::Tell(Fact::Peers { hints: peers.hints }));
        }
    }

    fn on_sync(&mut self, id: PeerId, key: &FeedKey, sync: Sync) {
        let (Some(peer), Some(state)) = (self.peers.get_mut(&id), self.feeds.get(key)) else {
            return;
        };
        let known = peer.feeds.entry(*key).or_default();
        if known.refused {
            return;
        }
        let ours = state.feed.length();
        if sync.fork != 0 {
            let reason = format!("it shows fork {}; certified feeds have none", sync.fork);
            return self.refuse_feed(id, key, reason);
        }
        if sync.length > MAX_LENGTH {
            return self.refuse_feed(id, key, "it claims an impossible length".into());
        }
        if sync.length < known.length {
            let reason = format!("it shows {} blocks after {}", sync.length, known.length);
            return self.refuse_feed(id, key, reason);
        }
        known.length = sync.length;
        let unaware = known.told.is_none() && ours > 0;
        if sync.length > ours {
            peer.ahead.insert(*key);
        } else {
            peer.ahead.remove(key);
        }
        if unaware {
            self.announce(id, key);
        }
        self.hungry = true;
    }

    fn on_range(&mut self, id: PeerId, key: &FeedKey, range: Held) {
        let end = range.start.saturating_add(range.length);
        self.change_have(id, key, |known| match range.drop {
            true => known.remove(range.start..end),
            false => known.add(range.start..end),
        });
    }

    fn on_bitfield(&mut self, id: PeerId, key: &FeedKey, bitfield: &Bitfield) {
        self.change_have(id, key, |known| {
            let mut next = bitfield.start;
            for word in &bitfield.words {
                let first = next;
                next = next.saturating_add(32);
                match *word {
                    0 => {}
                    u32::MAX => known.add(first..first.saturating_add(32)),
                    word => (0..32)
                        .filter(|bit| word >> bit & 1 == 1)
                        .map(|bit| first.saturating_add(bit))
                        .for_each(|block| known.add(block..block.saturating_add(1))),
                }
            }
        });
    }

    fn change_have(
        &mut self,
        id: PeerId,
        key: &FeedKey,
        change: impl FnOnce(&mut super::peer::PeerFeed),
    ) {
        if let Some(peer) = self.peers.get_mut(&id) {
            change(peer.feeds.entry(*key).or_default());
            self.hungry = true;
        }
    }

    fn on_no_data(&mut self, id: PeerId, no_data: NoData, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(outstanding) = peer.answered(no_data.request) else {
            return;
        };
        peer.progress = now;
        let asked = outstanding.asked;
        if let (Some(known), Some(block)) = (peer.feeds.get_mut(&asked.feed), asked.block) {
            known.have.remove(block..block.saturating_add(1));
        }
        if asked.upgrade {
            peer.ahead.remove(&asked.feed); // until it says again that it is
        }
        if no_data.reason == Reason::Invalid {
            tracing::debug!(peer = id.0, "a request of ours was called invalid");
        }
        self.release(id, &asked);
        self.hungry = true;
    }

    fn on_data(&mut self, id: PeerId, key: &FeedKey, data: Data, weight: Weight, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(outstanding) = peer.answered(data.request) else {
            return; // cancelled, or taken away from a slow peer
        };
        peer.adapt(&outstanding, now);
        let asked = outstanding.asked;
        if asked.feed != *key || !answers(&asked, &data.proof) {
            self.release(id, &asked);
            return self.refuse_feed(id, key, "the answer is not what was asked for".into());
        }
        let arrived = Arrived {
            ticket: Ticket { peer: id, asked },
            proof: data.proof,
            weight,
        };
        self.arrive(arrived, now);
        self.hungry = true;
    }

    /// What a peer says about this feed is wrong, and that is told.
    pub(super) fn refuse_feed(&mut self, id: PeerId, key: &FeedKey, reason: String) {
        if self.leave_feed(id, key) {
            self.strike(id, about(key, &reason));
        }
    }

    /// Nothing more about this feed is taken from that peer; what it has itself it still gets. False: so it was before.
    pub(super) fn leave_feed(&mut self, id: PeerId, key: &FeedKey) -> bool {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.ahead.remove(key);
            let known = peer.feeds.entry(*key).or_default();
            if std::mem::replace(&mut known.refused, true) {
                return false;
            }
        }
        self.give_up_feed(id, key);
        true
    }

    /// Tells of a refusal; after a few, the peer is dropped.
    pub(super) fn strike(&mut self, id: PeerId, reason: String) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.strikes += 1;
        let strikes = peer.strikes;
        self.actions.refused(id, reason);
        if strikes == MAX_STRIKES {
            let reason = "it sent too much that had to be refused".into();
            self.actions.push(Action::Drop { peer: id, reason });
        }
    }

    /// A peer sent what no honest program sends: it is dropped.
    pub fn drop_peer(&mut self, id: PeerId, reason: String) {
        if self.peers.contains_key(&id) {
            self.actions.refused(id, reason.clone());
            self.actions.push(Action::Drop { peer: id, reason });
        }
    }
}

/// A reason, with the feed that it is about.
pub(super) fn about(key: &FeedKey, reason: &str) -> String {
    let short: String = key.0[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("feed {short}: {reason}")
}

/// Does an answer have the parts that were asked for, and no others that would have to be checked?
fn answers(asked: &Asked, proof: &UntrustedProof) -> bool {
    let block = proof.block.as_ref().map(|block| block.index);
    let upgrade = asked.upgrade || asked.evidence;
    let unasked = proof.hash.is_some() || proof.seek.is_some();
    block == asked.block && proof.upgrade.is_some() == upgrade && !unasked
}
