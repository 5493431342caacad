//! Every child key from one parent key, by name and context (libsodium `crypto_kdf`, keyed
//! `crypto_generichash`).
//!
//! Not its job: keeping the parent key or deciding when a new incarnation begins.

use crate::access::Address;
use crate::identity::{Identity, KeyPair};
use crate::secret::{Secret, fill_random, hide_in_debug};
use crate::sodium;

/// The one secret per identity and device. Never printed, never exported.
#[derive(Clone)]
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

impl Identity {
    /// The pair that signs as admin of one space. Certificates are seen by whoever knows the address, so it must not tell
    /// who its owner is, nor which other spaces are theirs.
    pub fn admin_pair(&self, address: &Address) -> KeyPair {
        let parent = sodium::kdf(self.key_pair().expose_seed(), b"cboxadmn", 0);
        KeyPair::from_secret(&sodium::keyed_hash(
            parent.expose(),
            "admin key",
            &[&address.0],
        ))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{entry, fixed, unhex};
    use std::collections::BTreeSet;

    #[test]
    fn children_are_as_documented() {
        let parent = ParentKey::from_bytes(&fixed("derivations", "parent"));
        assert_eq!(
            *parent.device_key().expose_seed(),
            fixed("derivations", "device_seed")
        );
        let address = Address(fixed("derivations", "address"));
        let incarnation = Incarnation(fixed("derivations", "incarnation"));
        for kind in FeedKind::ALL {
            let epoch = fixed("derivations", "epoch");
            let pair = parent.feed_key_pair(&address, &epoch, &incarnation, kind);
            let theirs = unhex(&entry("derivations", "feed_seeds")[kind as usize]);
            assert_eq!(pair.expose_seed().as_slice(), theirs);
        }
    }

    #[test]
    fn an_admin_has_another_key_in_each_space() {
        let person = Identity::from_seed(&fixed("derivations", "person"));
        let address = Address(fixed("derivations", "address"));
        let pair = person.admin_pair(&address);
        assert_eq!(*pair.expose_seed(), fixed("derivations", "admin_seed"));
        assert_ne!(pair.public(), person.public_key());
        assert_ne!(pair.public(), person.admin_pair(&Address([9; 32])).public());
    }

    #[test]
    fn whatever_differs_gives_another_feed() {
        let mut keys = BTreeSet::new();
        for (parent, address, epoch, life) in [
            (1, 2, 3, 4),
            (9, 2, 3, 4),
            (1, 9, 3, 4),
            (1, 2, 9, 4),
            (1, 2, 3, 9),
        ] {
            let parent = ParentKey::from_bytes(&[parent; 32]);
            let life = Incarnation([life; 16]);
            for kind in FeedKind::ALL {
                let pair = parent.feed_key_pair(&Address([address; 32]), &[epoch; 32], &life, kind);
                keys.insert(pair.public());
            }
        }
        assert_eq!(keys.len(), 15);
    }

    #[test]
    fn kinds_are_known_by_their_byte() {
        for kind in FeedKind::ALL {
            assert_eq!(FeedKind::from_u8(kind as u8), Some(kind));
        }
        assert_eq!(FeedKind::from_u8(3), None);
    }
}
