//! Reading feeds: which may have something new, and a batch of it at a time.

use super::queue::Queue;
use crate::journal::{Entry, Journal, Run, runs_from};
use crate::kv::{ReadRows, Transaction, ViewError};
use crate::source::Source;
use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use std::sync::Arc;

/// A transaction is closed after so many bytes of blocks ...
const BATCH_BYTES: usize = 4 << 20;
/// ... or so many entries.
const BATCH_ENTRIES: usize = 4096;
/// Blocks of one feed before it is the next feed's turn: 4 MiB of the largest blocks. Taking turns keeps feeds that
/// refer to each other close together, so that views keep fewer rows waiting.
const TURN: u64 = 64;
/// Runs looked up at once.
const RUNS: usize = 256;

/// The source, and what of it is to be looked at.
pub(super) struct Intake {
    source: Arc<dyn Source>,
    kinds: Vec<u8>,
    queue: Queue,
    /// Feeds whose reading failed.
    failing: Queue,
}

/// What a read gave, and whether another would give more at once.
struct Taken {
    blocks: Vec<Bytes>,
    more: bool,
}

impl Intake {
    pub fn new(source: Arc<dyn Source>, kinds: Vec<u8>) -> Self {
        Self {
            source,
            kinds,
            queue: Queue::default(),
            failing: Queue::default(),
        }
    }

    /// Is there a feed that may have something new?
    pub fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// A feed may have something new. False: it is none of ours.
    pub fn look_at(&mut self, feed: FeedKey) -> bool {
        let is_ours = self
            .source
            .kind(&feed)
            .is_some_and(|kind| self.kinds.contains(&kind));
        if is_ours {
            self.queue.push(feed);
        }
        is_ours
    }

    pub fn look_at_all(&mut self) {
        for (feed, kind) in self.source.feeds() {
            if self.kinds.contains(&kind) {
                self.queue.push(feed);
            }
        }
    }

    /// Feeds that could not be read are to be tried again some time.
    pub fn has_failed(&self) -> bool {
        !self.failing.is_empty()
    }

    pub fn retry(&mut self) {
        for feed in self.failing.drain() {
            self.queue.push(feed);
        }
    }

    /// Numbers a batch of what is new.
    pub fn read_new(
        &mut self,
        journal: &mut Journal,
        rows: &mut Transaction,
    ) -> Result<Vec<Entry>, ViewError> {
        let mut batch = Batch::default();
        while !batch.is_full() {
            let Some((feed, kind, blocks)) = self.next_turn(journal)? else {
                break;
            };
            let run = journal.append(rows, feed, kind, blocks.len() as u64)?;
            batch.push(&run, blocks);
        }
        Ok(batch.entries)
    }

    /// The next feed with something new, and a turn's worth of it. A feed that can give no more leaves the queue.
    fn next_turn(
        &mut self,
        journal: &Journal,
    ) -> Result<Option<(FeedKey, u8, Vec<Bytes>)>, ViewError> {
        while let Some(feed) = self.queue.pop() {
            let Some(kind) = self.source.kind(&feed) else {
                continue;
            };
            let (from, length) = (journal.length(&feed), self.source.length(&feed));
            if length < from {
                tracing::warn!("a feed was cut below what its views have seen");
                return Err(ViewError::Damaged("journal"));
            }
            let taken = self.take(feed, from, length - from);
            if taken.more {
                self.queue.push(feed);
            }
            if !taken.blocks.is_empty() {
                return Ok(Some((feed, kind, taken.blocks)));
            }
        }
        Ok(None)
    }

    /// A batch of entries from `seq` on, as far as their blocks can be read, and the number after it.
    pub fn read_again(
        &mut self,
        rows: &dyn ReadRows,
        mut seq: u64,
    ) -> Result<(Vec<Entry>, u64), ViewError> {
        let mut batch = Batch::default();
        for mut run in runs_from(rows, seq, RUNS)? {
            // Journaled by an earlier program that wanted other kinds.
            if !self.kinds.contains(&run.kind) {
                seq = run.end();
                continue;
            }
            while run.count > 0 {
                let blocks = match batch.is_full() {
                    true => Vec::new(),
                    false => self.take(run.feed, run.first, run.count).blocks,
                };
                if blocks.is_empty() {
                    return Ok((batch.entries, seq));
                }
                seq += blocks.len() as u64;
                batch.push(&run, blocks);
                run = run.from(seq);
            }
        }
        Ok((batch.entries, seq))
    }

    /// Reads up to a turn's worth of the `left` blocks from `from` on.
    fn take(&mut self, feed: FeedKey, from: u64, left: u64) -> Taken {
        let asked = left.min(TURN);
        let read = match asked {
            0 => Ok(Vec::new()),
            _ => self.source.get_range(&feed, from..from + asked),
        };
        let blocks = read.unwrap_or_else(|error| {
            tracing::warn!(%error, "a feed cannot be read at present");
            self.failing.push(feed);
            Vec::new()
        });
        let more = blocks.len() as u64 == asked && left > asked;
        Taken { blocks, more }
    }
}

#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.entries.len() >= BATCH_ENTRIES
    }

    /// Adds the blocks of the beginning of a run.
    fn push(&mut self, run: &Run, blocks: Vec<Bytes>) {
        let (feed, kind) = (run.feed, run.kind);
        for (block, n) in blocks.into_iter().zip(0..) {
            self.bytes += block.len();
            let (seq, index) = (run.seq + n, run.first + n);
            self.entries.push(Entry {
                seq,
                feed,
                kind,
                index,
                block,
            });
        }
    }
}
