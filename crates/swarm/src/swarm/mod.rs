//! `Swarm`: join an address, leave it, introduce peers, report who is there and how far everybody is.
//!
//! Its job: keep one connection to every device that shares a space with us, and remember peers. Not
//! its job: what is said on a connection (sessions), what spaces are.

mod dialler;
mod facts;
mod progress;

pub use crate::protocol::{Receipt, Role};
pub use crate::session::SwarmEvent;
pub use progress::SyncProgress;

use crate::discovery::beacon::{Announced, Beacon, PORT, Sighting};
use crate::discovery::cache::Cache;
use crate::discovery::packet::Announcement;
use crate::protocol::Limits;
use crate::session::{self, Context, Link, Spaces};
use crate::transport::{Connection, Hint, Transport};
use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use dialler::{Dialler, Source};
use facts::{Facts, lock};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at a time.
const MAX_CONNECTIONS: usize = 1024;
/// Dials at a time.
const MAX_DIALS: usize = 16;
/// Bytes of received blocks that may wait to be stored, all spaces together.
const MEMORY: usize = 64 << 20;
/// Two connections to one device within this time are a simultaneous dial; later, the newer one is the living one.
const SIMULTANEOUS: Duration = Duration::from_secs(5);
/// How often known peers are written down, if they changed.
const SAVE: Duration = Duration::from_secs(5);
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache: None,
            lan: false,
            lan_port: PORT,
            quota: None,
            free: None,
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

struct Inner {
    context: Context,
    facts: Arc<Facts>,
    dialler: Arc<Dialler>,
    links: Mutex<HashMap<PublicKey, Arc<Link>>>,
    announced: Option<watch::Sender<Announced>>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Swarm {
    /// Starts accepting, dialling and (if asked) the LAN beacon, on the current tokio runtime.
    pub async fn start(transport: Arc<dyn Transport>, options: Options) -> Swarm {
        let cache = options.cache.clone();
        let read = tokio::task::spawn_blocking(move || Cache::open(cache)).await;
        let dialler = Arc::new(Dialler::default());
        let device = transport.device();
        let facts = Arc::new(Facts::new(
            device,
            read.unwrap_or_default(),
            dialler.clone(),
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
        };
        let (announced, beacon) = start_beacon(&context, &options);
        let inner = Arc::new(Inner {
            context,
            facts,
            dialler,
            links: Mutex::default(),
            announced,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        inner.spawn(inner.clone().accept());
        inner.spawn(inner.clone().dial());
        inner.spawn(inner.clone().save());
        if let Some((beacon, sightings)) = beacon {
            inner.spawn(inner.clone().listen(beacon, sightings));
        }
        Swarm { inner }
    }

    /// Takes part at an address. Certificates found in the set admit feeds; those that peers send are verified (keys::Chain),
    /// stored, and their feeds admitted. Must be called on a tokio runtime.
    pub fn join(&self, address: Address, role: Role, set: Arc<FeedSet>) {
        self.inner.context.spaces.join(address, role, set);
        for hint in self.inner.facts.known_at(&address) {
            self.introduce(address, hint);
        }
        self.inner.dialler.wake();
        self.inner.announce();
    }

    /// Ends it. Peers are told; what is known of them is kept.
    pub fn leave(&self, address: &Address) {
        self.inner.context.spaces.leave(address);
        self.inner.announce();
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

    /// Newest verified receipts for an address.
    pub fn receipts(&self, address: &Address) -> Vec<Receipt> {
        self.inner.facts.receipts(address)
    }

    /// How far.
    pub fn progress(&self, address: &Address) -> SyncProgress {
        match self.inner.context.spaces.state(address) {
            Some((set, claims)) => SyncProgress::of(&set, &claims),
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

type Beaconing = (Beacon, mpsc::Receiver<Sighting>);

/// Without a network stack for beacons, everything else still works.
fn start_beacon(
    context: &Context,
    options: &Options,
) -> (Option<watch::Sender<Announced>>, Option<Beaconing>) {
    if !options.lan {
        return (None, None);
    }
    let (announced, changes) = watch::channel(announcement(context));
    match Beacon::start(options.lan_port, changes) {
        Ok(beacon) => (Some(announced), Some(beacon)),
        Err(error) => {
            tracing::warn!(%error, "no beacon on the local network");
            (None, None)
        }
    }
}

fn announcement(context: &Context) -> Announced {
    let hint = context.transport.hint();
    let ipv4 = hint.addresses.iter().find(|address| address.is_ipv4());
    let port = ipv4.map_or(0, |address| address.port());
    Announced {
        me: Announcement {
            device: hint.device,
            port,
        },
        spaces: context.spaces.secrets(),
    }
}

impl Inner {
    fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = task => {}
            }
        });
    }

    fn announce(&self) {
        if let Some(announced) = &self.announced {
            announced.send_replace(announcement(&self.context));
        }
    }

    async fn listen(self: Arc<Self>, beacon: Beacon, mut sightings: mpsc::Receiver<Sighting>) {
        while let Some(Sighting { address, hint }) = sightings.recv().await {
            let now = Instant::now();
            self.dialler.introduce(address, hint, Source::Beacon, now);
        }
        drop(beacon);
    }

    async fn accept(self: Arc<Self>) {
        while let Some(connection) = self.context.transport.accept().await {
            self.adopt(connection);
        }
    }

    async fn dial(self: Arc<Self>) {
        let permits = Arc::new(Semaphore::new(MAX_DIALS));
        loop {
            let spaces = &self.context.spaces;
            let joined = |address: &Address| spaces.contains(address);
            for hint in self.dialler.take_due(Instant::now(), joined) {
                self.spawn(self.clone().dial_one(hint, permits.clone()));
            }
            let pause = async {
                match self.dialler.next_due(joined) {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.dialler.changed() => {}
                () = pause => {}
            }
        }
    }

    async fn dial_one(self: Arc<Self>, hint: Hint, permits: Arc<Semaphore>) {
        let Ok(_permit) = permits.acquire().await else {
            return;
        };
        match self.context.transport.dial(&hint).await {
            Ok(connection) => self.adopt(connection),
            Err(cause) => {
                tracing::debug!(device = %hint.device, %cause, "not reached");
                let connected = lock(&self.links).contains_key(&hint.device);
                if !connected {
                    self.dialler.ended(&hint.device, false, Instant::now());
                }
            }
        }
    }

    /// Runs a new connection, unless there is a better one to the same device.
    fn adopt(self: &Arc<Self>, connection: Box<dyn Connection>) {
        let link = Arc::new(Link::new(connection.into()));
        let device = link.device();
        let mut links = lock(&self.links);
        if device == self.context.transport.device() {
            return link.close("that is myself");
        }
        if let Some(before) = links.get(&device) {
            if self.is_better(before, &link) {
                return link.close("already connected");
            }
            before.close("replaced by a newer connection");
        } else if links.len() >= MAX_CONNECTIONS {
            return link.close("too many connections");
        }
        links.insert(device, link.clone());
        drop(links);
        self.dialler.connected(&device);
        self.spawn(self.clone().run(link));
    }

    /// Of two simultaneous dials, both sides keep the one dialled by the lower key.
    fn is_better(&self, before: &Link, after: &Link) -> bool {
        if before.since().elapsed() > SIMULTANEOUS || before.dialled() == after.dialled() {
            return false;
        }
        let we_are_lower = self.context.transport.device() < before.device();
        before.dialled() == we_are_lower
    }

    async fn run(self: Arc<Self>, link: Arc<Link>) {
        let began = Instant::now();
        let ended = session::run(link.clone(), self.context.clone()).await;
        let device = link.device();
        let current = {
            let mut links = lock(&self.links);
            let current = links
                .get(&device)
                .is_some_and(|now| Arc::ptr_eq(now, &link));
            if current {
                links.remove(&device);
            }
            current
        };
        if current {
            // Shared something, and not dropped for misbehaving: sought again at once.
            let useful = ended.shared && began.elapsed() > Duration::from_secs(1);
            self.dialler.ended(&device, useful, Instant::now());
        }
    }

    async fn save(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SAVE).await;
            let facts = self.facts.clone();
            tokio::task::spawn_blocking(move || facts.save()).await.ok(); // else the runtime is gone
        }
    }
}
