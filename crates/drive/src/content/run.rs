//! Runs: slicing, joining, laying splices over them. Pure.

use super::BLOCK;
use crate::record::{Codec, Run, Splice};
use crate::version::WriterTag;
use std::ops::Range;

/// A stretch of a file, `skip` bytes into a run. (Compressed runs cannot be cut, so a cut is kept beside the run.)
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Offset in the file.
    pub at: u64,
    /// Bytes.
    pub length: u64,
    /// Where they are.
    pub run: Run,
    /// From which byte of the run on.
    pub skip: u64,
}

/// Where a run begins, counted in bytes from the feed's block 0 as if all blocks were full.
pub fn position(run: &Run) -> u64 {
    run.block
        .saturating_mul(BLOCK as u64)
        .saturating_add(run.offset.into())
}

/// Blocks a run lies in.
pub fn blocks(run: &Run) -> Range<u64> {
    let stored = match run.codec {
        Codec::Raw => run.length,
        Codec::Hole => 0,
        Codec::Lz4 { stored } => stored.into(),
    };
    if stored == 0 {
        return run.block..run.block;
    }
    run.block..position(run).saturating_add(stored).div_ceil(BLOCK as u64)
}

/// Zeros that are stored nowhere.
pub fn hole(length: u64) -> Run {
    Run {
        writer: WriterTag([0; 8]),
        block: 0,
        offset: 0,
        length,
        codec: Codec::Hole,
        hash: None,
    }
}

/// Appends a run, joining it with the last one where both lie side by side. Two raw runs can only be neighbours by
/// arithmetic if the block between them is full, so a join never crosses a short block.
pub fn push(runs: &mut Vec<Run>, run: Run) {
    if run.length == 0 {
        return;
    }
    if let Some(last) = runs.last_mut() {
        let joined = match (last.codec, run.codec) {
            (Codec::Hole, Codec::Hole) => true,
            (Codec::Raw, Codec::Raw) => {
                last.writer == run.writer
                    && position(last).checked_add(last.length) == Some(position(&run))
            }
            _ => false,
        };
        if joined {
            last.length += run.length;
            last.hash = None;
            return;
        }
    }
    runs.push(run);
}

/// Part of a raw run or hole, as a run of its own.
pub fn slice(run: &Run, part: Range<u64>) -> Run {
    let length = part.end - part.start;
    let hash = if length == run.length { run.hash } else { None };
    if run.codec == Codec::Hole {
        return Run {
            length,
            hash,
            ..run.clone()
        };
    }
    let at = position(run).saturating_add(part.start);
    Run {
        block: at / BLOCK as u64,
        offset: (at % BLOCK as u64) as u32,
        length,
        hash,
        ..run.clone()
    }
}

/// Lays runs out over a file: cut at `size`, extended with zeros to it.
pub fn extents(runs: Vec<Run>, size: u64) -> Vec<Extent> {
    let mut at = 0;
    let mut all = Vec::with_capacity(runs.len());
    for run in runs {
        let length = run.length.min(size - at);
        if length > 0 {
            all.push(Extent {
                at,
                length,
                run,
                skip: 0,
            });
            at += length;
        }
    }
    if at < size {
        all.push(Extent {
            at,
            length: size - at,
            run: hole(size - at),
            skip: 0,
        });
    }
    all
}

/// Cuts a layout at a new size, or extends it with zeros.
pub fn resize(all: &mut Vec<Extent>, size: u64) {
    let old = all.last().map_or(0, |last| last.at + last.length);
    if size > old {
        all.push(Extent {
            at: old,
            length: size - old,
            run: hole(size - old),
            skip: 0,
        });
    } else {
        all.retain(|extent| extent.at < size);
        if let Some(last) = all.last_mut() {
            last.length = size - last.at;
        }
    }
}

/// Lays a splice over a file; parts beyond its end are dropped.
pub fn lay(all: &mut Vec<Extent>, splice: &Splice) {
    let size = all.last().map_or(0, |last| last.at + last.length);
    let from = splice.at.min(size);
    let to = splice.at.saturating_add(splice.run.length).min(size);
    if from >= to {
        return;
    }
    let first = all.partition_point(|extent| extent.at + extent.length <= from);
    let last = all.partition_point(|extent| extent.at < to);
    let mut middle = Vec::with_capacity(3);
    let head = &all[first];
    if head.at < from {
        middle.push(Extent {
            length: from - head.at,
            ..head.clone()
        });
    }
    middle.push(Extent {
        at: from,
        length: to - from,
        run: splice.run.clone(),
        skip: 0,
    });
    let tail = &all[last - 1];
    let end = tail.at + tail.length;
    if end > to {
        middle.push(Extent {
            at: to,
            length: end - to,
            run: tail.run.clone(),
            skip: tail.skip + (to - tail.at),
        });
    }
    all.splice(first..last, middle);
}

/// The layout as runs, if no compressed run was cut.
pub fn runs(all: &[Extent]) -> Option<Vec<Run>> {
    let mut runs = Vec::with_capacity(all.len());
    for extent in all {
        let part = extent.skip..extent.skip + extent.length;
        match extent.run.codec {
            Codec::Lz4 { .. } if part != (0..extent.run.length) => return None,
            Codec::Lz4 { .. } => push(&mut runs, extent.run.clone()),
            _ => push(&mut runs, slice(&extent.run, part)),
        }
    }
    Some(runs)
}

/// The runs of part of a layout, if no compressed run is cut by it.
pub fn part(all: &[Extent], range: Range<u64>) -> Option<Vec<Run>> {
    let first = all.partition_point(|extent| extent.at + extent.length <= range.start);
    let last = all.partition_point(|extent| extent.at < range.end);
    let cut = |extent: &Extent| {
        let from = range.start.max(extent.at);
        let to = range.end.min(extent.at + extent.length);
        Extent {
            at: from,
            length: to - from,
            run: extent.run.clone(),
            skip: extent.skip + (from - extent.at),
        }
    };
    runs(&all.get(first..last)?.iter().map(cut).collect::<Vec<_>>())
}
