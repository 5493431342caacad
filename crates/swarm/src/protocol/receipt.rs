//! A device's signed word about what it holds: `{ address, role, summary, complete, time, free space }`.

use super::Role;
use cobox_keys::access::Address;
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::{KeyPair, PublicKey};
use cobox_keys::signed::{Signed, sign};

use crate::wire::space::MAX_RECEIPT;

/// What the statement is signed as.
const WHAT: &str = "receipt";
/// Newest format of the statement.
const FORMAT: u64 = 1;

/// A replicator's (or member's) word that it holds everything, signed by its device key. Only
/// [`Receipt::verify`] makes one from bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /** space */
    pub address: Address,
    /** who */
    pub device: PublicKey,
    /** holds only the address */
    pub replicator: bool,
    /** summary hash of the heads it holds */
    pub summary: [u8; 32],
    /** every block of these heads is there */
    pub complete: bool,
    /** its clock, Unix ms */
    pub time_ms: u64,
    /** bytes it has left */
    pub free: u64,
}

impl Receipt {
    /// Signed bytes. `device` is the pair's public half, whatever the field says.
    pub fn sign(&self, pair: &KeyPair) -> Vec<u8> {
        let statement = Record::new(FORMAT)
            .bytes(1, &self.address.0)
            .uint(2, self.replicator.into())
            .bytes(3, &self.summary)
            .uint(4, self.complete.into())
            .uint(5, self.time_ms)
            .uint(6, self.free)
            .finish();
        sign(pair, WHAT, &statement)
    }

    /// Checks what `device` sent.
    ///
    /// # Errors
    ///
    /// Malformed, or not signed by that device.
    pub fn verify(bytes: &[u8], device: &PublicKey) -> Result<Self, KeyError> {
        let signed = Signed::read(bytes, WHAT, MAX_RECEIPT)?;
        signed.verify(WHAT, device)?;
        let fields = Fields::read(signed.statement, WHAT, FORMAT)?;
        Ok(Self {
            address: Address(fields.fixed(1)?),
            device: *device,
            replicator: fields.uint(2)? != 0,
            summary: fields.fixed(3)?,
            complete: fields.uint(4)? != 0,
            time_ms: fields.uint(5)?,
            free: fields.uint(6)?,
        })
    }

    /// The role it was given in.
    pub fn role(&self) -> Role {
        match self.replicator {
            true => Role::Replicator,
            false => Role::Member,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_believed_only_from_its_signer() {
        let (pair, other) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
        let receipt = Receipt {
            address: Address([3; 32]),
            device: pair.public(),
            replicator: true,
            summary: [4; 32],
            complete: true,
            time_ms: 1_700_000_000_000,
            free: 1 << 40,
        };
        let bytes = receipt.sign(&pair);
        assert_eq!(Receipt::verify(&bytes, &pair.public()), Ok(receipt));
        assert!(Receipt::verify(&bytes, &other.public()).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                Receipt::verify(&changed, &pair.public()).is_err(),
                "bit {bit}"
            );
        }
    }
}
