//! Drafts: what was written to a file and synced, sealed in the local store, until it is committed to the feeds.

use super::dirty::Dirty;
use crate::record::{NodeId, Record, RecordError, Time, Writer, decode_record, encode_record};
use crate::version::{Dot, WriterTag};
use cobox_keys::access::ReadKey;
use cobox_keys::cipher::BlockKey;
use minicbor::Decoder;

/// An edit of a file that exists.
const EDIT: u8 = 1;
/// A file that does not exist yet.
const BIRTH: u8 = 2;

/// What a program wrote to one file.
#[derive(Debug)]
pub(super) struct Draft {
    pub start: Start,
    pub size: u64,
    pub mtime: Time,
    pub dirty: Dirty,
}

/// What it was written over.
#[derive(Debug)]
pub(super) enum Start {
    /// The version that was opened, and the shortest the file was since.
    Version {
        node: NodeId,
        version: Dot,
        floor: u64,
    },
    /// Nothing: the record that brings the file into being, without its content.
    Birth(Box<Record>),
}

/// The key that drafts of a space are sealed with; they never leave the machine.
pub(super) fn key(read_key: &ReadKey) -> BlockKey {
    BlockKey::from_bytes(&read_key.hash_key("draft"))
}

/// Plaintext of a draft.
pub(super) fn encode(draft: &Draft) -> Result<Vec<u8>, RecordError> {
    let mut out = Writer::default();
    match &draft.start {
        Start::Version {
            node,
            version,
            floor,
        } => {
            out.list(9);
            out.uint(EDIT.into());
            out.bytes(&node.0);
            out.bytes(&version.writer.0);
            out.uint(version.block);
            out.uint(*floor);
        }
        Start::Birth(record) => {
            out.list(6);
            out.uint(BIRTH.into());
            out.bytes(&encode_record(record)?);
        }
    }
    out.uint(draft.size);
    out.int(draft.mtime.seconds);
    out.uint(draft.mtime.nanos.into());
    out.list(2 * draft.dirty.len());
    for (at, data) in draft.dirty.iter() {
        out.uint(at);
        out.bytes(data);
    }
    Ok(out.0)
}

/// Reads a draft back; none if it is not one of ours.
pub(super) fn decode(plaintext: &[u8]) -> Option<Draft> {
    let mut decoder = Decoder::new(plaintext);
    let fields = decoder.array().ok()??;
    let start = match (fields, decoder.u8().ok()?) {
        (9, EDIT) => Start::Version {
            node: NodeId(decoder.bytes().ok()?.try_into().ok()?),
            version: Dot {
                writer: WriterTag(decoder.bytes().ok()?.try_into().ok()?),
                block: decoder.u64().ok()?,
            },
            floor: decoder.u64().ok()?,
        },
        (6, BIRTH) => Start::Birth(Box::new(decode_record(decoder.bytes().ok()?).ok()?)),
        _ => return None,
    };
    let size = decoder.u64().ok()?;
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
        start,
        size,
        mtime,
        dirty,
    })
}
