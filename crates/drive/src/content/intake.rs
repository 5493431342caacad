//! From a file's bytes to its runs: what is known already is named again, what is new goes to the packer.
//!
//! Runs are only known when the commit's blocks are placed; until then a file is a [`Layout`].

use super::chunk::{self, Chunker};
use super::dedup::{Dedup, Hash, HashKey};
use super::pack::{Packer, StretchId};
use super::{LARGE, compress, run};
use crate::record::{Codec, Run};
use crate::version::WriterTag;
use bytes::Bytes;
use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

/// A file's bytes on their way into the feed.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    parts: Vec<Part>,
    /// Bytes of the file.
    pub size: u64,
}

#[derive(Clone, Debug)]
enum Part {
    /// In a feed already (or nowhere, for a hole).
    Known(Vec<Run>),
    /// In the packer.
    New(New),
}

#[derive(Clone, Debug)]
struct New {
    stretch: StretchId,
    part: Range<u64>,
    /// Bytes of the file, when the stretch is compressed.
    unpacked: Option<u64>,
    hash: Option<Hash>,
}

/// A small file, read, hashed and compressed; whoever does it may be another thread.
#[derive(Debug)]
pub struct Small {
    data: Vec<u8>,
    packed: Option<Vec<u8>>,
    hash: Hash,
}

impl Small {
    /// Hashes and tries to compress a file of less than [`LARGE`] bytes.
    pub fn new(data: Vec<u8>, key: &HashKey) -> Self {
        Self {
            packed: compress::compress(&data),
            hash: key.hash(&data),
            data,
        }
    }

    /// Bytes of the file.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// An empty file?
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}

/// Takes in the files of one commit after the other.
pub struct Intake {
    /// Where new bytes go.
    pub packer: Packer,
    dedup: Dedup,
    /// Chunks of this commit.
    fresh: HashMap<Hash, New>,
    open: Option<(Layout, Option<StretchId>)>,
}

/// A row for the de-duplication index: a hash and where such bytes are.
pub type Found = (Hash, Vec<Run>);

impl Intake {
    /// New bytes go to `packer`; `dedup` knows the old ones.
    pub fn new(packer: Packer, dedup: Dedup) -> Self {
        Self {
            packer,
            dedup,
            fresh: HashMap::new(),
            open: None,
        }
    }

    /// Key under which chunks are hashed.
    pub fn hash_key(&self) -> &HashKey {
        self.dedup.key()
    }

    /// Takes a whole stream: small files in one piece, large ones chunk by chunk. `on_chunk` is called after each
    /// chunk, so that full blocks can be taken ahead; an error of it ends the taking.
    pub fn stream<E: From<std::io::Error>>(
        &mut self,
        source: &mut dyn Read,
        mut on_chunk: impl FnMut(&mut Self, u64) -> Result<(), E>,
    ) -> Result<Layout, E> {
        let mut start = Vec::new();
        chunk::fill(&mut &mut *source, &mut start, LARGE)?;
        if (start.len() as u64) < LARGE {
            let small = Small::new(start, self.hash_key());
            return Ok(self.small(&small));
        }
        let mut chunker = Chunker::new(std::io::Cursor::new(start).chain(source));
        self.begin();
        while let Some(bytes) = chunker.next_chunk()? {
            let hash = self.hash_key().hash(&bytes);
            self.chunk(&bytes, hash);
            on_chunk(self, bytes.len() as u64)?;
        }
        Ok(self.end())
    }

    /// A file whose runs are known.
    pub fn known(&self, runs: Vec<Run>) -> Layout {
        let size = runs.iter().map(|run| run.length).sum();
        Layout {
            parts: vec![Part::Known(runs)],
            size,
        }
    }

    /// Cuts a file that is here already into chunks and tells where they are, a few thousand at a time; `runs` cover
    /// `source`. Stops at once when its first chunk is known.
    pub fn learn<E: From<std::io::Error>>(
        &mut self,
        source: &mut dyn Read,
        runs: &[Run],
        mut put: impl FnMut(&[Found]) -> Result<(), E>,
    ) -> Result<(), E> {
        let extents = run::extents(runs.to_vec(), runs.iter().map(|run| run.length).sum());
        let mut chunker = Chunker::new(source);
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(bytes) = chunker.next_chunk()? {
            let (hash, length) = (self.hash_key().hash(&bytes), bytes.len() as u64);
            if at == 0 && self.find(&hash, length).is_some() {
                return Ok(());
            }
            found.extend(run::part(&extents, at..at + length).map(|part| (hash, part)));
            at += length;
            if found.len() == 4096 {
                put(&std::mem::take(&mut found))?;
            }
        }
        put(&found)?;
        self.dedup.refresh(0);
        Ok(())
    }

    /// Takes a small file.
    pub fn small(&mut self, file: &Small) -> Layout {
        let size = file.len() as u64;
        if file.is_empty() {
            return Layout::default();
        }
        if let Some(part) = self.find(&file.hash, size) {
            return Layout {
                parts: vec![part],
                size,
            };
        }
        let new = match &file.packed {
            Some(packed) => {
                let stretch = self.packer.store(packed, true);
                New {
                    stretch,
                    part: 0..packed.len() as u64,
                    unpacked: Some(size),
                    hash: Some(file.hash),
                }
            }
            None => {
                let stretch = self.packer.store(&file.data, false);
                New {
                    stretch,
                    part: 0..size,
                    unpacked: None,
                    hash: Some(file.hash),
                }
            }
        };
        self.fresh.insert(file.hash, new.clone());
        Layout {
            parts: vec![Part::New(new)],
            size,
        }
    }

    /// Begins a large file.
    pub fn begin(&mut self) {
        debug_assert!(self.open.is_none());
        self.open = Some((Layout::default(), None));
    }

    /// Takes the next chunk of the file begun.
    pub fn chunk(&mut self, bytes: &Bytes, hash: Hash) {
        let Some((mut layout, mut stretch)) = self.open.take() else {
            return;
        };
        let length = bytes.len() as u64;
        // Large files are edited in place, and compressed runs cannot be cut.
        let known = self
            .find(&hash, length)
            .filter(|part| !part.is_compressed());
        let part = known.unwrap_or_else(|| {
            let new = self.append(&mut stretch, bytes);
            self.fresh.insert(hash, new.clone());
            Part::New(new)
        });
        layout.add(part, length);
        self.open = Some((layout, stretch));
    }

    /// Takes the next bytes of the file begun without looking whether they are known.
    pub fn piece(&mut self, bytes: &[u8]) {
        let Some((mut layout, mut stretch)) = self.open.take() else {
            return;
        };
        let part = self.append(&mut stretch, bytes);
        layout.add(Part::New(part), bytes.len() as u64);
        self.open = Some((layout, stretch));
    }

    /// A hole in the file begun.
    pub fn hole(&mut self, length: u64) {
        if let Some((layout, _)) = &mut self.open {
            layout.add(Part::Known(vec![run::hole(length)]), length);
        }
    }

    /// Ends the file begun.
    pub fn end(&mut self) -> Layout {
        let Some((layout, stretch)) = self.open.take() else {
            return Layout::default();
        };
        if let Some(id) = stretch {
            self.packer.end(id);
        }
        layout
    }

    /// Gives the file begun up. What was packed of it stays behind as spare bytes; what the next files say about
    /// its chunks holds, since they are in the feed all the same.
    pub fn abandon(&mut self) {
        self.end();
    }

    /// How many runs a file can come to at most.
    pub fn runs_bound(&self, layout: &Layout) -> usize {
        let bound = |part: &Part| match part {
            Part::Known(runs) => runs.len(),
            Part::New(new) => self.packer.runs_bound(new.stretch),
        };
        layout.parts.iter().map(bound).sum()
    }

    /// The runs of a file, when all its blocks are placed.
    pub fn runs(&self, layout: &Layout, writer: WriterTag) -> Option<Vec<Run>> {
        let mut runs = Vec::new();
        for part in &layout.parts {
            match part {
                Part::Known(known) => known.iter().for_each(|r| run::push(&mut runs, r.clone())),
                Part::New(new) => self
                    .new_runs(new, writer)?
                    .into_iter()
                    .for_each(|r| run::push(&mut runs, r)),
            }
        }
        Some(runs)
    }

    /// After the commit is placed: forgets its stretches; returns the rows to put into the index once it is durable.
    /// Until then this intake knows them itself.
    pub fn clear(&mut self, writer: WriterTag) -> Vec<Found> {
        let fresh = std::mem::take(&mut self.fresh);
        let found: Vec<Found> = fresh
            .into_iter()
            .filter_map(|(hash, new)| Some((hash, self.new_runs(&new, writer)?)))
            .collect();
        self.dedup.remember(&found);
        self.packer.clear();
        found
    }

    /// Tells that the rows of the oldest `commits` commits were put into the index.
    pub fn indexed(&mut self, commits: u64) {
        if commits > 0 {
            self.dedup.refresh(commits);
        }
    }

    fn new_runs(&self, new: &New, writer: WriterTag) -> Option<Vec<Run>> {
        let mut runs = self.packer.runs(new.stretch, new.part.clone(), writer)?;
        if let Some(unpacked) = new.unpacked {
            // A stretch stored whole is one run by the packer's promise.
            let [only] = runs.as_mut_slice() else {
                return None;
            };
            only.codec = Codec::Lz4 {
                stored: u32::try_from(only.length).ok()?,
            };
            only.length = unpacked;
        }
        if let [only] = runs.as_mut_slice() {
            only.hash = new.hash;
        }
        Some(runs)
    }

    /// One stretch per file: known chunks in between leave no gap in the feed.
    fn append(&mut self, stretch: &mut Option<StretchId>, bytes: &[u8]) -> New {
        let id = *stretch.get_or_insert_with(|| self.packer.begin());
        let from = self.packer.length(id);
        self.packer.extend(id, bytes);
        New {
            stretch: id,
            part: from..from + bytes.len() as u64,
            unpacked: None,
            hash: None,
        }
    }

    fn find(&self, hash: &Hash, length: u64) -> Option<Part> {
        if let Some(new) = self.fresh.get(hash) {
            let fits = new.unpacked.unwrap_or(new.part.end - new.part.start) == length;
            return fits.then(|| Part::New(new.clone()));
        }
        self.dedup.find(hash, length).map(Part::Known)
    }
}

impl Part {
    fn is_compressed(&self) -> bool {
        match self {
            Part::Known(runs) => runs
                .iter()
                .any(|run| matches!(run.codec, Codec::Lz4 { .. })),
            Part::New(new) => new.unpacked.is_some(),
        }
    }
}

impl Layout {
    fn add(&mut self, part: Part, length: u64) {
        self.size += length;
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
