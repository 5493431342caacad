//! What the three certificates say, and the bytes they say it in.

use minicbor::Decoder;

use crate::access::Address;
use crate::cbor::{self, Fields, Record};
use crate::derive::FeedKind;
use crate::error::KeyError;
use crate::identity::{KeyPair, PublicKey};
use crate::signed;

/// Longest admin or feed certificate, in bytes.
pub const MAX_CERTIFICATE: usize = 4096;
/// Longest epoch certificate, in bytes: room for 4096 closed feeds.
pub const MAX_EPOCH_CERTIFICATE: usize = 512 * 1024;
/// Parents one epoch may join.
pub(super) const MAX_PARENTS: usize = 64;
/// Feeds one epoch may close.
pub(super) const MAX_CLOSED: usize = 4096;
/// A sealed read key is 72 bytes today.
const MAX_SEALED_KEY: usize = 256;

const FORMAT: u64 = 1;
const WHAT: &str = "certificate";
const ADMIN: u64 = 0;
const EPOCH: u64 = 1;
const FEED: u64 = 2;

/// One certificate's statement; not yet known to be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Admin(Admin),
    Epoch(Epoch),
    Feed(Feed),
}

/// `issuer` vouches for `admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    pub address: Address,
    pub admin: PublicKey,
    pub issuer: PublicKey,
}

/// An admin opens an epoch: whoever holds its encryption key may write. Formats later than the
/// program's own name other merge rules and are refused as too new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The space.
    pub address: Address,
    /// 0, or one more than the highest parent's.
    pub number: u64,
    /// Hashes of the epoch certificates it follows, ascending; none for number 0; at most 64.
    pub parents: Vec<[u8; 32]>,
    /// Whose signature admits feeds.
    pub writer: PublicKey,
    /// Where the feeds of earlier epochs end, ascending by feed key; at most 4096.
    pub closed: Vec<ClosedFeed>,
    /// The parents' read keys sealed under this epoch's, in the order of `parents`; or none.
    pub read_keys: Vec<Vec<u8>>,
    /// The admin.
    pub issuer: PublicKey,
}

/// A feed that ends with an epoch: blocks past `length` are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedFeed {
    /// hypercore key
    pub feed_key: [u8; 32],
    /// blocks
    pub length: u64,
    /// tree hash at that length
    pub tree_hash: [u8; 32],
}

/// An epoch's writer pair admits a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feed {
    pub address: Address,
    pub epoch: [u8; 32],
    pub kind: FeedKind,
    pub feed_key: [u8; 32],
}

impl Statement {
    /// The `what` of its signature.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Admin(_) => "admin certificate",
            Self::Epoch(_) => "epoch certificate",
            Self::Feed(_) => "feed certificate",
        }
    }

    pub fn address(&self) -> Address {
        match self {
            Self::Admin(admin) => admin.address,
            Self::Epoch(epoch) => epoch.address,
            Self::Feed(feed) => feed.address,
        }
    }

    pub fn sign(&self, pair: &KeyPair) -> Vec<u8> {
        signed::sign(pair, self.what(), &self.encode())
    }

    pub fn encode(&self) -> Vec<u8> {
        let begin = |kind| {
            Record::new(FORMAT)
                .uint(1, kind)
                .bytes(2, &self.address().0)
        };
        let record = match self {
            Self::Admin(admin) => begin(ADMIN)
                .bytes(3, &admin.admin.0)
                .bytes(4, &admin.issuer.0),
            Self::Epoch(epoch) => epoch.encode_into(begin(EPOCH)),
            Self::Feed(feed) => begin(FEED)
                .bytes(3, &feed.epoch)
                .uint(4, u64::from(feed.kind as u8))
                .bytes(5, &feed.feed_key),
        };
        record.finish()
    }

    pub fn decode(statement: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(statement, WHAT, FORMAT)?;
        let kind = fields.uint(1)?;
        if kind != EPOCH && statement.len() > MAX_CERTIFICATE {
            return Err(KeyError::Malformed(WHAT));
        }
        let address = Address(fields.fixed(2)?);
        match kind {
            ADMIN => {
                let (admin, issuer) = (fields.fixed(3)?, fields.fixed(4)?);
                let (admin, issuer) = (PublicKey(admin), PublicKey(issuer));
                Ok(Self::Admin(Admin {
                    address,
                    admin,
                    issuer,
                }))
            }
            EPOCH => Epoch::decode(address, &fields).map(Self::Epoch),
            FEED => Feed::decode(address, &fields).map(Self::Feed),
            _ => Err(KeyError::TooNew {
                what: WHAT,
                format: fields.format()?,
            }),
        }
    }
}

impl Epoch {
    /// The certificate. `admin` must be the pair of `issuer`.
    pub fn sign(&self, admin: &KeyPair) -> Vec<u8> {
        Statement::Epoch(self.clone()).sign(admin)
    }

    fn encode_into(&self, record: Record) -> Record {
        record
            .uint(3, self.number)
            .list(4, &self.parents, |encoder, parent| {
                encoder.bytes(parent)?.ok()
            })
            .bytes(5, &self.writer.0)
            .list(6, &self.closed, |encoder, feed| {
                encoder.array(3)?.bytes(&feed.feed_key)?.u64(feed.length)?;
                encoder.bytes(&feed.tree_hash)?.ok()
            })
            .list(7, &self.read_keys, |encoder, sealed| {
                encoder.bytes(sealed)?.ok()
            })
            .bytes(8, &self.issuer.0)
    }

    fn decode(address: Address, fields: &Fields<'_>) -> Result<Self, KeyError> {
        let epoch = Self {
            address,
            number: fields.uint(3)?,
            parents: fields.list(4, MAX_PARENTS, cbor::fixed)?,
            writer: PublicKey(fields.fixed(5)?),
            closed: fields.list(6, MAX_CLOSED, ClosedFeed::decode)?,
            read_keys: fields.list(7, MAX_PARENTS, sealed_key)?,
            issuer: PublicKey(fields.fixed(8)?),
        };
        epoch
            .has_shape()
            .then_some(epoch)
            .ok_or(KeyError::Malformed(WHAT))
    }

    /// Lists are sets, in one order; only the first epoch has no parent.
    fn has_shape(&self) -> bool {
        self.parents.is_sorted_by(|a, b| a < b)
            && self.closed.is_sorted_by(|a, b| a.feed_key < b.feed_key)
            && [0, self.parents.len()].contains(&self.read_keys.len())
            && (self.number == 0) == self.parents.is_empty()
    }
}

impl ClosedFeed {
    fn decode(decoder: &mut Decoder<'_>) -> Option<Self> {
        if decoder.array().ok()?? != 3 {
            return None;
        }
        let feed_key = cbor::fixed(decoder)?;
        let length = decoder.u64().ok()?;
        Some(Self {
            feed_key,
            length,
            tree_hash: cbor::fixed(decoder)?,
        })
    }
}

fn sealed_key(decoder: &mut Decoder<'_>) -> Option<Vec<u8>> {
    let sealed = decoder.bytes().ok()?;
    (sealed.len() <= MAX_SEALED_KEY).then(|| sealed.to_vec())
}

impl Feed {
    fn decode(address: Address, fields: &Fields<'_>) -> Result<Self, KeyError> {
        let kind = u8::try_from(fields.uint(4)?)
            .ok()
            .and_then(FeedKind::from_u8);
        let kind = kind.ok_or(KeyError::TooNew {
            what: WHAT,
            format: fields.format()?,
        })?;
        Ok(Self {
            address,
            epoch: fields.fixed(3)?,
            kind,
            feed_key: fields.fixed(5)?,
        })
    }
}
