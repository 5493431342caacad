//! Metadata blocks: a commit's CBOR cut into blocks, compressed when that saves a size class, padded
//! with zeros to a class, so that a block's size says little about what is in it.

use super::check::check_record;
use super::*;

/// First byte of every block's plaintext.
const FORMAT: u8 = 1;
const LAST: u8 = 1;
const FIRST: u8 = 2;
const LZ4: u8 = 4;
const CLAIM: u8 = 8;
const MESSAGE: u8 = 16;
/// Format, flags, payload length.
const FRAME: usize = 6;
const MIN_CLASS: usize = 512;
const MAX_CLASS: usize = 64 * 1024;
const MAX_PAYLOAD: usize = MAX_CLASS - FRAME;
/// Most bytes that a compressed payload may claim to become.
const MAX_RAW: usize = 1 << 20;
/// How much CBOR is tried in one compressed block; halved when it does not fit.
const TRY_RAW: usize = 192 * 1024;
/// An array's length in front of the records.
const ARRAY_HEAD: usize = 9;

/// One decoded metadata block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataBlock {
    /// only in a commit's first block
    pub header: Option<CommitHeader>,
    /// its records
    pub records: Vec<Record>,
    /// ends the commit
    pub last: bool,
}

/// Encodes a commit into plaintext metadata blocks (compressed, padded to their classes), the last one marked. At least one.
/// Fails when a record, the header or the whole commit is too large, or when decoding would refuse it.
pub fn encode_commit(commit: &Commit) -> Result<Vec<Vec<u8>>, RecordError> {
    if commit.records.len() > MAX_RECORDS {
        return Err(RecordError::TooLarge("commit"));
    }
    let records = commit
        .records
        .iter()
        .map(encode_record)
        .collect::<Result<Vec<_>, _>>()?;
    let mut header = encode_header(&commit.header)?;
    let mut rest = records.as_slice();
    let (mut blocks, mut limit, mut flags) = (Vec::new(), TRY_RAW, FIRST);
    loop {
        let (payload, lz4, taken) = fill(&header, rest, &mut limit);
        rest = &rest[taken..];
        let last = if rest.is_empty() { LAST } else { 0 };
        blocks.push(frame(flags | lz4 | last, &payload));
        if rest.is_empty() {
            return Ok(blocks);
        }
        if blocks.len() == MAX_COMMIT_BLOCKS {
            return Err(RecordError::TooLarge("commit"));
        }
        (header, flags) = (Vec::new(), 0);
    }
}

/// A record by itself, as it stands in a commit.
pub(crate) fn encode_record(record: &Record) -> Result<Vec<u8>, RecordError> {
    check_record(record)?;
    let mut out = Writer::default();
    out.record(record);
    match out.0.len() > MAX_RECORD {
        true => Err(RecordError::TooLarge(
            "record (names, extended attributes, runs)",
        )),
        false => Ok(out.0),
    }
}

/// Reads what [`encode_record`] wrote.
pub(crate) fn decode_record(bytes: &[u8]) -> Result<Record, RecordError> {
    let mut reader = Reader::new(bytes, "record");
    let record = reader.record()?;
    reader.end()?;
    Ok(record)
}

fn encode_header(header: &CommitHeader) -> Result<Vec<u8>, RecordError> {
    if header.seen.len() > MAX_SEEN {
        return Err(RecordError::TooLarge("list of seen heads"));
    }
    if !header.seen.is_sorted_by(|a, b| a.writer < b.writer) {
        return Err(RecordError::Malformed("list of seen heads"));
    }
    let mut out = Writer::default();
    out.header(header);
    Ok(out.0)
}

/// The next block's payload: header, then as many records as fit. Answers payload, flag, records taken.
/// `limit` remembers how much CBOR fitted the block before.
fn fill(header: &[u8], records: &[Vec<u8>], limit: &mut usize) -> (Vec<u8>, u8, usize) {
    loop {
        let (raw, taken) = gather(header, records, *limit);
        if let Some(packed) = compress(&raw) {
            return (packed, LZ4, taken);
        }
        if raw.len() <= MAX_PAYLOAD {
            return (raw, 0, taken);
        }
        // A header or record never exceeds a block, so this ends at the latest at MAX_PAYLOAD.
        *limit = (*limit * 3 / 4).max(MAX_PAYLOAD);
    }
}

fn gather(header: &[u8], records: &[Vec<u8>], limit: usize) -> (Vec<u8>, usize) {
    let mut size = header.len() + ARRAY_HEAD;
    let fits = |record: &&Vec<u8>| {
        size += record.len();
        size <= limit
    };
    let taken = records.iter().take_while(fits).count();
    let mut out = Writer(header.to_vec());
    out.array(&records[..taken], |out, record| {
        out.0.extend_from_slice(record)
    });
    (out.0, taken)
}

/// Raw length, then an LZ4 block; only if it fits a block and lands in a smaller class.
fn compress(raw: &[u8]) -> Option<Vec<u8>> {
    if class(raw.len()) == Some(MIN_CLASS) {
        return None;
    }
    let packed = lz4_flex::block::compress(raw);
    let smaller = class(packed.len() + 4)?;
    let saves = class(raw.len()).is_none_or(|class| smaller < class);
    saves.then(|| [&(raw.len() as u32).to_le_bytes()[..], &packed].concat())
}

/// The size class of a block with this payload.
fn class(payload: usize) -> Option<usize> {
    let class = (payload + FRAME).next_power_of_two().max(MIN_CLASS);
    (class <= MAX_CLASS).then_some(class)
}

fn frame(flags: u8, payload: &[u8]) -> Vec<u8> {
    let size = class(payload.len()).unwrap_or(payload.len() + FRAME);
    let mut block = Vec::with_capacity(size);
    block.extend([FORMAT, flags]);
    block.extend((payload.len() as u32).to_le_bytes());
    block.extend_from_slice(payload);
    block.resize(size, 0);
    block
}

/// Flags and payload of a block whose frame is sound.
fn unframe(plaintext: &[u8]) -> Result<(u8, &[u8]), RecordError> {
    let bad = RecordError::Malformed("metadata block");
    let (frame, rest) = plaintext.split_first_chunk::<FRAME>().ok_or(bad.clone())?;
    let [format, flags, length @ ..] = frame;
    match *format {
        0 => return Err(bad),
        FORMAT => {}
        newer => return Err(RecordError::TooNew(newer.into())),
    }
    let length = u32::from_le_bytes(*length) as usize;
    if class(length) != Some(plaintext.len()) {
        return Err(bad);
    }
    let (payload, padding) = rest.split_at(length);
    match padding.iter().all(|byte| *byte == 0) {
        true => Ok((*flags, payload)),
        false => Err(bad),
    }
}

/// Decodes one opened metadata block.
pub fn decode_block(plaintext: &[u8]) -> Result<MetadataBlock, RecordError> {
    let (flags, payload) = unframe(plaintext)?;
    if flags & !(LAST | FIRST | LZ4) != 0 {
        return Err(RecordError::Malformed("flags of a metadata block"));
    }
    if flags & LZ4 == 0 {
        return decode_payload(payload, flags);
    }
    decode_payload(&decompress(payload)?, flags)
}

fn decompress(payload: &[u8]) -> Result<Vec<u8>, RecordError> {
    let bad = RecordError::Malformed("compressed block");
    let (length, packed) = payload.split_first_chunk().ok_or(bad.clone())?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_RAW {
        return Err(bad);
    }
    let raw = lz4_flex::block::decompress(packed, length).map_err(|_| bad.clone())?;
    match raw.len() == length {
        true => Ok(raw),
        false => Err(bad),
    }
}

fn decode_payload(raw: &[u8], flags: u8) -> Result<MetadataBlock, RecordError> {
    let mut input = Reader::new(raw, "record");
    let header = (flags & FIRST != 0).then(|| input.header()).transpose()?;
    let records = input.array(MAX_RECORDS, Reader::record)?;
    input.end()?;
    Ok(MetadataBlock {
        header,
        records,
        last: flags & LAST != 0,
    })
}

/// Plaintext of block 0 of each feed: the signed claim, padded. A claim is far shorter than 64 KiB; what is not is cut, and then refused by whoever reads it.
pub fn encode_claim(claim: &[u8]) -> Vec<u8> {
    frame(CLAIM, &claim[..claim.len().min(MAX_PAYLOAD)])
}

/// The signed claim in an opened block 0.
pub fn decode_claim(plaintext: &[u8]) -> Result<Vec<u8>, RecordError> {
    match unframe(plaintext)? {
        (CLAIM, claim) => Ok(claim.to_vec()),
        _ => Err(RecordError::Malformed("claim block")),
    }
}

/// Longest message that fits one block.
pub const MAX_MESSAGE: usize = MAX_PAYLOAD;

/// Plaintext of one block of a log feed: a message in the same frame and the same size classes, so that a log looks like
/// metadata from outside. Fails above [`MAX_MESSAGE`].
pub fn encode_message(message: &[u8]) -> Result<Vec<u8>, RecordError> {
    match message.len() > MAX_MESSAGE {
        true => Err(RecordError::TooLarge("message")),
        false => Ok(frame(MESSAGE, message)),
    }
}

/// The message in an opened block of a log feed.
pub fn decode_message(plaintext: &[u8]) -> Result<Vec<u8>, RecordError> {
    match unframe(plaintext)? {
        (MESSAGE, message) => Ok(message.to_vec()),
        _ => Err(RecordError::Malformed("message block")),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
