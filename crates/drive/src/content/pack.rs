//! The packer: streams of plaintext become content blocks whose sizes say as little as possible.
//!
//! A block's plaintext is 64 KiB; only the last block of a commit may be of a smaller class, and a commit of more
//! than 16 blocks is rounded up with filler. Two kinds of stretches share the feed:
//!
//! - *shared*: appended to one open block, so that small files lie side by side;
//! - *aligned*: begins on a block boundary and emits full blocks at once; what is left at its end, less than a block,
//!   goes to the open block like a small file.
//!
//! The open block has no number until it is emitted, and emitted blocks have no number in the feed until they are
//! taken (somebody else's commit may come between two takings). So stretches are kept as pieces with virtual
//! numbers and become runs only when everything is placed. A stretch that must be one run (compressed bytes, an
//! extent table) *anchors*: its blocks are not taken before its end is emitted too.
//!
//! Pure: no feed, no clock, no key; sealing is a function given by the caller.

use super::BLOCK;
use crate::record::{Codec, Run};
use crate::version::WriterTag;
use bytes::Bytes;
use std::ops::Range;

/// Smallest class of a block's plaintext.
const SMALLEST: usize = 1 << 10;
/// Commits up to this many blocks are not rounded up.
const UNPADDED: u64 = 16;
/// Blocks held back by stretches that hang together, each ending in the block where the next begins, before a gap is
/// left to break the chain.
const CHAIN: usize = 64;

/// Size class of a commit's last block: the next of 1, 2, 4 .. 64 KiB.
pub fn class(length: usize) -> usize {
    length.next_power_of_two().clamp(SMALLEST, BLOCK)
}

/// Number of blocks a commit of `blocks` is rounded up to: Padme's rule (Nikitin et al., "Reducing Metadata Leakage
/// from Encrypted Files", 2019) leaves as many significant bits as the bit length of the exponent, which costs at most an eighth here.
pub fn padme(blocks: u64) -> u64 {
    if blocks <= UNPADDED {
        return blocks;
    }
    let exponent = blocks.ilog2();
    let significant = exponent.ilog2() + 1;
    let mask = (1u64 << exponent.saturating_sub(significant)) - 1;
    blocks.saturating_add(mask) & !mask
}

/// Names a stretch of bytes given to the packer since its last commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StretchId(usize);

/// Consecutive bytes in consecutive blocks; `block` is virtual, none while it is the open block.
#[derive(Debug)]
struct Piece {
    block: Option<u64>,
    offset: usize,
    length: u64,
}

#[derive(Debug, Default)]
struct Stretch {
    pieces: Vec<Piece>,
    length: u64,
}

/// Virtual blocks that got consecutive numbers in the feed.
#[derive(Debug)]
struct Placed {
    from: u64,
    count: u64,
    first: u64,
}

/// Seals one block's plaintext.
pub type Seal = Box<dyn Fn(&[u8]) -> Bytes + Send>;

/// Turns stretches of bytes into sealed blocks, commit by commit.
pub struct Packer {
    seal: Seal,
    /// Sealed and not yet taken; the first has the virtual number `taken`.
    ready: Vec<Bytes>,
    taken: u64,
    /// Blocks of this commit so far.
    count: u64,
    open: Vec<u8>,
    /// Pieces that lie in the open block: (stretch, piece).
    in_open: Vec<(usize, usize)>,
    partial: Vec<u8>,
    aligned: Option<StretchId>,
    /// First block of a stretch that must be one run and whose end is still in the open block.
    anchor: Option<u64>,
    stretches: Vec<Stretch>,
    placed: Vec<Placed>,
    placed_until: u64,
}

impl Packer {
    /// Nothing packed yet.
    pub fn new(seal: Seal) -> Self {
        Self {
            seal,
            ready: Vec::new(),
            taken: 0,
            count: 0,
            open: Vec::with_capacity(BLOCK),
            in_open: Vec::new(),
            partial: Vec::new(),
            aligned: None,
            anchor: None,
            stretches: Vec::new(),
            placed: Vec::new(),
            placed_until: 0,
        }
    }

    /// Puts bytes into the shared stream. `whole`: they must come out as one run.
    pub fn store(&mut self, data: &[u8], whole: bool) -> StretchId {
        let id = self.new_stretch();
        self.append_shared(id, data, whole);
        id
    }

    /// Begins a stretch on a block boundary; only one can be open, and nothing else is stored meanwhile.
    pub fn begin(&mut self) -> StretchId {
        debug_assert!(self.aligned.is_none());
        if self.anchor.is_some() {
            self.fill_open();
        }
        let id = self.new_stretch();
        self.aligned = Some(id);
        id
    }

    /// Adds bytes to the stretch begun last.
    pub fn extend(&mut self, id: StretchId, mut data: &[u8]) {
        debug_assert_eq!(self.aligned, Some(id));
        self.stretches[id.0].length += data.len() as u64;
        if !self.partial.is_empty() {
            let (head, rest) = data.split_at(data.len().min(BLOCK - self.partial.len()));
            self.partial.extend_from_slice(head);
            data = rest;
            if self.partial.len() == BLOCK {
                let full = std::mem::take(&mut self.partial);
                self.emit_aligned(id, &full);
                self.partial = full;
                self.partial.clear();
            }
        }
        while data.len() >= BLOCK {
            let (block, rest) = data.split_at(BLOCK);
            self.emit_aligned(id, block);
            data = rest;
        }
        self.partial.extend_from_slice(data);
    }

    /// Ends it: the rest, less than a block, joins the small files.
    pub fn end(&mut self, id: StretchId) {
        debug_assert_eq!(self.aligned, Some(id));
        self.aligned = None;
        let rest = std::mem::take(&mut self.partial);
        self.stretches[id.0].length -= rest.len() as u64;
        self.append_shared(id, &rest, false);
        self.partial = rest;
        self.partial.clear();
    }

    /// Length of a stretch so far.
    pub fn length(&self, id: StretchId) -> u64 {
        self.stretches[id.0].length
    }

    /// Anything to be committed?
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.open.is_empty() && self.partial.is_empty()
    }

    /// Full blocks that may be taken now.
    pub fn ready(&self) -> usize {
        match self.anchor {
            Some(anchor) => (anchor - self.taken) as usize,
            None => self.ready.len(),
        }
    }

    /// Takes the full blocks; they go to the feed at block number `first` and on, ahead of the commit's end.
    pub fn take(&mut self, first: u64) -> Vec<Bytes> {
        let count = self.ready();
        self.place(self.taken + count as u64, first);
        self.taken += count as u64;
        let rest = self.ready.split_off(count);
        std::mem::replace(&mut self.ready, rest)
    }

    /// Emits the open block as a full one and gives every block so far its number, as if taken at `first`: afterwards
    /// the runs of all ended stretches are known, though the commit goes on.
    pub fn settle(&mut self, first: u64) {
        if !self.open.is_empty() {
            self.fill_open();
        }
        self.place(self.taken + self.ready.len() as u64, first);
    }

    /// Ends the commit with its last block, padded to its class. Returns all blocks not yet taken, which go to the feed
    /// at `first`, and how many filler blocks must follow them.
    pub fn finish(&mut self, first: u64) -> (Vec<Bytes>, u64) {
        debug_assert!(self.aligned.is_none());
        if !self.open.is_empty() {
            let padded = if self.count >= UNPADDED {
                BLOCK
            } else {
                class(self.open.len())
            };
            self.open.resize(padded, 0);
            self.emit_open();
        }
        let filler = padme(self.count) - self.count;
        (self.take(first), filler)
    }

    /// Filler: sealed zeros, each block different from the next.
    pub fn filler(&mut self, count: u64) -> Vec<Bytes> {
        let zeros = vec![0; BLOCK];
        self.taken += count;
        self.placed_until = self.placed_until.max(self.taken);
        (0..count).map(|_| (self.seal)(&zeros)).collect()
    }

    /// Runs of part of a stretch, in order. None while a block of it is not placed.
    pub fn runs(&self, id: StretchId, range: Range<u64>, writer: WriterTag) -> Option<Vec<Run>> {
        let mut runs = Vec::new();
        let mut at = 0;
        for piece in &self.stretches.get(id.0)?.pieces {
            let (from, to) = (range.start.max(at), range.end.min(at + piece.length));
            if from < to {
                self.push_runs(&mut runs, piece, from - at..to - at, writer)?;
            }
            at += piece.length;
        }
        Some(runs)
    }

    /// How many runs a stretch can come to at most, wherever its blocks are placed from now on.
    pub fn runs_bound(&self, id: StretchId) -> usize {
        self.stretches[id.0].pieces.len() + self.placed.len()
    }

    /// Forgets the stretches of the commit that was finished; the next one begins.
    pub fn clear(&mut self) {
        debug_assert!(self.open.is_empty() && self.ready.is_empty());
        self.stretches.clear();
        self.placed.clear();
        self.count = 0;
    }

    fn push_runs(
        &self,
        runs: &mut Vec<Run>,
        piece: &Piece,
        part: Range<u64>,
        writer: WriterTag,
    ) -> Option<()> {
        let block = BLOCK as u64;
        let mut position = piece.block? * block + piece.offset as u64 + part.start;
        let mut left = part.end - part.start;
        while left > 0 {
            let virtual_block = position / block;
            let placed = self
                .placed
                .iter()
                .find(|p| (p.from..p.from + p.count).contains(&virtual_block))?;
            let length = left.min((placed.from + placed.count) * block - position);
            let run = Run {
                writer,
                block: placed.first + (virtual_block - placed.from),
                offset: (position % block) as u32,
                length,
                codec: Codec::Raw,
                hash: None,
            };
            super::run::push(runs, run);
            position += length;
            left -= length;
        }
        Some(())
    }

    fn new_stretch(&mut self) -> StretchId {
        self.stretches.push(Stretch::default());
        StretchId(self.stretches.len() - 1)
    }

    fn append_shared(&mut self, id: StretchId, mut data: &[u8], whole: bool) {
        if whole && self.ready.len() >= CHAIN && self.open.len() + data.len() > BLOCK {
            self.fill_open();
        }
        // The open block may hold the end of an earlier whole stretch: then both hang together.
        let earlier = self.anchor;
        let mut first_emitted = None;
        self.stretches[id.0].length += data.len() as u64;
        while !data.is_empty() {
            let (head, rest) = data.split_at(data.len().min(BLOCK - self.open.len()));
            let stretch = &mut self.stretches[id.0];
            self.in_open.push((id.0, stretch.pieces.len()));
            stretch.pieces.push(Piece {
                block: None,
                offset: self.open.len(),
                length: head.len() as u64,
            });
            self.open.extend_from_slice(head);
            data = rest;
            if self.open.len() == BLOCK {
                let number = self.emit_open();
                first_emitted.get_or_insert(number);
            }
        }
        if whole && !self.open.is_empty() && first_emitted.is_some() {
            self.anchor = earlier.or(first_emitted);
        }
    }

    fn fill_open(&mut self) {
        self.open.resize(BLOCK, 0);
        self.emit_open();
    }

    fn emit_open(&mut self) -> u64 {
        let open = std::mem::take(&mut self.open);
        let number = self.emit(&open);
        for (stretch, piece) in self.in_open.drain(..) {
            self.stretches[stretch].pieces[piece].block = Some(number);
        }
        self.anchor = None;
        self.open = open;
        self.open.clear();
        number
    }

    fn emit_aligned(&mut self, id: StretchId, block: &[u8]) {
        let number = self.emit(block);
        match self.stretches[id.0].pieces.last_mut() {
            Some(piece) => piece.length += BLOCK as u64,
            None => {
                let piece = Piece {
                    block: Some(number),
                    offset: 0,
                    length: BLOCK as u64,
                };
                self.stretches[id.0].pieces.push(piece);
            }
        }
    }

    fn emit(&mut self, plaintext: &[u8]) -> u64 {
        let number = self.taken + self.ready.len() as u64;
        self.ready.push((self.seal)(plaintext));
        self.count += 1;
        number
    }

    fn place(&mut self, until: u64, first: u64) {
        let from = self.placed_until.max(self.taken);
        if until <= from {
            return;
        }
        let (count, first) = (until - from, first + (from - self.taken));
        self.placed_until = until;
        match self.placed.last_mut() {
            Some(last) if last.from + last.count == from && last.first + last.count == first => {
                last.count += count
            }
            _ => self.placed.push(Placed { from, count, first }),
        }
    }
}
