//! One connection to every device that shares a space with us: accepted or dialled, kept, dialled again.

use super::dialler::{Dial, Dialler, Source};
use super::facts::{Facts, lock};
use crate::discovery::beacon::{Announced, Beacon, Heard, Sighting};
use crate::discovery::packet::Announcement;
use crate::discovery::setup::{PacketMaker, SeenDevices};
use crate::session::{self, Context, Link, Observer, SwarmEvent};
use crate::transport::{Connection, Purpose};
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at a time.
const MAX_CONNECTIONS: usize = 1024;
/// Dials at a time.
const MAX_DIALS: usize = 16;
/// Two connections to one device within this time are a simultaneous dial; later, the newer one is the living one.
const SIMULTANEOUS: Duration = Duration::from_secs(5);
/// How often known peers are written down, if they changed.
const SAVE: Duration = Duration::from_secs(5);
/// Spaces that are joined within this time are announced together.
const ANNOUNCE: Duration = Duration::from_millis(50);
/// How often it is looked whether anybody is missed.
const LOOK_ROUND: Duration = Duration::from_secs(2);
/// A device that was expelled is not spoken to for so long.
const BANNED: Duration = Duration::from_secs(60);
/// Devices banned at a time.
const MAX_BANNED: usize = 4096;

/// Everything that a swarm's tasks share.
pub(super) struct Inner {
    pub context: Context,
    pub facts: Arc<Facts>,
    pub dialler: Arc<Dialler>,
    pub links: Mutex<HashMap<PublicKey, Arc<Link>>>,
    pub banned: Mutex<HashMap<PublicKey, Instant>>,
    pub only: Option<PublicKey>,
    /// The spaces have changed, or what is announced.
    pub changed: Notify,
    /// What this device says of itself while it can be claimed.
    pub setup: Mutex<Option<PacketMaker>>,
    /// Devices that others can claim.
    pub seen: Mutex<SeenDevices>,
    /// Who takes connections that are for claiming; they are closed if nobody does.
    pub claims: Mutex<Option<mpsc::Sender<Box<dyn Connection>>>>,
    pub stopping: CancellationToken,
    pub tasks: TaskTracker,
}

impl Inner {
    /// Runs a task until the swarm stops.
    pub fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Announces our spaces on the local network, and dials whoever announces one of them.
    pub async fn beacon(self: Arc<Self>, port: u16) {
        let (announced, changes) = watch::channel(self.announcement());
        let (beacon, sightings) = match Beacon::start(port, changes) {
            Ok(started) => started,
            // Without a network stack for beacons, everything else still works.
            Err(error) => return tracing::warn!(%error, "no beacon on the local network"),
        };
        tokio::join!(self.announce(announced), self.listen(sightings));
        drop(beacon);
    }

    fn announcement(&self) -> Announced {
        let hint = self.context.transport.hint();
        let ipv4 = hint.addresses.iter().find(|address| address.is_ipv4());
        let port = ipv4.map_or(0, |address| address.port());
        Announced {
            me: Announcement {
                device: hint.device,
                port,
            },
            spaces: self.context.spaces.secrets(),
            calm: Arc::new(AtomicBool::new(self.is_calm())),
            setup: lock(&self.setup).clone(),
        }
    }

    /// Is somebody connected in every space?
    fn is_calm(&self) -> bool {
        let links: Vec<_> = lock(&self.links).values().cloned().collect();
        let shared = links.iter().flat_map(|link| link.shared());
        let shared: HashSet<Address> = shared.map(|(address, _)| address).collect();
        self.context
            .spaces
            .are_all(|address| shared.contains(address))
    }

    async fn announce(&self, announced: watch::Sender<Announced>) {
        loop {
            let changed = tokio::time::timeout(LOOK_ROUND, self.changed.notified()).await;
            match changed {
                Ok(()) => {
                    tokio::time::sleep(ANNOUNCE).await;
                    announced.send_replace(self.announcement());
                }
                Err(_) => announced
                    .borrow()
                    .calm
                    .store(self.is_calm(), Ordering::Relaxed),
            }
        }
    }

    async fn listen(&self, mut heard: mpsc::Receiver<Heard>) {
        loop {
            let silent = lock(&self.seen).next_silent();
            let somebody_fell_silent = async {
                match silent {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let heard = tokio::select! {
                heard = heard.recv() => match heard {
                    Some(heard) => Some(heard),
                    None => return,
                },
                () = somebody_fell_silent => None,
            };
            self.note(heard, Instant::now());
        }
    }

    /// Takes in what was heard on the local network, and tells who came or is not there any more.
    fn note(&self, heard: Option<Heard>, now: Instant) {
        let gone = lock(&self.seen).forget(now);
        for device in gone {
            self.facts.tell(SwarmEvent::DeviceGone { device });
        }
        match heard {
            Some(Heard::Peer(Sighting { address, hint })) => {
                self.dialler.introduce(address, hint, Source::Beacon, now);
            }
            Some(Heard::Device(setup, from)) => {
                let device = setup.device;
                if lock(&self.seen).heard(setup, from, now) {
                    self.facts.tell(SwarmEvent::DeviceSeen { device });
                }
            }
            Some(Heard::Myself(at)) => self.facts.elsewhere(vec![at]),
            None => {}
        }
    }

    /// Takes connections.
    pub async fn accept(self: Arc<Self>) {
        while let Some(connection) = self.context.transport.accept().await {
            match connection.purpose() {
                Purpose::Sync => self.adopt(connection),
                Purpose::Claim => self.hand_over(connection),
            }
        }
    }

    /// A connection for claiming is somebody else's work; it is closed if nobody has time for it.
    fn hand_over(&self, connection: Box<dyn Connection>) {
        let refused = match &*lock(&self.claims) {
            None => connection,
            Some(claims) => match claims.try_send(connection) {
                Ok(()) => return,
                Err(refused) => refused.into_inner(),
            },
        };
        refused.close("nobody takes claims here now");
    }

    /// Dials who is due.
    pub async fn dial(self: Arc<Self>) {
        let permits = Arc::new(Semaphore::new(MAX_DIALS));
        loop {
            let spaces = &self.context.spaces;
            let joined = |address: &Address| spaces.contains(address);
            let connected = |device: &PublicKey| lock(&self.links).contains_key(device);
            for dial in self.dialler.take_due(Instant::now(), joined, connected) {
                self.spawn(self.clone().dial_one(dial, permits.clone()));
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

    async fn dial_one(self: Arc<Self>, dial: Dial, permits: Arc<Semaphore>) {
        let Dial { hint, needless } = dial;
        let dialled = async {
            let _permit = permits.acquire().await.ok()?;
            Some(self.context.transport.dial(&hint).await)
        };
        let dialled = tokio::select! {
            biased;
            dialled = dialled => dialled,
            () = needless.cancelled() => return,
        };
        match dialled {
            Some(Ok(connection)) => self.adopt(connection),
            Some(Err(cause)) => {
                tracing::debug!(device = %hint.device, %cause, "not reached");
                let connected = lock(&self.links).contains_key(&hint.device);
                if !connected {
                    self.dialler.ended(&hint.device, false, Instant::now());
                }
            }
            None => {} // stopping
        }
    }

    /// Runs a new connection, unless there is a better one to the same device.
    fn adopt(self: &Arc<Self>, connection: Box<dyn Connection>) {
        let link = Arc::new(Link::new(connection.into()));
        let device = link.device();
        if device == self.context.transport.device() {
            return link.close("that is myself");
        }
        let mut links = lock(&self.links);
        let before = links.get(&device);
        let expelled = before.is_some_and(|before| before.was_expelled());
        let refusal = match before {
            _ if self.only.is_some_and(|only| only != device) => {
                Some("connected with one device only")
            }
            _ if expelled || self.is_banned(&device) => Some("expelled a moment ago"),
            Some(before) if self.is_better(before, &link) => {
                return link.close("already connected");
            }
            None if links.len() >= MAX_CONNECTIONS => Some("too many connections"),
            _ => None,
        };
        if let Some(reason) = refusal {
            drop(links);
            self.dialler.ended(&device, false, Instant::now());
            return link.close(reason);
        }
        if let Some(before) = before {
            link.replaces(before);
            before.close("replaced by a newer connection");
        }
        links.insert(device, link.clone());
        drop(links);
        let ours_counts = self.context.transport.device() < device;
        self.dialler.connected(&device, ours_counts, Instant::now());
        self.spawn(self.clone().run(link));
    }

    fn is_banned(&self, device: &PublicKey) -> bool {
        let banned = lock(&self.banned);
        banned
            .get(device)
            .is_some_and(|until| *until > Instant::now())
    }

    fn ban(&self, device: PublicKey) {
        let now = Instant::now();
        let mut banned = lock(&self.banned);
        banned.retain(|_, until| *until > now);
        if banned.len() < MAX_BANNED {
            banned.insert(device, now + BANNED);
        }
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
        if link.was_expelled() {
            self.ban(device);
        }
        if current {
            // Shared something, and did not misbehave: sought again at once.
            let lasted = began.elapsed() > Duration::from_secs(1);
            let useful = ended.shared && lasted && !link.was_expelled();
            self.dialler.ended(&device, useful, Instant::now());
        }
    }

    /// Writes known peers down now and then.
    pub async fn save(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SAVE).await;
            let facts = self.facts.clone();
            tokio::task::spawn_blocking(move || facts.save()).await.ok(); // else the runtime is gone
        }
    }
}
