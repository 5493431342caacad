//! Opening a home folder: who lives here, is this still the same place, then store, network, spaces.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use cobox_feed::store::{Options as StoreOptions, Store};
use cobox_keys::access::Address;
use cobox_keys::identity::{Identity, KeyPair};
use cobox_keys::invite::Grant;
use cobox_swarm::swarm::{Options as SwarmOptions, Swarm};
use cobox_swarm::transport::{BoxFuture, IrohOptions, IrohTransport, Transport, TransportError};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};

use super::inner::{Failed, Inner, Open, lock, read, write};
use super::{Shelf, follow};
use crate::error::SpaceError;
use crate::home::{Device, Home, Kept, Lives, Registry, ReplicaEntry, SpaceEntry};
use crate::replica::{Replica, Terms};
use crate::space::{Ground, NameBook};

/// Events kept for a slow listener.
const EVENTS: usize = 4096;

/// How to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShelfOptions {
    /// LAN beacon
    pub lan: bool,
    /// UDP port of the beacon, the same for all that shall hear each other; none = the usual one
    pub lan_port: Option<u16>,
    /// bind address of the transport; none = all interfaces, random port
    pub bind: Option<SocketAddr>,
    /// what other members see as this device's name; none = the person's name
    pub device_name: Option<String>,
    /// most bytes a space or replica may grow to; none = the disk's end
    pub quota: Option<u64>,
    /// who lives here, if the home is locked: as [`crate::shelf::HomeLock::open`] says
    pub identity: Option<Arc<Identity>>,
    /// the home may lie elsewhere than before: go on as a further device, with keys of its own
    pub moved: bool,
}

impl Default for ShelfOptions {
    fn default() -> Self {
        Self {
            lan: true,
            lan_port: None,
            bind: None,
            device_name: None,
            quota: None,
            identity: None,
            moved: false,
        }
    }
}

/// Makes a transport for a device key, bound where that is asked for: this home's own, and one for each rehearsal.
pub type TransportFactory = Arc<
    dyn Fn(
            KeyPair,
            Option<SocketAddr>,
        ) -> BoxFuture<'static, Result<Arc<dyn Transport>, TransportError>>
        + Send
        + Sync,
>;

impl Shelf {
    /// Opens (creating on first start) everything: identity, parent key, store, transport, swarm, all
    /// spaces and replicas. Call on a tokio runtime with several threads.
    ///
    /// # Errors
    ///
    /// `Store(Locked)` if another program has this home open, `DamagedHome`, `HomeTooNew`, `LockedHome` or `MovedHome`
    /// (nothing is changed then), `Home`, `Store` or `Transport`. A single space that cannot be opened is no error:
    /// see [`Shelf::failed`].
    pub async fn open(home: &Path, options: ShelfOptions) -> Result<Shelf, SpaceError> {
        Self::open_with(home, options, iroh()).await
    }

    /// [`Shelf::open`] over another transport.
    ///
    /// # Errors
    ///
    /// As [`Shelf::open`].
    pub async fn open_with(
        home: &Path,
        options: ShelfOptions,
        transport: TransportFactory,
    ) -> Result<Shelf, SpaceError> {
        let (dir, who) = (home.to_owned(), options.identity.clone());
        let moved = options.moved;
        let place = blocking(move || Place::open(&dir, who, moved)).await?;
        let pair = place.device.parent.device_key();
        let device_key = pair.public();
        let network = network(&place.home, &options);
        let swarm = Swarm::start(transport(pair, options.bind).await?, network).await;
        let inner = Arc::new(Inner {
            home: place.home,
            store: place.store,
            ground: Ground {
                identity: Mutex::new(place.identity),
                device: Mutex::new(Arc::new(place.device)),
                device_key,
                swarm,
                names: Arc::new(NameBook::default()),
            },
            runtime: Handle::current(),
            events: broadcast::channel(EVENTS).0,
            person: RwLock::new(place.person),
            registry: Mutex::new(place.registry),
            own: Mutex::new(place.kept.own()),
            kept: Mutex::new(place.kept),
            changing: Mutex::default(),
            open: RwLock::new(Open::default()),
            device_name: options.device_name,
            transport,
            twin: watch::Sender::new(None),
            following: Mutex::default(),
        });
        let opened = follow::shelf(&inner);
        lock(&inner.following).extend(opened);
        let shelf = Shelf(inner);
        let inner = Arc::clone(&shelf.0);
        blocking(move || {
            inner.open_all();
            Ok(())
        })
        .await?;
        Ok(shelf)
    }
}

/// QUIC.
pub(super) fn iroh() -> TransportFactory {
    Arc::new(|pair, bind| {
        Box::pin(async move {
            let bound = |bind: SocketAddr| IrohOptions::bound_to(bind.ip(), bind.port());
            let options = bind.map(bound).unwrap_or_default();
            let transport = IrohTransport::start(pair, options).await?;
            Ok(Arc::new(transport) as Arc<dyn Transport>)
        })
    })
}

/// How the network is to behave.
pub(super) fn network(home: &Home, options: &ShelfOptions) -> SwarmOptions {
    let mut network = SwarmOptions::default();
    network.cache = Some(home.peers());
    network.lan = options.lan;
    network.lan_port = options.lan_port.unwrap_or(network.lan_port);
    network.quota = options.quota;
    network.free = Some(home.store());
    network
}

/// A home folder before the network.
struct Place {
    home: Home,
    store: Store,
    identity: Arc<Identity>,
    device: Device,
    person: Option<String>,
    registry: Registry,
    kept: Kept,
}

impl Place {
    fn open(
        dir: &Path,
        who: Option<Arc<Identity>>,
        may_be_moved: bool,
    ) -> Result<Self, SpaceError> {
        let Entered {
            home,
            store,
            had_store,
        } = enter(dir, may_be_moved)?;
        Shelf::sweep_drills(dir);
        let identity = lives(&home, &store, who)?;
        let registry = listed(&home, &store, &identity)?;
        let is_same_place = had_store && !store.moved() && has_own_feeds(&store, &registry);
        let device = match home.device_of(&identity)? {
            Some(device) if is_same_place => device,
            before => begin_device(&home, &identity, before.as_ref())?,
        };
        if store.moved() {
            store.accept_marker()?; // after the new keys: a crash in between only takes newer ones
        }
        let (person, kept) = (home.name(&identity)?, home.kept()?);
        Ok(Self {
            home,
            store,
            identity,
            device,
            person,
            registry,
            kept,
        })
    }
}

/// A folder that nobody else has open.
pub(super) struct Entered {
    pub home: Home,
    pub store: Store,
    /// It was there before.
    pub had_store: bool,
}

/// The folder and its store, for us alone. One that lies elsewhere than before is only entered if that is known.
pub(super) fn enter(dir: &Path, may_be_moved: bool) -> Result<Entered, SpaceError> {
    let home = Home::create(dir)?;
    let had_store = home.store().exists();
    // Takes the lock: until here nothing was written, and from here on nobody else writes.
    let store = Store::open(&home.store(), StoreOptions::default())?;
    if store.moved() && !may_be_moved {
        return Err(SpaceError::MovedHome(dir.to_owned()));
    }
    home.sweep()?;
    Ok(Entered {
        home,
        store,
        had_store,
    })
}

/// The person; a new one only in a home where nobody ever was.
fn lives(
    home: &Home,
    store: &Store,
    who: Option<Arc<Identity>>,
) -> Result<Arc<Identity>, SpaceError> {
    match (home.identity()?, who) {
        (Lives::Open(identity), _) => Ok(Arc::new(identity)),
        (Lives::Locked, Some(identity)) => Ok(identity),
        (Lives::Locked, None) => Err(SpaceError::LockedHome),
        (Lives::Nobody, _) if home.has_registry() || !store.addresses().is_empty() => {
            Err(home.no_identity())
        }
        (Lives::Nobody, _) => {
            let identity = Identity::generate();
            home.save_identity(&identity)?;
            Ok(Arc::new(identity))
        }
    }
}

/// The list of spaces; an empty one only if there are no feeds either.
fn listed(home: &Home, store: &Store, identity: &Identity) -> Result<Registry, SpaceError> {
    if let Some(registry) = home.registry(identity)? {
        return Ok(registry);
    }
    if !store.addresses().is_empty() {
        return Err(home.no_registry());
    }
    let registry = Registry::default();
    home.save_registry(identity, &registry)?;
    Ok(registry)
}

/// Whether the store still has every space that we wrote to. If one is gone its feeds would begin
/// again under the same keys, and fork.
fn has_own_feeds(store: &Store, registry: &Registry) -> bool {
    let held = store.addresses();
    let mut written = registry
        .spaces
        .iter()
        .filter(|(_, entry)| matches!(entry.grant, Grant::Write(_)) && !entry.leaving)
        .filter(|(_, entry)| !entry.certificates.is_empty()); // else it waits to be reached
    written.all(|(address, _)| held.contains(&address.0))
}

/// New keys for a new place: what was written under the old ones stays readable as the same person's,
/// and nothing that is written from now on can contradict what the original goes on writing.
pub(super) fn begin_device(
    home: &Home,
    identity: &Identity,
    before: Option<&Device>,
) -> Result<Device, SpaceError> {
    let device = Device::generate(before);
    home.save_device(identity, &device)?;
    Ok(device)
}

impl Inner {
    /// Finishes removals that a crash interrupted, then opens the rest. What cannot be done with one
    /// space is no reason to keep the others closed.
    fn open_all(self: &Arc<Self>) {
        let registry = lock(&self.registry).clone();
        for (address, entry) in &registry.spaces {
            if entry.leaving {
                let unlist = |registry: &mut Registry| drop(registry.spaces.remove(address));
                let finished = self.finish_leaving(address, unlist);
                self.note_failure(*address, Some(&entry.name), false, finished);
            } else {
                self.reopen_space(*address, entry);
            }
        }
        for (address, entry) in registry.replicas {
            if entry.leaving {
                let unlist = |registry: &mut Registry| drop(registry.replicas.remove(&address));
                let finished = self.finish_leaving(&address, unlist);
                self.note_failure(address, entry.name.as_deref(), true, finished);
            } else {
                let name = entry.name.clone();
                let opened = self.reopen_replica(address, entry);
                self.note_failure(address, name.as_deref(), true, opened);
            }
        }
    }

    fn finish_leaving(
        &self,
        address: &Address,
        unlist: impl FnOnce(&mut Registry),
    ) -> Result<(), SpaceError> {
        self.erase(address).and_then(|()| self.record(unlist))
    }

    fn reopen_space(self: &Arc<Self>, address: Address, entry: &SpaceEntry) {
        self.ground.names.learn(address, &entry.name);
        let opened = self.open_space(address, entry).and_then(|space| {
            space.refresh_name()?;
            Ok(space)
        });
        match opened {
            Ok(space) => {
                let space = self.take_part(space, &entry.hints);
                if entry.forked {
                    space.refuse(follow::FORKED);
                }
                // Heard before a crash, and not written down.
                if let Err(error) = self.learn_own_name(&space) {
                    space.refuse(&error.to_string());
                }
                // A name changed while a space could not be told, or a new life of this device.
                let person = read(&self.person).clone();
                let told = person.map(|name| space.tell_name(&name)).transpose();
                if let Err(error) = told.and_then(|_| self.tell_earlier(&space)) {
                    space.refuse(&error.to_string());
                }
            }
            Err(error) => {
                self.ground.names.remove(&address);
                self.note_failure(address, Some(&entry.name), false, Err(error));
            }
        }
    }

    fn reopen_replica(&self, address: Address, entry: ReplicaEntry) -> Result<(), SpaceError> {
        let set = self.store.set(address.0)?;
        let _runtime = self.runtime.enter();
        let terms = Terms {
            name: entry.name,
            quota: entry.quota,
        };
        let replica = Arc::new(Replica::start(address, terms, set, &self.ground.swarm));
        write(&self.open).replicas.insert(address, replica);
        self.introduce(address, &entry.hints);
        Ok(())
    }

    fn note_failure(
        &self,
        address: Address,
        name: Option<&str>,
        is_replica: bool,
        outcome: Result<(), SpaceError>,
    ) {
        let Err(error) = outcome else {
            return;
        };
        tracing::warn!(%address, %error, "cannot be opened");
        let failed = Failed {
            name: name.map(str::to_owned),
            is_replica,
            reason: error.to_string(),
        };
        write(&self.open).failed.insert(address, failed);
    }
}

/// Disk work, off the threads that serve the network.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpaceError> + Send + 'static,
) -> Result<T, SpaceError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(SpaceError::Stopping))
}
