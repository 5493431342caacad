//! What to ask of whom: longer heads first, then what somebody waits for, then metadata and log, then content.
//!
//! A block is asked of one peer at a time; whoever has room takes the next ones.

use super::announce::MAX_WANT;
use super::peer::{Asked, Outstanding, PeerFeed};
use super::{FeedState, PeerId, Replication};
use crate::wire::feed::{Cancel, Request, Want};
use cobox_feed::bitfield::RangeSet;
use cobox_feed::manifest::FeedKey;
use cobox_feed::tree;
use cobox_keys::derive::FeedKind;
use std::ops::Range;
use std::time::{Duration, Instant};

/// A peer that answers nothing for so long is taken everything away.
const STALLED: Duration = Duration::from_secs(20);
/// A request that is not answered for so long, whatever else is, is taken away too if another peer has the block: else
/// who sends one now and then could keep all the others from us. A slow line that is the only one is left in peace.
const OLD: Duration = Duration::from_secs(60);
/// A head is small: who does not answer with it for so long is not asked for it again until it says that it is ahead.
const HEAD_STALLED: Duration = Duration::from_secs(5);
/// A block's size before any is known.
const USUAL_BLOCK: u64 = 64 << 10;
/// Heads asked for at once from one peer.
const MAX_UPGRADES: usize = 64;
/// What a peer holds beyond the stretches it told is asked for after this.
const ASK_AFTER: Duration = Duration::from_millis(100);
/// Stretches asked about at a time.
const ASK_STRETCHES: u64 = 8;

impl Replication {
    /// Gives every peer with room something to do, if anything has changed. To be called after a burst of
    /// inputs: looking for work costs more than a message does.
    pub fn look_for_work(&mut self, now: Instant) {
        if !std::mem::take(&mut self.hungry) {
            return;
        }
        let ids: Vec<_> = self.peers.keys().copied().collect();
        for id in ids {
            self.fill(id, now);
        }
    }

    /// Gives one peer something to do.
    pub(super) fn fill(&mut self, id: PeerId, now: Instant) {
        if self.paused_until.is_some_and(|until| until > now) {
            return;
        }
        let Some(peer) = self.peers.get(&id).filter(|peer| peer.is_asked(now)) else {
            return;
        };
        if !peer.ahead.is_empty() {
            self.ask_for_heads(id, now);
        }
        if self.wanted {
            self.ask_for_wanted(id, now);
        }
        if self.peers.get(&id).is_some_and(|peer| peer.has_room(now)) {
            self.ask_for_missing(id, now);
        }
    }

    fn ask_for_heads(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let ahead: Vec<_> = peer.ahead.iter().take(MAX_UPGRADES).copied().collect();
        for key in ahead {
            self.ask_for_head(id, &key, now);
        }
    }

    fn ask_for_head(&mut self, id: PeerId, key: &FeedKey, now: Instant) {
        let (Some(state), Some(peer)) = (self.feeds.get(key), self.peers.get(&id)) else {
            return;
        };
        let Some(known) = peer.feeds.get(key).filter(|known| !known.refused) else {
            return;
        };
        let ours = state.feed.length();
        if known.length <= ours || state.over_quota == Some(known.length) {
            return;
        }
        if state.feed.is_own() {
            let both_have = if ours > 0 { ours } else { known.length };
            return self.ask_for_evidence(id, key, both_have, now);
        }
        if state.upgrading.is_some() {
            return;
        }
        let block = self.block_to_go_with(state, known, ours);
        let parts = tree::Request {
            block: block.map(|block| (block, 0)), // the new head connects it
            upgrade: Some((ours, known.length - ours)),
            manifest: state.feed.manifest().is_none(),
            ..Default::default()
        };
        let asked = Asked {
            feed: *key,
            block,
            upgrade: true,
            evidence: false,
        };
        self.request(id, asked, parts, false, now);
    }

    /// The first new block comes along with its head, so that a single small change takes one round trip.
    fn block_to_go_with(&self, state: &FeedState, known: &PeerFeed, block: u64) -> Option<u64> {
        let wanted = known.have.contains(block)
            && !state.claimed.contains(block)
            && !self.set.skipped(&state.feed.key()).contains(block);
        (wanted && self.limits.quota.is_none()).then_some(block)
    }

    /// Blocks that somebody waits for: beyond the window, and before all others at the peer.
    fn ask_for_wanted(&mut self, id: PeerId, now: Instant) {
        let wants = self.set.wants();
        self.wanted = !wants.is_empty();
        for (key, range) in wants {
            let room = match self.peers.get(&id) {
                Some(peer) => peer.urgent_room(),
                None => return,
            };
            let (Some(state), Some(known)) = (self.feeds.get(&key), self.known(id, &key)) else {
                continue;
            };
            let within = range.start..range.end.min(state.feed.length());
            let blocks = missing(state, known, within.clone(), &state.urgent, None, room);
            let there = blocks.is_empty() && known.asked < known.length;
            let unknown = there && room > 0 && !state.feed.missing(within).is_empty();
            for block in blocks {
                self.ask_urgently(id, &key, block, now);
            }
            if unknown {
                self.ask_later(id, &key, now);
            }
        }
    }

    fn ask_urgently(&mut self, id: PeerId, key: &FeedKey, block: u64, now: Instant) {
        let (Some(state), Some(peer)) = (self.feeds.get_mut(key), self.peers.get_mut(&id)) else {
            return;
        };
        if state.claimed.contains(block) {
            // Asked for already, in its turn. If it was this peer, it is asked to hurry.
            let Some(request) = peer.request_for(key, block) else {
                return;
            };
            let with_head = peer.requests.get(&request).is_none_or(|o| o.asked.upgrade);
            if with_head {
                return;
            }
            peer.answered(request);
            let slot = peer.slot(id, key, &state.name, &mut self.actions);
            self.actions.send(id, slot, &Cancel { request });
            state.claimed.remove(block..block + 1);
        }
        self.ask_for_block(id, key, block, true, now);
    }

    fn ask_for_missing(&mut self, id: PeerId, now: Instant) {
        for content in [false, true] {
            let of_kind = |key: &&FeedKey| {
                let kind = self.feeds.get(key).map(|state| state.feed.kind());
                (kind == Some(FeedKind::Content as u8)) == content
            };
            let feeds: Vec<_> = self.table.incomplete().filter(of_kind).copied().collect();
            for key in feeds {
                self.ask_for_missing_of(id, &key, now);
            }
        }
    }

    fn ask_for_missing_of(&mut self, id: PeerId, key: &FeedKey, now: Instant) {
        let (Some(state), Some(known), Some(peer)) = (
            self.feeds.get(key),
            self.known(id, key),
            self.peers.get(&id),
        ) else {
            return;
        };
        let (bytes, requests) = peer.room();
        let room = requests.min(usize::try_from(bytes / block_size(state)).unwrap_or(usize::MAX));
        let skipped = self.set.skipped(key);
        let within = 0..state.feed.length();
        let blocks = missing(state, known, within, &state.claimed, Some(&skipped), room);
        let unknown = blocks.is_empty() && room > 0 && known.asked < known.length;
        for block in blocks {
            self.ask_for_block(id, key, block, false, now);
        }
        if unknown {
            self.ask_later(id, key, now);
        }
    }

    pub(super) fn known(&self, id: PeerId, key: &FeedKey) -> Option<&PeerFeed> {
        let known = self.peers.get(&id)?.feeds.get(key)?;
        (!known.refused).then_some(known)
    }

    /// Is nothing more about a feed taken from this peer?
    pub(super) fn has_left(&self, id: PeerId, key: &FeedKey) -> bool {
        let known = self.peers.get(&id).and_then(|peer| peer.feeds.get(key));
        known.is_some_and(|known| known.refused)
    }

    fn ask_for_block(&mut self, id: PeerId, key: &FeedKey, block: u64, urgent: bool, now: Instant) {
        let Some(state) = self.feeds.get(key) else {
            return;
        };
        let parts = tree::Request {
            block: Some((block, state.feed.levels_missing(block))),
            ..Default::default()
        };
        let asked = Asked {
            feed: *key,
            block: Some(block),
            upgrade: false,
            evidence: false,
        };
        self.request(id, asked, parts, urgent, now);
    }

    /// Sends a request and claims what it is for.
    pub(super) fn request(
        &mut self,
        id: PeerId,
        asked: Asked,
        parts: tree::Request,
        urgent: bool,
        now: Instant,
    ) {
        let (Some(state), Some(peer)) = (self.feeds.get_mut(&asked.feed), self.peers.get_mut(&id))
        else {
            return;
        };
        if let Some(block) = asked.block {
            state.claimed.insert(block..block + 1);
            if urgent {
                state.urgent.insert(block..block + 1);
            }
        }
        if asked.upgrade {
            state.upgrading = Some(id);
        }
        let slot = peer.slot(id, &asked.feed, &state.name, &mut self.actions);
        let bytes = asked.block.map_or(1, |_| block_size(state));
        let request = peer.ask(Outstanding {
            asked,
            bytes,
            sent: now,
            urgent,
        });
        let message = Request {
            id: request,
            fork: 0,
            parts,
            priority: urgent.into(),
        };
        self.actions.send(id, slot, &message);
        self.wake(now);
    }

    /// A request came to its end, whatever it was: what it was for may be asked for again.
    pub(super) fn release(&mut self, id: PeerId, asked: &Asked) {
        let Some(state) = self.feeds.get_mut(&asked.feed) else {
            return;
        };
        if let Some(block) = asked.block {
            state.claimed.remove(block..block + 1);
            state.urgent.remove(block..block + 1);
        }
        if asked.upgrade && state.upgrading == Some(id) {
            state.upgrading = None;
        }
    }

    /// A peer that answers nothing loses what it was asked for; one that keeps a head from us, that head.
    pub(super) fn time_out(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let silent = now.saturating_duration_since(peer.progress) >= STALLED;
        let age = |outstanding: &Outstanding| now.saturating_duration_since(outstanding.sent);
        let is_old = |outstanding: &Outstanding| {
            age(outstanding) >= OLD && self.has_another(id, &outstanding.asked)
        };
        let late = |outstanding: &Outstanding| {
            let is_head = outstanding.asked.upgrade || outstanding.asked.evidence;
            silent || is_old(outstanding) || is_head && age(outstanding) >= HEAD_STALLED
        };
        let stalls = !peer.requests.is_empty() && (silent || peer.requests.values().any(is_old));
        let requests = peer
            .requests
            .iter()
            .filter(|(_, outstanding)| late(outstanding));
        let requests: Vec<_> = requests.map(|(request, _)| *request).collect();
        if let (true, Some(peer)) = (stalls, self.peers.get_mut(&id)) {
            tracing::debug!(peer = id.0, "no progress: asking others");
            peer.stalled_until = Some(now + STALLED);
        }
        for request in requests {
            self.give_up(id, request);
        }
    }

    /// Does a peer besides this one say that it holds the block?
    fn has_another(&self, id: PeerId, asked: &Asked) -> bool {
        let Some(block) = asked.block else {
            return false;
        };
        let mut others = self.peers.keys().filter(|other| **other != id);
        others.any(|other| {
            let known = self.known(*other, &asked.feed);
            known.is_some_and(|known| known.have.contains(block))
        })
    }

    /// Nothing more about a feed is expected from a peer.
    pub(super) fn give_up_feed(&mut self, id: PeerId, key: &FeedKey) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let about = peer
            .requests
            .iter()
            .filter(|(_, outstanding)| outstanding.asked.feed == *key);
        let requests: Vec<_> = about.map(|(request, _)| *request).collect();
        for request in requests {
            self.give_up(id, request);
        }
    }

    fn give_up(&mut self, id: PeerId, request: u64) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(outstanding) = peer.answered(request) else {
            return;
        };
        let known = peer.feeds.get(&outstanding.asked.feed);
        if let Some(slot) = known.and_then(|known| known.slot) {
            self.actions.send(id, slot, &Cancel { request });
        }
        if outstanding.asked.upgrade || outstanding.asked.evidence {
            peer.ahead.remove(&outstanding.asked.feed);
        }
        self.release(id, &outstanding.asked);
    }

    /// Blocks are missing that the peer has not said it holds: it is asked, unless it says so in a moment.
    fn ask_later(&mut self, id: PeerId, key: &FeedKey, now: Instant) {
        let (Some(state), Some(peer)) = (self.feeds.get(key), self.peers.get_mut(&id)) else {
            return;
        };
        peer.slot(id, key, &state.name, &mut self.actions);
        if let Some(known) = peer.feeds.get_mut(key) {
            known.ask_at.get_or_insert(now + ASK_AFTER);
        }
        self.wake(now);
    }

    pub(super) fn ask_what_is_held(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        for (key, known) in &mut peer.feeds {
            let (Some(state), Some(slot)) = (self.feeds.get(key), known.slot) else {
                continue;
            };
            if known.refused || known.ask_at.is_none_or(|due| due > now) {
                continue;
            }
            known.ask_at = None;
            let gaps = state.feed.missing(known.asked..known.length);
            let first = gaps.first().map_or(known.length, |gap| gap.start) / MAX_WANT;
            let last = known.length.div_ceil(MAX_WANT).min(first + ASK_STRETCHES);
            for stretch in first..last {
                let want = Want {
                    start: stretch * MAX_WANT,
                    length: MAX_WANT,
                    any: false,
                };
                self.actions.send(id, slot, &want);
            }
            known.asked = (last * MAX_WANT).min(known.length);
        }
    }
}

/// Blocks that we lack, the peer has, and nobody was asked for; lowest first.
fn missing(
    state: &FeedState,
    known: &PeerFeed,
    within: Range<u64>,
    asked: &RangeSet,
    skipped: Option<&RangeSet>,
    room: usize,
) -> Vec<u64> {
    let mut blocks = Vec::new();
    if within.is_empty() {
        return blocks;
    }
    for gap in state.feed.missing(within) {
        for free in asked.missing(gap) {
            for there in known.have.present(free) {
                let needed = match skipped {
                    Some(skipped) => skipped.missing(there),
                    None => vec![there],
                };
                for block in needed.into_iter().flatten() {
                    if blocks.len() >= room {
                        return blocks;
                    }
                    blocks.push(block);
                }
            }
        }
    }
    blocks
}

/// How large a block of this feed is on average, as far as its signed head tells.
fn block_size(state: &FeedState) -> u64 {
    let average = |head: tree::Head| head.byte_length / head.length.max(1);
    let average = state.feed.head().map_or(USUAL_BLOCK, average);
    average.clamp(64, 16 << 20)
}
