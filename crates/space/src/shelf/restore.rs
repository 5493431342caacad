//! Beginning from a paper key: the same person again, and their spaces, on a device that is a new one.
//!
//! Nothing that the lost device signed is gone on with: writer keys come from this home's own parent key, never from the
//! paper. Not its job: words and codes, which the program reads with `keys::paper`.

use std::sync::Arc;

use cobox_keys::access::{Address, EncryptionKey};
use cobox_keys::derive::Incarnation;
use cobox_keys::identity::Identity;
use cobox_keys::invite::{Grant, PinnedHead};
use cobox_swarm::transport::Hint;

use super::Shelf;
use super::event::ShelfEvent;
use super::inner::{Inner, lock, read, write};
use crate::error::SpaceError;
use crate::home::{Device, HomeLock, MAX_HINTS, Registry, SpaceEntry};
use crate::space::{Proof, Space, clean_name};

impl Shelf {
    /// Becomes the person of a paper key, in a home that has no spaces and no copies for others. A name that is not
    /// given is learnt from the first space that comes back. If we are that person already, only the name may change.
    ///
    /// # Errors
    ///
    /// `NotEmpty` (nothing is changed), `BadName`, or `Home`.
    pub fn become_person(&self, identity: Identity, name: Option<&str>) -> Result<(), SpaceError> {
        let name = name.map(clean_name).transpose()?;
        if identity.public_key() != self.public_key() {
            self.0.move_in(identity, name.as_deref())?;
        } else if let Some(name) = name.filter(|_| self.name().is_none()) {
            self.set_name(&name)?;
        }
        Ok(())
    }

    /// Begins with a space whose address and encryption key are on paper. What is in it, and the certificates by which
    /// we may write, arrive as peers are found; until then [`Space::waits`] says so. `name` is how it is called here
    /// until the name agreed among members is seen; `head`, if the paper says it, is what must come before the space is up
    /// to date.
    ///
    /// # Errors
    ///
    /// `AlreadyHere`, or the store's.
    pub fn recover(
        &self,
        address: Address,
        key: EncryptionKey,
        name: Option<&str>,
        hints: &[Hint],
        head: Option<PinnedHead>,
    ) -> Result<Arc<Space>, SpaceError> {
        let short = address.to_string()[..8].to_owned();
        let known = name.and_then(|name| clean_name(name).ok());
        let free = known.filter(|name| self.0.ground.names.find(name).is_err());
        let entry = SpaceEntry {
            hints: hints.iter().map(Hint::to_string).take(MAX_HINTS).collect(),
            backed_up: true, // on the paper that it comes from
            pinned: head,
            ..SpaceEntry::new(free.unwrap_or(short), Grant::Write(key))
        };
        let space = self.begin(address, entry, |_| Ok(()))?;
        self.0.admit(&address)?; // at once, if a copy was kept here for others
        Ok(self.opened(&address).unwrap_or(space))
    }
}

impl Inner {
    /// The order matters: a crash in between leaves a home in which somebody lives, and nothing of the other.
    fn move_in(&self, identity: Identity, name: Option<&str>) -> Result<(), SpaceError> {
        let _one = lock(&self.changing);
        let mut registry = lock(&self.registry);
        let is_empty = registry.is_empty()
            && read(&self.open).spaces.is_empty()
            && self.store.addresses().is_empty();
        // Under a password somebody lives here, though without spaces yet.
        if !is_empty || HomeLock::of(self.home.dir()).is_set()? {
            return Err(SpaceError::NotEmpty);
        }
        let mut device = lock(&self.ground.device);
        // Our key on the network stays; whatever was written here before by somebody else is not gone on with.
        let anew = Device {
            parent: device.parent.clone(),
            incarnation: Incarnation::generate(),
            earlier: Vec::new(),
        };
        self.home.clear_person()?;
        self.home.save_identity(&identity)?;
        self.home.save_device(&identity, &anew)?;
        self.home.save_registry(&identity, &Registry::default())?;
        if let Some(name) = name {
            self.home.save_name(&identity, name)?;
        }
        *registry = Registry::default();
        *device = Arc::new(anew);
        *lock(&self.ground.identity) = Arc::new(identity);
        *write(&self.person) = name.map(str::to_owned);
        Ok(())
    }

    /// Lets a space from paper begin in earnest, if what proves its key has come.
    pub(super) fn admit(self: &Arc<Self>, address: &Address) -> Result<(), SpaceError> {
        let _one = lock(&self.changing);
        let Some(space) = self.heard(address).filter(|space| space.waits()) else {
            return Ok(());
        };
        let certificates = match space.prove_key() {
            Proof::None => return Ok(()),
            Proof::Holds(certificates) => certificates,
            Proof::Other => {
                let reason = "the encryption key on the paper is not the one that this space has now: nothing can be read or written with it; ask a member for an invite";
                space.refuse(reason);
                let (address, reason) = (*address, reason.to_owned());
                self.say(ShelfEvent::Refused { address, reason });
                return Ok(());
            }
        };
        let admitted = space.admitted(&self.ground, &self.device_name(), certificates.clone())?;
        self.record(|registry| {
            if let Some(entry) = registry.spaces.get_mut(address) {
                entry.certificates = certificates;
            }
        })?;
        self.keep_own(&admitted)?;
        let admitted = self.put_up(admitted);
        // What was heard by whoever listened before may not have been followed up.
        admitted.refresh_name()?;
        self.learn_own_name(&admitted)?;
        let person = read(&self.person).clone();
        person.map_or(Ok(()), |person| admitted.tell_name(&person))
    }

    /// A person from paper who gave no name has none here until a space says it.
    pub(super) fn learn_own_name(&self, space: &Space) -> Result<(), SpaceError> {
        if read(&self.person).is_some() {
            return Ok(());
        }
        let me = space.me();
        let told = space.names_told(None)?;
        let Some((_, name)) = told.into_iter().find(|(author, _)| *author == me) else {
            return Ok(());
        };
        self.home.save_name(&self.ground.identity(), &name)?;
        *write(&self.person) = Some(name);
        Ok(())
    }
}
