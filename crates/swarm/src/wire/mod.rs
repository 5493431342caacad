//! The messages, their bytes, their limits.
//!
//! Pure encoding. Not its job: who may say what, and when. Three vocabularies share a connection:
//! [`session`] (channel 0: who we are, which spaces we share), [`space`] (slot 0 of a space's channel:
//! certificates, summaries, receipts) and [`feed`] (any other slot: hypercore's own messages).

pub mod feed;
pub mod frame;
pub mod session;
pub mod space;

use blake2b_simd::Params;
use cobox_feed::codec::{DecodeError, Reader, Writer};
use cobox_feed::manifest::FeedKey;
use cobox_feed::tree::MAX_BLOCK;
use std::net::{IpAddr, SocketAddr};

/// Largest control frame, without its length.
pub const MAX_CONTROL: usize = 1 << 20;
/// Largest bulk frame, without its length: a block, its proof, and the header.
pub const MAX_BULK: usize = MAX_BLOCK + MAX_CONTROL;
/// Longest list of 16-byte tags or hashes in one message: they fit a frame with room to spare.
pub const MAX_TAGS: usize = 60_000;

/// How hypercore names a feed without telling its key: keyed BLAKE2b-256 of `hypercore`.
pub fn discovery_key(feed: &FeedKey) -> [u8; 32] {
    let hash = Params::new()
        .hash_length(32)
        .key(&feed.0)
        .hash(b"hypercore");
    let mut key = [0; 32];
    key.copy_from_slice(hash.as_bytes());
    key
}

/// A message with bytes of its own.
pub trait Message: Sized {
    /// Its number in its vocabulary.
    const KIND: u64;
    /// Appends the bytes.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads them. Bytes behind the last field are a newer peer's and are passed over.
    ///
    /// # Errors
    ///
    /// Whatever is malformed, by name.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

pub(crate) fn fixed<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], DecodeError> {
    let bytes = reader.bytes(N)?;
    bytes.try_into().map_err(|_| DecodeError("length"))
}

/// A list whose items take at least `min_item` bytes, of at most `max` items.
pub(crate) fn list<T>(
    reader: &mut Reader<'_>,
    min_item: usize,
    max: usize,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count(min_item)?;
    if count > max {
        return Err(DecodeError("list"));
    }
    (0..count).map(|_| item(reader)).collect()
}

pub(crate) fn put_list<T>(out: &mut Vec<u8>, items: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    out.put_uint(items.len() as u64);
    for item in items {
        put(out, item);
    }
}

/// Family (4 or 6), address bytes, port (two bytes, little-endian).
pub(crate) fn put_address(out: &mut Vec<u8>, address: &SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_le_bytes());
}

pub(crate) fn read_address(reader: &mut Reader<'_>) -> Result<SocketAddr, DecodeError> {
    let ip = match reader.bytes(1)? {
        [4] => IpAddr::from(fixed::<4>(reader)?),
        [6] => IpAddr::from(fixed::<16>(reader)?),
        _ => return Err(DecodeError("address")),
    };
    let port = u16::from_le_bytes(fixed(reader)?);
    Ok(SocketAddr::new(ip, port))
}
