//! The home folder: where everything of one person on one machine is, and its small files.
//!
//! `identity`, `device`, `profile`, `spaces.cbor` and `kept` are written whole or not at all; a damaged one
//! is named and never overwritten. Everything secret or personal in them hangs on the identity, which alone
//! is wrapped by the password, if there is one: see `lock`. Not its job: feeds (`store/` is the feed store's),
//! views (`views/` can be thrown away), peers (the swarm's own file).

mod device;
mod file;
mod kept;
mod lock;
mod mounted;
mod registry;

pub(crate) use device::{Device, DeviceFile};
pub(crate) use kept::{Kept, KeptEntry, KindOfFeed};
pub use lock::HomeLock;
pub(crate) use lock::Lives;
pub use mounted::{MountEntry, MountPlace};
pub(crate) use registry::{MAX_HINTS, Registry, ReplicaEntry, SpaceEntry};

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cobox_keys::access::Address;
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::cipher::BlockKey;
use cobox_keys::error::KeyError;
use cobox_keys::identity::Identity;
use zeroize::Zeroizing;

use crate::error::SpaceError;
use file::HomeFile;

const FORMAT: u64 = 1;
/// Of files whose inside is sealed to the identity.
const SEALED: u64 = 2;
const MAX_NAME: usize = 255;

/// Paths and small files of one home folder.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    dir: PathBuf,
    identity: HomeFile,
    device: HomeFile,
    profile: HomeFile,
    spaces: HomeFile,
    kept: HomeFile,
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
            kept: HomeFile::new(dir, "kept", b"cbxKEPT1"),
        })
    }

    /// The folder itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes away what a crash left half written: it may hold what the finished file seals. Only for
    /// whoever holds the home's lock.
    ///
    /// # Errors
    ///
    /// `Home`.
    pub(crate) fn sweep(&self) -> Result<(), SpaceError> {
        let files = [
            &self.identity,
            &self.device,
            &self.profile,
            &self.spaces,
            &self.kept,
        ];
        files.into_iter().try_for_each(HomeFile::sweep)
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

    /// Who lives here, as far as that can be said without a password.
    ///
    /// # Errors
    ///
    /// `Home`, `DamagedHome` or `HomeTooNew`, as for every file here.
    pub(crate) fn identity(&self) -> Result<Lives, SpaceError> {
        lock::read(&self.identity)
    }

    /// Makes the person durable, in the clear.
    pub(crate) fn save_identity(&self, identity: &Identity) -> Result<(), SpaceError> {
        lock::save_open(&self.identity, identity)
    }

    /// Takes everything away that belongs to the person who lived here, so that another may move in. What is missing
    /// after a crash in between is begun anew at the next start.
    ///
    /// # Errors
    ///
    /// `Home`.
    pub(crate) fn clear_person(&self) -> Result<(), SpaceError> {
        [&self.spaces, &self.profile, &self.device]
            .into_iter()
            .try_for_each(HomeFile::remove)
    }

    /// What can be known of this device without the identity; `None` before the first start.
    pub(crate) fn device(&self) -> Result<Option<DeviceFile>, SpaceError> {
        device::read(&self.device)
    }

    /// The device's secrets, opened; `None` before the first start.
    pub(crate) fn device_of(&self, identity: &Identity) -> Result<Option<Device>, SpaceError> {
        let Some(found) = self.device()? else {
            return Ok(None);
        };
        let opened = found.open(identity);
        let (device, is_sealed) = opened.map_err(|error| refused(&self.device, &error))?;
        if !is_sealed {
            self.save_device(identity, &device)?; // as an earlier version wrote it
        }
        Ok(Some(device))
    }

    /// Makes the device's secrets durable, sealed to the identity.
    pub(crate) fn save_device(
        &self,
        identity: &Identity,
        device: &Device,
    ) -> Result<(), SpaceError> {
        device::save(&self.device, identity, device)
    }

    /// The person's name; `None` until given.
    pub(crate) fn name(&self, identity: &Identity) -> Result<Option<String>, SpaceError> {
        let Some(body) = self.profile.read()? else {
            return Ok(None);
        };
        let told = Fields::read(&body, "home file", SEALED).and_then(|fields| {
            if fields.has(1) {
                return Ok(fields.text(1, MAX_NAME)?.to_owned()); // as an earlier version wrote it
            }
            let sealed = fields.bytes(2, MAX_NAME + 64)?;
            let name = identity.storage_key("profile").open(sealed)?;
            String::from_utf8(name).map_err(|_| KeyError::Malformed("name"))
        });
        told.map(Some)
            .map_err(|error| refused(&self.profile, &error))
    }

    /// Makes the person's name durable, sealed to the identity.
    pub(crate) fn save_name(&self, identity: &Identity, name: &str) -> Result<(), SpaceError> {
        let sealed = identity.storage_key("profile").seal(name.as_bytes());
        save(&self.profile, Record::new(SEALED).bytes(2, &sealed))
    }

    /// What a locked program keeps on keeping.
    pub(crate) fn kept(&self) -> Result<Kept, SpaceError> {
        let kept = read(&self.kept, |fields| Kept::decode(&fields))?;
        Ok(kept.unwrap_or_default())
    }

    /// Makes that durable.
    pub(crate) fn save_kept(&self, kept: &Kept) -> Result<(), SpaceError> {
        save(&self.kept, kept.encode())
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

/// A folder that only its owner may enter, with all above it that are missing.
///
/// # Errors
///
/// `Home`.
pub(crate) fn private_dir(dir: &Path) -> Result<(), SpaceError> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.map_err(|source| SpaceError::Home {
        action: "cannot create",
        path: dir.to_owned(),
        source,
    })
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
