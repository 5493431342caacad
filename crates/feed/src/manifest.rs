//! Who may sign a feed: hypercore manifests (versions 0 to 3), core keys, what is signed and the signature envelope.

/// Name of a feed: the hash of its manifest (or, for a compat feed, the public key itself).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FeedKey(pub [u8; 32]); // Display hex

/// A decoded manifest; `encode` gives back the bytes that hash to the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest;

/// The pair that signs one of our own feeds. Wipes itself.
pub struct FeedKeyPair;
impl FeedKeyPair {
    /// From a derived 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self { unimplemented!() }
    /// Default manifest of this pair (version 1, quorum 1, one signer, default namespace).
    pub fn manifest(&self) -> Manifest { unimplemented!() }
}
impl Manifest {
    /// hypercore key: BLAKE2b(MANIFEST namespace || encoded manifest).
    pub fn key(&self) -> FeedKey { unimplemented!() }
    /// Wire bytes.
    pub fn encode(&self) -> Vec<u8> { unimplemented!() }
    /// Bounded decoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, crate::codec::DecodeError> { unimplemented!() }
}
