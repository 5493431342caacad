//! `Swarm`: join an address, leave it, introduce peers, report who is there and how far everybody is.
//!
//! Its job: keep one connection to every device that shares a space with us, and remember peers. Not
//! its job: what is said on a connection (sessions), what spaces are.

mod connections;
mod dialler;
mod facts;
mod progress;
mod twin;

pub use crate::discovery::setup::{Nonce, PacketMaker, Seen, Setup};
pub use crate::protocol::{Held, Receipt, Role};
pub use crate::session::SwarmEvent;
pub use progress::SyncProgress;

use crate::discovery::beacon::PORT;
use crate::discovery::cache::Cache;
use crate::protocol::Limits;
use crate::session::{Context, Spaces};
use crate::transport::{Connection, Hint, Purpose, Transport, TransportError};
use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use connections::Inner;
use dialler::{Dialler, Source};
use facts::{Facts, lock};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bytes of received blocks that may wait to be stored, all spaces together.
const MEMORY: usize = 64 << 20;
/// Connections for claiming that may wait to be looked at; more are closed.
const CLAIMS: usize = 8;
/// Places that may wait to be looked at for somebody with our own key; more are dropped.
const ELSEWHERE: usize = 8;
/// How long a stop waits for tasks to end.
const STOP: Duration = Duration::from_secs(3);

/// How a swarm behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /** where known peers are remembered (a file) */
    pub cache: Option<PathBuf>,
    /** announce and listen on the LAN */
    pub lan: bool,
    /** UDP port of LAN beacons; all programs that should hear each other use the same */
    pub lan_port: u16,
    /** most bytes a set may grow to, checked against signed sizes before fetching */
    pub quota: Option<u64>,
    /** a path on the disk whose free space receipts tell */
    pub free: Option<PathBuf>,
    /** the one device to be connected with, whoever else is heard of; none = all that share a space */
    pub only: Option<PublicKey>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache: None,
            lan: false,
            lan_port: PORT,
            quota: None,
            free: None,
            only: None,
        }
    }
}

/// A peer as people see it.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /** device key */
    pub device: PublicKey,
    /** spaces we share in this connection, with its role there */
    pub spaces: Vec<(Address, Role)>,
    /** spaces it was met in before */
    pub known_in: Vec<Address>,
    /** connection path in words; empty when not connected */
    pub path: String,
    /** connected now */
    pub connected: bool,
    /** last time both sides were equal and complete, Unix ms, per space */
    pub last_sync: Vec<(Address, u64)>,
    /** bytes sent, received */
    pub traffic: (u64, u64),
}

/// Everything that talks to other devices. Cheap to clone.
#[derive(Clone)]
pub struct Swarm {
    inner: Arc<Inner>,
}

impl Swarm {
    /// Starts accepting, dialling and (if asked) the LAN beacon, on the current tokio runtime.
    pub async fn start(transport: Arc<dyn Transport>, options: Options) -> Swarm {
        let cache = options.cache.clone();
        let read = tokio::task::spawn_blocking(move || Cache::open(cache)).await;
        let dialler = Arc::new(Dialler::default());
        let device = transport.device();
        let (sender, elsewhere) = mpsc::channel(ELSEWHERE);
        let facts = Arc::new(Facts::new(
            device,
            read.unwrap_or_default(),
            dialler.clone(),
            sender,
        ));
        let limits = Limits {
            quota: options.quota,
        };
        let observer = facts.clone();
        let spaces = Spaces::new(transport.clone(), observer, limits, options.free.clone());
        let context = Context {
            transport,
            spaces: Arc::new(spaces),
            memory: Arc::new(Semaphore::new(MEMORY)),
            run: twin::new_run(),
        };
        let inner = Arc::new(Inner {
            context,
            facts,
            dialler,
            links: Mutex::default(),
            banned: Mutex::default(),
            only: options.only,
            changed: Notify::new(),
            setup: Mutex::default(),
            seen: Mutex::default(),
            claims: Mutex::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        inner.spawn(inner.clone().accept());
        inner.spawn(inner.clone().dial());
        inner.spawn(inner.clone().save());
        inner.spawn(inner.clone().look_for_twins(elsewhere));
        if options.lan {
            inner.spawn(inner.clone().beacon(options.lan_port));
        }
        Swarm { inner }
    }

    /// Takes part at an address. Certificates found in the set admit feeds; those that peers send are verified (keys::Chain),
    /// stored, and their feeds admitted.
    pub fn join(&self, address: Address, role: Role, set: Arc<FeedSet>) {
        self.join_within(address, role, set, None);
    }

    /// The same, within a quota of this address alone (bytes that signed heads may promise, all feeds together; checked before
    /// anything is fetched). The smaller one counts, if there is also one for all.
    pub fn join_within(&self, address: Address, role: Role, set: Arc<FeedSet>, quota: Option<u64>) {
        self.inner.context.spaces.join(address, role, set, quota);
        for hint in self.inner.facts.known_at(&address) {
            self.introduce(address, hint);
        }
        self.inner.dialler.wake();
        self.inner.changed.notify_one();
    }

    /// Changes the quota of one address. What is held stays; what was left out is asked for again.
    pub fn limit(&self, address: &Address, quota: Option<u64>) {
        self.inner.context.spaces.limit(address, quota);
    }

    /// Ends it. Peers are told; what is known of them is kept.
    pub fn leave(&self, address: &Address) {
        self.inner.context.spaces.leave(address);
        self.inner.changed.notify_one();
    }

    /// Remembers a peer for an address and dials it now and again.
    pub fn introduce(&self, address: Address, hint: Hint) {
        if hint.device != self.inner.context.transport.device() {
            let now = Instant::now();
            self.inner
                .dialler
                .introduce(address, hint, Source::Known, now);
        }
    }

    /// Forgets what is remembered for an address.
    pub fn forget(&self, address: &Address) {
        self.inner.dialler.forget(address);
        self.inner.facts.forget(address);
    }

    /// Lets this device say on the local network that it can be claimed, from now on or (none) no more. To be called again when what
    /// `maker` says has changed.
    pub fn announce_setup(&self, maker: Option<PacketMaker>) {
        *lock(&self.inner.setup) = maker;
        self.inner.changed.notify_one();
    }

    /// Devices heard lately that can be claimed.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.inner.seen).list(Instant::now())
    }

    /// Incoming connections for claiming, from now on; until this is called they are closed.
    pub fn take_claims(&self) -> mpsc::Receiver<Box<dyn Connection>> {
        let (sender, claims) = mpsc::channel(CLAIMS);
        *lock(&self.inner.claims) = Some(sender);
        claims
    }

    /// Connects to a device in order to claim it.
    ///
    /// # Errors
    ///
    /// `Unreachable`.
    pub async fn dial_claim(&self, hint: &Hint) -> Result<Box<dyn Connection>, TransportError> {
        let transport = &self.inner.context.transport;
        transport.dial_for(Purpose::Claim, hint).await
    }

    /// Signs with the device key; peers know it as [`Swarm::hint`]'s device.
    pub fn sign_setup(&self, setup: &Setup) -> Vec<u8> {
        setup.encode(self.inner.context.transport.key_pair())
    }

    /// Bytes left on the disk where things are kept, if that is known.
    pub fn free(&self) -> Option<u64> {
        self.inner.context.spaces.free()
    }

    /// How others reach us.
    pub fn hint(&self) -> Hint {
        self.inner.context.transport.hint()
    }

    /// Peers now, and those known from before.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let facts = &self.inner.facts;
        let mut peers = BTreeMap::new();
        for (device, known_in) in facts.known() {
            peers.insert(device, PeerStatus::absent(device, known_in));
        }
        for (device, link) in lock(&self.inner.links).iter() {
            let spaces = link.shared();
            if spaces.is_empty() {
                continue; // a stranger that has proven nothing yet
            }
            let absent = || PeerStatus::absent(*device, Vec::new());
            let peer = peers.entry(*device).or_insert_with(absent);
            (peer.connected, peer.path) = (true, link.path());
            (peer.spaces, peer.traffic) = (spaces, link.traffic());
        }
        for peer in peers.values_mut() {
            peer.last_sync = facts.syncs(&peer.device);
        }
        peers.into_values().collect()
    }

    /// Hints of peers at an address that were reached lately (for invites), last seen first.
    pub fn hints(&self, address: &Address) -> Vec<Hint> {
        self.inner.facts.known_at(address)
    }

    /// When anybody was last connected at an address, Unix ms: now, if somebody is.
    pub fn last_contact(&self, address: &Address) -> Option<u64> {
        let facts = &self.inner.facts;
        match facts.is_company(address) {
            true => Some(crate::session::unix_ms()),
            false => facts.last_seen(address),
        }
    }

    /// Newest verified receipts for an address.
    pub fn receipts(&self, address: &Address) -> Vec<Receipt> {
        self.inner.facts.receipts(address)
    }

    /// How far.
    pub fn progress(&self, address: &Address) -> SyncProgress {
        match self.inner.context.spaces.state(address) {
            Some((set, claims)) => SyncProgress {
                over_quota: self.inner.context.spaces.is_over_quota(address),
                ..SyncProgress::of(&set, &claims)
            },
            None => SyncProgress::default(),
        }
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<SwarmEvent> {
        self.inner.facts.subscribe()
    }

    /// Says goodbye to peers and stops.
    pub async fn stop(&self) {
        let inner = &self.inner;
        inner.stopping.cancel();
        let links: Vec<_> = lock(&inner.links).values().cloned().collect();
        for link in links {
            link.close("goodbye");
        }
        inner.context.spaces.leave_all();
        inner.tasks.close();
        let ended = tokio::time::timeout(STOP, async {
            inner.tasks.wait().await;
            inner.context.spaces.ended().await;
        });
        if ended.await.is_err() {
            tracing::debug!("some connections did not end in time");
        }
        inner.context.transport.close().await;
        let facts = inner.facts.clone();
        tokio::task::spawn_blocking(move || facts.save()).await.ok(); // else the runtime is gone too
    }
}

impl PeerStatus {
    fn absent(device: PublicKey, known_in: Vec<Address>) -> Self {
        Self {
            device,
            spaces: Vec::new(),
            known_in,
            path: String::new(),
            connected: false,
            last_sync: Vec::new(),
            traffic: (0, 0),
        }
    }
}
