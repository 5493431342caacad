//! Peers known from before: a small file that remembers who proved to be at an address, and where.
//!
//! ```text
//! cbor: { 0: format = 1, 1: [ { 0: address, 1: [ { 0: hint text, 1: last seen, Unix ms } ] } ] }
//! ```
//! A file that cannot be read is forgotten: it only makes finding people quicker.

use crate::transport::Hint;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use minicbor::{Decoder, Encoder};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Peers remembered per address; the longest unseen goes first.
const MAX_PEERS: usize = 64;
/// A larger file is not ours.
const MAX_FILE: u64 = 16 << 20;
const FORMAT: u8 = 1;

/// Known peers by address, kept in a file if there is one.
#[derive(Debug, Default)]
pub struct Cache {
    file: Option<PathBuf>,
    peers: BTreeMap<Address, Vec<Known>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    hint: Hint,
    seen_ms: u64,
}

impl Cache {
    /// Reads the file, if there is one.
    pub fn open(file: Option<PathBuf>) -> Self {
        let peers = file.as_deref().and_then(read).unwrap_or_default();
        Self { file, peers }
    }

    /// Remembers a peer; newer addresses go before older ones.
    pub fn remember(&mut self, address: Address, hint: Hint, seen_ms: u64) {
        let known = self.peers.entry(address).or_default();
        match known.iter_mut().find(|k| k.hint.device == hint.device) {
            Some(found) => {
                found.hint.prefer(&hint.addresses);
                found.seen_ms = found.seen_ms.max(seen_ms);
            }
            None => known.push(Known { hint, seen_ms }),
        }
        known.sort_by_key(|k| std::cmp::Reverse(k.seen_ms));
        known.truncate(MAX_PEERS);
    }

    /// Forgets an address.
    pub fn forget(&mut self, address: &Address) {
        self.peers.remove(address);
    }

    /// Peers at an address, last seen first.
    pub fn at(&self, address: &Address) -> Vec<Hint> {
        let known = self
            .peers
            .get(address)
            .map(Vec::as_slice)
            .unwrap_or_default();
        known.iter().map(|k| k.hint.clone()).collect()
    }

    /// When somebody was last proven at an address, Unix ms.
    pub fn last_seen_at(&self, address: &Address) -> Option<u64> {
        let known = self.peers.get(address)?;
        known.iter().map(|known| known.seen_ms).max()
    }

    /// Every device, with the addresses it was met at.
    pub fn devices(&self) -> BTreeMap<PublicKey, Vec<Address>> {
        let mut devices: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (address, known) in &self.peers {
            for peer in known {
                devices.entry(peer.hint.device).or_default().push(*address);
            }
        }
        devices
    }

    /// When a device was last seen at any address, Unix ms.
    pub fn last_seen(&self, device: &PublicKey) -> Option<u64> {
        let all = self.peers.values().flatten();
        all.filter(|k| k.hint.device == *device)
            .map(|k| k.seen_ms)
            .max()
    }

    /// Writes the file in one step; without a file nothing happens.
    pub fn save(&self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let new = file.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut options = fs::OpenOptions::new();
        let mut out = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        out.write_all(&self.encode())?;
        out.sync_all()?;
        fs::rename(&new, file)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = self.write_cbor(&mut Encoder::new(&mut bytes));
        debug_assert!(written.is_ok(), "writing to memory cannot fail");
        bytes
    }

    fn write_cbor(
        &self,
        e: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.map(2)?
            .u8(0)?
            .u8(FORMAT)?
            .u8(1)?
            .array(self.peers.len() as u64)?;
        for (address, known) in &self.peers {
            e.map(2)?
                .u8(0)?
                .bytes(&address.0)?
                .u8(1)?
                .array(known.len() as u64)?;
            for peer in known {
                e.map(2)?
                    .u8(0)?
                    .str(&peer.hint.to_string())?
                    .u8(1)?
                    .u64(peer.seen_ms)?;
            }
        }
        Ok(())
    }
}

fn read(file: &Path) -> Option<BTreeMap<Address, Vec<Known>>> {
    if fs::metadata(file).ok()?.len() > MAX_FILE {
        return None;
    }
    decode(&fs::read(file).ok()?)
}

fn decode(bytes: &[u8]) -> Option<BTreeMap<Address, Vec<Known>>> {
    let mut d = Decoder::new(bytes);
    if (d.map().ok()?, d.u8().ok()?, d.u8().ok()?, d.u8().ok()?) != (Some(2), 0, FORMAT, 1) {
        return None;
    }
    let mut peers = BTreeMap::new();
    for _ in 0..d.array().ok()?? {
        if (d.map().ok()?, d.u8().ok()?) != (Some(2), 0) {
            return None;
        }
        let address = Address(d.bytes().ok()?.try_into().ok()?);
        let count = (d.u8().ok()? == 1).then(|| d.array().ok()).flatten()??;
        let mut known = Vec::new();
        for _ in 0..count.min(MAX_PEERS as u64) {
            known.push(decode_peer(&mut d)?);
        }
        peers.insert(address, known);
    }
    Some(peers)
}

fn decode_peer(d: &mut Decoder<'_>) -> Option<Known> {
    if (d.map().ok()?, d.u8().ok()?) != (Some(2), 0) {
        return None;
    }
    let hint = d.str().ok()?.parse().ok()?;
    (d.u8().ok()? == 1).then_some(())?;
    Some(Known {
        hint,
        seen_ms: d.u64().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hint(device: u8, port: u16) -> Hint {
        Hint {
            device: PublicKey([device; 32]),
            addresses: vec![([127, 0, 0, 1], port).into()],
        }
    }

    #[test]
    fn what_is_remembered_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("peers");
        let here = Address([1; 32]);
        let mut cache = Cache::open(Some(file.clone()));
        cache.remember(here, hint(1, 10), 100);
        cache.remember(here, hint(2, 20), 200);
        cache.remember(here, hint(1, 11), 300);
        cache.save().unwrap();
        let cache = Cache::open(Some(file));
        let found = cache.at(&here);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].device, PublicKey([1; 32]), "last seen first");
        assert_eq!(found[0].addresses[0].port(), 11, "newest address first");
        assert_eq!(cache.last_seen(&PublicKey([2; 32])), Some(200));
        assert!(cache.at(&Address([2; 32])).is_empty());
    }

    #[test]
    fn only_so_many_are_kept_and_the_longest_unseen_go() {
        let mut cache = Cache::default();
        for n in 0..100u8 {
            cache.remember(Address([1; 32]), hint(n, 1), u64::from(n));
        }
        let found = cache.at(&Address([1; 32]));
        assert_eq!(found.len(), MAX_PEERS);
        assert_eq!(found[0].device, PublicKey([99; 32]));
    }

    #[test]
    fn a_spoilt_file_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("peers");
        fs::write(&file, b"not a list of peers").unwrap();
        assert!(Cache::open(Some(file)).at(&Address([1; 32])).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_forgotten(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
