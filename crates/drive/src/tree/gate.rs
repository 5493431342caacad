//! Lets commits through in causal order: one waits until everything it has seen is applied.
//!
//! A writer's later commits wait in the feed, not in rows: only how far each feed is applied is kept.

use super::apply;
use super::batch::Batch;
use super::rows::{META, encode_pair};
use crate::record::{
    Commit, MAX_COMMIT_BLOCKS, MAX_RECORDS, MetadataBlock, RecordError, Seen, decode_block,
};
use crate::version::{Dot, WriterTag};
use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use cobox_keys::access::ReadKey;
use cobox_keys::cipher::BlockKey;
use cobox_view::kv::ViewError;
use std::collections::{BTreeMap, HashMap};

/// What is known of the writers that a commit has seen.
pub(super) trait Evidence {
    /// How many metadata blocks of a writer are dealt with here; none when we never heard of it.
    fn dealt_with(&self, writer: &WriterTag) -> Option<u64>;
    /// Has the writer signed two histories? Then what is beyond the end of the one that is here will not come.
    fn is_forked(&self, writer: &WriterTag) -> bool;
    /// Tree hash that the writer's metadata feed signed at a length.
    fn tree_hash(&self, writer: &WriterTag, length: u64) -> Option<[u8; 32]>;
}

/// May a commit be applied?
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// Something that it has seen is not applied yet.
    Wait,
    /// Yes, and these entries of `seen` contradict signed trees: they count as nothing.
    Pass(Vec<Seen>),
}

pub(super) fn passage(writer: &WriterTag, seen: &[Seen], evidence: &impl Evidence) -> Passage {
    let others = || seen.iter().filter(|seen| seen.writer != *writer);
    let is_beyond = |seen: &&Seen| {
        let dealt_with = evidence.dealt_with(&seen.writer);
        dealt_with.is_none_or(|length| length < seen.length)
    };
    // Of a forked writer others may hold more than will ever be here: nobody else is to wait for that.
    let is_elsewhere = |seen: &&Seen| is_beyond(seen) && evidence.is_forked(&seen.writer);
    if others().any(|seen| is_beyond(&seen) && !is_elsewhere(&seen)) {
        return Passage::Wait;
    }
    let contradicts = |seen: &&Seen| {
        let hash = evidence.tree_hash(&seen.writer, seen.length);
        is_elsewhere(seen) || hash.is_some_and(|hash| hash[..16] != seen.tree_hash)
    };
    Passage::Pass(others().filter(contradicts).copied().collect())
}

/// A commit in the feed that could be read, or not.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// It and its last block.
    Commit(Commit, u64),
    /// Blocks up to this one are no commit.
    Void(u64, RecordError),
    /// Not all here yet.
    Incomplete,
}

/// A metadata feed whose claim was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// blocks given to the view so far
    pub blocks: u64,
    /// its claim holds
    pub accepted: bool,
    /// its claim does not hold: its commits count as nothing
    pub refused: bool,
}

/// Reads commits out of feeds and lets them through.
pub(super) struct Gate<'a> {
    pub set: &'a FeedSet,
    pub read_key: &'a ReadKey,
    pub feeds: &'a BTreeMap<FeedKey, Delivered>,
    /// blocks at hand, so that they need not be read again
    pub at_hand: &'a HashMap<(FeedKey, u64), Bytes>,
    /// the next commit of feeds that wait, with the block it begins at
    pub waiting: &'a mut HashMap<FeedKey, (u64, Found)>,
    /// only commits written up to this time, ms since 1970
    pub until: Option<u64>,
    pub keys: HashMap<FeedKey, BlockKey>,
}

struct Known<'a, 'b> {
    batch: &'a Batch<'b>,
    set: &'a FeedSet,
    feeds: &'a BTreeMap<FeedKey, Delivered>,
}

impl Known<'_, '_> {
    /// The feed whose claim holds, else one of the refused: feeds that begin alike have one tag.
    fn feed(&self, writer: &WriterTag) -> Option<(&FeedKey, &Delivered)> {
        let mut from = [0; 32];
        from[..8].copy_from_slice(&writer.0);
        let alike = self
            .feeds
            .range(FeedKey(from)..)
            .take_while(|(feed, _)| WriterTag::of(feed) == *writer);
        alike.max_by_key(|(_, delivered)| delivered.accepted)
    }
}

impl Evidence for Known<'_, '_> {
    fn dealt_with(&self, writer: &WriterTag) -> Option<u64> {
        let (_, delivered) = self.feed(writer)?;
        match (delivered.accepted, delivered.refused) {
            (true, _) => self.batch.writers.get(writer).map(|row| row.applied),
            // What a refused writer says is dealt with as soon as it is here.
            (false, true) => Some(delivered.blocks),
            (false, false) => None,
        }
    }

    fn is_forked(&self, writer: &WriterTag) -> bool {
        self.feed(writer)
            .is_some_and(|(feed, _)| self.set.is_forked(feed))
    }

    fn tree_hash(&self, writer: &WriterTag, length: u64) -> Option<[u8; 32]> {
        let (feed, _) = self.feed(writer)?;
        self.set.feed(feed)?.tree_hash_at(length)
    }
}

impl Gate<'_> {
    /// Applies whatever can be applied, until nothing more can.
    pub fn advance(&mut self, batch: &mut Batch<'_>) -> Result<(), ViewError> {
        let accepted: Vec<FeedKey> = self
            .feeds
            .iter()
            .filter(|(_, feed)| feed.accepted)
            .map(|(key, _)| *key)
            .collect();
        loop {
            let mut progress = false;
            for feed in &accepted {
                while self.step(batch, feed)? {
                    progress = true;
                }
            }
            if !progress {
                return Ok(());
            }
        }
    }

    /// One commit of one feed; answers whether there may be more.
    fn step(&mut self, batch: &mut Batch<'_>, feed: &FeedKey) -> Result<bool, ViewError> {
        let writer = WriterTag::of(feed);
        let begin = batch.writers.get(&writer).map_or(0, |row| row.applied);
        if self
            .feeds
            .get(feed)
            .is_none_or(|delivered| delivered.blocks <= begin)
        {
            return Ok(false);
        }
        let found = match self.waiting.remove(feed) {
            Some((at, found)) if at == begin => found,
            _ => self.read(feed, begin)?,
        };
        match found {
            Found::Incomplete => Ok(false),
            Found::Commit(commit, end) => self.pass(batch, feed, begin, commit, end),
            Found::Void(_, RecordError::TooNew(format)) => {
                too_new(batch, writer, format).map(|()| false)
            }
            Found::Void(end, error) => {
                let dot = Dot { writer, block: end };
                apply::apply(batch, dot, &Commit::default())?;
                batch.refuse(writer, format!("commit {dot} counts as nothing: {error}"))?;
                Ok(true)
            }
        }
    }

    fn pass(
        &mut self,
        batch: &mut Batch<'_>,
        feed: &FeedKey,
        begin: u64,
        mut commit: Commit,
        end: u64,
    ) -> Result<bool, ViewError> {
        let writer = WriterTag::of(feed);
        if self
            .until
            .is_some_and(|until| commit.header.time_ms > until)
        {
            return Ok(false);
        }
        let known = Known {
            batch,
            set: self.set,
            feeds: self.feeds,
        };
        let Passage::Pass(void) = passage(&writer, &commit.header.seen, &known) else {
            self.waiting
                .insert(*feed, (begin, Found::Commit(commit, end)));
            return Ok(false);
        };
        let dot = Dot { writer, block: end };
        for seen in &void {
            let reason = format!(
                "commit {dot} says it has seen a state of {} that was never signed",
                seen.writer
            );
            batch.refuse(writer, reason)?;
        }
        commit.header.seen.retain(|seen| !void.contains(seen));
        apply::apply(batch, dot, &commit)?;
        batch.relieve()?;
        Ok(true)
    }

    /// Reads the commit that begins at a block. What does not decode ends there, so that everybody cuts alike.
    fn read(&mut self, feed: &FeedKey, begin: u64) -> Result<Found, ViewError> {
        let delivered = self.feeds.get(feed).map_or(0, |delivered| delivered.blocks);
        let mut commit = Commit::default();
        for index in begin..delivered {
            let Some(sealed) = self.block(feed, index)? else {
                return Ok(Found::Incomplete);
            };
            let block = match self.open(feed, &sealed) {
                Ok(block) => block,
                Err(error) => return Ok(Found::Void(index, error)),
            };
            if block.header.is_some() != (index == begin) {
                // A new commit begins before the last one ended: only the unfinished one is lost.
                let end = if block.header.is_some() {
                    index - 1
                } else {
                    index
                };
                return Ok(Found::Void(
                    end,
                    RecordError::Malformed("sequence of blocks"),
                ));
            }
            commit.header = block.header.unwrap_or(commit.header);
            commit.records.extend(block.records);
            let blocks = (index - begin + 1) as usize;
            if commit.records.len() > MAX_RECORDS || blocks > MAX_COMMIT_BLOCKS {
                return Ok(Found::Void(index, RecordError::TooLarge("commit")));
            }
            if block.last {
                return Ok(Found::Commit(commit, index));
            }
        }
        Ok(Found::Incomplete)
    }

    fn block(&self, feed: &FeedKey, index: u64) -> Result<Option<Bytes>, ViewError> {
        match (self.at_hand.get(&(*feed, index)), self.set.feed(feed)) {
            (Some(block), _) => Ok(Some(block.clone())),
            (None, Some(feed)) => Ok(feed.get(index)?),
            (None, None) => Ok(None),
        }
    }

    fn open(&mut self, feed: &FeedKey, sealed: &[u8]) -> Result<MetadataBlock, RecordError> {
        let key = self
            .keys
            .entry(*feed)
            .or_insert_with(|| self.read_key.block_key(&feed.0));
        let plaintext = key
            .open(sealed)
            .map_err(|_| RecordError::Malformed("block: it does not open"))?;
        decode_block(&plaintext)
    }
}

/// A writer uses something that this program must understand and does not: it waits here for a newer program.
fn too_new(batch: &mut Batch<'_>, writer: WriterTag, format: u64) -> Result<(), ViewError> {
    if batch.rows.get(META, b"too new")?.is_some() {
        return Ok(());
    }
    batch.rows.put(META, b"too new", &encode_pair(format, 0))?;
    batch.refuse(writer, format!("written by a newer program (format {format}): update this one; until then this space is read-only here"))
}
