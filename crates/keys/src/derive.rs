//! Every child key from one parent key, by name and context (libsodium `crypto_kdf`, keyed
//! `crypto_generichash`).
//!
//! Not its job: keeping the parent key or deciding when a new incarnation begins.

use crate::access::Address;
use crate::identity::KeyPair;
use crate::secret::{Secret, fill_random, hide_in_debug};
use crate::sodium;

/// The one secret per identity and device. Never printed, never exported.
pub struct ParentKey(Secret);
hide_in_debug!(ParentKey);

/// 16 random bytes kept in the store: which life of this store is writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incarnation(pub [u8; 16]);

/// The three feeds a writer has in a space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum FeedKind {
    /// names, places, versions
    Metadata = 0,
    /// bytes of files
    Content = 1,
    /// messages
    Log = 2,
}

impl ParentKey {
    /// 32 fresh random bytes.
    pub fn generate() -> Self {
        Self(Secret::random())
    }

    /// From storage.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    /// For storage only.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The device key = transport endpoint key.
    pub fn device_key(&self) -> KeyPair {
        KeyPair::from_secret(&sodium::kdf(self.expose(), b"cboxdevc", 0))
    }

    /// One of the three feed pairs for (address, epoch certificate hash, incarnation).
    pub fn feed_key_pair(
        &self,
        address: &Address,
        epoch: &[u8; 32],
        incarnation: &Incarnation,
        kind: FeedKind,
    ) -> KeyPair {
        let space = sodium::keyed_hash(self.expose(), "space parent", &[&address.0]);
        let feeds = sodium::keyed_hash(space.expose(), "feed parent", &[epoch, &incarnation.0]);
        KeyPair::from_secret(&sodium::kdf(feeds.expose(), b"cboxfeed", kind as u64))
    }
}

impl Incarnation {
    /// A new life.
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        fill_random(&mut bytes);
        Self(bytes)
    }
}

impl FeedKind {
    /// All three.
    pub const ALL: [FeedKind; 3] = [Self::Metadata, Self::Content, Self::Log];

    /// From its byte.
    pub fn from_u8(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}
