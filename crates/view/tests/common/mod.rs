//! What several test files need.
#![allow(dead_code, reason = "each test file uses its own part")]

use cobox_keys::cipher::BlockKey;

/// A key that differs by `number`.
pub fn block_key(number: u8) -> BlockKey {
    BlockKey::from_bytes(&[number; 32])
}
