//! The device's own secrets: sealed to the identity, but for the key on the network, by which a locked program
//! goes on replicating. That key signs nothing but connections and receipts; feeds do not follow from it.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::derive::{Incarnation, ParentKey};
use cobox_keys::error::KeyError;
use cobox_keys::identity::{Identity, KeyPair, PublicKey};
use zeroize::Zeroizing;

use super::file::HomeFile;
use super::{SEALED, refused};
use crate::error::SpaceError;

/// Keys of before that are remembered.
const MAX_EARLIER: usize = 16;
const PARENT: usize = 32;
const LIFE: usize = 16;
const KEY: usize = 32;
/// All of it, sealed.
const MAX_SEALED: usize = 64 + PARENT + LIFE + MAX_EARLIER * KEY;

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
        let (parent, rest) = opened
            .split_first_chunk::<PARENT>()
            .ok_or(malformed.clone())?;
        let (life, earlier) = rest.split_first_chunk::<LIFE>().ok_or(malformed.clone())?;
        let (earlier, []) = earlier.as_chunks::<KEY>() else {
            return Err(malformed);
        };
        let device = Device {
            parent: ParentKey::from_bytes(parent),
            incarnation: Incarnation(*life),
            earlier: earlier.iter().copied().map(PublicKey).collect(),
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
            earlier: Vec::new(),
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
    let mut inside = Zeroizing::new(Vec::with_capacity(MAX_SEALED));
    inside.extend_from_slice(&device.parent.expose()[..]);
    inside.extend_from_slice(&device.incarnation.0);
    device
        .earlier
        .iter()
        .for_each(|key| inside.extend_from_slice(&key.0));
    let sealed = identity.storage_key("device").seal(&inside);
    let pair = device.parent.device_key();
    let record = Record::with_capacity(SEALED, 64 + MAX_SEALED)
        .bytes(3, pair.expose_seed())
        .bytes(4, &sealed);
    super::save(file, record)
}
