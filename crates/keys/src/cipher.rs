//! Seal and open one block: libsodium secretbox, laid out as nonce (24) | tag (16) | ciphertext.
//!
//! The layout of the original's crypto-encoder. Not its job: which key belongs to which feed.

use dryoc::classic::crypto_secretbox::{
    Mac, Nonce, crypto_secretbox_detached, crypto_secretbox_open_detached,
};
use zeroize::Zeroize;

use crate::error::KeyError;
use crate::secret::{Secret, fill_random, hide_in_debug};

/// Bytes a sealed block is longer than its plaintext.
pub const OVERHEAD: usize = NONCE + TAG;
const NONCE: usize = 24;
const TAG: usize = 16;

/// A secretbox key. Wipes itself.
#[derive(Clone)]
pub struct BlockKey(Secret);
hide_in_debug!(BlockKey);

impl BlockKey {
    pub(crate) fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// From 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    /// For wrapping by the identity.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Random nonce; returns nonce | tag | ciphertext.
    pub fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let mut nonce: Nonce = [0; NONCE];
        fill_random(&mut nonce);
        self.seal_with_nonce(&nonce, plaintext)
    }

    /// Only `seal` and tests may choose a nonce: one used twice gives both plaintexts away.
    fn seal_with_nonce(&self, nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
        let mut tag: Mac = [0; TAG];
        let mut sealed = vec![0; OVERHEAD + plaintext.len()];
        crypto_secretbox_detached(
            &mut sealed[OVERHEAD..],
            &mut tag,
            plaintext,
            nonce,
            self.expose(),
        )
        .expect("the buffer is as long as the plaintext, which fits in memory");
        sealed[..NONCE].copy_from_slice(nonce);
        sealed[NONCE..OVERHEAD].copy_from_slice(&tag);
        sealed
    }

    /// Opens what `seal` made.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is shorter than [`OVERHEAD`], `CannotOpen` if the key is another or any bit
    /// was altered.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut plaintext = Vec::new();
        self.open_into(sealed, &mut plaintext)?;
        Ok(plaintext)
    }

    /// Opens into a buffer that is reused (cleared first); no allocation when it is large enough.
    /// On an error the buffer is left empty.
    ///
    /// # Errors
    ///
    /// As [`BlockKey::open`].
    pub fn open_into(&self, sealed: &[u8], plaintext: &mut Vec<u8>) -> Result<(), KeyError> {
        plaintext.clear();
        let malformed = KeyError::Malformed("block");
        let (nonce, rest) = sealed
            .split_first_chunk::<NONCE>()
            .ok_or(malformed.clone())?;
        let (tag, ciphertext) = rest.split_first_chunk::<TAG>().ok_or(malformed)?;
        plaintext.resize(ciphertext.len(), 0);
        crypto_secretbox_open_detached(plaintext, ciphertext, tag, nonce, self.expose()).map_err(
            |_| {
                plaintext.zeroize();
                KeyError::CannotOpen("block")
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{bytes, fixed};
    use proptest::prelude::*;

    fn key() -> BlockKey {
        BlockKey::from_bytes(&fixed("primitives", "key"))
    }

    #[test]
    fn a_block_is_libsodiums_secretbox() {
        let nonce = fixed("primitives", "nonce");
        for (name, plaintext) in [
            ("secretbox", bytes("primitives", "message")),
            ("secretbox_empty", vec![]),
        ] {
            let theirs = bytes("primitives", name);
            assert_eq!(key().seal_with_nonce(&nonce, &plaintext), theirs, "{name}");
            assert_eq!(key().open(&theirs), Ok(plaintext), "{name}");
        }
        let large = key().seal_with_nonce(&nonce, &[0; 65536]);
        assert_eq!(
            crate::sodium::hash(&large),
            fixed("primitives", "secretbox_64k_hash")
        );
    }

    #[test]
    fn a_nonce_is_not_used_twice() {
        assert_ne!(key().seal(b"same"), key().seal(b"same"));
    }

    #[test]
    fn nothing_is_left_in_the_buffer_of_a_block_that_does_not_open() {
        let mut buffer = b"earlier".to_vec();
        let mut sealed = key().seal(b"secret");
        sealed[OVERHEAD] ^= 1;
        assert_eq!(
            key().open_into(&sealed, &mut buffer),
            Err(KeyError::CannotOpen("block"))
        );
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_buffer_is_used_again_without_growing() {
        let mut buffer = Vec::with_capacity(100);
        let place = buffer.as_ptr();
        key()
            .open_into(&key().seal(&[7; 100]), &mut buffer)
            .unwrap();
        assert_eq!(
            (buffer.as_slice(), buffer.as_ptr()),
            ([7; 100].as_slice(), place)
        );
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(plaintext in proptest::collection::vec(any::<u8>(), 0..300)) {
            let sealed = key().seal(&plaintext);
            prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
            prop_assert_eq!(key().open(&sealed), Ok(plaintext));
        }

        #[test]
        fn one_flipped_bit_and_it_stays_shut(
            plaintext in proptest::collection::vec(any::<u8>(), 0..300),
            place in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let mut sealed = key().seal(&plaintext);
            let place = place.index(sealed.len());
            sealed[place] ^= 1u8 << bit;
            prop_assert_eq!(key().open(&sealed), Err(KeyError::CannotOpen("block")));
        }

        #[test]
        fn cut_or_foreign_blocks_stay_shut(sealed in proptest::collection::vec(any::<u8>(), 0..99)) {
            let refused = match sealed.len() {
                0..OVERHEAD => KeyError::Malformed("block"),
                _ => KeyError::CannotOpen("block"),
            };
            prop_assert_eq!(key().open(&sealed), Err(refused));
        }
    }
}
