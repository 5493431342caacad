//! The statement in block 0 of each of a writer's three feeds: these feeds are mine.

use crate::access::Address;
use crate::cbor::{self, Fields, Record};
use crate::error::KeyError;
use crate::identity::{Identity, PublicKey};
use crate::signed::{self, Signed};

const FORMAT: u64 = 1;
const WHAT: &str = "claim";
const MAX_CLAIM: usize = 4096;
const MAX_NAME: usize = 255;

/// The statement in block 0 of each of a writer's three feeds, signed by the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// the space
    pub address: Address,
    /// metadata, content, log feed keys
    pub feeds: [[u8; 32]; 3],
    /// who
    pub identity: PublicKey,
    /// their device key
    pub device: PublicKey,
    /// the device's name, at most 255 bytes
    pub device_name: String,
}

impl Claim {
    /// Signed bytes, for the person of `identity` whatever the field says. A name that is too long
    /// is cut.
    pub fn sign(&self, identity: &Identity) -> Vec<u8> {
        let name = &self.device_name[..self.device_name.floor_char_boundary(MAX_NAME)];
        let statement = Record::new(FORMAT)
            .bytes(1, &self.address.0)
            .list(2, &self.feeds, |encoder, feed| encoder.bytes(feed)?.ok())
            .bytes(3, &identity.public_key().0)
            .bytes(4, &self.device.0)
            .text(5, name)
            .finish();
        signed::sign(identity.key_pair(), WHAT, &statement)
    }

    /// Decodes and verifies the identity's signature. The caller checks that all three feeds carry it
    /// and that it names them.
    ///
    /// # Errors
    ///
    /// `Malformed`, `BadSignature` or `TooNew`.
    pub fn verify(bytes: &[u8]) -> Result<Claim, KeyError> {
        let signed = Signed::read(bytes, WHAT, MAX_CLAIM)?;
        let claim = Self::decode(signed.statement)?;
        signed.verify(WHAT, &claim.identity)?;
        Ok(claim)
    }

    fn decode(statement: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(statement, WHAT, FORMAT)?;
        let feeds = fields.list(2, 3, cbor::fixed)?;
        Ok(Self {
            address: Address(fields.fixed(1)?),
            feeds: feeds.try_into().map_err(|_| KeyError::Malformed(WHAT))?,
            identity: PublicKey(fields.fixed(3)?),
            device: PublicKey(fields.fixed(4)?),
            device_name: fields.text(5, MAX_NAME)?.to_owned(),
        })
    }
}
