//! Replication of one space with its peers as a state machine: no sockets, no tasks; the time is told.
//!
//! In go connections, messages, facts from the feed set and the passing of time; out come
//! [`Action`]s. Reading and checking blocks is work for other threads: it leaves as
//! [`Action::Serve`] or a [`Job`] and comes back as a [`Report`]. Not its job: who may connect (the
//! session has proven that), moving bytes, storing them.

pub mod certificates;
pub mod receipt;
pub mod summary;

mod action;
mod announce;
mod feeds;
mod fetch;
mod job;
mod peer;
mod receive;
mod reconcile;
mod serve;
mod store;

pub use action::{Action, Fact, Limits, PeerId, Role, Serve};
pub use job::{Job, Report, Weight};
pub use receipt::{Held, Receipt};

use crate::transport::Hint;
use crate::wire::frame;
use action::Actions;
use bytes::Bytes;
use certificates::Certificates;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::{Event, FeedSet};
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use feeds::FeedState;
use job::Arrived;
use peer::Peer;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use summary::Table;

/// A changed summary waits so long for company, when nothing is missing.
const SETTLE: Duration = Duration::from_millis(5);
/// The same while blocks are still coming in.
const SETTLE_BUSY: Duration = Duration::from_secs(1);
/// How often time-outs are looked at while there is anything to wait for.
const TICK: Duration = Duration::from_millis(250);
/// After a failed write (a full disk) nothing is asked for so long.
const PAUSE: Duration = Duration::from_secs(10);

/// One space and all peers it is being exchanged with.
pub struct Replication {
    address: Address,
    set: Arc<FeedSet>,
    limits: Limits,
    /// Bytes that signed heads promise, of each feed, as counted against the quota.
    promised: Arc<Mutex<HashMap<FeedKey, u64>>>,
    certificates: Certificates,
    table: Table,
    feeds: HashMap<FeedKey, FeedState>,
    names: HashMap<[u8; 32], FeedKey>,
    peers: BTreeMap<PeerId, Peer>,
    arrived: VecDeque<Arrived>,
    arrived_bytes: usize,
    /// When the oldest of it came.
    arrived_since: Option<Instant>,
    /// Somebody waits for some of it.
    arrived_awaited: bool,
    /// Certificates to be stored with the next job.
    unstored: Vec<Bytes>,
    actions: Actions,
    summary_due: Option<Instant>,
    next_tick: Option<Instant>,
    paused_until: Option<Instant>,
    store_failed: bool,
    /// Somebody waits for blocks.
    wanted: bool,
    /// There may be something new to ask for.
    hungry: bool,
}

impl Replication {
    /// Begins with what the set holds.
    pub fn new(address: Address, set: Arc<FeedSet>, limits: Limits) -> Self {
        let mut replication = Self {
            address,
            set,
            limits,
            promised: Arc::default(),
            certificates: Certificates::new(address),
            table: Table::default(),
            feeds: HashMap::new(),
            names: HashMap::new(),
            peers: BTreeMap::new(),
            arrived: VecDeque::new(),
            arrived_bytes: 0,
            arrived_since: None,
            arrived_awaited: false,
            unstored: Vec::new(),
            actions: Actions::default(),
            summary_due: None,
            next_tick: None,
            paused_until: None,
            store_failed: false,
            wanted: false,
            hungry: false,
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
    pub fn disconnect(&mut self, id: PeerId) {
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        for outstanding in peer.requests.into_values() {
            self.release(id, &outstanding.asked);
        }
        self.hungry = true;
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
                self.hungry = true;
            }
            Event::Wanted => {
                self.wanted = true;
                self.hungry = true;
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
        self.hungry = true;
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
            self.hungry = true;
            let next = self.next_look(now);
            self.next_tick = self.next_tick.into_iter().chain(next).min();
        }
    }

    /// Other bounds from now on. What was left out before is asked for again.
    pub fn limit(&mut self, limits: Limits, now: Instant) {
        self.limits = limits;
        for state in self.feeds.values_mut() {
            state.over_quota = None;
        }
        self.hungry = true;
        self.wake(now);
    }

    /// Was something left out because of the quota?
    pub fn is_over_quota(&self) -> bool {
        self.feeds.values().any(|state| state.over_quota.is_some())
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
