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
