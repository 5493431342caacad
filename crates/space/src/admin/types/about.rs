//! Who the device is, by the word of its space's root.

use cobox_keys::access::{Address, SpaceRoot};
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::{PublicKey, Signature};

use super::FORMAT;
use crate::log::Content;

const ROOT_SIGNS: &str = "device";

/// Who the device is. Signed by the root of its space, so that the address proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAbout {
    /// the device's identity
    pub identity: PublicKey,
    signature: [u8; 64],
}

impl DeviceAbout {
    /// Only who has the root can say it.
    pub fn sign(root: &SpaceRoot, identity: PublicKey) -> Self {
        let signature = root.key_pair().sign(ROOT_SIGNS, &identity.0).0;
        Self {
            identity,
            signature,
        }
    }

    /// Whether the root of this space said it.
    pub fn holds_at(&self, address: &Address) -> bool {
        let signature = Signature(self.signature);
        let root = address.root();
        root.verify(ROOT_SIGNS, &self.identity.0, &signature)
            .is_ok()
    }
}

impl Content for DeviceAbout {
    const TYPE: &'static str = "device/about";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT).bytes(1, &self.identity.0);
        record.bytes(2, &self.signature).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        Ok(Self {
            identity: PublicKey(fields.fixed(1)?),
            signature: fields.fixed(2)?,
        })
    }
}
