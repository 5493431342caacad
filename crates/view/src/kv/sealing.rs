//! How a value lies in the file: one format byte, then the value, sealed or plain.

use super::{Table, ViewError};
use cobox_keys::cipher::BlockKey;

const PLAIN: u8 = 0;
const SEALED: u8 = 1;

/// How the values of one database are kept. A sealed database refuses plain values: otherwise whoever
/// can write the file could slip rows in without knowing the key.
pub(super) enum Sealing {
    /// In memory only.
    Plain,
    /// libsodium secretbox under this key.
    Sealed(BlockKey),
}

impl Sealing {
    pub(super) fn seal(&self, value: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => with_format(PLAIN, value),
            Self::Sealed(key) => with_format(SEALED, &key.seal(value)),
        }
    }

    pub(super) fn open(&self, table: Table, stored: &[u8]) -> Result<Vec<u8>, ViewError> {
        match (self, stored.split_first()) {
            (Self::Plain, Some((&PLAIN, value))) => Ok(value.to_vec()),
            (Self::Sealed(key), Some((&SEALED, sealed))) => {
                key.open(sealed).map_err(|_| ViewError::Damaged(table.0))
            }
            _ => Err(ViewError::Damaged(table.0)),
        }
    }
}

fn with_format(format: u8, bytes: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + bytes.len());
    stored.push(format);
    stored.extend_from_slice(bytes);
    stored
}
