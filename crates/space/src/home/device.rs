//! The device's own secrets: sealed to the identity, but for the key on the network, by which a locked program
//! goes on replicating. That key signs nothing but connections and receipts; feeds do not follow from it.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::derive::{Incarnation, ParentKey};
use cobox_keys::error::KeyError;
use cobox_keys::identity::{Identity, KeyPair};
use zeroize::Zeroizing;

use super::file::HomeFile;
use super::{SEALED, refused};
use crate::error::SpaceError;

/// Parent key and incarnation, sealed.
const MAX_SEALED: usize = 128;
const PARENT: usize = 32;

/// The secrets of this person on this machine in this life of the store.
pub(crate) struct Device {
    /// Feeds and the device key derive from it.
    pub parent: ParentKey,
    /// Which life of the store writes.
    pub incarnation: Incarnation,
}

impl Device {
    /// A new device, or an old one that begins anew: nothing it signs can collide with what an
    /// earlier one signed.
    pub(crate) fn generate() -> Self {
        Self {
            parent: ParentKey::generate(),
            incarnation: Incarnation::generate(),
        }
    }
}

/// The file as it is, before anybody opens it.
pub(crate) struct DeviceFile {
    /// The key on the network.
    pub pair: KeyPair,
    inside: Inside,
}

enum Inside {
    Sealed(Vec<u8>),
    /// As an earlier version wrote it.
    Open(Device),
}

impl DeviceFile {
    /// The device's secrets, and whether they were sealed.
    ///
    /// # Errors
    ///
    /// `CannotOpen` by another identity, `Malformed`.
    pub(crate) fn open(self, identity: &Identity) -> Result<(Device, bool), KeyError> {
        let sealed = match self.inside {
            Inside::Open(device) => return Ok((device, false)),
            Inside::Sealed(sealed) => sealed,
        };
        let opened = identity.storage_key("device").open(&sealed)?;
        let opened = Zeroizing::new(opened);
        let malformed = KeyError::Malformed("device");
        let (parent, life) = opened
            .split_first_chunk::<PARENT>()
            .ok_or(malformed.clone())?;
        let device = Device {
            parent: ParentKey::from_bytes(parent),
            incarnation: Incarnation(life.try_into().map_err(|_| malformed.clone())?),
        };
        match device.parent.device_key().public() == self.pair.public() {
            true => Ok((device, true)),
            false => Err(malformed),
        }
    }
}

pub(super) fn read(file: &HomeFile) -> Result<Option<DeviceFile>, SpaceError> {
    let Some(body) = file.read()? else {
        return Ok(None);
    };
    decode(&body)
        .map(Some)
        .map_err(|error| refused(file, &error))
}

fn decode(body: &[u8]) -> Result<DeviceFile, KeyError> {
    let fields = Fields::read(body, "device", SEALED)?;
    if fields.has(1) {
        let parent = ParentKey::from_bytes(&Zeroizing::new(fields.fixed(1)?));
        let pair = parent.device_key();
        let incarnation = Incarnation(fields.fixed(2)?);
        let inside = Inside::Open(Device {
            parent,
            incarnation,
        });
        return Ok(DeviceFile { pair, inside });
    }
    let pair = KeyPair::from_seed(&Zeroizing::new(fields.fixed(3)?));
    let inside = Inside::Sealed(fields.bytes(4, MAX_SEALED)?.to_vec());
    Ok(DeviceFile { pair, inside })
}

pub(super) fn save(
    file: &HomeFile,
    identity: &Identity,
    device: &Device,
) -> Result<(), SpaceError> {
    let inside = Zeroizing::new([&device.parent.expose()[..], &device.incarnation.0].concat());
    let sealed = identity.storage_key("device").seal(&inside);
    let pair = device.parent.device_key();
    let record = Record::with_capacity(SEALED, 256)
        .bytes(3, pair.expose_seed())
        .bytes(4, &sealed);
    super::save(file, record)
}
