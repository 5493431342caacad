//! The segments of one space as one endless log: opened with a replay, written commit by commit.
//! Not its job: threads, feeds. One writer at a time (`&mut self`).

mod open;

use super::body::encode_footer;
use super::record::{Kind, RecordHeader};
use super::scan;
use super::{HEADER_LEN, Position, SegmentHeader, path};
use crate::disk::DiskFile;
use crate::disk::handles::Handles;
use crate::error::StoreError;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes before the end of a segment that stay in the machine's memory, whoever wrote them.
const RECENT: u64 = 32 << 20;

/// One record to be written.
#[derive(Debug)]
pub(crate) struct Part {
    /// What it is.
    pub kind: Kind,
    /// What the record's checksum covers.
    pub meta: Vec<u8>,
    /// Block bytes behind it, never copied.
    pub blocks: Vec<Bytes>,
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Segment number.
    pub segment: u32,
    /// Offset of the record header.
    pub offset: u64,
}

/// The log of one space.
#[derive(Debug)]
pub(crate) struct Log {
    handles: Arc<Handles>,
    address: [u8; 32],
    folder: PathBuf,
    segment_size: u64,
    /// Segment being written; none before the first commit and behind a footer.
    current: Option<Current>,
    /// End of the last commit, also when its segment is full.
    position: Option<Position>,
    next_number: u32,
    sequence: u64,
    size: u64,
    poisoned: bool,
}

/// The segment being written; everything before `end` is synced.
#[derive(Debug)]
struct Current {
    header: SegmentHeader,
    end: u64,
    /// What is before this was forgotten.
    forgotten: u64,
}

/// Result of opening.
#[derive(Debug)]
pub(crate) enum Opened {
    /// Ready to be appended to; all records from the known position on were handed over.
    Log(Box<Log>),
    /// The known position belongs to other files than these: forget it and open again without.
    OtherFiles,
}

impl Log {
    /// Writes parts as one commit: one write, one sync. On an error nothing of it is left behind; after a failed sync the log is poisoned.
    pub(crate) fn append(&mut self, parts: &[Part]) -> Result<Vec<Place>, StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let total: u64 = parts.iter().map(Part::total).sum();
        if self.current.as_ref().is_some_and(|current| {
            current.end > HEADER_LEN && current.end + total > self.segment_size
        }) {
            self.finish_segment()?;
        }
        if self.current.is_none() {
            self.start_segment()?;
        }
        self.write_commit(parts)
    }

    /// Lets the machine forget older bytes of the segment: a transfer of any size passes through little memory, and
    /// leaves other programs theirs.
    pub(crate) fn forget_behind(&mut self) {
        let Some(current) = &self.current else {
            return;
        };
        let old = current.forgotten..current.end.saturating_sub(RECENT);
        if old.end.saturating_sub(old.start) < RECENT / 4 {
            return;
        }
        if let Ok(file) = self.file(current.header.number) {
            file.forget(old.clone());
        }
        if let Some(current) = &mut self.current {
            current.forgotten = old.end;
        }
    }

    /// End of the last commit; `None` before the first one.
    pub(crate) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Bytes of all segments.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// A sync failed: nothing more is written.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    fn file(&self, number: u32) -> Result<Arc<dyn DiskFile>, StoreError> {
        self.handles
            .get(&path(&self.folder, number))
            .map_err(StoreError::io("opening a segment"))
    }

    fn write_commit(&mut self, parts: &[Part]) -> Result<Vec<Place>, StoreError> {
        let Some(current) = &self.current else {
            return Err(StoreError::Closed);
        };
        let (number, start) = (current.header.number, current.end);
        let headers = encode_headers(&current.header.salt, self.sequence, parts);
        let mut slices: Vec<&[u8]> = Vec::with_capacity(parts.len() * 4);
        let mut places = Vec::with_capacity(parts.len());
        let mut offset = start;
        for (part, header) in parts.iter().zip(&headers) {
            places.push(Place {
                segment: number,
                offset,
            });
            slices.extend([&header[..], &part.meta]);
            slices.extend(part.blocks.iter().map(|block| &block[..]));
            offset += part.total();
        }
        let file = self.file(number)?;
        if let Err(error) = file.write_at(start, &slices) {
            // What is left behind a failed write would be mistaken for part of the next commit.
            self.poisoned = file.truncate(start).is_err();
            return Err(StoreError::io("writing a segment")(error));
        }
        self.sync(&*file)?;
        self.sequence += parts.len() as u64;
        self.size += offset - start;
        if let Some(current) = &mut self.current {
            current.end = offset;
            self.position = Some(Position {
                segment: number,
                salt: current.header.salt,
                offset,
                sequence: self.sequence,
            });
        }
        Ok(places)
    }

    /// After a failed sync the kernel may have dropped what it could not write: only a new start tells what is there.
    fn sync(&mut self, file: &dyn DiskFile) -> Result<(), StoreError> {
        file.sync().map_err(|error| {
            self.poisoned = true;
            StoreError::Io {
                action: "making a write durable",
                source: Arc::new(error),
            }
        })
    }

    fn finish_segment(&mut self) -> Result<(), StoreError> {
        let Some(current) = &self.current else {
            return Ok(());
        };
        let file = self.file(current.header.number)?;
        let offsets =
            scan::offsets(&*file, &current.header).map_err(StoreError::io("reading a segment"))?;
        // With rot inside, a later rebuild has to read the segment record by record.
        if let Some(offsets) = offsets.filter(|offsets| offsets.len() < (u32::MAX / 8 - 8) as usize)
        {
            let footer = Part {
                kind: Kind::Footer,
                meta: encode_footer(&offsets, current.end),
                blocks: Vec::new(),
            };
            self.write_commit(&[footer])?;
        }
        self.current = None;
        Ok(())
    }

    fn start_segment(&mut self) -> Result<(), StoreError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)
            .map_err(|error| StoreError::io("taking random bytes")(std::io::Error::other(error)))?;
        let number = self.next_number;
        let header = SegmentHeader {
            address: self.address,
            number,
            salt,
            sequence: self.sequence,
        };
        let disk = self.handles.disk().clone();
        if number == 0 {
            disk.create_dir(&self.folder)
                .map_err(StoreError::io("creating a folder"))?;
            disk.sync_dir(Path::new("spaces"))
                .map_err(StoreError::io("creating a folder"))?;
        }
        let path = path(&self.folder, number);
        let file = disk
            .create(&path)
            .map_err(StoreError::io("creating a segment"))?;
        if let Err(error) = file.write_at(0, &[&header.encode()]) {
            self.poisoned = disk.remove(&path).is_err();
            return Err(StoreError::io("creating a segment")(error));
        }
        self.sync(&*file)?;
        disk.sync_dir(&self.folder).map_err(|error| {
            self.poisoned = true;
            StoreError::Io {
                action: "making a segment durable",
                source: Arc::new(error),
            }
        })?;
        self.handles.keep(&path, &file);
        self.next_number = number + 1;
        self.size += HEADER_LEN;
        self.current = Some(Current {
            header,
            end: HEADER_LEN,
            forgotten: 0,
        });
        Ok(())
    }
}

impl Part {
    /// Bytes of the record.
    pub(crate) fn total(&self) -> u64 {
        super::record::RECORD_LEN as u64 + self.body()
    }

    fn body(&self) -> u64 {
        self.meta.len() as u64
            + self
                .blocks
                .iter()
                .map(|block| block.len() as u64)
                .sum::<u64>()
    }
}

/// Headers of one commit's records.
fn encode_headers(salt: &[u8; 16], sequence: u64, parts: &[Part]) -> Vec<Vec<u8>> {
    let header = |(index, part): (usize, &Part)| {
        let header = RecordHeader {
            sequence: sequence + index as u64,
            index: index as u32,
            kind: part.kind,
            commit_end: index + 1 == parts.len(),
            body: part.body() as u32,
            meta: part.meta.len() as u32,
            checksum: crc32fast::hash(&part.meta),
        };
        let mut out = Vec::with_capacity(super::record::RECORD_LEN);
        header.encode(salt, &mut out);
        out
    };
    parts.iter().enumerate().map(header).collect()
}
