//! Slot 0 of a space's channel: are we equal, and if not, where do we differ.

use super::{MAX_CONTROL, MAX_TAGS, Message, fixed, list, put_address, put_list, read_address};
use crate::transport::{Hint, MAX_ADDRESSES};
use cobox_feed::codec::{DecodeError, Reader, Writer};
use cobox_keys::identity::PublicKey;

/// Feeds fall into so many buckets, by the first byte of their key.
pub const BUCKETS: usize = 256;
/// Longest list of heads in one message.
pub const MAX_HEADS: usize = 16_384;
/// Longest certificate: an epoch's, with all that it closes.
pub const MAX_CERTIFICATE: usize = 512 << 10;
/// Bytes after which a sender begins another message of certificates; one more still fits.
pub const MAX_CERTIFICATES: usize = MAX_CONTROL / 4;
/// Hints in one message.
pub const MAX_HINTS: usize = 16;
/// Longest receipt.
pub const MAX_RECEIPT: usize = 512;

/// 0: everything the sender holds, in 70 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /** over the statements of all certificates */
    pub certificates: [u8; 16],
    /** over the heads of all feeds */
    pub heads: [u8; 32],
    /** feeds with a head */
    pub feeds: u64,
    /** blocks of signed heads that are wanted and not held */
    pub missing: u64,
    /** blocks of signed heads that are neither held nor wanted */
    pub skipped: u64,
}

impl Message for Summary {
    const KIND: u64 = 0;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.certificates);
        out.extend_from_slice(&self.heads);
        out.put_uint(self.feeds);
        out.put_uint(self.missing);
        out.put_uint(self.skipped);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            certificates: fixed(reader)?,
            heads: fixed(reader)?,
            feeds: reader.uint()?,
            missing: reader.uint()?,
            skipped: reader.uint()?,
        })
    }
}

/// A set of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketSet(/** bit `b % 8` of byte `b / 8` */ pub [u8; BUCKETS / 8]);

impl BucketSet {
    /// Every bucket.
    pub const ALL: Self = Self([0xff; BUCKETS / 8]);
    /// No bucket.
    pub const NONE: Self = Self([0; BUCKETS / 8]);

    /// Is `bucket` a member?
    pub fn contains(&self, bucket: u8) -> bool {
        self.0[usize::from(bucket / 8)] >> (bucket % 8) & 1 == 1
    }

    /// Adds one.
    pub fn insert(&mut self, bucket: u8) {
        self.0[usize::from(bucket / 8)] |= 1 << (bucket % 8);
    }

    /// Members in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|bucket| self.contains(*bucket))
    }
}

/// 1: one short hash per bucket that has a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /** which have any */
    pub filled: BucketSet,
    /** of those, in order */
    pub hashes: Vec<[u8; 8]>,
}

impl Message for Buckets {
    const KIND: u64 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.filled.0);
        for hash in &self.hashes {
            out.extend_from_slice(hash);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let filled = BucketSet(fixed(reader)?);
        let hashes = filled
            .iter()
            .map(|_| fixed(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self { filled, hashes })
    }
}

/// A feed's head, short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortHead {
    /** first bytes of its discovery key */
    pub feed: [u8; 8],
    /** blocks */
    pub length: u64,
    /** first bytes of its tree hash */
    pub tree_hash: [u8; 8],
    /** of those blocks, not held (for whatever reason) */
    pub missing: u64,
}

/// 2: all heads of some buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /** what is not listed for these is not held */
    pub buckets: BucketSet,
    /** in any order */
    pub heads: Vec<ShortHead>,
}

impl Message for Heads {
    const KIND: u64 = 2;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.buckets.0);
        put_list(out, &self.heads, |out, head| {
            out.extend_from_slice(&head.feed);
            out.put_uint(head.length);
            out.extend_from_slice(&head.tree_hash);
            out.put_uint(head.missing);
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let buckets = BucketSet(fixed(reader)?);
        let heads = list(reader, 18, MAX_HEADS, |reader| {
            Ok(ShortHead {
                feed: fixed(reader)?,
                length: reader.uint()?,
                tree_hash: fixed(reader)?,
                missing: reader.uint()?,
            })
        })?;
        Ok(Self { buckets, heads })
    }
}

/// 3: short hashes of the statements of all certificates held; what is not listed is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateList {
    /** first bytes of each statement's hash */
    pub hashes: Vec<[u8; 16]>,
}

impl Message for CertificateList {
    const KIND: u64 = 3;

    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.hashes, |out, hash| out.extend_from_slice(hash));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hashes: list(reader, 16, MAX_TAGS, fixed)?,
        })
    }
}

/// 4: certificates, as signed. Nothing about them has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /** issuers before what they issue, where known */
    pub certificates: Vec<Vec<u8>>,
}

impl Message for Certificates {
    const KIND: u64 = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.certificates, |out, bytes| out.put_buffer(bytes));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let certificates = list(reader, 1, MAX_TAGS, |reader| {
            let bytes = reader.buffer()?;
            if bytes.len() > MAX_CERTIFICATE {
                return Err(DecodeError("certificate"));
            }
            Ok(bytes.to_vec())
        })?;
        Ok(Self { certificates })
    }
}

/// 5: from now on `slot` is about this feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /** the sender's number; at least 1 */
    pub slot: u64,
    /** its discovery key */
    pub feed: [u8; 32],
}

impl Message for Open {
    const KIND: u64 = 5;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.slot);
        out.extend_from_slice(&self.feed);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            slot: reader.uint()?,
            feed: fixed(reader)?,
        })
    }
}

/// 6: no certificate known here vouches for the feed of that slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /** the receiver's number */
    pub slot: u64,
}

impl Message for Reject {
    const KIND: u64 = 6;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.slot);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            slot: reader.uint()?,
        })
    }
}

/// 7: the sender's signed word about what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReceipt {
    /** statement and signature */
    pub bytes: Vec<u8>,
}

impl Message for SignedReceipt {
    const KIND: u64 = 7;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_buffer(&self.bytes);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.buffer()?;
        if bytes.len() > MAX_RECEIPT {
            return Err(DecodeError("receipt"));
        }
        Ok(Self {
            bytes: bytes.to_vec(),
        })
    }
}

/// 8: other devices that have proven themselves in this space, so that everybody finds everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    /** how to reach them */
    pub hints: Vec<Hint>,
}

impl Message for Peers {
    const KIND: u64 = 8;

    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.hints, |out, hint| {
            out.extend_from_slice(&hint.device.0);
            put_list(out, &hint.addresses, put_address);
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let hints = list(reader, 33, MAX_HINTS, |reader| {
            Ok(Hint {
                device: PublicKey(fixed(reader)?),
                addresses: list(reader, 7, MAX_ADDRESSES, read_address)?,
            })
        })?;
        Ok(Self { hints })
    }
}
