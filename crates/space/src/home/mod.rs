//! The home folder: where everything of one person on one machine is, and its small files.
//!
//! `identity`, `device`, `profile` and `spaces.cbor` are written whole or not at all; a damaged one
//! is named and never overwritten. Not its job: feeds (`store/` is the feed store's), views
//! (`views/` can be thrown away), peers (the swarm's own file).

mod file;
mod mounted;
mod registry;

pub use mounted::{MountEntry, MountPlace};
pub(crate) use registry::{MAX_HINTS, Registry, ReplicaEntry, SpaceEntry};

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cobox_keys::access::Address;
use cobox_keys::cbor::{self, Fields, Record};
use cobox_keys::cipher::BlockKey;
use cobox_keys::derive::{Incarnation, ParentKey};
use cobox_keys::error::KeyError;
use cobox_keys::identity::{Identity, PublicKey};
use zeroize::Zeroizing;

use crate::error::SpaceError;
use file::HomeFile;

const FORMAT: u64 = 1;
const MAX_NAME: usize = 255;
/// Keys of before that are remembered.
const MAX_EARLIER: usize = 16;

/// Paths and small files of one home folder.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    dir: PathBuf,
    identity: HomeFile,
    device: HomeFile,
    profile: HomeFile,
    spaces: HomeFile,
}

/// The secrets of this person on this machine in this life of the store.
pub(crate) struct Device {
    /// Feeds and the device key derive from it.
    pub parent: ParentKey,
    /// Which life of the store writes, in spaces whose entry has none of its own.
    pub incarnation: Incarnation,
    /// Device keys of this place before it began anew, oldest first.
    pub earlier: Vec<PublicKey>,
}

impl Device {
    /// A new device, or an old one that begins anew: nothing it signs can collide with what an
    /// earlier one signed.
    pub(crate) fn generate(before: Option<&Self>) -> Self {
        let mut earlier = Vec::new();
        if let Some(before) = before {
            earlier.clone_from(&before.earlier);
            earlier.push(before.parent.device_key().public());
            let oldest = earlier.len().saturating_sub(MAX_EARLIER);
            earlier.drain(..oldest);
        }
        Self {
            parent: ParentKey::generate(),
            incarnation: Incarnation::generate(),
            earlier,
        }
    }
}

impl Home {
    /// Makes the folder if need be; only its owner may enter.
    ///
    /// # Errors
    ///
    /// `Home`.
    pub(crate) fn create(dir: &Path) -> Result<Self, SpaceError> {
        let failed = |source| SpaceError::Home {
            action: "cannot create",
            path: dir.to_owned(),
            source,
        };
        for folder in [dir.to_owned(), dir.join("views")] {
            let mut builder = fs::DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(failed)?;
        }
        // The folder may have been made by hand with other rights.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        file::sync_dir(dir).map_err(failed)?;
        if let Some(parent) = dir.parent() {
            // The folder above may be closed to us; then its owner made ours durable long ago.
            let _ = file::sync_dir(parent);
        }
        Ok(Self {
            dir: dir.to_owned(),
            identity: HomeFile::new(dir, "identity", b"cbxIDENT"),
            device: HomeFile::new(dir, "device", b"cbxDEVIC"),
            profile: HomeFile::new(dir, "profile", b"cbxPROFL"),
            spaces: HomeFile::new(dir, "spaces.cbor", b"cbxSPACE"),
        })
    }

    /// Where the feeds are.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// Where known peers are remembered.
    pub(crate) fn peers(&self) -> PathBuf {
        self.dir.join("peers")
    }

    /// The file of one space's views.
    pub(crate) fn views(&self, address: &Address) -> PathBuf {
        self.dir.join("views").join(format!("{address}.redb"))
    }

    /// Throws the views of a space away; they may be gone already.
    ///
    /// # Errors
    ///
    /// `Home`.
    pub(crate) fn remove_views(&self, address: &Address) -> Result<(), SpaceError> {
        let path = self.views(address);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(SpaceError::Home {
                action: "cannot remove",
                path,
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Who lives here; `None` before the first start.
    ///
    /// # Errors
    ///
    /// `Home`, `DamagedHome` or `HomeTooNew`, as for every file here.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, SpaceError> {
        read(&self.identity, |fields| {
            let seed = Zeroizing::new(fields.fixed(1)?);
            Ok(Identity::from_seed(&seed))
        })
    }

    /// Makes the person durable.
    pub(crate) fn save_identity(&self, identity: &Identity) -> Result<(), SpaceError> {
        let seed = identity.key_pair().expose_seed();
        save(&self.identity, Record::new(FORMAT).bytes(1, seed))
    }

    /// The device's secrets; `None` before the first start.
    pub(crate) fn device(&self) -> Result<Option<Device>, SpaceError> {
        read(&self.device, |fields| {
            let parent = Zeroizing::new(fields.fixed(1)?);
            Ok(Device {
                parent: ParentKey::from_bytes(&parent),
                incarnation: Incarnation(fields.fixed(2)?),
                earlier: match fields.has(3) {
                    true => fields.list(3, MAX_EARLIER, |d| cbor::fixed(d).map(PublicKey))?,
                    false => Vec::new(),
                },
            })
        })
    }

    /// Makes the device's secrets durable.
    pub(crate) fn save_device(&self, device: &Device) -> Result<(), SpaceError> {
        let mut record = Record::new(FORMAT)
            .bytes(1, device.parent.expose())
            .bytes(2, &device.incarnation.0);
        if !device.earlier.is_empty() {
            record = record.list(3, &device.earlier, |encoder, key| {
                encoder.bytes(&key.0)?.ok()
            });
        }
        save(&self.device, record)
    }

    /// The person's name; `None` until given.
    pub(crate) fn name(&self) -> Result<Option<String>, SpaceError> {
        read(&self.profile, |fields| {
            Ok(fields.text(1, MAX_NAME)?.to_owned())
        })
    }

    /// Makes the person's name durable.
    pub(crate) fn save_name(&self, name: &str) -> Result<(), SpaceError> {
        save(&self.profile, Record::new(FORMAT).text(1, name))
    }

    /// The list of spaces; `None` before the first start.
    pub(crate) fn registry(&self, identity: &Identity) -> Result<Option<Registry>, SpaceError> {
        let Some(sealed) = self.spaces.read()? else {
            return Ok(None);
        };
        let opened = spaces_key(identity).open(&sealed).map(Zeroizing::new);
        let opened = opened.map_err(|_| self.spaces.damaged())?;
        Registry::decode(&opened)
            .map(Some)
            .map_err(|error| refused(&self.spaces, &error))
    }

    /// Makes the list of spaces durable.
    pub(crate) fn save_registry(
        &self,
        identity: &Identity,
        registry: &Registry,
    ) -> Result<(), SpaceError> {
        let sealed = spaces_key(identity).seal(&registry.encode());
        self.spaces.write(&sealed)
    }

    /// Whether there is a list of spaces, whoever it is sealed to.
    pub(crate) fn has_registry(&self) -> bool {
        self.spaces.exists()
    }

    /// What to say when the list of spaces is gone though there was one.
    pub(crate) fn no_registry(&self) -> SpaceError {
        self.spaces.damaged()
    }

    /// What to say when the identity is gone though there was one.
    pub(crate) fn no_identity(&self) -> SpaceError {
        self.identity.damaged()
    }
}

fn spaces_key(identity: &Identity) -> BlockKey {
    identity.storage_key("spaces")
}

fn save(file: &HomeFile, record: Record) -> Result<(), SpaceError> {
    file.write(&Zeroizing::new(record.finish()))
}

fn read<T>(
    file: &HomeFile,
    decode: impl FnOnce(Fields<'_>) -> Result<T, KeyError>,
) -> Result<Option<T>, SpaceError> {
    let Some(body) = file.read()? else {
        return Ok(None);
    };
    Fields::read(&body, "home file", FORMAT)
        .and_then(decode)
        .map(Some)
        .map_err(|error| refused(file, &error))
}

fn refused(file: &HomeFile, error: &KeyError) -> SpaceError {
    match error {
        KeyError::TooNew { .. } => file.too_new(),
        _ => file.damaged(),
    }
}
