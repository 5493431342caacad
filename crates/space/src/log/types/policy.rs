//! How many copies the members want, and how old their proofs may be.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;

use super::{Content, FORMAT};

/// The newest one counts for all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpacePolicy {
    /// so many replicators shall hold everything
    pub threshold: u32,
    /// a proof older than this (ms) counts no more
    pub tolerance_ms: u64,
}

impl Content for SpacePolicy {
    const TYPE: &'static str = "space/policy";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT).uint(1, self.threshold.into());
        record.uint(2, self.tolerance_ms).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let threshold = fields.uint(1)?;
        Ok(Self {
            threshold: u32::try_from(threshold).map_err(|_| KeyError::Malformed(Self::TYPE))?,
            tolerance_ms: fields.uint(2)?,
        })
    }
}
