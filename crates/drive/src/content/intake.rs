//! From a file's bytes to its runs: what is known already is named again, what is new goes to the packer.
//!
//! Runs are only known when the commit's blocks are placed; until then a file is a [`Layout`].

use super::chunk::Chunker;
use super::dedup::{Dedup, Hash, HashKey};
pub use super::layout::Layout;
use super::layout::{New, Part};
use super::pack::{Packer, StretchId};
use super::{compress, run};
use crate::record::{Codec, Run};
use crate::version::WriterTag;
use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

/// A small file, read, hashed and compressed; whoever does it may be another thread.
#[derive(Debug)]
pub struct Small {
    data: Vec<u8>,
    packed: Option<Vec<u8>>,
    hash: Hash,
}

impl Small {
    /// Hashes and tries to compress a file of less than [`LARGE`](super::LARGE) bytes.
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
    fresh: HashMap<Hash, Vec<Part>>,
    open: Option<Open>,
}

/// A large file being taken in.
#[derive(Default)]
struct Open {
    layout: Layout,
    /// One stretch per file: known chunks in between leave no gap in the feed.
    stretch: Option<StretchId>,
    older: Option<Box<dyn Older>>,
    /// New chunks in a row that had nothing in common with the older version.
    misses: usize,
}

/// The version that a large file's new bytes are compared with at the same offsets, so that a change inside a chunk
/// stores the change and not the chunk.
pub trait Older: Send {
    /// Reads bytes at an offset if they are here.
    fn read(&self, at: u64, out: &mut [u8]) -> bool;
    /// Where these bytes are.
    fn runs(&self, part: Range<u64>) -> Option<Vec<Run>>;
}

/// After so many chunks in a row without anything in common, looking further is not worth it.
const MISSES: usize = 8;
/// A shorter stretch in common is not worth a run.
const COMMON: usize = 4 << 10;

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
        if let Some(parts) = self.find(&file.hash, size) {
            return Layout { parts, size };
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
        let parts = vec![Part::New(new)];
        self.fresh.insert(file.hash, parts.clone());
        Layout { parts, size }
    }

    /// Begins a large file; `older` is the version that it replaces.
    pub fn begin(&mut self, older: Option<Box<dyn Older>>) {
        debug_assert!(self.open.is_none());
        self.open = Some(Open {
            older,
            ..Open::default()
        });
    }

    /// Takes the next chunk of the file begun.
    pub fn chunk(&mut self, bytes: &[u8], hash: Hash) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        // Large files are edited in place, and compressed runs cannot be cut.
        let known = self
            .find(&hash, bytes.len() as u64)
            .filter(|parts| !parts.iter().any(Part::is_compressed));
        let parts = known.unwrap_or_else(|| {
            let parts = self.compared(&mut open, bytes);
            self.fresh.insert(hash, parts.clone());
            parts
        });
        for part in parts {
            open.layout.add(part);
        }
        self.open = Some(open);
    }

    /// Takes the next bytes of the file begun without looking whether they are known.
    pub fn piece(&mut self, bytes: &[u8]) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        open.layout.add(self.append(&mut open.stretch, bytes));
        self.open = Some(open);
    }

    /// A hole in the file begun.
    pub fn hole(&mut self, length: u64) {
        if let Some(open) = &mut self.open {
            open.layout.add(Part::Known(vec![run::hole(length)]));
        }
    }

    /// Ends the file begun.
    pub fn end(&mut self) -> Layout {
        let Some(Open {
            layout, stretch, ..
        }) = self.open.take()
        else {
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
        self.parts_runs(&layout.parts, writer)
    }

    /// After the commit is placed: forgets its stretches; returns the rows to put into the index once it is durable.
    /// Until then this intake knows them itself.
    pub fn clear(&mut self, writer: WriterTag) -> Vec<Found> {
        let fresh = std::mem::take(&mut self.fresh);
        let found: Vec<Found> = fresh
            .into_iter()
            .filter_map(|(hash, parts)| Some((hash, self.parts_runs(&parts, writer)?)))
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

    /// A new chunk: what the older version has at its two ends is named again, the middle is new.
    fn compared(&mut self, open: &mut Open, bytes: &[u8]) -> Vec<Part> {
        let (head, tail) = open.common(bytes);
        let at = open.layout.size;
        let older = open.older.as_deref();
        let known = |part: Range<usize>| {
            let runs = older?.runs(at + part.start as u64..at + part.end as u64)?;
            runs.iter()
                .all(|run| matches!(run.codec, Codec::Raw | Codec::Hole))
                .then_some(Part::Known(runs))
        };
        let before = known(0..head);
        let after = known(tail..bytes.len());
        let from = before.as_ref().map_or(0, |_| head);
        let to = after.as_ref().map_or(bytes.len(), |_| tail);
        let middle = (from < to).then(|| self.append(&mut open.stretch, &bytes[from..to]));
        [before, middle, after].into_iter().flatten().collect()
    }

    fn append(&mut self, stretch: &mut Option<StretchId>, bytes: &[u8]) -> Part {
        let id = *stretch.get_or_insert_with(|| self.packer.begin());
        let from = self.packer.length(id);
        self.packer.extend(id, bytes);
        Part::New(New {
            stretch: id,
            part: from..from + bytes.len() as u64,
            unpacked: None,
            hash: None,
        })
    }

    fn find(&self, hash: &Hash, length: u64) -> Option<Vec<Part>> {
        if let Some(parts) = self.fresh.get(hash) {
            let total: u64 = parts.iter().map(Part::length).sum();
            return (total == length).then(|| parts.clone());
        }
        self.dedup
            .find(hash, length)
            .map(|runs| vec![Part::Known(runs)])
    }

    fn parts_runs(&self, parts: &[Part], writer: WriterTag) -> Option<Vec<Run>> {
        let mut runs = Vec::new();
        for part in parts {
            match part {
                Part::Known(known) => known.iter().for_each(|r| run::push(&mut runs, r.clone())),
                Part::New(new) => {
                    let new = self.new_runs(new, writer)?;
                    new.into_iter().for_each(|r| run::push(&mut runs, r));
                }
            }
        }
        Some(runs)
    }
}

impl Open {
    /// Where the bytes in common at the front end, and where those at the back begin.
    fn common(&mut self, bytes: &[u8]) -> (usize, usize) {
        let none = (0, bytes.len());
        let Some(older) = self.older.as_ref().filter(|_| self.misses < MISSES) else {
            return none;
        };
        let mut old = vec![0; bytes.len()];
        self.misses += 1;
        if !older.read(self.layout.size, &mut old) {
            return none;
        }
        let head = equal_start(bytes, &old);
        let tail = bytes.len() - equal_end(&bytes[head..], &old[head..]);
        let head = if head >= COMMON { head } else { 0 };
        let tail = if bytes.len() - tail >= COMMON {
            tail
        } else {
            bytes.len()
        };
        if (head, tail) != none {
            self.misses = 0;
        }
        (head, tail)
    }
}

fn equal_start(a: &[u8], b: &[u8]) -> usize {
    // By slices first: comparing those is a library call at memory speed.
    let whole = a
        .chunks(1024)
        .zip(b.chunks(1024))
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len())
        .sum();
    whole
        + a[whole..]
            .iter()
            .zip(&b[whole..])
            .take_while(|(a, b)| a == b)
            .count()
}

fn equal_end(a: &[u8], b: &[u8]) -> usize {
    let whole: usize = a
        .rchunks(1024)
        .zip(b.rchunks(1024))
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len())
        .sum();
    let (a, b) = (&a[..a.len() - whole], &b[..b.len() - whole]);
    whole
        + a.iter()
            .rev()
            .zip(b.iter().rev())
            .take_while(|(a, b)| a == b)
            .count()
}
