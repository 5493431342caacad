//! A rehearsal that went well: somebody got files back from a replicator alone, with the key as it stands on paper.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::PublicKey;

use super::{Content, FORMAT};

/// The newest one of each device counts. It is its author's word, as names are; receipts are the device's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceDrill {
    /// the replicator
    pub device: PublicKey,
    /// when, Unix ms
    pub time_ms: u64,
    /// files that were compared, bit by bit
    pub files: u64,
    /// their bytes
    pub bytes: u64,
    /// these were all files of the space
    pub all: bool,
}

impl Content for SpaceDrill {
    const TYPE: &'static str = "space/drill";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT).bytes(1, &self.device.0);
        let record = record.uint(2, self.time_ms).uint(3, self.files);
        record
            .uint(4, self.bytes)
            .uint(5, u64::from(self.all))
            .finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        Ok(Self {
            device: PublicKey(fields.fixed(1)?),
            time_ms: fields.uint(2)?,
            files: fields.uint(3)?,
            bytes: fields.uint(4)?,
            all: fields.uint(5)? != 0,
        })
    }
}
