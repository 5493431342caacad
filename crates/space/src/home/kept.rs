//! What a locked program goes on keeping: addresses with their quotas and hints, in the clear, and which feeds
//! there are our own.
//!
//! Nothing in it is secret to whoever sees the disk: the store names its addresses anyway. Our own feeds are named so
//! that a locked program, which cannot sign, does not let others make them longer either: after unlocking we would go
//! on where somebody else had written. Not its job: keys, and names, which are sealed in the list of spaces.

use std::collections::BTreeMap;

use cobox_keys::access::Address;
use cobox_keys::cbor::{self, Fields, Record};
use cobox_keys::error::KeyError;

use super::registry::{MAX_ENTRIES, MAX_HINT, MAX_HINTS, Registry};

const FORMAT: u64 = 1;
const WHAT: &str = "list of what is kept";
/// Three feeds, and room for epochs to come.
const MAX_OWN: usize = 64;
const MAX_ENTRY: usize = 64 * 1024;

/// A feed by its key, and the byte of its kind.
pub(crate) type KindOfFeed = ([u8; 32], u8);

/// One address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptEntry {
    /// Most bytes that its signed trees may promise.
    pub quota: Option<u64>,
    /// Peers as told.
    pub hints: Vec<String>,
    /// The feeds that we write there.
    pub own: Vec<KindOfFeed>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept(pub BTreeMap<Address, KeptEntry>);

impl Kept {
    /// What follows from the list of spaces, and from which feeds are our own.
    pub(crate) fn of(registry: &Registry, own: &BTreeMap<Address, Vec<KindOfFeed>>) -> Self {
        let spaces = registry.spaces.iter().filter(|(_, entry)| !entry.leaving);
        let spaces = spaces.map(|(address, entry)| {
            let kept = KeptEntry {
                quota: None,
                hints: entry.hints.clone(),
                own: own.get(address).cloned().unwrap_or_default(),
            };
            (*address, kept)
        });
        let replicas = registry.replicas.iter().filter(|(_, entry)| !entry.leaving);
        let replicas = replicas.map(|(address, entry)| {
            let kept = KeptEntry {
                quota: entry.quota,
                hints: entry.hints.clone(),
                own: Vec::new(),
            };
            (*address, kept)
        });
        Self(replicas.chain(spaces).collect())
    }

    /// Our own feeds, by space.
    pub(crate) fn own(&self) -> BTreeMap<Address, Vec<KindOfFeed>> {
        let entries = self.0.iter();
        entries
            .map(|(address, entry)| (*address, entry.own.clone()))
            .collect()
    }

    pub(super) fn encode(&self) -> Record {
        let entries: Vec<_> = self.0.iter().map(encode).collect();
        Record::new(FORMAT).list(1, &entries, |encoder, entry| encoder.bytes(entry)?.ok())
    }

    pub(super) fn decode(fields: &Fields<'_>) -> Result<Self, KeyError> {
        let entries = fields.list(1, MAX_ENTRIES, |decoder| {
            decoder
                .bytes()
                .ok()
                .filter(|entry| entry.len() <= MAX_ENTRY)
        })?;
        entries
            .into_iter()
            .map(decode)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn encode((address, entry): (&Address, &KeptEntry)) -> Vec<u8> {
    let mut record = Record::new(FORMAT).bytes(1, &address.0);
    if let Some(quota) = entry.quota {
        record = record.uint(2, quota);
    }
    record
        .list(3, &entry.hints, |encoder, hint| encoder.str(hint)?.ok())
        .list(4, &entry.own, |encoder, (feed, kind)| {
            encoder.array(2)?.bytes(feed)?.u8(*kind)?.ok()
        })
        .finish()
}

fn decode(entry: &[u8]) -> Result<(Address, KeptEntry), KeyError> {
    let fields = Fields::read(entry, WHAT, FORMAT)?;
    let own = fields.list(4, MAX_OWN, |decoder| {
        (decoder.array().ok()?? == 2).then_some(())?;
        Some((cbor::fixed(decoder)?, decoder.u8().ok()?))
    })?;
    let hints = fields.list(3, MAX_HINTS, |decoder| {
        let hint = decoder.str().ok()?;
        (hint.len() <= MAX_HINT).then(|| hint.to_owned())
    })?;
    let quota = fields.has(2).then(|| fields.uint(2)).transpose()?;
    Ok((Address(fields.fixed(1)?), KeptEntry { quota, hints, own }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::ReplicaEntry;

    #[test]
    fn what_is_kept_comes_back_as_it_was_and_nothing_that_is_leaving() {
        let replica = |leaving| ReplicaEntry {
            name: Some("a name".into()),
            quota: Some(7),
            hints: vec!["a@1.2.3.4:5".into()],
            leaving,
            ..ReplicaEntry::default()
        };
        let registry = Registry {
            replicas: [
                (Address([1; 32]), replica(false)),
                (Address([2; 32]), replica(true)),
            ]
            .into(),
            ..Registry::default()
        };
        let mut kept = Kept::of(&registry, &BTreeMap::new());
        assert_eq!(kept.0.len(), 1);
        let entry = kept.0.get_mut(&Address([1; 32])).unwrap();
        assert_eq!(entry.quota, Some(7));
        entry.own = vec![([9; 32], 2), ([8; 32], 0)];
        let bytes = kept.encode().finish();
        let fields = Fields::read(&bytes, WHAT, FORMAT).unwrap();
        assert_eq!(Kept::decode(&fields).unwrap(), kept);
        assert!(!bytes.windows(6).any(|text| text == b"a name"));
        for end in 0..bytes.len() {
            let cut = Fields::read(&bytes[..end], WHAT, FORMAT);
            assert!(cut.and_then(|fields| Kept::decode(&fields)).is_err());
        }
    }
}
