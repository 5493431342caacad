//! What a space is known by, and what each secret lets you do with it.

use crate::cipher::BlockKey;
use crate::identity::KeyPair;

/// Public name of a space: the Ed25519 public key of its root. 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(pub [u8; 32]); // Display/Debug/FromStr hex

/// The creator's root pair; signs admin certificates only.
pub struct SpaceRoot;
/// Read and write: 32 random bytes per epoch.
pub struct EncryptionKey;
/// Read only; derived from the encryption key.
pub struct ReadKey; // Clone
/// For topics, beacons and session proofs; derived from the address in epoch 0.
pub struct AccessSecret; // Clone

impl SpaceRoot {
    /// New space.
    pub fn generate() -> Self { unimplemented!() }
    /// From paper or the log.
    pub fn from_seed(seed: &[u8; 32]) -> Self { unimplemented!() }
    /// The address this root gives.
    pub fn address(&self) -> Address { unimplemented!() }
    /// Signing pair (admin certificates).
    pub fn key_pair(&self) -> &KeyPair { unimplemented!() }
}
impl EncryptionKey {
    /// 32 fresh random bytes.
    pub fn generate() -> Self { unimplemented!() }
    /// From an invite, paper or storage.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self { unimplemented!() }
    /// For an invite, paper or storage.
    pub fn expose(&self) -> &[u8; 32] { unimplemented!() }
    /// What read-only members hold.
    pub fn read_key(&self) -> ReadKey { unimplemented!() }
    /// Admits feeds under this epoch.
    pub fn writer_pair(&self) -> KeyPair { unimplemented!() }
}
impl ReadKey {
    /// From an invite of level `read`.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self { unimplemented!() }
    /// For storage.
    pub fn expose(&self) -> &[u8; 32] { unimplemented!() }
    /// The secretbox key of every block of one feed: kdf(read key, feed key).
    pub fn block_key(&self, feed_key: &[u8; 32]) -> BlockKey { unimplemented!() }
    /// A key for keyed hashes of plaintext within the space (de-duplication, checkpoints).
    pub fn hash_key(&self, purpose: &'static str) -> [u8; 32] { unimplemented!() }
}
impl Address { /** Epoch 0's access secret. */ pub fn access_secret(&self) -> AccessSecret { unimplemented!() } }
impl AccessSecret {
    /// Keyed BLAKE2b-256 over the parts (each length-prefixed) for one purpose: session proofs, beacon tags, topics.
    pub fn mac(&self, purpose: &'static str, parts: &[&[u8]]) -> [u8; 32] { unimplemented!() }
}
