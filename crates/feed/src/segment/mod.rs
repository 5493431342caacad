//! Append-only segment files: records, checksums, commits that are whole or absent, torn tails told from rot.
//!
//! Not its job: knowing what a record means for a feed (that is `feed` and `set`), finding a block (that is `index`).
//! The bytes are drawn in `docs/format.md`, section "feed".

pub(crate) mod body;
pub(crate) mod fields;
pub(crate) mod log;
pub(crate) mod record;
pub(crate) mod scan;

use crate::disk::{DiskFile, is_bad_sector, read_exact};
use fields::{Fields, PutFields};
use std::io;
use std::path::{Path, PathBuf};

/// Format of segments that this program writes. A larger number is refused, a smaller one will be read for ever.
pub(crate) const FORMAT: u32 = 1;
/// First bytes of every segment file.
const MAGIC: [u8; 8] = *b"COBOXSEG";
/// Bytes of the file header.
pub(crate) const HEADER_LEN: u64 = 80;

/// Where a space has got to: everything before it is durable, the next record goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Segment number.
    pub segment: u32,
    /// That segment's salt: a position of other files than these does not fit.
    pub salt: [u8; 16],
    /// Byte offset in the segment.
    pub offset: u64,
    /// Sequence number of the next record.
    pub sequence: u64,
}

/// Header of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Address of the space.
    pub address: [u8; 32],
    /// Number of this segment, counted from 0.
    pub number: u32,
    /// Random; makes this file's records recognisable and unforgeable by stored bytes.
    pub salt: [u8; 16],
    /// Sequence number of the first record.
    pub sequence: u64,
}

/// What a file's header says about it.
pub(crate) enum HeaderCheck {
    /// Ours and intact.
    Good(SegmentHeader),
    /// Written by a newer program.
    TooNew,
    /// Not intact.
    Bad,
}

impl SegmentHeader {
    /// The 80 bytes at the start of the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN as usize);
        out.put(&MAGIC);
        out.put_u32(FORMAT);
        out.put(&self.address);
        out.put_u32(self.number);
        out.put(&self.salt);
        out.put_u64(self.sequence);
        out.put_u32(0);
        out.put_u32(crc32fast::hash(&out));
        out
    }

    /// Reads and checks the header of `file`.
    pub(crate) fn read(file: &dyn DiskFile) -> io::Result<HeaderCheck> {
        let mut bytes = [0; HEADER_LEN as usize];
        match read_exact(file, 0, &mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || is_bad_sector(&error) => {
                return Ok(HeaderCheck::Bad);
            }
            read => read?,
        }
        Ok(Self::decode(&bytes).unwrap_or(HeaderCheck::Bad))
    }

    fn decode(bytes: &[u8; HEADER_LEN as usize]) -> Option<HeaderCheck> {
        let mut fields = Fields(bytes);
        let magic: [u8; 8] = fields.array()?;
        let format = fields.u32()?;
        let address = fields.array()?;
        let number = fields.u32()?;
        let salt = fields.array()?;
        let sequence = fields.u64()?;
        fields.u32()?;
        if magic != MAGIC || crc32fast::hash(&bytes[..76]) != fields.u32()? {
            return None;
        }
        if format > FORMAT {
            return Some(HeaderCheck::TooNew);
        }
        Some(HeaderCheck::Good(Self {
            address,
            number,
            salt,
            sequence,
        }))
    }
}

/// Folder of an address, below the data folder.
pub(crate) fn folder(address: &[u8; 32]) -> PathBuf {
    Path::new("spaces").join(hex(address))
}

/// Path of a segment.
pub(crate) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}

/// The number in a segment's file name; `None` for other files.
pub(crate) fn number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 8).then(|| digits.parse().ok())?
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An address from 64 lower-case hex digits.
pub(crate) fn address(name: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if name.len() != 64 || !name.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(name.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}
