//! Gives each arriving entry a local number, whatever feed it came from; per feed in block order without gaps.
//!
//! Not its job: keeping the blocks (feeds do), or knowing who has read how far (the indexer does).

use crate::kv::{ReadRows, Rows, Table, ViewError};
use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use std::collections::BTreeMap;
use std::ops::Bound;

/// One block with its local number.
#[derive(Clone, Debug)]
pub struct Entry {
    /// local number
    pub seq: u64,
    /// feed
    pub feed: FeedKey,
    /// the feed's kind tag
    pub kind: u8,
    /// block number in its feed
    pub index: u64,
    /// as stored (sealed)
    pub block: Bytes,
}

/// Runs by the local number of their last entry, so that "the first key not below" finds the run that holds a number.
const RUNS: Table = Table("journal.runs");
/// Blocks journaled, by feed.
const FEEDS: Table = Table("journal.feeds");
/// Rows read at once.
const PAGE: usize = 1024;

/// Consecutive entries that are consecutive blocks of one feed. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub seq: u64,
    pub feed: FeedKey,
    pub kind: u8,
    pub first: u64,
    pub count: u64,
}

impl Run {
    /// The local number after this run.
    pub fn end(&self) -> u64 {
        self.seq + self.count
    }

    fn key(&self) -> [u8; 8] {
        (self.end() - 1).to_be_bytes()
    }

    fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(49);
        row.extend_from_slice(&self.feed.0);
        row.push(self.kind);
        row.extend_from_slice(&self.first.to_le_bytes());
        row.extend_from_slice(&self.count.to_le_bytes());
        row
    }

    fn decode(key: &[u8], row: &[u8]) -> Option<Self> {
        let last = u64::from_be_bytes(key.try_into().ok()?);
        let (feed, row) = row.split_first_chunk()?;
        let (kind, row) = row.split_first()?;
        let (first, count) = row.split_first_chunk()?;
        let (first, count) = (u64::from_le_bytes(*first), number(count)?);
        first.checked_add(count)?;
        let seq = last.checked_add(1)?.checked_sub(count)?;
        let feed = FeedKey(*feed);
        let kind = *kind;
        (count > 0).then_some(Self {
            seq,
            feed,
            kind,
            first,
            count,
        })
    }

    /// The part of the run at `seq` and after.
    pub fn from(mut self, seq: u64) -> Self {
        let before = seq.saturating_sub(self.seq);
        self.seq += before;
        self.first += before;
        self.count -= before;
        self
    }

    /// Does `next` go on where this run ends?
    fn is_continued_by(&self, next: &Self) -> bool {
        self.feed == next.feed
            && self.kind == next.kind
            && self.end() == next.seq
            && self.first + self.count == next.first
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// How far each feed is journaled. Its rows say the same; after a dropped transaction it must be loaded again.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    last: Option<Run>,
    lengths: BTreeMap<FeedKey, u64>,
}

impl Journal {
    /// From the rows of an earlier run.
    pub fn load(rows: &dyn ReadRows) -> Result<Self, ViewError> {
        let lengths = load_lengths(rows)?;
        // Every entry is one block of one feed, so the lengths add up to the number of entries.
        let next = lengths
            .values()
            .try_fold(0u64, |sum, length| sum.checked_add(*length))
            .ok_or(ViewError::Damaged(FEEDS.0))?;
        let last = match next.checked_sub(1) {
            None => None,
            Some(last) => stored_runs(rows, last, 2)?.pop(),
        };
        let journal = Self { last, lengths };
        if journal.next() == next {
            Ok(journal)
        } else {
            Err(ViewError::Damaged(RUNS.0))
        }
    }

    /// The next local number.
    pub fn next(&self) -> u64 {
        self.last.map_or(0, |run| run.end())
    }

    /// Blocks journaled of a feed.
    pub fn length(&self, feed: &FeedKey) -> u64 {
        self.lengths.get(feed).copied().unwrap_or(0)
    }

    #[cfg(test)]
    fn lengths(&self) -> &BTreeMap<FeedKey, u64> {
        &self.lengths
    }

    /// Numbers the next `count` blocks of a feed. Returns their run; `count` must not be 0.
    pub fn append(
        &mut self,
        rows: &mut dyn Rows,
        feed: FeedKey,
        kind: u8,
        count: u64,
    ) -> Result<Run, ViewError> {
        let run = Run {
            seq: self.next(),
            feed,
            kind,
            first: self.length(&feed),
            count,
        };
        let row = match self.last {
            Some(mut last) if last.is_continued_by(&run) => {
                rows.delete(RUNS, &last.key())?;
                last.count += count;
                last
            }
            _ => run,
        };
        rows.put(RUNS, &row.key(), &row.encode())?;
        let length = run.first + count;
        rows.put(FEEDS, &feed.0, &length.to_le_bytes())?;
        self.last = Some(row);
        self.lengths.insert(feed, length);
        Ok(run)
    }
}

/// Up to `limit` runs that hold `seq` and what follows; the first begins at `seq`.
pub(crate) fn runs_from(
    rows: &dyn ReadRows,
    seq: u64,
    limit: usize,
) -> Result<Vec<Run>, ViewError> {
    let runs = stored_runs(rows, seq, limit)?;
    Ok(runs.into_iter().map(|run| run.from(seq)).collect())
}

/// Up to `limit` whole runs, beginning with the one that holds `seq`.
fn stored_runs(rows: &dyn ReadRows, seq: u64, limit: usize) -> Result<Vec<Run>, ViewError> {
    let from = seq.to_be_bytes();
    let rows = rows.range(RUNS, Bound::Included(&from), Bound::Unbounded, limit)?;
    rows.iter()
        .map(|(key, row)| Run::decode(key, row).ok_or(ViewError::Damaged(RUNS.0)))
        .collect()
}

/// How many blocks of each feed lie before `seq`.
pub(crate) fn lengths_before(
    rows: &dyn ReadRows,
    journal: &Journal,
    mut seq: u64,
) -> Result<BTreeMap<FeedKey, u64>, ViewError> {
    let mut behind = BTreeMap::new();
    while seq < journal.next() {
        let runs = runs_from(rows, seq, PAGE)?;
        let last = runs.last().ok_or(ViewError::Damaged(RUNS.0))?;
        seq = last.end();
        for run in runs {
            behind.entry(run.feed).or_insert(run.first);
        }
    }
    let mut lengths = journal.lengths.clone();
    lengths.extend(behind);
    Ok(lengths)
}

fn load_lengths(rows: &dyn ReadRows) -> Result<BTreeMap<FeedKey, u64>, ViewError> {
    let mut lengths = BTreeMap::new();
    let mut from = Bound::Unbounded;
    loop {
        let page = rows.range(
            FEEDS,
            from.as_ref().map(Vec::as_slice),
            Bound::Unbounded,
            PAGE,
        )?;
        for (key, row) in &page {
            let feed = key.as_slice().try_into().map(FeedKey);
            let feed = feed.map_err(|_| ViewError::Damaged(FEEDS.0))?;
            lengths.insert(feed, number(row).ok_or(ViewError::Damaged(FEEDS.0))?);
        }
        match page.into_iter().last() {
            Some((key, _)) => from = Bound::Excluded(key),
            None => return Ok(lengths),
        }
    }
}

#[cfg(test)]
mod tests;
