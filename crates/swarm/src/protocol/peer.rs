//! What is known of one peer: what it has, what it was told, what it was asked for.

use super::{Actions, PeerId};
use crate::wire::frame;
use crate::wire::space::{Open, Summary};
use cobox_feed::bitfield::RangeSet;
use cobox_feed::manifest::FeedKey;
use cobox_keys::identity::PublicKey;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Bytes that may be asked for and not yet here, to begin with.
pub(super) const FIRST_WINDOW: u64 = 2 << 20;
/// The same at most.
const MAX_WINDOW: u64 = 16 << 20;
/// The same at least, however slow the line.
const MIN_WINDOW: u64 = 512 << 10;
/// Answers that come faster than this make the window grow.
const QUICK: Duration = Duration::from_millis(250);
/// Answers that take longer than this make it shrink, so that wants do not queue behind it.
const SLOW: Duration = Duration::from_secs(1);
/// Requests outstanding at most, whatever their size.
const MAX_REQUESTS: usize = 2048;
/// Requests beyond the window for blocks that somebody waits for.
const MAX_URGENT: usize = 64;
/// A feed longer than this exists nowhere.
pub(super) const MAX_LENGTH: u64 = 1 << 40;
/// Stretches of held blocks kept per peer and feed; what is beyond is unknown.
const MAX_STRETCHES: usize = 1 << 16;
/// Refusals after which a peer is dropped.
pub(super) const MAX_STRIKES: u32 = 4;

/// A peer's side of a feed.
#[derive(Default)]
pub(super) struct PeerFeed {
    /// Our number for the feed, once opened.
    pub slot: Option<u64>,
    /// Signed length it claims.
    pub length: u64,
    /// Blocks it says it holds.
    pub have: RangeSet,
    /// Length that it was told we have.
    pub told: Option<u64>,
    /// It sent something wrong about this feed, or does not know it: left alone.
    pub refused: bool,
    /// What it has beyond the first stretch is asked for then.
    pub ask_at: Option<Instant>,
    /// It was asked what it holds, up to this length.
    pub asked: u64,
}

impl PeerFeed {
    /// It holds these too. One message can say so a million times: each must cost little, and too many nothing.
    pub fn add(&mut self, blocks: Range<u64>) {
        if self.have.stretches() < MAX_STRETCHES {
            self.have.insert(blocks.start..blocks.end.min(MAX_LENGTH));
        }
    }

    /// It holds these no more; where that would make too many stretches, nothing behind them either.
    pub fn remove(&mut self, blocks: Range<u64>) {
        let is_full = self.have.stretches() >= MAX_STRETCHES;
        let end = if is_full { MAX_LENGTH } else { blocks.end };
        self.have.remove(blocks.start..end);
    }
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub feed: FeedKey,
    pub block: Option<u64>,
    pub upgrade: bool,
    /// Only to be looked at: for a proof that a feed was forked or put back.
    pub evidence: bool,
}

/// A request without an answer yet.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    pub asked: Asked,
    pub bytes: u64,
    pub sent: Instant,
    pub urgent: bool,
}

/// One peer.
pub(super) struct Peer {
    pub device: PublicKey,
    /// Its newest summary.
    pub summary: Option<Summary>,
    /// Ours as it was told last.
    pub told: Option<Summary>,
    pub feeds: HashMap<FeedKey, PeerFeed>,
    /// Its slots.
    pub slots: HashMap<u64, FeedKey>,
    /// Our slots: number `n` is at `n - 1`.
    pub our_slots: Vec<FeedKey>,
    pub requests: HashMap<u64, Outstanding>,
    next_request: u64,
    outstanding: u64,
    urgent: usize,
    window: u64,
    /// Feeds it claims a longer head of.
    pub ahead: BTreeSet<FeedKey>,
    /// Its last sign of life while something was outstanding.
    pub progress: Instant,
    /// Not asked for anything until then.
    pub stalled_until: Option<Instant>,
    pub strikes: u32,
    /// Names of feeds it opened that nobody vouches for.
    pub unknown_feeds: u32,
    /// Messages of hints it sent.
    pub introductions: u32,
    /// It knows every certificate that we know, or will before it reads what we send next.
    pub informed: bool,
    /// Feeds to be told about once it is informed.
    pub waiting: BTreeSet<FeedKey>,
    /// It was sent our list of certificates.
    pub listed: bool,
    /// Certificates digest and heads hash at which both were equal and complete.
    pub synced: Option<([u8; 16], [u8; 32])>,
    /// Connected since.
    pub since: Instant,
    pub receipt_sent: Option<Instant>,
    pub receipt_due: Option<Instant>,
    pub reconcile_at: Option<Instant>,
    pub reconcile_wait: Duration,
}

impl Peer {
    pub fn new(device: PublicKey, now: Instant) -> Self {
        Self {
            device,
            summary: None,
            told: None,
            feeds: HashMap::new(),
            slots: HashMap::new(),
            our_slots: Vec::new(),
            requests: HashMap::new(),
            next_request: 1,
            outstanding: 0,
            urgent: 0,
            window: FIRST_WINDOW,
            ahead: BTreeSet::new(),
            progress: now,
            stalled_until: None,
            strikes: 0,
            unknown_feeds: 0,
            introductions: 0,
            informed: false,
            waiting: BTreeSet::new(),
            listed: false,
            synced: None,
            since: now,
            receipt_sent: None,
            receipt_due: None,
            reconcile_at: None,
            reconcile_wait: Duration::ZERO,
        }
    }

    /// Are both sides equal and complete, as far as told?
    pub fn is_synced(&self) -> bool {
        self.synced.is_some()
    }

    /// Our slot for a feed; opened if this is the first time.
    pub fn slot(
        &mut self,
        id: PeerId,
        feed: &FeedKey,
        name: &[u8; 32],
        actions: &mut Actions,
    ) -> u64 {
        let known = self.feeds.entry(*feed).or_default();
        if let Some(slot) = known.slot {
            return slot;
        }
        self.our_slots.push(*feed);
        let slot = self.our_slots.len() as u64;
        known.slot = Some(slot);
        let open = Open { slot, feed: *name };
        actions.send(id, frame::SPACE, &open);
        slot
    }

    /// May more be asked for now? Only when there is room for a worthwhile number of requests.
    pub fn has_room(&self, now: Instant) -> bool {
        let free = self.outstanding <= self.window - self.window / 4;
        let few = self.requests.len() <= MAX_REQUESTS - MAX_REQUESTS / 4;
        self.is_asked(now) && free && few
    }

    /// May it be asked at all?
    pub fn is_asked(&self, now: Instant) -> bool {
        self.stalled_until.is_none_or(|until| until <= now)
    }

    /// Bytes and requests that fit the window now.
    pub fn room(&self) -> (u64, usize) {
        (
            self.window.saturating_sub(self.outstanding),
            MAX_REQUESTS.saturating_sub(self.requests.len()),
        )
    }

    /// Urgent requests that fit now.
    pub fn urgent_room(&self) -> usize {
        MAX_URGENT.saturating_sub(self.urgent)
    }

    /// Notes a request; returns its id.
    pub fn ask(&mut self, outstanding: Outstanding) -> u64 {
        if self.requests.is_empty() {
            self.progress = outstanding.sent;
        }
        let id = self.next_request;
        self.next_request += 1;
        self.outstanding += outstanding.bytes;
        self.urgent += usize::from(outstanding.urgent);
        self.requests.insert(id, outstanding);
        id
    }

    /// An answer came, or will not be waited for.
    pub fn answered(&mut self, request: u64) -> Option<Outstanding> {
        let outstanding = self.requests.remove(&request)?;
        self.outstanding -= outstanding.bytes;
        self.urgent -= usize::from(outstanding.urgent);
        Some(outstanding)
    }

    /// Data came: the window follows how long it took.
    pub fn adapt(&mut self, outstanding: &Outstanding, now: Instant) {
        self.progress = now;
        self.stalled_until = None;
        let took = now.saturating_duration_since(outstanding.sent);
        if took < QUICK {
            self.window = (self.window + outstanding.bytes).min(MAX_WINDOW);
        } else if took > SLOW {
            let less = self.window.saturating_sub(outstanding.bytes / 2);
            self.window = less.max(MIN_WINDOW);
        }
    }

    /// The request for a block, if one is outstanding.
    pub fn request_for(&self, feed: &FeedKey, block: u64) -> Option<u64> {
        let is_it = |asked: &Asked| asked.feed == *feed && asked.block == Some(block);
        let mut requests = self.requests.iter();
        let found = requests.find(|(_, outstanding)| is_it(&outstanding.asked));
        found.map(|(request, _)| *request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_it_holds_takes_bounded_memory() {
        let mut known = PeerFeed::default();
        for block in (0..).step_by(2).take(3 * MAX_STRETCHES) {
            known.add(block..block + 1);
        }
        assert_eq!(known.have.stretches(), MAX_STRETCHES);
        let mut known = PeerFeed::default();
        known.add(0..MAX_LENGTH);
        for block in (0..).step_by(2).take(3 * MAX_STRETCHES) {
            known.remove(block..block + 1);
        }
        assert!(known.have.stretches() <= MAX_STRETCHES);
        assert!(!known.have.contains(0) && known.have.contains(1));
    }
}
