//! `Shelf`: the home folder: identity, device, store, swarm; opens each space and replica once and
//! finds it by name or address.
//!
//! Here: the verbs that change it; `find` looks things up. `inner` holds what they share, `start` opens a home, `leave` says
//! goodbye, `follow` turns what happens below into events (`event`), `gone` says which copies are no more, `locked` is a home
//! whose password nobody gave, `moving` takes a person to a new machine, `restore` begins from a paper key, `drill`
//! rehearses that, `backup` remembers which keys are outside of this machine. Not its job: what is in a space.

mod backup;
mod drill;
mod event;
mod find;
mod follow;
mod gone;
mod inner;
mod leave;
mod locked;
mod moving;
mod restore;
mod start;

pub use crate::error::SpaceError;
pub use crate::home::{HomeLock, MountEntry, MountPlace};
pub use backup::BackedUp;
pub use drill::{DrillPlan, DrillProgress, DrillReport};
pub use event::ShelfEvent;
pub use inner::Failed;
pub use locked::LockedShelf;
pub use moving::Luggage;
pub use start::{ShelfOptions, TransportFactory};

use std::sync::Arc;

use cobox_keys::access::{Address, EncryptionKey, SpaceRoot};
use cobox_keys::certificate::{admin_certificate, epoch_certificate};
use cobox_keys::identity::{Identity, PublicKey};
use cobox_keys::invite::{Grant, Invite};
use cobox_swarm::swarm::Swarm;
use cobox_swarm::transport::Hint;
use tokio::sync::broadcast;
use zeroize::Zeroizing;

use crate::admin::DeviceAbout;
use crate::home::{MAX_HINTS, Registry, ReplicaEntry, SpaceEntry};
use crate::log::Content;
use crate::log::types::{SpaceAbout, SpaceRootSeed};
use crate::replica::{Replica, Terms};
use crate::space::{Space, clean_name};
use inner::{Inner, lock, read, write};

/// One home folder, open. Cheap to clone. Methods that are not `async` block: call them from a thread
/// that may.
#[derive(Clone)]
pub struct Shelf(Arc<Inner>);

impl Shelf {
    /// Our public key.
    pub fn public_key(&self) -> PublicKey {
        self.identity().public_key()
    }

    /// The person who lives here: what is printed on paper.
    pub fn identity(&self) -> Arc<Identity> {
        self.0.ground.identity()
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
        self.0.home.save_name(&self.identity(), &name)?;
        *write(&self.0.person) = Some(name.clone());
        self.0.say(ShelfEvent::Person { name: name.clone() });
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
        self.create_with(name, |_, _| Ok(()))
    }

    /// Creates the admin space of this device: the same, and its root says who the device is.
    pub(crate) fn create_device(&self, name: &str) -> Result<Arc<Space>, SpaceError> {
        let me = self.public_key();
        self.create_with(name, |space, root| {
            space.log().tell(&DeviceAbout::sign(root, me)).map(drop)
        })
    }

    fn create_with(
        &self,
        name: &str,
        more: impl FnOnce(&Space, &SpaceRoot) -> Result<(), SpaceError>,
    ) -> Result<Arc<Space>, SpaceError> {
        let person = self.person()?;
        let name = clean_name(name)?;
        let root = SpaceRoot::generate();
        let address = root.address();
        let key = EncryptionKey::generate();
        let admin = self.identity().admin_pair(&address);
        let writer = key.writer_pair().public();
        let entry = SpaceEntry {
            certificates: vec![
                admin_certificate(root.key_pair(), &address, &admin.public()),
                epoch_certificate(&admin, &address, 0, &[], &writer),
            ],
            ..SpaceEntry::new(name.clone(), Grant::Write(key))
        };
        self.begin(address, entry, |space| {
            let seed = SpaceRootSeed(Zeroizing::new(*root.key_pair().expose_seed()));
            let content = Zeroizing::new(seed.encode());
            let me = self.public_key();
            space
                .log()
                .append_private(&me, SpaceRootSeed::TYPE, &content)?;
            space.log().tell(&SpaceAbout { name })?;
            more(space, &root)?;
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
        let invite = Invite::open(code, &self.identity())?;
        self.refuse_if_member(&invite.address)?;
        let name = clean_name(name.unwrap_or(&invite.name))?;
        let entry = SpaceEntry {
            certificates: invite.certificates,
            hints: invite.hints,
            pinned: invite.head,
            ..SpaceEntry::new(name, invite.grant)
        };
        self.begin(invite.address, entry, |space| space.tell_name(&person))
    }

    /// Leaves a space and removes it from this machine. The others are told, if we could write and
    /// somebody is connected; what we wrote stays with them.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Home` or `Store`; what is not done then is done at the next start.
    pub fn delete(&self, address: &Address) -> Result<(), SpaceError> {
        let _one = lock(&self.0.changing);
        self.say_goodbye(address);
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
        let address = *address;
        self.0.say(ShelfEvent::SpaceGone { address });
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
        let terms = Terms {
            name: name.map(str::to_owned),
            quota: None,
        };
        self.replicate_within(address, terms, peers)
    }

    /// The same under terms: with a quota of its own, checked against signed sizes before anything is fetched.
    ///
    /// # Errors
    ///
    /// As [`Shelf::replicate`].
    pub fn replicate_within(
        &self,
        address: Address,
        terms: Terms,
        peers: &[Hint],
    ) -> Result<Arc<Replica>, SpaceError> {
        let terms = clean_terms(terms)?;
        let _one = lock(&self.0.changing);
        self.refuse_if_member(&address)?;
        if let Some(replica) = read(&self.0.open).replicas.get(&address) {
            let called = replica.name().unwrap_or_else(|| address.to_string());
            return Err(SpaceError::AlreadyHere(called));
        }
        let set = self.0.store.set(address.0)?;
        let entry = ReplicaEntry {
            name: terms.name.clone(),
            quota: terms.quota,
            hints: peers.iter().map(Hint::to_string).take(MAX_HINTS).collect(),
            ..ReplicaEntry::default()
        };
        let hints = entry.hints.clone();
        self.0
            .record(|registry| registry.replicas.insert(address, entry))?;
        let _runtime = self.0.runtime.enter();
        let replica = Arc::new(Replica::start(address, terms, set, self.swarm()));
        write(&self.0.open)
            .replicas
            .insert(address, Arc::clone(&replica));
        self.0.introduce(address, &hints);
        self.0.say(ShelfEvent::Listed { address });
        Ok(replica)
    }

    /// Changes the terms of a replica.
    ///
    /// # Errors
    ///
    /// `NotFound`, `BadName` or `Home`.
    pub fn adjust_replica(&self, address: &Address, terms: Terms) -> Result<(), SpaceError> {
        let terms = clean_terms(terms)?;
        let _one = lock(&self.0.changing);
        let not_found = || SpaceError::NotFound(address.to_string());
        let replica = self.replica(address).ok_or_else(not_found)?;
        let changed = self.0.record(|registry| {
            let entry = registry.replicas.get_mut(address)?;
            (entry.name, entry.quota) = (terms.name.clone(), terms.quota);
            Some(())
        })?;
        changed.ok_or_else(not_found)?;
        let _runtime = self.0.runtime.enter();
        replica.adjust(terms, self.swarm());
        let address = *address;
        self.0.say(ShelfEvent::Listed { address });
        Ok(())
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
        write(&self.0.open).failed.remove(address);
        self.0.erase(address)?;
        self.0
            .record(|registry| registry.replicas.remove(address))?;
        let address = *address;
        self.0.say(ShelfEvent::ReplicaGone { address });
        Ok(())
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
            self.0.say(ShelfEvent::ReplicaGone { address });
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

fn clean_terms(terms: Terms) -> Result<Terms, SpaceError> {
    let name = terms.name.as_deref().map(clean_name).transpose()?;
    Ok(Terms { name, ..terms })
}
