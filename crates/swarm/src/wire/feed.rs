//! hypercore's replication messages, byte for byte: sync, request, cancel, data, no data, want,
//! unwant, bitfield, range, extension.

use super::{Message, list, put_list};
use cobox_feed::codec::{DecodeError, Reader, Writer};
use cobox_feed::tree::{Request as Parts, UntrustedProof};

/// Flag of a request that carries a priority.
const PRIORITY: u64 = 32;
/// Most words in a bitfield: 2^21 blocks, as many as one want covers.
const MAX_WORDS: usize = 1 << 16;

/// 0: how long the sender's feed is, and what it wants to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sync {
    /** fork; always 0 with us */
    pub fork: u64,
    /** signed length held */
    pub length: u64,
    /** length that the receiver was seen to have, 0 before */
    pub remote_length: u64,
    /** can prove a longer head */
    pub can_upgrade: bool,
    /** answers requests */
    pub uploading: bool,
    /** has something to fetch */
    pub downloading: bool,
    /** knows the manifest */
    pub has_manifest: bool,
    /** takes blocks it has not asked for */
    pub allow_push: bool,
}

impl Message for Sync {
    const KIND: u64 = 0;

    fn encode(&self, out: &mut Vec<u8>) {
        let flags = [
            self.can_upgrade,
            self.uploading,
            self.downloading,
            self.has_manifest,
            self.allow_push,
        ];
        let flags = flags
            .iter()
            .rev()
            .fold(0, |all, &set| all << 1 | u64::from(set));
        for value in [flags, self.fork, self.length, self.remote_length] {
            out.put_uint(value);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        let flag = |bit: u32| flags >> bit & 1 == 1;
        Ok(Self {
            fork: reader.uint()?,
            length: reader.uint()?,
            remote_length: reader.uint()?,
            can_upgrade: flag(0),
            uploading: flag(1),
            downloading: flag(2),
            has_manifest: flag(3),
            allow_push: flag(4),
        })
    }
}

/// 1: asks for parts of a proof.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /** chosen by the asker, never used twice */
    pub id: u64,
    /** fork it is about */
    pub fork: u64,
    /** what */
    pub parts: Parts,
    /** 0 = in its turn; more = before others */
    pub priority: u64,
}

impl Message for Request {
    const KIND: u64 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        let priority = if self.priority > 0 { PRIORITY } else { 0 };
        out.put_uint(self.parts.flags() | priority);
        out.put_uint(self.id);
        out.put_uint(self.fork);
        self.parts.encode(out);
        if self.priority > 0 {
            out.put_uint(self.priority);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        Ok(Self {
            id: reader.uint()?,
            fork: reader.uint()?,
            parts: Parts::decode(flags, reader)?,
            priority: match flags & PRIORITY {
                0 => 0,
                _ => reader.uint()?,
            },
        })
    }
}

/// 2: the answer to a request is not wanted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    /** its id */
    pub request: u64,
}

impl Message for Cancel {
    const KIND: u64 = 2;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.request);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            request: reader.uint()?,
        })
    }
}

/// 3: an answer. Nothing in it has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /** id of the request */
    pub request: u64,
    /** what was asked for, if honest */
    pub proof: UntrustedProof,
}

impl Message for Data {
    const KIND: u64 = 3;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.proof.flags());
        out.put_uint(self.request);
        out.put_uint(self.proof.fork);
        self.proof.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        let request = reader.uint()?;
        let fork = reader.uint()?;
        Ok(Self {
            request,
            proof: UntrustedProof::decode(flags, fork, reader)?,
        })
    }
}

/// Why a request gets no data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /** not said */
    #[default]
    Unspecified,
    /** the block is not held here */
    NotAvailable,
    /** the request makes no sense, or there are too many */
    Invalid,
}

/// 4: no answer will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoData {
    /** id of the request */
    pub request: u64,
    /** why */
    pub reason: Reason,
}

impl Message for NoData {
    const KIND: u64 = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.request);
        match self.reason {
            Reason::Unspecified => out.put_uint(0),
            Reason::NotAvailable => out.extend_from_slice(&[1, 1]),
            Reason::Invalid => out.extend_from_slice(&[1, 2]),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let request = reader.uint()?;
        let flags = if reader.is_empty() { 0 } else { reader.uint()? };
        let reason = match flags & 1 {
            0 => Reason::Unspecified,
            _ => match reader.uint()? {
                1 => Reason::NotAvailable,
                2 => Reason::Invalid,
                _ => Reason::Unspecified,
            },
        };
        Ok(Self { request, reason })
    }
}

/// 5: tell me which blocks of a stretch you hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /** first block */
    pub start: u64,
    /** blocks */
    pub length: u64,
    /** one of them is enough */
    pub any: bool,
}

/// 6: no longer interested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwant(/** the want it takes back */ pub Want);

impl Message for Want {
    const KIND: u64 = 5;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.start);
        out.put_uint(self.length);
        if self.any {
            out.put_uint(1);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            start: reader.uint()?,
            length: reader.uint()?,
            any: !reader.is_empty() && reader.uint()? & 1 == 1,
        })
    }
}

impl Message for Unwant {
    const KIND: u64 = 6;

    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Want::decode(reader).map(Self)
    }
}

/// 7: which blocks of a stretch are held; bit `k` of word `w`, least first, is block `start + 32 w + k`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitfield {
    /** first block, a multiple of 32 */
    pub start: u64,
    /** 32 blocks each */
    pub words: Vec<u32>,
}

impl Message for Bitfield {
    const KIND: u64 = 7;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.start);
        put_list(out, &self.words, |out, word| {
            out.extend_from_slice(&word.to_le_bytes());
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.uint()?;
        if start % 32 != 0 {
            return Err(DecodeError("bitfield"));
        }
        let words = list(reader, 4, MAX_WORDS, |reader| {
            super::fixed(reader).map(u32::from_le_bytes)
        })?;
        Ok(Self { start, words })
    }
}

/// 8: a stretch of blocks that is held now, or (drop) no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /** no longer held */
    pub drop: bool,
    /** first block */
    pub start: u64,
    /** blocks */
    pub length: u64,
}

impl Message for Range {
    const KIND: u64 = 8;

    fn encode(&self, out: &mut Vec<u8>) {
        let single = self.length == 1;
        out.put_uint(u64::from(self.drop) | u64::from(single) << 1);
        out.put_uint(self.start);
        if !single {
            out.put_uint(self.length);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        Ok(Self {
            drop: flags & 1 == 1,
            start: reader.uint()?,
            length: match flags & 2 {
                0 => reader.uint()?,
                _ => 1,
            },
        })
    }
}

/// 9: something of a name that only some peers know. We pass over all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /** empty: the same as the last */
    pub name: Vec<u8>,
    /** its own business */
    pub message: Vec<u8>,
}

impl Message for Extension {
    const KIND: u64 = 9;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_buffer(&self.name);
        out.extend_from_slice(&self.message);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: reader.buffer()?.to_vec(),
            message: reader.rest().to_vec(),
        })
    }
}
