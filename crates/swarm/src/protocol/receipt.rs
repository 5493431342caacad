//! A device's signed word about what it holds: `{ address, role, summary, complete, time, free space, held }`.

use super::Role;
use bytes::Bytes;
use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::derive::FeedKind;
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
    /** what it holds of files and their names; not told by older programs */
    pub held: Option<Held>,
    /** the statement with its signature, for whoever did not hear it themselves; empty before it is signed */
    pub signed: Bytes,
}

/// Blocks of files and of their names (content and metadata feeds). Messages are not counted: some of them
/// tell of receipts, and would be behind by themselves for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /** blocks */
    pub blocks: u64,
    /** their bytes, as sealed */
    pub bytes: u64,
}

impl Held {
    /// What is held of a set.
    pub fn of(set: &FeedSet) -> Self {
        Self::count(set, |feed| feed.held().len())
    }

    /// What is known to exist, by the signed heads.
    pub fn known(set: &FeedSet) -> Self {
        Self::count(set, |feed| feed.length())
    }

    fn count(set: &FeedSet, blocks: impl Fn(&cobox_feed::feed::Feed) -> u64) -> Self {
        let mut sum = Self::default();
        let is_log = |kind: u8| kind == FeedKind::Log as u8;
        for feed in set.feeds().iter().filter(|feed| !is_log(feed.kind())) {
            if let Some(head) = feed.head() {
                let part = blocks(feed).min(head.length);
                sum.blocks += part;
                sum.bytes += share(head.byte_length, part, head.length);
            }
        }
        sum
    }
}

/// `bytes * part / whole` without overflow: exact for all or nothing, an estimate where blocks are unequal.
pub(crate) fn share(bytes: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
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
            .uint(6, self.free);
        let statement = match self.held {
            Some(held) => statement.uint(7, held.blocks).uint(8, held.bytes),
            None => statement,
        };
        sign(pair, WHAT, &statement.finish())
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
            held: held(&fields)?,
            signed: Bytes::copy_from_slice(bytes),
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

fn held(fields: &Fields<'_>) -> Result<Option<Held>, KeyError> {
    if !fields.has(7) {
        return Ok(None);
    }
    let (blocks, bytes) = (fields.uint(7)?, fields.uint(8)?);
    Ok(Some(Held { blocks, bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(pair: &KeyPair) -> Receipt {
        Receipt {
            address: Address([3; 32]),
            device: pair.public(),
            replicator: true,
            summary: [4; 32],
            complete: true,
            time_ms: 1_700_000_000_000,
            free: 1 << 40,
            held: Some(Held {
                blocks: 70_000,
                bytes: 1 << 33,
            }),
            signed: Bytes::new(),
        }
    }

    #[test]
    fn a_receipt_is_believed_only_from_its_signer() {
        let (pair, other) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
        let receipt = receipt(&pair);
        let bytes = receipt.sign(&pair);
        assert!(bytes.len() <= MAX_RECEIPT);
        let signed = Bytes::from(bytes.clone());
        let expected = Receipt { signed, ..receipt };
        assert_eq!(Receipt::verify(&bytes, &pair.public()), Ok(expected));
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

    #[test]
    fn a_receipt_of_an_older_program_says_nothing_of_blocks() {
        let pair = KeyPair::from_seed(&[1; 32]);
        let old = Receipt {
            held: None,
            ..receipt(&pair)
        };
        let read = Receipt::verify(&old.sign(&pair), &pair.public()).unwrap();
        assert_eq!((read.held, read.complete), (None, true));
    }
}
