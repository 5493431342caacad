//! Replication of one space with its peers as a state machine: no sockets, no tasks; the time is told.
//!
//! In go connections, messages, facts from the feed set and the passing of time; out come
//! [`Action`]s. Reading and checking blocks is work for other threads: it leaves as
//! [`Action::Serve`] or a [`Job`] and comes back as a [`Report`]. Not its job: who may connect (the
//! session has proven that), moving bytes, storing them.

pub mod certificates;
pub mod receipt;
pub mod summary;

mod announce;
mod fetch;
mod job;
mod peer;
mod receive;
mod reconcile;
mod serve;

pub use job::{Job, Report, Weight};
pub use receipt::Receipt;

use crate::transport::Hint;
use crate::wire::{Message, discovery_key, frame};
use bytes::Bytes;
use certificates::Certificates;
use cobox_feed::bitfield::RangeSet;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::{Event, FeedSet};
use cobox_feed::tree;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use job::Arrived;
use peer::Peer;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use summary::{Entry, Table};

/// A changed summary waits so long for company, when nothing is missing.
const SETTLE: Duration = Duration::from_millis(5);
/// The same while blocks are still coming in.
const SETTLE_BUSY: Duration = Duration::from_secs(1);
/// How often time-outs are looked at while there is anything to wait for.
const TICK: Duration = Duration::from_millis(250);
/// After a failed write (a full disk) nothing is asked for so long.
const PAUSE: Duration = Duration::from_secs(10);

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
    /// Checked blocks could not be stored.
    StoreFailed {
        /** why, in words */
        reason: String,
    },
}

/// What is known of one feed, beyond what the feed itself knows.
struct FeedState {
    feed: Arc<Feed>,
    /// Discovery key.
    name: [u8; 32],
    /// Only what a certificate vouches for is spoken about.
    certified: bool,
    /// Blocks asked for or arrived, and not yet stored.
    claimed: RangeSet,
    /// Of these, the ones somebody waits for.
    urgent: RangeSet,
    /// A longer head has been asked for, from this peer.
    upgrading: Option<PeerId>,
    /// A head of this length would break the quota.
    over_quota: Option<u64>,
}

/// One space and all peers it is being exchanged with.
pub struct Replication {
    address: Address,
    set: Arc<FeedSet>,
    limits: Limits,
    certificates: Certificates,
    table: Table,
    feeds: HashMap<FeedKey, FeedState>,
    names: HashMap<[u8; 32], FeedKey>,
    peers: BTreeMap<PeerId, Peer>,
    arrived: VecDeque<Arrived>,
    /// Certificates to be stored with the next job.
    unstored: Vec<Bytes>,
    actions: Actions,
    summary_due: Option<Instant>,
    next_tick: Option<Instant>,
    paused_until: Option<Instant>,
    store_failed: bool,
    /// Somebody waits for blocks.
    wanted: bool,
}

/// The queue of actions.
#[derive(Default)]
struct Actions(VecDeque<Action>);

impl Actions {
    fn push(&mut self, action: Action) {
        self.0.push_back(action);
    }

    fn send<M: Message>(&mut self, peer: PeerId, slot: u64, message: &M) {
        let payload = frame::payload(message);
        self.push(Action::Send {
            peer,
            slot,
            kind: M::KIND,
            payload,
        });
    }

    fn refused(&mut self, peer: PeerId, reason: String) {
        tracing::debug!(peer = peer.0, reason, "refused");
        self.push(Action::Tell(Fact::Refused { peer, reason }));
    }
}

impl Replication {
    /// Begins with what the set holds.
    pub fn new(address: Address, set: Arc<FeedSet>, limits: Limits) -> Self {
        let mut replication = Self {
            address,
            set,
            limits,
            certificates: Certificates::new(address),
            table: Table::default(),
            feeds: HashMap::new(),
            names: HashMap::new(),
            peers: BTreeMap::new(),
            arrived: VecDeque::new(),
            unstored: Vec::new(),
            actions: Actions::default(),
            summary_due: None,
            next_tick: None,
            paused_until: None,
            store_failed: false,
            wanted: false,
        };
        replication.load_certificates();
        replication.load_feeds();
        replication.wanted = !replication.set.wants().is_empty();
        replication
    }

    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.0.pop_front()
    }

    /// When [`Replication::tick`] wants to be called; never while nothing is awaited.
    pub fn deadline(&self) -> Option<Instant> {
        [self.summary_due, self.next_tick]
            .into_iter()
            .flatten()
            .min()
    }

    /// A peer has proven its right to speak about the space.
    pub fn connect(&mut self, id: PeerId, device: PublicKey, now: Instant) {
        let ours = self.table.summary(self.certificates.digest());
        let mut peer = Peer::new(device, now);
        peer.told = Some(ours);
        self.actions.send(id, frame::SPACE, &ours);
        self.peers.insert(id, peer);
        self.wake(now);
    }

    /// Its connection ended, or it left. What it had been asked for is asked of others.
    pub fn disconnect(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        for outstanding in peer.requests.into_values() {
            self.release(id, &outstanding.asked);
        }
        self.fill_all(now);
    }

    /// Tells a peer of others that have proven themselves here.
    pub fn introduce(&mut self, id: PeerId, hints: Vec<Hint>) {
        if self.peers.contains_key(&id) && !hints.is_empty() {
            let message = crate::wire::space::Peers { hints };
            self.actions.send(id, frame::SPACE, &message);
        }
    }

    /// A fact from the set.
    pub fn event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Certificate => self.certificates_changed(now),
            Event::Admitted(feed) => self.feed_appeared(&feed, now),
            Event::Appended {
                feed,
                blocks,
                length,
            } => self.feed_changed(&feed, blocks, length, now),
            Event::Rot { feed, blocks } => {
                tracing::debug!(?blocks, "blocks rotted and are fetched again");
                self.refresh(&feed, now);
                self.fill_all(now);
            }
            Event::Wanted => {
                self.wanted = true;
                self.fill_all(now);
            }
            _ => {}
        }
    }

    /// Facts were missed: looks at everything again.
    pub fn look_again(&mut self, now: Instant) {
        self.wanted = true;
        self.certificates_changed(now);
        self.load_feeds();
        let feeds: Vec<_> = self.feeds.keys().copied().collect();
        for feed in feeds {
            self.refresh(&feed, now);
            self.announce_to_all(&feed);
        }
        self.fill_all(now);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        if self.summary_due.is_some_and(|due| due <= now) {
            self.summary_due = None;
            self.tell_summary(now);
        }
        if self.next_tick.is_some_and(|due| due <= now) {
            self.next_tick = None;
            self.look_at_incomplete(now);
            self.look_at_peers(now);
            self.fill_all(now);
            let next = self.next_look(now);
            self.next_tick = self.next_tick.into_iter().chain(next).min();
        }
    }

    /// The longest length peers claim for each feed that they are ahead in, for progress.
    pub fn claims(&self) -> HashMap<FeedKey, u64> {
        let mut claims = HashMap::new();
        for peer in self.peers.values() {
            for feed in &peer.ahead {
                let length = peer.feeds.get(feed).map_or(0, |known| known.length);
                let longest = claims.entry(*feed).or_default();
                *longest = length.max(*longest);
            }
        }
        claims
    }

    /// Certificates that are stored and not yet known here, as at the start and when upper floors add some.
    fn load_certificates(&mut self) -> Vec<Bytes> {
        let mut accepted = Vec::new();
        for certificate in self.set.certificates() {
            let added = self.certificates.add(certificate);
            accepted.extend(added.accepted);
            for feed in added.feeds {
                self.set.admit(FeedKey(feed.feed_key), feed.kind as u8);
            }
        }
        accepted
    }

    fn load_feeds(&mut self) {
        for feed in self.set.feeds() {
            let key = feed.key();
            self.keep(feed);
            let entry = self.entry_of(&key);
            self.table.update(key, entry);
        }
    }

    fn keep(&mut self, feed: Arc<Feed>) {
        let key = feed.key();
        let certified = self.certificates.vouches_for(&key);
        if let Some(state) = self.feeds.get_mut(&key) {
            state.certified = certified;
            return;
        }
        let name = discovery_key(&key);
        self.names.insert(name, key);
        let state = FeedState {
            feed,
            name,
            certified,
            claimed: RangeSet::default(),
            urgent: RangeSet::default(),
            upgrading: None,
            over_quota: None,
        };
        self.feeds.insert(key, state);
    }

    fn entry_of(&self, feed: &FeedKey) -> Option<Entry> {
        let state = self.feeds.get(feed).filter(|state| state.certified)?;
        Entry::of(&state.feed, &self.set)
    }

    /// Looks at a feed's state again. True if it changed.
    fn refresh(&mut self, feed: &FeedKey, now: Instant) -> bool {
        let entry = self.entry_of(feed);
        let changed = self.table.update(*feed, entry);
        if changed {
            self.summary_changed(now);
        }
        changed
    }

    fn summary_changed(&mut self, now: Instant) {
        let wait = match self.table.missing() {
            0 => SETTLE,
            _ => SETTLE_BUSY,
        };
        let due = now + wait;
        self.summary_due = Some(self.summary_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// New certificates in the set: ours, told to everybody.
    fn certificates_changed(&mut self, now: Instant) {
        let accepted = self.load_certificates();
        if accepted.is_empty() {
            return;
        }
        self.tell_certificates(&accepted, None);
        self.certified(now);
    }

    /// Feeds may have become certified.
    fn certified(&mut self, now: Instant) {
        self.summary_changed(now);
        let waiting = self.feeds.iter().filter(|(_, state)| !state.certified);
        let waiting: Vec<_> = waiting.map(|(key, _)| *key).collect();
        for key in waiting {
            self.feed_appeared(&key, now);
        }
    }

    fn feed_appeared(&mut self, key: &FeedKey, now: Instant) {
        let Some(feed) = self.set.feed(key) else {
            return;
        };
        self.keep(feed);
        if self.refresh(key, now) {
            self.announce_to_all(key);
        }
    }

    fn feed_changed(
        &mut self,
        key: &FeedKey,
        blocks: std::ops::Range<u64>,
        length: u64,
        now: Instant,
    ) {
        if !self.feeds.contains_key(key) {
            self.feed_appeared(key, now);
            return;
        }
        self.refresh(key, now);
        self.announce_change(key, blocks, length);
        for peer in self.peers.values_mut() {
            let behind = peer
                .feeds
                .get(key)
                .is_none_or(|known| known.length <= length);
            if behind {
                peer.ahead.remove(key);
            }
        }
        if self.table.missing() > 0 {
            self.fill_all(now);
        }
    }

    /// Blocks that upper floors have skipped meanwhile are no longer missing; nobody tells us.
    fn look_at_incomplete(&mut self, now: Instant) {
        let incomplete: Vec<_> = self.table.incomplete().copied().collect();
        for feed in incomplete {
            self.refresh(&feed, now);
        }
    }

    /// When to look at peers again; never while all are equal and nothing is outstanding.
    fn next_look(&self, now: Instant) -> Option<Instant> {
        let of_peer = |peer: &Peer| {
            let waiting =
                !peer.requests.is_empty() || peer.feeds.values().any(|f| f.ask_at.is_some());
            let soon = waiting.then_some(now + TICK);
            let differs = peer.reconcile_at.filter(|_| !peer.is_synced());
            soon.into_iter()
                .chain(peer.receipt_due)
                .chain(differs)
                .min()
        };
        let of_peers = self.peers.values().filter_map(of_peer).min();
        let incomplete = self.table.missing() > 0 && !self.peers.is_empty();
        let of_feeds = incomplete.then_some(now + SETTLE_BUSY);
        let of_store = self.paused_until.filter(|until| *until > now);
        [of_peers, of_feeds, of_store].into_iter().flatten().min()
    }

    fn wake(&mut self, now: Instant) {
        self.next_tick.get_or_insert(now + TICK);
    }
}
