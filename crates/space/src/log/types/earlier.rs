//! The message by which a device that began anew says which one it was.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::PublicKey;

use super::{Content, FORMAT};

/// The author's device goes on under the key that it claims; under this one it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerEarlier {
    /// its device key then
    pub device: PublicKey,
}

impl Content for PeerEarlier {
    const TYPE: &'static str = "peer/earlier";

    fn encode(&self) -> Vec<u8> {
        Record::new(FORMAT).bytes(1, &self.device.0).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let device = PublicKey(fields.fixed(1)?);
        Ok(Self { device })
    }
}
