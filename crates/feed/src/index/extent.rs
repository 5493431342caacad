//! An extent: consecutive blocks of one feed that lie one behind the other in one segment.

use crate::segment::body::MAX_BLOCKS;
use crate::segment::fields::{Fields, PutFields};
use std::ops::Range;

/// Where consecutive blocks lie, with the length and checksum of each. An extent of no blocks stands for "removed".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Segment number.
    pub segment: u32,
    /// Offset of the first block's bytes.
    pub offset: u64,
    /// Lengths, run-length coded: so many blocks of such a length.
    lengths: Vec<(u32, u32)>,
    /// CRC-32 of each block.
    crcs: Vec<u32>,
}

/// Where one block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockPlace {
    /// Offset in the segment.
    pub offset: u64,
    /// Bytes.
    pub length: u32,
    /// CRC-32 of the bytes.
    pub crc: u32,
}

impl Extent {
    /// From the table of a blocks record whose first block's bytes are at `offset`.
    pub(crate) fn new(segment: u32, offset: u64, table: &[(u32, u32)]) -> Self {
        let mut lengths: Vec<(u32, u32)> = Vec::new();
        for (length, _) in table {
            match lengths.last_mut() {
                Some((run, of)) if of == length => *run += 1,
                _ => lengths.push((1, *length)),
            }
        }
        Self {
            segment,
            offset,
            lengths,
            crcs: table.iter().map(|(_, crc)| *crc).collect(),
        }
    }

    /// Blocks in it.
    pub(crate) fn count(&self) -> u64 {
        self.crcs.len() as u64
    }

    /// Places of the blocks with these numbers, counted from the extent's first.
    pub(crate) fn places(&self, blocks: Range<u64>) -> Vec<BlockPlace> {
        let mut offset = self.offset;
        let all = self
            .lengths
            .iter()
            .flat_map(|(run, length)| std::iter::repeat_n(*length, *run as usize));
        let mut places = Vec::new();
        for (number, (length, crc)) in (0..blocks.end).zip(all.zip(&self.crcs)) {
            if number >= blocks.start {
                places.push(BlockPlace {
                    offset,
                    length,
                    crc: *crc,
                });
            }
            offset += u64::from(length);
        }
        places
    }

    /// The extent of some of its blocks, counted from its first.
    pub(crate) fn slice(&self, blocks: Range<u64>) -> Self {
        let places = self.places(blocks);
        let table: Vec<(u32, u32)> = places
            .iter()
            .map(|place| (place.length, place.crc))
            .collect();
        Self::new(
            self.segment,
            places.first().map_or(self.offset, |place| place.offset),
            &table,
        )
    }

    /// Row of the index.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(20 + self.lengths.len() * 8 + self.crcs.len() * 4);
        out.put_u32(self.segment);
        out.put_u64(self.offset);
        out.put_u32(self.lengths.len() as u32);
        for (run, length) in &self.lengths {
            out.put_u32(*run);
            out.put_u32(*length);
        }
        out.put_u32(self.crcs.len() as u32);
        self.crcs.iter().for_each(|crc| out.put_u32(*crc));
        out
    }

    /// Decodes a row.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let (segment, offset) = (fields.u32()?, fields.u64()?);
        let runs = fields.count(8)?;
        let lengths: Vec<(u32, u32)> = (0..runs)
            .map(|_| Some((fields.u32()?, fields.u32()?)))
            .collect::<Option<_>>()?;
        let count = fields.count(4)?;
        let crcs: Vec<u32> = (0..count).map(|_| fields.u32()).collect::<Option<_>>()?;
        let total: u64 = lengths.iter().map(|(run, _)| u64::from(*run)).sum();
        (total == count as u64 && count <= MAX_BLOCKS).then_some(Self {
            segment,
            offset,
            lengths,
            crcs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_and_rows_keep_every_place() {
        let table: Vec<(u32, u32)> = [5, 5, 5, 7, 0, 0, 9].into_iter().zip(100..).collect();
        let extent = Extent::new(3, 1000, &table);
        assert_eq!(Extent::decode(&extent.encode()), Some(extent.clone()));
        let all = extent.places(0..7);
        for from in 0..7 {
            for to in from..=7 {
                let slice = extent.slice(from..to);
                assert_eq!(slice.count(), to - from);
                assert_eq!(slice.places(0..to - from), all[from as usize..to as usize]);
            }
        }
    }
}
