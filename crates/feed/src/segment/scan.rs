//! Reading a segment from some record on: which commits are whole, what is rot, where a torn tail begins.
//!
//! The rule. A commit is written at once and synced before the next one is written. So a valid record of a *later* commit
//! proves that everything before it was on the disk once: what is bad there has rotted since, is skipped, and costs only itself.
//! Bad bytes with nothing valid of a later commit behind them are the torn end of a write that nobody was told about: they are
//! cut off together with the rest of their commit.

use super::body::{BlocksMeta, decode_footer};
use super::record::{Kind, RECORD_LEN, RecordHeader, pattern};
use super::{HEADER_LEN, SegmentHeader};
use crate::disk::{DiskFile, is_bad_sector, read_exact};
use std::io;

/// Bytes read at once.
const WINDOW: u64 = 128 << 10;
/// What a disk with a bad sector reads at once, at least.
const PAGE: usize = 4 << 10;

/// A record found, its checksum verified.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Offset of its header.
    pub offset: u64,
    /// Its header.
    pub header: RecordHeader,
    /// The part of the body that the record's checksum covers: all of it, or all but the block bytes.
    pub meta: Vec<u8>,
    /// Blocks of a blocks record whose bytes do not fit their checksum, counted from 0.
    pub rotten: Vec<usize>,
}

/// Where a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// End of the last whole commit: the file is to be cut here if it is longer.
    pub offset: u64,
    /// Sequence of the next record.
    pub sequence: u64,
    /// Something was rotten.
    pub rot: bool,
}

/// Replays the records of whole commits, in order, from `offset`, where the record `sequence` is expected.
/// `last`: no later segment exists (a later one proves all of this one).
pub(crate) fn replay(
    file: &dyn DiskFile,
    segment: &SegmentHeader,
    offset: u64,
    sequence: u64,
    last: bool,
    apply: &mut dyn FnMut(Record),
) -> io::Result<End> {
    let mut replay = Replay {
        settled: End {
            offset,
            sequence,
            rot: false,
        },
        pending: Vec::new(),
        bad: false,
        good_end: offset,
        apply,
    };
    let mut window = Window::new(file)?;
    let mut at = offset;
    while at < window.end {
        at = match read_record(&mut window, &segment.salt, at)? {
            Read::Whole(record) if record.header.commit() >= replay.settled.sequence => {
                replay.whole(record)
            }
            Read::Damaged(header) => replay.damaged(at, &header),
            Read::Whole(_) | Read::Nothing => {
                replay.bad = true;
                next_header(&mut window, &segment.salt, at + 1, replay.settled.sequence)?
                    .unwrap_or(window.end)
            }
        };
    }
    if !last {
        replay.settle_pending();
        replay.settled.offset = window.end;
    }
    Ok(replay.settled)
}

/// Offsets of the records that a full segment's footer lists; `None` if there is no intact footer.
pub(crate) fn footer(
    file: &dyn DiskFile,
    segment: &SegmentHeader,
) -> io::Result<Option<(Vec<u64>, u64)>> {
    let mut window = Window::new(file)?;
    let Some(tail) = window.end.checked_sub(8) else {
        return Ok(None);
    };
    let own = window.get(tail, 8)?.and_then(|own| own.try_into().ok());
    let own = own.map_or(0, u64::from_le_bytes);
    if own < HEADER_LEN || own >= window.end {
        return Ok(None);
    }
    Ok(match read_record(&mut window, &segment.salt, own)? {
        Read::Whole(record)
            if record.header.kind == Kind::Footer && own + record.header.total() == window.end =>
        {
            decode_footer(&record.meta).map(|offsets| (offsets, record.header.sequence + 1))
        }
        _ => None,
    })
}

/// Offsets of all records by hopping from header to header; `None` if one of them is bad.
pub(crate) fn offsets(
    file: &dyn DiskFile,
    segment: &SegmentHeader,
) -> io::Result<Option<Vec<u64>>> {
    let mut window = Window::new(file)?;
    let mut offsets = Vec::new();
    let mut at = HEADER_LEN;
    while at < window.end {
        let Some(header) = window.header(&segment.salt, at)? else {
            return Ok(None);
        };
        offsets.push(at);
        at += header.total();
    }
    Ok(Some(offsets))
}

/// The records at these offsets without their block bytes (those are checked when they are read); `None` for a bad one.
pub(crate) fn metas(
    file: &dyn DiskFile,
    segment: &SegmentHeader,
    offsets: &[u64],
    apply: &mut dyn FnMut(u64, Option<Record>),
) -> io::Result<()> {
    let mut window = Window::new(file)?;
    for offset in offsets {
        apply(*offset, read_meta(&mut window, &segment.salt, *offset)?);
    }
    Ok(())
}

fn read_meta(window: &mut Window<'_>, salt: &[u8; 16], offset: u64) -> io::Result<Option<Record>> {
    let Some(header) = window.header(salt, offset)? else {
        return Ok(None);
    };
    let meta = window.get(offset + RECORD_LEN as u64, u64::from(header.meta))?;
    let intact = meta.filter(|meta| crc32fast::hash(meta) == header.checksum);
    Ok(intact.map(|meta| Record {
        offset,
        header,
        meta: meta.to_vec(),
        rotten: Vec::new(),
    }))
}

/// The state of a replay between two records.
struct Replay<'a> {
    /// End of what was applied.
    settled: End,
    /// Records behind it, not yet known to be of a whole commit.
    pending: Vec<Record>,
    /// Something behind `settled` is bad.
    bad: bool,
    /// End of the last intact record.
    good_end: u64,
    apply: &'a mut dyn FnMut(Record),
}

impl Replay<'_> {
    /// Takes an intact record; returns where the next one begins.
    fn whole(&mut self, record: Record) -> u64 {
        let header = record.header;
        let end = record.offset + header.total();
        self.prove(header.commit());
        self.pending.push(record);
        self.good_end = end;
        if header.commit_end && !self.bad && self.is_complete(&header) {
            self.deliver();
            self.settled = End {
                offset: end,
                sequence: header.sequence + 1,
                rot: self.settled.rot,
            };
        }
        end
    }

    /// Takes a record whose header is intact and whose body is not.
    fn damaged(&mut self, offset: u64, header: &RecordHeader) -> u64 {
        self.prove(header.commit());
        self.bad = true;
        offset + header.total()
    }

    /// A record of commit `commit` exists: all before that commit was synced once.
    fn prove(&mut self, commit: u64) {
        if commit > self.settled.sequence {
            self.settle_pending();
            self.settled.offset = self.good_end;
            self.settled.sequence = commit;
        }
    }

    /// Whatever is intact counts; whatever is not is rot.
    fn settle_pending(&mut self) {
        self.settled.rot |= self.bad || !self.pending.is_empty();
        self.bad = false;
        self.deliver();
    }

    fn deliver(&mut self) {
        for record in self.pending.drain(..) {
            self.settled.rot |= !record.rotten.is_empty();
            (self.apply)(record);
        }
    }

    fn is_complete(&self, end: &RecordHeader) -> bool {
        self.pending.len() as u64 == u64::from(end.index) + 1
            && self
                .pending
                .iter()
                .zip(0..)
                .all(|(record, index)| record.header.index == index && record.rotten.is_empty())
    }
}

/// What is at an offset.
enum Read {
    Whole(Record),
    Damaged(RecordHeader),
    Nothing,
}

fn read_record(window: &mut Window<'_>, salt: &[u8; 16], offset: u64) -> io::Result<Read> {
    let Some(header) = window.header(salt, offset)? else {
        return Ok(Read::Nothing);
    };
    let Some(body) = window.get(offset + RECORD_LEN as u64, u64::from(header.body))? else {
        return Ok(Read::Damaged(header));
    };
    let (meta, data) = body.split_at(header.meta as usize);
    if crc32fast::hash(meta) != header.checksum {
        return Ok(Read::Damaged(header));
    }
    let rotten = match header.kind {
        Kind::Blocks => rotten_blocks(meta, data),
        _ => Vec::new(),
    };
    Ok(Read::Whole(Record {
        offset,
        header,
        meta: meta.to_vec(),
        rotten,
    }))
}

/// Blocks whose bytes do not fit their checksum.
fn rotten_blocks(meta: &[u8], mut data: &[u8]) -> Vec<usize> {
    let Some(meta) = BlocksMeta::decode(meta) else {
        return Vec::new();
    };
    let mut rotten = Vec::new();
    for (block, (length, crc)) in meta.table.iter().enumerate() {
        match data.split_at_checked(*length as usize) {
            Some((bytes, rest)) => {
                data = rest;
                if crc32fast::hash(bytes) != *crc {
                    rotten.push(block);
                }
            }
            None => rotten.push(block),
        }
    }
    rotten
}

/// The next intact record header from `at` on that is not older than `sequence`.
fn next_header(
    window: &mut Window<'_>,
    salt: &[u8; 16],
    mut at: u64,
    sequence: u64,
) -> io::Result<Option<u64>> {
    let pattern = pattern(salt);
    while at + RECORD_LEN as u64 <= window.end {
        let length = WINDOW.min(window.end - at);
        let Some(bytes) = window.get(at, length)? else {
            break;
        };
        let Some(found) = bytes
            .windows(pattern.len())
            .position(|bytes| bytes == pattern)
        else {
            at += length - (pattern.len() as u64 - 1);
            continue;
        };
        at += found as u64;
        if window
            .header(salt, at)?
            .is_some_and(|header| header.commit() >= sequence)
        {
            return Ok(Some(at));
        }
        at += 1;
    }
    Ok(None)
}

/// Buffered reading by offset.
struct Window<'a> {
    file: &'a dyn DiskFile,
    end: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile) -> io::Result<Self> {
        Ok(Self {
            file,
            end: file.len()?,
            start: 0,
            bytes: Vec::new(),
        })
    }

    /// `length` bytes at `offset`; `None` if the file ends before. Never allocates beyond the file's size.
    fn get(&mut self, offset: u64, length: u64) -> io::Result<Option<&[u8]>> {
        if offset.checked_add(length).is_none_or(|end| end > self.end) {
            return Ok(None);
        }
        if offset < self.start || offset + length > self.start + self.bytes.len() as u64 {
            self.bytes
                .resize(length.max(WINDOW).min(self.end - offset) as usize, 0);
            self.start = offset;
            match read_exact(self.file, offset, &mut self.bytes) {
                Err(error) if is_bad_sector(&error) => self.read_around()?,
                read => read.inspect_err(|_| self.end = 0)?,
            }
        }
        let from = (offset - self.start) as usize;
        Ok(Some(&self.bytes[from..from + length as usize]))
    }

    /// One bad sector must not hide what lies around it: zeros stand for what cannot be read, and fit no checksum.
    fn read_around(&mut self) -> io::Result<()> {
        self.bytes.fill(0);
        let mut from = 0;
        while from < self.bytes.len() {
            let at = self.start + from as u64;
            let page = PAGE - (at % PAGE as u64) as usize;
            let to = (from + page).min(self.bytes.len());
            match read_exact(self.file, at, &mut self.bytes[from..to]) {
                Err(error) if is_bad_sector(&error) => self.bytes[from..to].fill(0),
                read => read.inspect_err(|_| self.end = 0)?,
            }
            from = to;
        }
        Ok(())
    }

    fn header(&mut self, salt: &[u8; 16], offset: u64) -> io::Result<Option<RecordHeader>> {
        Ok(self
            .get(offset, RECORD_LEN as u64)?
            .and_then(|bytes| RecordHeader::decode(salt, bytes)))
    }
}
