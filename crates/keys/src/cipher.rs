//! Seal and open one block: libsodium secretbox, laid out as nonce (24) | tag (16) | ciphertext.

use crate::error::KeyError;

/// Bytes a sealed block is longer than its plaintext.
pub const OVERHEAD: usize = 40;

/// A secretbox key. Wipes itself.
pub struct BlockKey; // Clone, ZeroizeOnDrop
impl BlockKey {
    /// From 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self { unimplemented!() }
    /// For wrapping by the identity.
    pub fn expose(&self) -> &[u8; 32] { unimplemented!() }
    /// Random nonce; returns nonce | tag | ciphertext.
    pub fn seal(&self, plaintext: &[u8]) -> Vec<u8> { unimplemented!() }
    /// Opens what `seal` made.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, KeyError> { unimplemented!() }
    /// Opens into a buffer that is reused (cleared first); no allocation when it is large enough.
    pub fn open_into(&self, sealed: &[u8], plaintext: &mut Vec<u8>) -> Result<(), KeyError> { unimplemented!() }
}
