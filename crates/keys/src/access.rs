//! What a space is known by, and what each secret lets you do with it.
//!
//! Secrets only weaken: encryption key -> read key -> block key, and encryption key -> writer pair.
//! Not its job: which epoch a key belongs to; certificates say that.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq;

use crate::cipher::BlockKey;
use crate::error::KeyError;
use crate::identity::{KeyPair, PublicKey, parse_hex};
use crate::secret::{Secret, hide_in_debug};
use crate::sodium;

/// Public name of a space: the Ed25519 public key of its root. 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 32]);

/// The creator's root pair; signs admin certificates only.
pub struct SpaceRoot(KeyPair);
/// Read and write: 32 random bytes per epoch.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey(Secret);
/// Read only; derived from the encryption key.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadKey(Secret);
/// For topics, beacons and session proofs; derived from the address in epoch 0.
#[derive(Clone)]
pub struct AccessSecret(Secret);
hide_in_debug!(SpaceRoot, EncryptionKey, ReadKey, AccessSecret);

impl SpaceRoot {
    /// New space.
    pub fn generate() -> Self {
        Self(KeyPair::generate())
    }

    /// From paper or the log.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(KeyPair::from_seed(seed))
    }

    /// The address this root gives.
    pub fn address(&self) -> Address {
        Address(self.0.public().0)
    }

    /// Signing pair (admin certificates).
    pub fn key_pair(&self) -> &KeyPair {
        &self.0
    }
}

impl EncryptionKey {
    /// 32 fresh random bytes.
    pub fn generate() -> Self {
        Self(Secret::random())
    }

    /// From an invite, paper or storage.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    /// For an invite, paper or storage.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// What read-only members hold.
    pub fn read_key(&self) -> ReadKey {
        ReadKey(sodium::kdf(self.expose(), b"cboxread", 0))
    }

    /// Admits feeds under this epoch.
    pub fn writer_pair(&self) -> KeyPair {
        KeyPair::from_secret(&sodium::kdf(self.expose(), b"cboxwrit", 0))
    }
}

impl ReadKey {
    /// From an invite of level `read`.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    /// For storage.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The secretbox key of every block of one feed: kdf(read key, feed key).
    pub fn block_key(&self, feed_key: &[u8; 32]) -> BlockKey {
        BlockKey::new(sodium::keyed_hash(self.expose(), "block key", &[feed_key]))
    }

    /// A key for keyed hashes of plaintext within the space (de-duplication, checkpoints).
    pub fn hash_key(&self, purpose: &'static str) -> [u8; 32] {
        *sodium::keyed_hash(self.expose(), "hash key", &[purpose.as_bytes()]).expose()
    }
}

impl Address {
    /// Epoch 0's access secret.
    pub fn access_secret(&self) -> AccessSecret {
        AccessSecret(sodium::kdf(&self.0, b"cboxaccs", 0))
    }

    /// The root's public key, which is the same 32 bytes.
    pub fn root(&self) -> PublicKey {
        PublicKey(self.0)
    }
}

impl AccessSecret {
    /// Keyed BLAKE2b-256 over the parts (each length-prefixed) for one purpose: session proofs,
    /// beacon tags, topics. To check one that somebody sent, use [`AccessSecret::check_mac`].
    pub fn mac(&self, purpose: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        let mut framed = Vec::new();
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            framed.extend_from_slice(&(part.len() as u64).to_le_bytes());
            framed.extend_from_slice(part);
        }
        *sodium::keyed_hash(self.0.expose(), "mac", &[&framed]).expose()
    }

    /// Whether `claimed` is that MAC; takes the same time wherever it differs.
    pub fn check_mac(&self, purpose: &'static str, parts: &[&[u8]], claimed: &[u8; 32]) -> bool {
        self.mac(purpose, parts).ct_eq(claimed).into()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

impl FromStr for Address {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        parse_hex(text, "address").map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::fixed;

    #[test]
    fn secrets_weaken_as_documented() {
        let key = EncryptionKey::from_bytes(&fixed("derivations", "encryption_key"));
        let read = key.read_key();
        assert_eq!(*read.expose(), fixed("derivations", "read_key"));
        assert_eq!(
            *key.writer_pair().expose_seed(),
            fixed("derivations", "writer_seed")
        );
        let block_key = read.block_key(&fixed("derivations", "feed_key"));
        assert_eq!(*block_key.expose(), fixed("derivations", "block_key"));
        assert_eq!(read.hash_key("chunks"), fixed("derivations", "hash_key"));
    }

    #[test]
    fn macs_are_as_documented() {
        let access = Address(fixed("derivations", "address")).access_secret();
        assert_eq!(
            access.mac("topic", &[b"ab", b"", b"c"]),
            fixed("derivations", "mac")
        );
    }

    #[test]
    fn parts_of_a_mac_do_not_run_together() {
        let access = Address([1; 32]).access_secret();
        let macs = [
            access.mac("topic", &[b"ab", b"c"]),
            access.mac("topic", &[b"a", b"bc"]),
            access.mac("topic", &[b"abc"]),
            access.mac("topica", &[b"bc"]),
            access.mac("topic", &[b"abc", b""]),
        ];
        for (index, mac) in macs.iter().enumerate() {
            assert!(!macs[index + 1..].contains(mac), "{index}");
        }
    }
}
