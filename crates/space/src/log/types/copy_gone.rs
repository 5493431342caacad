//! The message by which a member says that a replicator's copy is no more.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::PublicKey;

use super::{Content, FORMAT};

/// Nothing counts that a replicator signed until then: it was told to delete its copy, or was lost. What it signs later
/// counts as ever, so one that is found again, or told to keep the space again, needs no other word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyGone {
    /// its device key
    pub device: PublicKey,
    /// by its own clock, Unix ms
    pub until_ms: u64,
}

impl Content for CopyGone {
    const TYPE: &'static str = "space/copy-gone";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT).bytes(1, &self.device.0);
        record.uint(2, self.until_ms).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        Ok(Self {
            device: PublicKey(fields.fixed(1)?),
            until_ms: fields.uint(2)?,
        })
    }
}
