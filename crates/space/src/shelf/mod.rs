//! `Shelf`: the home folder: identity, device, store, swarm; opens each space and replica once and
//! finds it by name or address.
//!
//! Here: the verbs. `start` opens a home, `follow` turns what happens below into events. Not its
//! job: what is in a space.

mod follow;
mod start;

pub use crate::error::SpaceError;
pub use start::{ShelfOptions, TransportFactory};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use cobox_feed::manifest::FeedKey;
use cobox_feed::store::Store;
use cobox_keys::access::{Address, EncryptionKey, SpaceRoot};
use cobox_keys::certificate::{admin_certificate, epoch_certificate};
use cobox_keys::identity::{Identity, PublicKey};
use cobox_keys::invite::{Grant, Invite};
use cobox_swarm::swarm::{Role, Swarm};
use cobox_swarm::transport::Hint;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use zeroize::Zeroizing;

use crate::home::{Home, MAX_HINTS, Registry, ReplicaEntry, SpaceEntry};
use crate::log::Content;
use crate::log::types::{SpaceAbout, SpaceRootSeed};
use crate::replica::Replica;
use crate::space::{Ground, Space, clean_name};
use follow::Following;

/// Something a person may want to know, told after it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShelfEvent {
    /// files changed
    Changed {
        /// space
        address: Address,
        /// path, with slashes; empty: anything may have changed
        path: String,
    },
    /// conflicts appeared or went
    Conflicts {
        /// space
        address: Address,
    },
    /// somebody's name or a new member
    Member {
        /// space
        address: Address,
        /// who
        public_key: PublicKey,
        /// name
        name: String,
    },
    /// a message of any type came or was sent
    Message {
        /// space
        address: Address,
        /// its type
        kind: String,
    },
    /// the space's name
    Renamed {
        /// space
        address: Address,
        /// name
        name: String,
    },
    /// peer here
    Connected {
        /// space
        address: Address,
        /// device
        device: PublicKey,
    },
    /// peer gone
    Disconnected {
        /// space
        address: Address,
        /// device
        device: PublicKey,
    },
    /// equal and complete with a peer
    Synced {
        /// space
        address: Address,
        /// device
        device: PublicKey,
        /// Unix ms
        time_ms: u64,
    },
    /// refused input
    Refused {
        /// space
        address: Address,
        /// why
        reason: String,
    },
}

/// One home folder, open. Cheap to clone. Methods that are not `async` block: call them from a thread
/// that may.
#[derive(Clone)]
pub struct Shelf(Arc<Inner>);

struct Inner {
    home: Home,
    store: Store,
    ground: Ground,
    runtime: Handle,
    events: broadcast::Sender<ShelfEvent>,
    person: RwLock<Option<String>>,
    /// As durable on disk.
    registry: Mutex<Registry>,
    /// One creation, joining or removal at a time.
    changing: Mutex<()>,
    open: RwLock<Open>,
    device_name: Option<String>,
    /// Ends with the shelf.
    following: Mutex<Vec<Following>>,
}

/// What is open now.
#[derive(Default)]
struct Open {
    spaces: BTreeMap<Address, (Arc<Space>, Following)>,
    replicas: BTreeMap<Address, Arc<Replica>>,
    /// What could not be opened, with the reason.
    failed: BTreeMap<Address, String>,
}

/// Whether the device began anew for what was just heard.
enum Begun {
    Now,
    Before,
}

impl Shelf {
    /// Our public key.
    pub fn public_key(&self) -> PublicKey {
        self.identity().public_key()
    }

    /// The person who lives here: what is printed on paper.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.0.ground.identity
    }

    /// Our device key in this life of the store.
    pub fn device(&self) -> PublicKey {
        self.0.ground.device_key
    }

    /// Our name, once given.
    pub fn name(&self) -> Option<String> {
        read(&self.0.person).clone()
    }

    /// Gives or changes our name; told in every space that we may write to.
    ///
    /// # Errors
    ///
    /// `BadName`, `Home`, or the store's; the name is kept even if some space could not be told, which
    /// is made good at the next start.
    pub fn set_name(&self, name: &str) -> Result<(), SpaceError> {
        let name = clean_name(name)?;
        self.0.home.save_name(&name)?;
        *write(&self.0.person) = Some(name.clone());
        for space in self.spaces() {
            space.tell_name(&name)?;
        }
        Ok(())
    }

    /// How peers reach us.
    pub fn hint(&self) -> Hint {
        self.swarm().hint()
    }

    /// Creates a space; we are its creator, admin and first member.
    ///
    /// # Errors
    ///
    /// `NoName`, `BadName`, `NameTaken`, or the store's; nothing is left behind then.
    pub fn create(&self, name: &str) -> Result<Arc<Space>, SpaceError> {
        let person = self.person()?;
        let name = clean_name(name)?;
        let root = SpaceRoot::generate();
        let address = root.address();
        let key = EncryptionKey::generate();
        let admin = self.identity().key_pair();
        let writer = key.writer_pair().public();
        let entry = SpaceEntry {
            name: name.clone(),
            grant: Grant::Write(key),
            certificates: vec![
                admin_certificate(root.key_pair(), &address, &admin.public()),
                epoch_certificate(admin, &address, 0, &[], &writer),
            ],
            hints: Vec::new(),
            pinned: None,
            last_sync: None,
            leaving: false,
        };
        self.begin(address, entry, |space| {
            let seed = SpaceRootSeed(Zeroizing::new(*root.key_pair().expose_seed()));
            let content = Zeroizing::new(seed.encode());
            let me = self.public_key();
            space
                .log()
                .append_private(&me, SpaceRootSeed::TYPE, &content)?;
            space.log().tell(&SpaceAbout { name })?;
            space.tell_name(&person)
        })
    }

    /// Joins by code; `name` overrides the suggested one until the name agreed among members is seen.
    ///
    /// # Errors
    ///
    /// `Invite`, `NoName`, `BadName`, `NameTaken`, `AlreadyHere`, or the store's.
    pub fn join(&self, code: &str, name: Option<&str>) -> Result<Arc<Space>, SpaceError> {
        let person = self.person()?;
        let invite = Invite::open(code, self.identity())?;
        self.refuse_if_member(&invite.address)?;
        let entry = SpaceEntry {
            name: clean_name(name.unwrap_or(&invite.name))?,
            grant: invite.grant,
            certificates: invite.certificates,
            hints: invite.hints,
            pinned: invite.head,
            last_sync: None,
            leaving: false,
        };
        self.begin(invite.address, entry, |space| space.tell_name(&person))
    }

    /// Leaves a space and removes it from this machine.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Home` or `Store`; what is not done then is done at the next start.
    pub fn delete(&self, address: &Address) -> Result<(), SpaceError> {
        let _one = lock(&self.0.changing);
        let here = |registry: &mut Registry| {
            let entry = registry.spaces.get_mut(address)?;
            entry.leaving = true;
            Some(())
        };
        self.0
            .record(here)?
            .ok_or(SpaceError::NotFound(address.to_string()))?;
        self.leave(address);
        let space = write(&self.0.open).spaces.remove(address);
        write(&self.0.open).failed.remove(address);
        if let Some((space, following)) = space {
            drop(following);
            // It goes away in any case: a view that cannot be flushed is no reason to keep it.
            let _ = space.stop();
        }
        self.0.ground.names.remove(address);
        self.0.erase(address)?;
        self.0.record(|registry| registry.spaces.remove(address))?;
        Ok(())
    }

    /// Keeps a copy of an address for others.
    ///
    /// # Errors
    ///
    /// `AlreadyHere`, `BadName`, or the store's.
    pub fn replicate(
        &self,
        address: Address,
        name: Option<&str>,
        peers: &[Hint],
    ) -> Result<Arc<Replica>, SpaceError> {
        let name = name.map(clean_name).transpose()?;
        let _one = lock(&self.0.changing);
        self.refuse_if_member(&address)?;
        if let Some(replica) = read(&self.0.open).replicas.get(&address) {
            let called = replica.name().unwrap_or_else(|| address.to_string());
            return Err(SpaceError::AlreadyHere(called));
        }
        let set = self.0.store.set(address.0)?;
        let entry = ReplicaEntry {
            name: name.clone(),
            hints: peers.iter().map(Hint::to_string).take(MAX_HINTS).collect(),
            ..ReplicaEntry::default()
        };
        let hints = entry.hints.clone();
        self.0
            .record(|registry| registry.replicas.insert(address, entry))?;
        let _runtime = self.0.runtime.enter();
        let replica = Arc::new(Replica::start(address, name, set, self.swarm()));
        write(&self.0.open)
            .replicas
            .insert(address, Arc::clone(&replica));
        self.0.introduce(address, &hints);
        Ok(replica)
    }

    /// Stops that and frees the disk.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Home` or `Store`; what is not done then is done at the next start.
    pub fn unreplicate(&self, address: &Address) -> Result<(), SpaceError> {
        let _one = lock(&self.0.changing);
        let here = |registry: &mut Registry| {
            let entry = registry.replicas.get_mut(address)?;
            entry.leaving = true;
            Some(())
        };
        self.0
            .record(here)?
            .ok_or(SpaceError::NotFound(address.to_string()))?;
        self.leave(address);
        write(&self.0.open).replicas.remove(address);
        self.0.erase(address)?;
        self.0
            .record(|registry| registry.replicas.remove(address))?;
        Ok(())
    }

    /// All spaces, by name.
    pub fn spaces(&self) -> Vec<Arc<Space>> {
        let open = read(&self.0.open);
        let mut spaces: Vec<_> = open
            .spaces
            .values()
            .map(|(space, _)| Arc::clone(space))
            .collect();
        spaces.sort_by_cached_key(|space| (space.name(), space.address()));
        spaces
    }

    /// All replicas.
    pub fn replicas(&self) -> Vec<Arc<Replica>> {
        read(&self.0.open).replicas.values().cloned().collect()
    }

    /// Spaces and replicas that could not be opened at the start, with the reason in words.
    pub fn failed(&self) -> BTreeMap<Address, String> {
        read(&self.0.open).failed.clone()
    }

    /// By name or address.
    ///
    /// # Errors
    ///
    /// `NotFound` or `Ambiguous`.
    pub fn space(&self, name_or_address: &str) -> Result<Arc<Space>, SpaceError> {
        let not_found = || SpaceError::NotFound(name_or_address.to_owned());
        let by_address = name_or_address
            .parse()
            .ok()
            .and_then(|address| self.opened(&address));
        if let Some(space) = by_address {
            return Ok(space);
        }
        let address = self.0.ground.names.find(name_or_address.trim())?;
        self.opened(&address).ok_or_else(not_found)
    }

    /// The network side (peers, progress, receipts, introduce).
    pub fn swarm(&self) -> &Swarm {
        &self.0.ground.swarm
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ShelfEvent> {
        self.0.events.subscribe()
    }

    /// Orderly end: goodbye to peers, views flushed, index committed.
    ///
    /// # Errors
    ///
    /// The first thing that could not be made durable; the rest is done nevertheless.
    pub async fn close(&self) -> Result<(), SpaceError> {
        self.swarm().stop().await;
        let inner = Arc::clone(&self.0);
        start::blocking(move || inner.finish()).await
    }

    fn person(&self) -> Result<String, SpaceError> {
        self.name().ok_or(SpaceError::NoName)
    }

    fn opened(&self, address: &Address) -> Option<Arc<Space>> {
        let open = read(&self.0.open);
        open.spaces.get(address).map(|(space, _)| Arc::clone(space))
    }

    fn refuse_if_member(&self, address: &Address) -> Result<(), SpaceError> {
        match self.opened(address) {
            Some(space) => Err(SpaceError::AlreadyHere(space.name())),
            None => Ok(()),
        }
    }

    /// Opens a new space, says the first words in it, lists it, and only then takes part.
    fn begin(
        &self,
        address: Address,
        entry: SpaceEntry,
        first_words: impl FnOnce(&Space) -> Result<(), SpaceError>,
    ) -> Result<Arc<Space>, SpaceError> {
        let _one = lock(&self.0.changing);
        self.refuse_if_member(&address)?;
        self.0.ground.names.claim(address, &entry.name)?;
        let was_replica = read(&self.0.open).replicas.contains_key(&address);
        let begun = self.0.open_space(address, &entry).and_then(|space| {
            first_words(&space)?;
            self.0.record(|registry| {
                registry.replicas.remove(&address);
                registry.spaces.insert(address, entry.clone())
            })?;
            Ok(space)
        });
        if begun.is_err() {
            self.0.ground.names.remove(&address);
            if !was_replica {
                // The caller hears of the first failure; what could not be erased is only space on disk.
                let _ = self.0.erase(&address);
            }
        }
        let space = begun?;
        if was_replica {
            self.swarm().leave(&address);
            write(&self.0.open).replicas.remove(&address);
        }
        Ok(self.0.take_part(space, &entry.hints))
    }

    /// Leaves the address and forgets who else was there.
    fn leave(&self, address: &Address) {
        let _runtime = self.0.runtime.enter();
        self.swarm().leave(address);
        self.swarm().forget(address);
    }
}

impl Inner {
    fn open_space(&self, address: Address, entry: &SpaceEntry) -> Result<Space, SpaceError> {
        let set = self.store.set(address.0)?;
        let views = self.home.views(&address);
        Space::open(
            &self.ground,
            address,
            entry,
            set,
            &views,
            &self.device_name(),
        )
    }

    /// What other members see as the name of this device.
    fn device_name(&self) -> String {
        let given = self
            .device_name
            .clone()
            .or_else(|| read(&self.person).clone());
        given.unwrap_or_else(|| self.ground.device_key.to_string()[..8].to_owned())
    }

    /// From now on the space is found here, heard and served.
    fn take_part(self: &Arc<Self>, space: Space, hints: &[String]) -> Arc<Space> {
        let space = self.put_up(space);
        let _runtime = self.runtime.enter();
        let set = Arc::clone(space.set());
        self.ground.swarm.join(space.address(), Role::Member, set);
        self.introduce(space.address(), hints);
        space
    }

    /// From now on this is the space of its address.
    fn put_up(self: &Arc<Self>, space: Space) -> Arc<Space> {
        let space = Arc::new(space);
        let following = follow::space(self, &space);
        let kept = (Arc::clone(&space), following);
        write(&self.open).spaces.insert(space.address(), kept);
        space
    }

    /// A peer has more of a feed of ours than we do: this home was put back from an older state, and
    /// its twin may still be writing. All our feeds are left as they are; new ones are taken up under
    /// new keys. Our key on the network follows at the next start.
    fn begin_anew(self: &Arc<Self>, address: Address, feed: &FeedKey) -> Result<Begun, SpaceError> {
        let _one = lock(&self.changing);
        let spaces: Vec<_> = {
            let open = read(&self.open);
            open.spaces
                .values()
                .map(|(space, _)| Arc::clone(space))
                .collect()
        };
        let is_ours = |space: &Arc<Space>| space.address() == address && space.signs(feed);
        if !spaces.iter().any(is_ours) {
            return Ok(Begun::Before);
        }
        spaces.iter().for_each(|space| space.retire());
        let device = start::begin_device(&self.home)?;
        *lock(&self.ground.device) = Arc::new(device);
        for space in spaces.iter().filter(|space| space.writable()) {
            let renewed = self.put_up(space.renew(&self.ground, &self.device_name())?);
            let person = read(&self.person).clone();
            person.map_or(Ok(()), |person| renewed.tell_name(&person))?;
        }
        Ok(Begun::Now)
    }

    /// Hints are advice from others: what does not parse is passed over.
    fn introduce(&self, address: Address, hints: &[String]) {
        for hint in hints.iter().filter_map(|hint| hint.parse::<Hint>().ok()) {
            if hint.device != self.ground.device_key {
                self.ground.swarm.introduce(address, hint);
            }
        }
    }

    /// Changes the list of spaces; durable before it counts.
    fn record<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> Result<T, SpaceError> {
        let mut registry = lock(&self.registry);
        let mut changed = registry.clone();
        let answer = change(&mut changed);
        if changed != *registry {
            self.home.save_registry(&self.ground.identity, &changed)?;
            *registry = changed;
        }
        Ok(answer)
    }

    /// Feeds and views of an address.
    fn erase(&self, address: &Address) -> Result<(), SpaceError> {
        self.store.remove(address.0)?;
        self.home.remove_views(address)
    }

    /// Notes in the list of spaces what changed by itself: names, times of sync, promises kept.
    fn record_state(&self) -> Result<(), SpaceError> {
        let spaces: Vec<_> = {
            let open = read(&self.open);
            open.spaces
                .values()
                .map(|(space, _)| Arc::clone(space))
                .collect()
        };
        self.record(|registry| {
            for space in &spaces {
                if let Some(entry) = registry.spaces.get_mut(&space.address()) {
                    entry.name = space.name();
                    entry.last_sync = space.last_sync();
                    entry.pinned = space.pinned();
                }
            }
        })
    }

    /// Everything durable and stopped; goes on after a failure and answers the first.
    fn finish(&self) -> Result<(), SpaceError> {
        lock(&self.following).clear();
        let mut first = self.record_state();
        let open = std::mem::take(&mut *write(&self.open));
        for (space, following) in open.spaces.into_values() {
            drop(following);
            first = first.and(space.stop());
        }
        first.and(self.store.close().map_err(SpaceError::from))
    }
}

/// Every value behind these locks is whole after each statement, so a panic elsewhere spoils none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
