//! How messages share a stream: length, channel, slot, kind, payload.
//!
//! Control stream: 3-byte length, then uint channel, for a space's channel uint slot, uint kind, payload.
//! Bulk stream: 4-byte length, then uint channel, uint slot, and a data message.

use super::{MAX_BULK, MAX_CONTROL, Message};
use cobox_feed::codec::{DecodeError, Reader, Writer};

/// The channel of the session itself.
pub const SESSION: u64 = 0;
/// The slot of a space's channel that is about the space, not about a feed.
pub const SPACE: u64 = 0;
/// Bytes of a control frame's length.
pub const CONTROL_PREFIX: usize = 3;
/// Bytes of a bulk frame's length.
pub const BULK_PREFIX: usize = 4;

/// Where a message belongs: sender's numbers, given out by the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /** the space's channel */
    pub channel: u64,
    /** the feed's slot in it; 0 = about the space */
    pub slot: u64,
}

/// One control frame, opened as far as its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /** whose */
    pub place: Place,
    /** which message of that vocabulary */
    pub kind: u64,
    /** its bytes */
    pub payload: &'a [u8],
}

/// Checks a control frame's length before anything is allocated for it.
///
/// # Errors
///
/// Longer than [`MAX_CONTROL`].
pub fn control_length(prefix: [u8; CONTROL_PREFIX]) -> Result<usize, DecodeError> {
    let [a, b, c] = prefix.map(usize::from);
    bounded(a | b << 8 | c << 16, MAX_CONTROL)
}

/// Checks a bulk frame's length before anything is allocated for it.
///
/// # Errors
///
/// Longer than [`MAX_BULK`].
pub fn bulk_length(prefix: [u8; BULK_PREFIX]) -> Result<usize, DecodeError> {
    bounded(u32::from_le_bytes(prefix) as usize, MAX_BULK)
}

fn bounded(length: usize, max: usize) -> Result<usize, DecodeError> {
    if length > max {
        return Err(DecodeError("frame: too long"));
    }
    Ok(length)
}

/// Opens a control frame (without its length).
///
/// # Errors
///
/// Cut short.
pub fn open(bytes: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let channel = reader.uint()?;
    let slot = match channel {
        SESSION => 0,
        _ => reader.uint()?,
    };
    Ok(Frame {
        place: Place { channel, slot },
        kind: reader.uint()?,
        payload: reader.rest(),
    })
}

/// A message's own bytes, to be put into a frame later.
pub fn payload<M: Message>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// A whole control frame, length included.
pub fn control(place: Place, kind: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; CONTROL_PREFIX];
    out.put_uint(place.channel);
    if place.channel != SESSION {
        out.put_uint(place.slot);
    }
    out.put_uint(kind);
    out.extend_from_slice(payload);
    let length = out.len() - CONTROL_PREFIX;
    debug_assert!(length <= MAX_CONTROL, "lists are split by who sends them");
    out[..CONTROL_PREFIX].copy_from_slice(&length.to_le_bytes()[..CONTROL_PREFIX]);
    out
}

/// A whole control frame of channel 0, length included.
pub fn session<M: Message>(message: &M) -> Vec<u8> {
    let place = Place {
        channel: SESSION,
        slot: SPACE,
    };
    control(place, M::KIND, &payload(message))
}

/// Appends a whole bulk frame, length included.
pub fn put_bulk<M: Message>(out: &mut Vec<u8>, place: Place, message: &M) {
    let start = out.len();
    out.extend_from_slice(&[0; BULK_PREFIX]);
    out.put_uint(place.channel);
    out.put_uint(place.slot);
    message.encode(out);
    let length = ((out.len() - start - BULK_PREFIX) as u32).to_le_bytes();
    out[start..start + BULK_PREFIX].copy_from_slice(&length);
}

/// Reads the place a bulk frame (without its length) belongs to; the data message follows.
///
/// # Errors
///
/// Cut short.
pub fn open_bulk(reader: &mut Reader<'_>) -> Result<Place, DecodeError> {
    Ok(Place {
        channel: reader.uint()?,
        slot: reader.uint()?,
    })
}
