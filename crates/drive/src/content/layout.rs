//! A file's bytes before their blocks have numbers: parts that are known, and parts that lie in the packer.

use super::dedup::Hash;
use super::pack::StretchId;
use super::run;
use crate::record::{Codec, Run};
use std::ops::Range;

/// A file's bytes on their way into the feed.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub(super) parts: Vec<Part>,
    /// Bytes of the file.
    pub size: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    /// In a feed already (or nowhere, for a hole).
    Known(Vec<Run>),
    /// In the packer.
    New(New),
}

#[derive(Clone, Debug)]
pub(super) struct New {
    pub stretch: StretchId,
    pub part: Range<u64>,
    /// Bytes of the file, when the stretch is compressed.
    pub unpacked: Option<u64>,
    pub hash: Option<Hash>,
}

impl Part {
    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        match self {
            Part::Known(runs) => runs.iter().map(|run| run.length).sum(),
            Part::New(new) => new.unpacked.unwrap_or(new.part.end - new.part.start),
        }
    }

    pub fn is_compressed(&self) -> bool {
        match self {
            Part::Known(runs) => runs
                .iter()
                .any(|run| matches!(run.codec, Codec::Lz4 { .. })),
            Part::New(new) => new.unpacked.is_some(),
        }
    }
}

impl Layout {
    /// Adds the next bytes.
    pub(super) fn add(&mut self, part: Part) {
        self.size += part.length();
        // Neighbours in one stretch are one part: a large new file is a handful of parts, not one per chunk.
        if let (Some(Part::New(last)), Part::New(new)) = (self.parts.last_mut(), &part)
            && last.stretch == new.stretch
            && last.part.end == new.part.start
            && last.unpacked.is_none()
            && new.unpacked.is_none()
        {
            last.part.end = new.part.end;
            last.hash = None;
            return;
        }
        if let (Some(Part::Known(last)), Part::Known(new)) = (self.parts.last_mut(), &part) {
            new.iter().for_each(|r| run::push(last, r.clone()));
            return;
        }
        self.parts.push(part);
    }
}
