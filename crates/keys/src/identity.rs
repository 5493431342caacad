//! The long-lived key pair of a person, and what it signs and opens.

use crate::error::KeyError;

/// 32 bytes that may be shared: of a person, a device, a space's admin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PublicKey(pub [u8; 32]); // Display/Debug/FromStr: 64 hex digits

/// Ed25519 signature over `"cobox/1/<what>"`, a zero byte, then the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// Any Ed25519 pair that signs statements: a person, a device, a space root, an admin, a writer pair.
pub struct KeyPair; // wipes itself; Debug hides

/// A person. A `KeyPair` that can also open what was sealed to its public key.
pub struct Identity;

impl PublicKey {
    /// Strict verification (no small-order keys, canonical R and S).
    pub fn verify(&self, what: &'static str, message: &[u8], signature: &Signature) -> Result<(), KeyError> { unimplemented!() }
    /// libsodium sealed box to the X25519 form of this key.
    pub fn seal(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> { unimplemented!() }
}
impl KeyPair {
    /// From a 32-byte Ed25519 seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self { unimplemented!() }
    /// A new random pair.
    pub fn generate() -> Self { unimplemented!() }
    /// The half that may be shared.
    pub fn public(&self) -> PublicKey { unimplemented!() }
    /// Signs a statement of the given kind.
    pub fn sign(&self, what: &'static str, message: &[u8]) -> Signature { unimplemented!() }
    /// The secret seed, for storage or for handing to an engine (iroh, a feed). Handle with care.
    pub fn expose_seed(&self) -> &[u8; 32] { unimplemented!() }
}
impl Identity {
    /// A new person.
    pub fn generate() -> Self { unimplemented!() }
    /// From the stored 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self { unimplemented!() }
    /// What you share.
    pub fn public_key(&self) -> PublicKey { unimplemented!() }
    /// The signing pair.
    pub fn key_pair(&self) -> &KeyPair { unimplemented!() }
    /// Opens a sealed box made with `PublicKey::seal`.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, KeyError> { unimplemented!() }
    /// A key for sealing local rows and secrets at rest, derived for one named purpose.
    pub fn storage_key(&self, purpose: &'static str) -> crate::cipher::BlockKey { unimplemented!() }
}
