//! The segments of one space as one endless log: opened with a replay, written commit by commit.
//! Not its job: threads, feeds. One writer at a time (`&mut self`).

use super::body::encode_footer;
use super::record::{Kind, RecordHeader};
use super::scan::{self, Record};
use super::{HEADER_LEN, HeaderCheck, Position, SegmentHeader, folder, number, path};
use crate::disk::DiskFile;
use crate::disk::handles::Handles;
use crate::error::StoreError;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Opens the log, hands every whole commit's records from `known` on (from the very start without one) to `apply`, and cuts a torn tail.
    pub(crate) fn open(
        handles: Arc<Handles>,
        address: [u8; 32],
        segment_size: u64,
        known: Option<Position>,
        apply: &mut dyn FnMut(&SegmentHeader, Record),
    ) -> Result<Opened, StoreError> {
        let folder = folder(&address);
        let mut log = Log {
            handles,
            address,
            folder,
            segment_size,
            current: None,
            position: None,
            next_number: 0,
            sequence: 0,
            size: 0,
            poisoned: false,
        };
        let mut numbers = log.numbers()?;
        if let Some(known) = known {
            if !log.fits(&known)? {
                return Ok(Opened::OtherFiles);
            }
            log.sequence = known.sequence;
        }
        let start = known.map_or(0, |known| known.segment);
        numbers.retain(|number| *number >= start);
        for (place, number) in numbers.iter().enumerate() {
            let last = place + 1 == numbers.len();
            log.open_segment(
                *number,
                known.filter(|known| known.segment == *number),
                last,
                apply,
            )?;
        }
        Ok(Opened::Log(Box::new(log)))
    }

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

    fn numbers(&mut self) -> Result<Vec<u32>, StoreError> {
        let names = self
            .handles
            .disk()
            .list(&self.folder)
            .map_err(StoreError::io("listing segments"))?;
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        for number in &numbers {
            self.size += self
                .file(*number)?
                .len()
                .map_err(StoreError::io("measuring a segment"))?;
        }
        self.next_number = numbers.last().map_or(0, |last| last + 1);
        Ok(numbers)
    }

    /// Is the known position one of these very files?
    fn fits(&self, known: &Position) -> Result<bool, StoreError> {
        if known.segment >= self.next_number {
            return Ok(false);
        }
        let Ok(file) = self.file(known.segment) else {
            return Ok(false);
        };
        let length = file.len().map_err(StoreError::io("measuring a segment"))?;
        Ok(length >= known.offset
            && match SegmentHeader::read(&*file).map_err(StoreError::io("reading a segment"))? {
                HeaderCheck::Good(header) => {
                    header.salt == known.salt && header.address == self.address
                }
                HeaderCheck::TooNew => return Err(StoreError::TooNew),
                // The salt in the index is all that was needed of it.
                HeaderCheck::Bad => length > HEADER_LEN,
            })
    }

    fn open_segment(
        &mut self,
        number: u32,
        known: Option<Position>,
        last: bool,
        apply: &mut dyn FnMut(&SegmentHeader, Record),
    ) -> Result<(), StoreError> {
        let file = self.file(number)?;
        let length = file.len().map_err(StoreError::io("measuring a segment"))?;
        let header = match SegmentHeader::read(&*file)
            .map_err(StoreError::io("reading a segment"))?
        {
            HeaderCheck::TooNew => return Err(StoreError::TooNew),
            HeaderCheck::Good(header)
                if header.address == self.address && header.number == number =>
            {
                header
            }
            _ => match known {
                Some(known) => SegmentHeader {
                    address: self.address,
                    number,
                    salt: known.salt,
                    sequence: known.sequence,
                },
                None if last && length <= HEADER_LEN => return self.drop_unborn(number, length),
                None => {
                    tracing::warn!(
                        number,
                        "the header of a segment is rotten; its records cannot be listed"
                    );
                    return Ok(());
                }
            },
        };
        if known.is_none() && self.open_by_footer(&*file, &header, apply)? {
            return Ok(());
        }
        let (offset, sequence) = known.map_or((HEADER_LEN, header.sequence), |known| {
            (known.offset, known.sequence)
        });
        let mut finished = false;
        let end = scan::replay(&*file, &header, offset, sequence, last, &mut |record| {
            finished = record.header.kind == Kind::Footer;
            apply(&header, record);
        })
        .map_err(StoreError::io("reading a segment"))?;
        if end.rot {
            tracing::warn!(number, "rotten records were skipped");
        }
        self.sequence = end.sequence;
        if last {
            self.cut(&*file, length, end.offset)?;
        }
        self.position = Some(Position {
            segment: number,
            salt: header.salt,
            offset: end.offset,
            sequence: end.sequence,
        });
        self.current = (last && !finished).then_some(Current {
            header,
            end: end.offset,
        });
        Ok(())
    }

    /// A crash came between the creation of a segment and the sync of its header: nothing was ever written behind it.
    fn drop_unborn(&mut self, number: u32, length: u64) -> Result<(), StoreError> {
        self.size -= length;
        self.next_number = number;
        let path = path(&self.folder, number);
        self.handles.forget(&path);
        self.handles
            .disk()
            .remove(&path)
            .map_err(StoreError::io("removing an unfinished segment"))
    }

    /// Full segments are listed by their footers, without reading block bytes.
    fn open_by_footer(
        &mut self,
        file: &dyn DiskFile,
        header: &SegmentHeader,
        apply: &mut dyn FnMut(&SegmentHeader, Record),
    ) -> Result<bool, StoreError> {
        let io = || StoreError::io("reading a segment");
        let Some((offsets, sequence)) = scan::footer(file, header).map_err(io())? else {
            return Ok(false);
        };
        for offset in offsets {
            match scan::meta_at(file, header, offset).map_err(io())? {
                Some(record) => apply(header, record),
                None => tracing::warn!(
                    number = header.number,
                    offset,
                    "a rotten record was skipped"
                ),
            }
        }
        let offset = file.len().map_err(io())?;
        self.sequence = sequence;
        self.position = Some(Position {
            segment: header.number,
            salt: header.salt,
            offset,
            sequence,
        });
        self.current = None;
        Ok(true)
    }

    fn cut(&mut self, file: &dyn DiskFile, length: u64, end: u64) -> Result<(), StoreError> {
        if length > end {
            tracing::info!(bytes = length - end, "an unfinished write was cut off");
            file.truncate(end)
                .map_err(StoreError::io("cutting an unfinished write"))?;
            self.size -= length - end;
        }
        Ok(())
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
