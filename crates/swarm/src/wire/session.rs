//! Channel 0: who we are and which spaces we share, before anything is said about a space.

use super::{MAX_TAGS, Message, fixed, list, put_address, put_list, read_address};
use crate::transport::MAX_ADDRESSES;
use cobox_feed::codec::{DecodeError, Reader, Writer};
use std::net::SocketAddr;

/// The version of everything in this module tree.
pub const VERSION: u64 = 1;

/// Which run of a program speaks: 8 bytes of Unix ms when it started (big-endian, so that the later one is the larger), 8
/// random ones. Two that are alive under one device key are two programs with one home's keys.
pub type Run = [u8; 16];

/// 16 bytes that only two holders of an access secret recognise, and only within one connection.
pub type Tag = [u8; 16];

/// 0: the first message each way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /** newest version spoken */
    pub version: u64,
    /** abilities, one bit each; none are defined yet */
    pub capabilities: u64,
    /** where the sender can be dialled */
    pub addresses: Vec<SocketAddr>,
    /** which run of the sender's program */
    pub run: Run,
}

impl Message for Hello {
    const KIND: u64 = 0;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.version);
        out.put_uint(self.capabilities);
        put_list(out, &self.addresses, put_address);
        out.extend_from_slice(&self.run);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: reader.uint()?,
            capabilities: reader.uint()?,
            addresses: list(reader, 7, MAX_ADDRESSES, read_address)?,
            run: fixed(reader)?,
        })
    }
}

/// 5: until a moment ago a connection by your device key was alive that came from elsewhere. Said to who replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /** where that one can be dialled */
    pub addresses: Vec<SocketAddr>,
}

impl Message for Elsewhere {
    const KIND: u64 = 5;

    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.addresses, put_address);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            addresses: list(reader, 7, MAX_ADDRESSES, read_address)?,
        })
    }
}

/// 1: blinded tags of spaces that the sender takes part in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /** one per space */
    pub tags: Vec<Tag>,
}

impl Message for Offer {
    const KIND: u64 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.tags, |out, tag| out.extend_from_slice(tag));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            tags: list(reader, 16, MAX_TAGS, fixed)?,
        })
    }
}

/// 2: proves the right to speak about one space. First by whoever recognised an offer, then by the offerer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prove {
    /** of the offer */
    pub tag: Tag,
    /** holds only the address */
    pub replicator: bool,
    /** MAC under the access secret over this connection, this role and both device keys */
    pub mac: [u8; 32],
    /** number the sender gives the space in this connection; at least 1 */
    pub channel: u64,
}

impl Message for Prove {
    const KIND: u64 = 2;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tag);
        out.push(self.replicator.into());
        out.extend_from_slice(&self.mac);
        out.put_uint(self.channel);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = fixed(reader)?;
        let replicator = match reader.bytes(1)? {
            [0] => false,
            [1] => true,
            _ => return Err(DecodeError("role")),
        };
        Ok(Self {
            tag,
            replicator,
            mac: fixed(reader)?,
            channel: reader.uint()?,
        })
    }
}

/// 3: a proof was wrong; the space is not spoken about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refuse {
    /** of the offer */
    pub tag: Tag,
}

impl Message for Refuse {
    const KIND: u64 = 3;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tag);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            tag: fixed(reader)?,
        })
    }
}

/// 4: the sender takes no part in a space any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /** the sender's number of it */
    pub channel: u64,
}

impl Message for Leave {
    const KIND: u64 = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_uint(self.channel);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel: reader.uint()?,
        })
    }
}
