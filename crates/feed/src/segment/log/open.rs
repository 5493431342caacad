//! Opening a log: which segments there are, what in them the index has not seen, where a torn tail is cut.

use super::{Current, Log, Opened};
use crate::disk::DiskFile;
use crate::disk::handles::Handles;
use crate::error::StoreError;
use crate::segment::record::Kind;
use crate::segment::scan::{self, Record};
use crate::segment::{HEADER_LEN, HeaderCheck, Position, SegmentHeader, folder, number, path};
use std::path::Path;
use std::sync::Arc;

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
        if let Some(last) = numbers.last() {
            log.make_durable(*last, known.filter(|known| known.segment == *last))?;
        }
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

    /// What lies behind what the index has seen may never have been synced: the program that wrote it was killed. From here
    /// on peers are told of it, so it is made durable first; a power cut after that would make us sign other blocks of the
    /// same numbers. And where a sync had failed, the machine's memory may show what the disk does not have: it is dropped.
    fn make_durable(&self, number: u32, seen: Option<Position>) -> Result<(), StoreError> {
        let failed = || StoreError::io("making durable what was written before");
        let file = self.file(number)?;
        let length = file.len().map_err(StoreError::io("measuring a segment"))?;
        let seen = seen.map(|seen| seen.offset);
        if seen == Some(length) {
            return Ok(());
        }
        // A failure of before is told once; the second try speaks of now.
        file.sync().or_else(|_| file.sync()).map_err(failed())?;
        if seen.is_none() {
            let disk = self.handles.disk();
            disk.sync_dir(Path::new("spaces")).map_err(failed())?;
            disk.sync_dir(&self.folder).map_err(failed())?;
        }
        file.forget(seen.unwrap_or(0)..length);
        Ok(())
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
            forgotten: 0,
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
        scan::metas(file, header, &offsets, &mut |offset, record| match record {
            Some(record) => apply(header, record),
            None => tracing::warn!(
                number = header.number,
                offset,
                "a rotten record was skipped"
            ),
        })
        .map_err(io())?;
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
}
