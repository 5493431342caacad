//! Drafts: what was written to a file and synced, sealed in the local store, until it is committed to the feeds.

use super::dirty::Dirty;
use crate::record::{NodeId, Time};
use crate::version::{Dot, WriterTag};
use cobox_keys::access::ReadKey;
use cobox_keys::cipher::BlockKey;
use minicbor::{Decoder, Encoder};

const FORMAT: u8 = 1;

/// An edit of one file.
#[derive(Debug)]
pub(super) struct Draft {
    pub node: NodeId,
    /// The version that was opened.
    pub version: Dot,
    pub floor: u64,
    pub size: u64,
    pub mtime: Time,
    pub dirty: Dirty,
}

/// The key that drafts of a space are sealed with; they never leave the machine.
pub(super) fn key(read_key: &ReadKey) -> BlockKey {
    BlockKey::from_bytes(&read_key.hash_key("draft"))
}

/// Plaintext of a draft.
pub(super) fn encode(draft: &Draft) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::with_capacity(
        draft.dirty.bytes() + 64 + 16 * draft.dirty.len(),
    ));
    // Writing CBOR into a vector cannot fail.
    let _ = encoder
        .array(9)
        .and_then(|e| e.u8(FORMAT))
        .and_then(|e| e.bytes(&draft.node.0));
    let _ = encoder
        .bytes(&draft.version.writer.0)
        .and_then(|e| e.u64(draft.version.block));
    let _ = encoder.u64(draft.floor).and_then(|e| e.u64(draft.size));
    let _ = encoder
        .i64(draft.mtime.seconds)
        .and_then(|e| e.u32(draft.mtime.nanos));
    let _ = encoder.array(2 * draft.dirty.len() as u64);
    for (at, data) in draft.dirty.iter() {
        let _ = encoder.u64(at).and_then(|e| e.bytes(data));
    }
    encoder.into_writer()
}

/// Reads a draft back; none if it is not one of ours.
pub(super) fn decode(plaintext: &[u8]) -> Option<Draft> {
    let mut decoder = Decoder::new(plaintext);
    if decoder.array().ok()?? != 9 || decoder.u8().ok()? != FORMAT {
        return None;
    }
    let node = NodeId(decoder.bytes().ok()?.try_into().ok()?);
    let writer = WriterTag(decoder.bytes().ok()?.try_into().ok()?);
    let version = Dot {
        writer,
        block: decoder.u64().ok()?,
    };
    let (floor, size) = (decoder.u64().ok()?, decoder.u64().ok()?);
    let mtime = Time {
        seconds: decoder.i64().ok()?,
        nanos: decoder.u32().ok()?,
    };
    let mut dirty = Dirty::default();
    for _ in 0..decoder.array().ok()?? / 2 {
        let at = decoder.u64().ok()?;
        dirty.write(at, decoder.bytes().ok()?);
    }
    Some(Draft {
        node,
        version,
        floor,
        size,
        mtime,
        dirty,
    })
}
