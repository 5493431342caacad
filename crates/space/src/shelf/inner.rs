//! What a shelf is made of, and the steps that its verbs share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cobox_feed::manifest::FeedKey;
use cobox_feed::store::Store;
use cobox_keys::access::Address;
use cobox_swarm::swarm::Role;
use cobox_swarm::transport::Hint;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};

use super::event::ShelfEvent;
use super::follow::{self, Following};
use super::start::{self, TransportFactory};
use crate::error::SpaceError;
use crate::home::{Device, Home, Kept, KindOfFeed, Registry, SpaceEntry};
use crate::replica::Replica;
use crate::space::{Ground, Space};

pub(super) struct Inner {
    pub home: Home,
    pub store: Store,
    pub ground: Ground,
    pub runtime: Handle,
    pub events: broadcast::Sender<ShelfEvent>,
    pub person: RwLock<Option<String>>,
    /// As durable on disk.
    pub registry: Mutex<Registry>,
    /// What a locked program goes on keeping, as durable on disk. Locked after the list of spaces.
    pub kept: Mutex<Kept>,
    /// Feeds that we write, by space. Locked after `kept`.
    pub own: Mutex<BTreeMap<Address, Vec<KindOfFeed>>>,
    /// One creation, joining or removal at a time.
    pub changing: Mutex<()>,
    pub open: RwLock<Open>,
    pub device_name: Option<String>,
    /// For rehearsals, which are somebody else on the network.
    pub transport: TransportFactory,
    /// Where a copy of this home was there first, in words.
    pub twin: watch::Sender<Option<String>>,
    /// Ends with the shelf.
    pub following: Mutex<Vec<Following>>,
}

/// What is open now.
#[derive(Default)]
pub(super) struct Open {
    pub spaces: BTreeMap<Address, (Arc<Space>, Following)>,
    pub replicas: BTreeMap<Address, Arc<Replica>>,
    pub failed: BTreeMap<Address, Failed>,
}

/// A space or replica that could not be opened at the start. It is left as it is on disk, and the others go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// its name, as far as it had one
    pub name: Option<String>,
    /// it is a copy for others
    pub is_replica: bool,
    /// why, in words
    pub reason: String,
}

/// Whether the device began anew for what was just heard.
pub(super) enum Begun {
    Now,
    Before,
}

impl Inner {
    pub(super) fn open_space(
        &self,
        address: Address,
        entry: &SpaceEntry,
    ) -> Result<Space, SpaceError> {
        let set = self.store.set(address.0)?;
        let views = self.home.views(&address);
        let name = self.device_name();
        let space = Space::open(&self.ground, address, entry, set, &views, &name)?;
        self.keep_own(&space)?;
        Ok(space)
    }

    /// Notes which feeds are ours, before anybody else hears of them: a locked program must know.
    pub(super) fn keep_own(&self, space: &Space) -> Result<(), SpaceError> {
        let registry = lock(&self.registry);
        self.keep(&registry, Some((space.address(), space.own_feeds())))
    }

    fn keep(
        &self,
        registry: &Registry,
        news: Option<(Address, Vec<KindOfFeed>)>,
    ) -> Result<(), SpaceError> {
        let mut kept = lock(&self.kept);
        // Also of a space that is not listed yet: it is begun before it is listed.
        let mut own = lock(&self.own);
        own.extend(news);
        let now = Kept::of(registry, &own);
        if now != *kept {
            self.home.save_kept(&now)?;
            *kept = now;
        }
        Ok(())
    }

    /// What other members see as the name of this device.
    pub(super) fn device_name(&self) -> String {
        let given = self
            .device_name
            .clone()
            .or_else(|| read(&self.person).clone());
        given.unwrap_or_else(|| self.ground.device_key.to_string()[..8].to_owned())
    }

    /// From now on the space is found here, heard and served.
    pub(super) fn take_part(self: &Arc<Self>, space: Space, hints: &[String]) -> Arc<Space> {
        let space = self.put_up(space);
        let _runtime = self.runtime.enter();
        let set = Arc::clone(space.set());
        self.ground.swarm.join(space.address(), Role::Member, set);
        self.introduce(space.address(), hints);
        let address = space.address();
        self.say(ShelfEvent::Listed { address });
        space
    }

    /// From now on this is the space of its address.
    pub(super) fn put_up(self: &Arc<Self>, space: Space) -> Arc<Space> {
        let space = Arc::new(space);
        let before = {
            // Locked first: whoever follows the space looks for it here at once, and does not ask a second time.
            let mut open = write(&self.open);
            let following = follow::space(self, &space);
            let kept = (Arc::clone(&space), following);
            open.spaces.insert(space.address(), kept)
        };
        drop(before);
        space
    }

    /// A peer has more of a feed of ours than we do: this home was put back from an older state, and
    /// its twin may still be writing. All our feeds are left as they are; new ones are taken up under
    /// new keys. Our key on the network follows at the next start.
    pub(super) fn begin_anew(
        self: &Arc<Self>,
        address: Address,
        feed: &FeedKey,
    ) -> Result<Begun, SpaceError> {
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
        let before = Arc::clone(&lock(&self.ground.device));
        self.renew(&spaces, Some(&before))?;
        Ok(Begun::Now)
    }

    /// One of our feeds has another history elsewhere, signed by us: this home was put back from an older state and wrote
    /// before it met anybody. Nobody who holds the other history takes ours; and what we would write on top of it would
    /// name blocks that are other bytes elsewhere. So nothing is written here any more. False: so it was before.
    pub(super) fn stop_writing(self: &Arc<Self>, address: Address) -> Result<bool, SpaceError> {
        let _one = lock(&self.changing);
        let Some(space) = self.heard(&address) else {
            return Ok(false);
        };
        let is_news = self.record(|registry| {
            let entry = registry.spaces.get_mut(&address);
            entry.is_some_and(|entry| !std::mem::replace(&mut entry.forked, true))
        })?;
        space.retire();
        if space.writable() {
            self.put_up(space.stopped(&self.ground)?);
        }
        Ok(is_news)
    }

    /// A copy of this home lives elsewhere under the same keys: what we still have to write goes into new feeds, and the
    /// next start is refused until somebody says that there are two.
    pub(super) fn give_way(self: &Arc<Self>) -> Result<(), SpaceError> {
        let _one = lock(&self.changing);
        let spaces: Vec<_> = {
            let open = read(&self.open);
            open.spaces
                .values()
                .map(|(space, _)| Arc::clone(space))
                .collect()
        };
        self.store.forget_marker()?;
        self.renew(&spaces, None) // the key of before is not ours alone: its owner goes on
    }

    /// Takes new keys and feeds. `before` is the device that goes on under them.
    fn renew(
        self: &Arc<Self>,
        spaces: &[Arc<Space>],
        before: Option<&Device>,
    ) -> Result<(), SpaceError> {
        spaces.iter().for_each(|space| space.retire());
        let device = start::begin_device(&self.home, &self.ground.identity(), before)?;
        *lock(&self.ground.device) = Arc::new(device);
        for space in spaces.iter().filter(|space| space.writable()) {
            let renewed = space.renew(&self.ground, &self.device_name())?;
            self.keep_own(&renewed)?;
            let renewed = self.put_up(renewed);
            let person = read(&self.person).clone();
            person.map_or(Ok(()), |person| renewed.tell_name(&person))?;
            self.tell_earlier(&renewed)?;
        }
        Ok(())
    }

    /// Tells in a space which of the devices there this one was before, so that it is not shown as two.
    pub(super) fn tell_earlier(&self, space: &Space) -> Result<(), SpaceError> {
        let device = Arc::clone(&lock(&self.ground.device));
        space.tell_earlier(&device.earlier)
    }

    /// Hints are advice from others: what does not parse is passed over.
    pub(super) fn introduce(&self, address: Address, hints: &[String]) {
        for hint in hints.iter().filter_map(|hint| hint.parse::<Hint>().ok()) {
            if hint.device != self.ground.device_key {
                self.ground.swarm.introduce(address, hint);
            }
        }
    }

    /// Changes the list of spaces; durable before it counts.
    pub(super) fn record<T>(
        &self,
        change: impl FnOnce(&mut Registry) -> T,
    ) -> Result<T, SpaceError> {
        let mut registry = lock(&self.registry);
        let mut changed = registry.clone();
        let answer = change(&mut changed);
        if changed != *registry {
            self.home.save_registry(&self.ground.identity(), &changed)?;
            self.keep(&changed, None)?;
            *registry = changed;
        }
        Ok(answer)
    }

    /// Feeds and views of an address.
    pub(super) fn erase(&self, address: &Address) -> Result<(), SpaceError> {
        self.store.remove(address.0)?;
        self.home.remove_views(address)
    }

    /// Notes in the list of spaces what changed by itself: names, times of sync, promises kept.
    pub(super) fn record_state(&self) -> Result<(), SpaceError> {
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
    pub(super) fn finish(&self) -> Result<(), SpaceError> {
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
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
