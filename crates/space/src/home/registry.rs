//! The list of spaces and replicas that this machine takes part in: what it holds and how it is
//! written down.
//!
//! The list holds encryption keys, so the file is sealed to the identity. What can be learnt again
//! from the feeds is not in it; what is needed to fetch those feeds anew is.

use std::collections::BTreeMap;

use cobox_keys::access::{Address, EncryptionKey, ReadKey};
use cobox_keys::cbor::{self, Fields, Record};
use cobox_keys::derive::Incarnation;
use cobox_keys::error::KeyError;
use cobox_keys::invite::{Grant, PinnedHead};
use zeroize::Zeroizing;

use super::mounted::MountEntry;

const FORMAT: u64 = 1;
const WHAT: &str = "list of spaces";
pub(super) const MAX_ENTRIES: usize = 100_000;
const MAX_ENTRY: usize = 64 * 1024;
const MAX_CERTIFICATES: usize = 16;
/// Hints kept for one address.
pub(crate) const MAX_HINTS: usize = 64;
pub(super) const MAX_HINT: usize = 512;
const MAX_NAME: usize = 255;
const READ: u64 = 0;
const WRITE: u64 = 1;
/// Key of the quota in a replica's entry.
const QUOTA: u64 = 10;
/// Key of the mount in a space's entry.
const MOUNT: u64 = 10;
/// Key of the incarnation in a space's entry.
const INCARNATION: u64 = 11;
/// Key of what says that our feeds were forked, in a space's entry.
const FORKED: u64 = 12;
/// Key of "it is in a back-up" in a space's entry.
const BACKED_UP: u64 = 13;
/// Key of the last back-up's time in the list.
const BACKED_UP_MS: u64 = 3;

/// A space that we are a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpaceEntry {
    /// Name last seen, or given at the start.
    pub name: String,
    /// What we may do.
    pub grant: Grant,
    /// Admin and epoch certificates: with the address they are enough to begin anew from peers.
    pub certificates: Vec<Vec<u8>>,
    /// Peers as told by the invite.
    pub hints: Vec<String>,
    /// What a newcomer must see before the space is up to date.
    pub pinned: Option<PinnedHead>,
    /// When a peer last had everything we have, Unix ms.
    pub last_sync: Option<u64>,
    /// Being removed: finished at the next start if a crash came between.
    pub leaving: bool,
    /// Where it is mounted, if it is.
    pub mount: Option<MountEntry>,
    /// Under which our feeds there derive: another one each time the space is taken up, because feeds of
    /// an earlier stay, which went with the space, live on with others and must not begin a second time.
    /// None for what an older program took up: then the device's.
    pub incarnation: Option<Incarnation>,
    /// Our feeds there have another history elsewhere, signed by us too: nothing is written here any more.
    pub forked: bool,
    /// Its key is on a paper key or in a file of keys, outside of this machine.
    pub backed_up: bool,
}

impl SpaceEntry {
    /// A space that is taken up now.
    pub fn new(name: String, grant: Grant) -> Self {
        Self {
            name,
            grant,
            certificates: Vec::new(),
            hints: Vec::new(),
            pinned: None,
            last_sync: None,
            leaving: false,
            mount: None,
            incarnation: Some(Incarnation::generate()),
            forked: false,
            backed_up: false,
        }
    }
}

/// An address kept for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplicaEntry {
    /// Name given here.
    pub name: Option<String>,
    /// Most bytes that its signed trees may promise.
    pub quota: Option<u64>,
    /// Peers as told.
    pub hints: Vec<String>,
    /// When a peer last had everything we have, Unix ms.
    pub last_sync: Option<u64>,
    /// Being removed.
    pub leaving: bool,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registry {
    /// Spaces by address.
    pub spaces: BTreeMap<Address, SpaceEntry>,
    /// Replicas by address.
    pub replicas: BTreeMap<Address, ReplicaEntry>,
    /// When our keys were last put on paper or into a file, Unix ms.
    pub backed_up_ms: Option<u64>,
}

impl Registry {
    /// Nothing is kept by it.
    pub(crate) fn is_empty(&self) -> bool {
        self.spaces.is_empty() && self.replicas.is_empty()
    }

    /// Deterministic bytes; they hold secrets.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let spaces: Vec<_> = self.spaces.iter().map(encode_space).collect();
        let replicas: Vec<_> = self.replicas.iter().map(encode_replica).collect();
        let record = Record::new(FORMAT)
            .list(1, &spaces, |encoder, entry| encoder.bytes(entry)?.ok())
            .list(2, &replicas, |encoder, entry| encoder.bytes(entry)?.ok());
        let record = match self.backed_up_ms {
            Some(time) => record.uint(BACKED_UP_MS, time),
            None => record,
        };
        Zeroizing::new(record.finish())
    }

    /// What `encode` wrote.
    ///
    /// # Errors
    ///
    /// `Malformed`, or `TooNew`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(bytes, WHAT, FORMAT)?;
        let mut registry = Self {
            backed_up_ms: optional(&fields, BACKED_UP_MS)?,
            ..Self::default()
        };
        for entry in entries(&fields, 1)? {
            let (address, space) = decode_space(entry)?;
            registry.spaces.insert(address, space);
        }
        for entry in entries(&fields, 2)? {
            let (address, replica) = decode_replica(entry)?;
            registry.replicas.insert(address, replica);
        }
        Ok(registry)
    }
}

fn entries<'b>(fields: &Fields<'b>, key: u64) -> Result<Vec<&'b [u8]>, KeyError> {
    fields.list(key, MAX_ENTRIES, |decoder| {
        decoder
            .bytes()
            .ok()
            .filter(|entry| entry.len() <= MAX_ENTRY)
    })
}

fn encode_space((address, entry): (&Address, &SpaceEntry)) -> Zeroizing<Vec<u8>> {
    let (level, key) = match &entry.grant {
        Grant::Read(key) => (READ, key.expose()),
        Grant::Write(key) => (WRITE, key.expose()),
    };
    let mut record = Record::new(FORMAT)
        .bytes(1, &address.0)
        .text(2, &entry.name)
        .uint(3, level)
        .bytes(4, key)
        .list(5, &entry.certificates, |encoder, certificate| {
            encoder.bytes(certificate)?.ok()
        })
        .list(6, &entry.hints, |encoder, hint| encoder.str(hint)?.ok());
    if let Some(pinned) = &entry.pinned {
        record = record.field(7, |encoder| {
            encoder.array(3)?.bytes(&pinned.feed_key)?;
            encoder.u64(pinned.length)?.bytes(&pinned.tree_hash)?.ok()
        });
    }
    let mut record = with_state(record, entry.last_sync, entry.leaving);
    if let Some(mount) = &entry.mount {
        record = mount.encode(record, MOUNT);
    }
    if let Some(Incarnation(incarnation)) = &entry.incarnation {
        record = record.bytes(INCARNATION, incarnation);
    }
    if entry.forked {
        record = record.uint(FORKED, 1);
    }
    if entry.backed_up {
        record = record.uint(BACKED_UP, 1);
    }
    Zeroizing::new(record.finish())
}

fn encode_replica((address, entry): (&Address, &ReplicaEntry)) -> Vec<u8> {
    let mut record = Record::new(FORMAT).bytes(1, &address.0);
    if let Some(name) = &entry.name {
        record = record.text(2, name);
    }
    let record = record.list(6, &entry.hints, |encoder, hint| encoder.str(hint)?.ok());
    let record = with_state(record, entry.last_sync, entry.leaving);
    match entry.quota {
        Some(quota) => record.uint(QUOTA, quota),
        None => record,
    }
    .finish()
}

/// The fields that both kinds of entry end with.
fn with_state(mut record: Record, last_sync: Option<u64>, leaving: bool) -> Record {
    if let Some(time) = last_sync {
        record = record.uint(8, time);
    }
    record.uint(9, u64::from(leaving))
}

fn decode_space(entry: &[u8]) -> Result<(Address, SpaceEntry), KeyError> {
    let fields = Fields::read(entry, WHAT, FORMAT)?;
    let key = Zeroizing::new(fields.fixed(4)?);
    let grant = match fields.uint(3)? {
        READ => Grant::Read(ReadKey::from_bytes(&key)),
        WRITE => Grant::Write(EncryptionKey::from_bytes(&key)),
        _ => return Err(KeyError::Malformed(WHAT)),
    };
    let certificates = fields.list(5, MAX_CERTIFICATES, |decoder| {
        decoder.bytes().ok().map(<[u8]>::to_vec)
    })?;
    let entry = SpaceEntry {
        name: fields.text(2, MAX_NAME)?.to_owned(),
        grant,
        certificates,
        hints: hints(&fields)?,
        pinned: pinned(&fields)?,
        last_sync: optional(&fields, 8)?,
        leaving: fields.uint(9)? != 0,
        mount: MountEntry::decode(&fields, MOUNT)?,
        incarnation: incarnation(&fields)?,
        forked: optional(&fields, FORKED)?.is_some_and(|forked| forked != 0),
        backed_up: optional(&fields, BACKED_UP)?.is_some_and(|is| is != 0),
    };
    Ok((Address(fields.fixed(1)?), entry))
}

fn decode_replica(entry: &[u8]) -> Result<(Address, ReplicaEntry), KeyError> {
    let fields = Fields::read(entry, WHAT, FORMAT)?;
    let name = fields
        .has(2)
        .then(|| fields.text(2, MAX_NAME))
        .transpose()?;
    let entry = ReplicaEntry {
        name: name.map(str::to_owned),
        quota: optional(&fields, QUOTA)?,
        hints: hints(&fields)?,
        last_sync: optional(&fields, 8)?,
        leaving: fields.uint(9)? != 0,
    };
    Ok((Address(fields.fixed(1)?), entry))
}

fn hints(fields: &Fields<'_>) -> Result<Vec<String>, KeyError> {
    fields.list(6, MAX_HINTS, |decoder| {
        let hint = decoder.str().ok()?;
        (hint.len() <= MAX_HINT).then(|| hint.to_owned())
    })
}

fn incarnation(fields: &Fields<'_>) -> Result<Option<Incarnation>, KeyError> {
    let here = fields.has(INCARNATION);
    here.then(|| fields.fixed(INCARNATION).map(Incarnation))
        .transpose()
}

fn optional(fields: &Fields<'_>, key: u64) -> Result<Option<u64>, KeyError> {
    fields.has(key).then(|| fields.uint(key)).transpose()
}

fn pinned(fields: &Fields<'_>) -> Result<Option<PinnedHead>, KeyError> {
    if !fields.has(7) {
        return Ok(None);
    }
    let pinned = fields.value(7, |decoder| {
        if decoder.array().ok()?? != 3 {
            return None;
        }
        let feed_key = cbor::fixed(decoder)?;
        let length = decoder.u64().ok()?;
        let tree_hash = cbor::fixed(decoder)?;
        Some(PinnedHead {
            feed_key,
            length,
            tree_hash,
        })
    });
    pinned.map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::mounted::MountPlace;
    use super::*;

    fn sample() -> Registry {
        let space = SpaceEntry {
            name: "Garden".into(),
            grant: Grant::Write(EncryptionKey::generate()),
            certificates: vec![vec![1; 200], vec![2; 210]],
            hints: vec!["a@1.2.3.4:5".into()],
            pinned: Some(PinnedHead {
                feed_key: [3; 32],
                length: 9,
                tree_hash: [4; 32],
            }),
            last_sync: Some(1_700_000_000_000),
            leaving: false,
            mount: Some(MountEntry {
                place: MountPlace::Folder {
                    at: "/home/ann/cobox/Garden".into(),
                    made: true,
                },
                read_only: true,
                as_of_ms: Some(1_700_000_000_001),
            }),
            incarnation: Some(Incarnation([7; 16])),
            forked: true,
            backed_up: true,
        };
        let read = SpaceEntry {
            grant: Grant::Read(ReadKey::from_bytes(&[9; 32])),
            pinned: None,
            last_sync: None,
            leaving: true,
            mount: Some(MountEntry {
                place: MountPlace::Web { secret: [8; 16] },
                read_only: false,
                as_of_ms: None,
            }),
            incarnation: None,
            forked: false,
            backed_up: false,
            ..space.clone()
        };
        let replica = ReplicaEntry {
            name: Some("Bob's".into()),
            quota: Some(5),
            ..ReplicaEntry::default()
        };
        Registry {
            spaces: [(Address([1; 32]), space), (Address([2; 32]), read)].into(),
            replicas: [
                (Address([5; 32]), replica),
                (Address([6; 32]), ReplicaEntry::default()),
            ]
            .into(),
            backed_up_ms: Some(1_700_000_000_002),
        }
    }

    #[test]
    fn the_list_comes_back_as_it_was() {
        let registry = sample();
        assert_eq!(Registry::decode(&registry.encode()).unwrap(), registry);
        let empty = Registry::default();
        assert_eq!(Registry::decode(&empty.encode()).unwrap(), empty);
    }

    /// Byte for byte as the program wrote it before it could mount.
    #[test]
    fn a_list_from_before_mounts_still_reads() {
        let mut old = b"\xa3\x00\x01\x01\x81\x58\x56\xa8\x00\x01\x01\x58\x20".to_vec();
        old.extend([1; 32]);
        old.extend(b"\x02\x63Old\x03\x01\x04\x58\x20");
        old.extend([9; 32]);
        old.extend(b"\x05\x80\x06\x80\x09\x00\x02\x80");
        let registry = Registry::decode(&old).unwrap();
        let entry = &registry.spaces[&Address([1; 32])];
        assert_eq!((entry.name.as_str(), &entry.mount), ("Old", &None));
        assert_eq!(
            *registry.encode(),
            old,
            "unmounted spaces are written as before"
        );
    }

    #[test]
    fn a_place_that_is_no_place_is_refused() {
        for at in ["", "relative/path", &format!("/{}", "x".repeat(4096))] {
            let mut registry = sample();
            for entry in registry.spaces.values_mut() {
                entry.mount = Some(MountEntry {
                    place: MountPlace::Folder {
                        at: at.into(),
                        made: false,
                    },
                    read_only: false,
                    as_of_ms: None,
                });
            }
            assert!(Registry::decode(&registry.encode()).is_err(), "{at}");
        }
    }

    #[test]
    fn a_list_cut_short_is_refused() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert!(Registry::decode(&bytes[..end]).is_err());
        }
    }
}
