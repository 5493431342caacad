//! Moving to a new machine: who a person is, their spaces, devices and copies for others, in one piece of bytes.
//!
//! What goes along lets another machine begin, not go on: writer keys are each device's own, so nothing here can fork a
//! feed. Not its job: sealing the bytes with a passphrase (the program).

use std::path::Path;

use cobox_feed::store::{Options, Store};
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::{Identity, PublicKey};
use zeroize::Zeroizing;

use super::Shelf;
use super::inner::lock;
use crate::error::SpaceError;
use crate::home::{Home, Lives, Registry};

const FORMAT: u64 = 1;
const WHAT: &str = "export of keys";
const MAX_NAME: usize = 255;
const MAX_SETTINGS: usize = 1 << 20;
/// As large as the list of spaces may be.
const MAX_LIST: usize = 64 << 20;

/// A person with everything that they need on a new machine.
pub struct Luggage {
    identity: Identity,
    name: Option<String>,
    registry: Registry,
    settings: String,
}

impl Shelf {
    /// Everything that makes this person and what they take part in, at `now_ms`; `settings` are the program's own.
    /// Handle with care.
    pub fn luggage(&self, settings: &str, now_ms: u64) -> Zeroizing<Vec<u8>> {
        let mut registry = lock(&self.0.registry).clone();
        registry.backed_up_ms = Some(now_ms); // by this
        registry.spaces.retain(|_, entry| !entry.leaving);
        registry.replicas.retain(|_, entry| !entry.leaving);
        for (address, entry) in &mut registry.spaces {
            entry.mount = None;
            entry.last_sync = None;
            entry.forked = false; // there it begins with feeds of its own
            entry.backed_up = true;
            if let Some(space) = self.opened(address) {
                space.see_off(entry);
            }
        }
        for entry in registry.replicas.values_mut() {
            entry.last_sync = None;
        }
        let list = registry.encode();
        let mut record = Record::with_capacity(FORMAT, list.len() + settings.len() + 1024)
            .bytes(1, self.identity().key_pair().expose_seed());
        if let Some(name) = self.name() {
            record = record.text(2, &name);
        }
        Zeroizing::new(record.bytes(3, &list).text(4, settings).finish())
    }

    /// Nobody has said who they are here, and nothing is kept.
    pub fn is_uninhabited(&self) -> bool {
        self.name().is_none()
            && lock(&self.0.registry).is_empty()
            && self.0.store.addresses().is_empty()
    }
}

impl Luggage {
    /// What [`Shelf::luggage`] wrote.
    ///
    /// # Errors
    ///
    /// `NoExport` or `ExportTooNew`.
    pub fn unpack(bytes: &[u8]) -> Result<Self, SpaceError> {
        Self::decode(bytes).map_err(|error| match error {
            KeyError::TooNew { .. } => SpaceError::ExportTooNew,
            _ => SpaceError::NoExport,
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(bytes, WHAT, FORMAT)?;
        let seed = Zeroizing::new(fields.fixed(1)?);
        let name = fields
            .has(2)
            .then(|| fields.text(2, MAX_NAME))
            .transpose()?;
        Ok(Self {
            identity: Identity::from_seed(&seed),
            name: name.map(str::to_owned),
            registry: Registry::decode(fields.bytes(3, MAX_LIST)?)?,
            settings: fields.text(4, MAX_SETTINGS)?.to_owned(),
        })
    }

    /// Whose it is.
    pub fn public_key(&self) -> PublicKey {
        self.identity.public_key()
    }

    /// Their name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How many spaces, devices' among them, and copies for others.
    pub fn counts(&self) -> (usize, usize) {
        (self.registry.spaces.len(), self.registry.replicas.len())
    }

    /// The program's own, as they were given.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// Moves into a home where nobody lives yet, on which no program runs. The next start begins there as the same
    /// person on a further device, and fetches what the spaces hold.
    ///
    /// A crash on the way leaves a home where nobody lives, or the person without some spaces: moving in again is good.
    ///
    /// # Errors
    ///
    /// `Inhabited`, `Store(Locked)` if a program runs there, or `Home`; nothing was changed.
    pub fn move_in(&self, home: &Path) -> Result<(), SpaceError> {
        let dir = home;
        let home = Home::create(dir)?;
        let store = Store::open(&home.store(), Options::default())?;
        if !store.addresses().is_empty() || !is_free(&home)? {
            return Err(SpaceError::Inhabited);
        }
        home.clear_person()?;
        home.save_identity(&self.identity)?;
        home.save_registry(&self.identity, &self.registry)?;
        if let Some(name) = &self.name {
            home.save_name(&self.identity, name)?;
        }
        Ok(store.close()?)
    }
}

/// Whether the person who is there, if one is, has neither name nor spaces: a first start makes such.
fn is_free(home: &Home) -> Result<bool, SpaceError> {
    let identity = match home.identity()? {
        Lives::Nobody => return Ok(!home.has_registry()),
        Lives::Locked => return Ok(false),
        Lives::Open(identity) => identity,
    };
    let registry = home.registry(&identity)?.unwrap_or_default();
    Ok(registry.is_empty() && home.name(&identity)?.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luggage_cut_short_or_of_a_later_version_is_refused() {
        let list = Registry::default().encode();
        let record = |format| {
            let record = Record::new(format).bytes(1, &[7; 32]).text(2, "Ann");
            record.bytes(3, &list).text(4, "port: 1").finish()
        };
        let bytes = record(1);
        let whole = Luggage::unpack(&bytes).unwrap();
        assert_eq!((whole.name(), whole.settings()), (Some("Ann"), "port: 1"));
        for end in 0..bytes.len() {
            let cut = Luggage::unpack(&bytes[..end]);
            assert!(matches!(cut, Err(SpaceError::NoExport)), "{end}");
        }
        let newer = Luggage::unpack(&record(2));
        assert!(matches!(newer, Err(SpaceError::ExportTooNew)));
    }

    #[test]
    fn nobody_moves_in_where_somebody_lives() {
        let dir = tempfile::tempdir().unwrap();
        let luggage = Luggage {
            identity: Identity::generate(),
            name: Some("Ann".into()),
            registry: Registry::default(),
            settings: String::new(),
        };
        luggage.move_in(dir.path()).unwrap();
        let before = std::fs::read(dir.path().join("identity")).unwrap();
        let again = luggage.move_in(dir.path());
        assert!(matches!(again, Err(SpaceError::Inhabited)));
        assert_eq!(std::fs::read(dir.path().join("identity")).unwrap(), before);
    }
}
