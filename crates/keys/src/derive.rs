//! Every child key from one parent key, by name and context (libsodium `crypto_kdf`, keyed `crypto_generichash`).

use crate::access::Address;
use crate::identity::KeyPair;

/// The one secret per identity and device. Never printed, never exported.
pub struct ParentKey; // ZeroizeOnDrop

/// 16 random bytes kept in the store: which life of this store is writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incarnation(pub [u8; 16]);

/// The three feeds a writer has in a space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum FeedKind { /** names, places, versions */ Metadata = 0, /** bytes of files */ Content = 1, /** messages */ Log = 2 }

impl ParentKey {
    /// 32 fresh random bytes.
    pub fn generate() -> Self { unimplemented!() }
    /// From storage.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self { unimplemented!() }
    /// For storage only.
    pub fn expose(&self) -> &[u8; 32] { unimplemented!() }
    /// The device key = transport endpoint key.
    pub fn device_key(&self) -> KeyPair { unimplemented!() }
    /// One of the three feed pairs for (address, epoch certificate hash, incarnation).
    pub fn feed_key_pair(&self, address: &Address, epoch: &[u8; 32], incarnation: &Incarnation, kind: FeedKind) -> KeyPair { unimplemented!() }
}
impl Incarnation { /** A new life. */ pub fn generate() -> Self { unimplemented!() } }
impl FeedKind { /** From its byte. */ pub fn from_u8(byte: u8) -> Option<Self> { unimplemented!() } /** All three. */ pub const ALL: [FeedKind; 3] = [Self::Metadata, Self::Content, Self::Log]; }
