//! What several test files need: keys, feeds in memory, and a view that is easy to check.
#![allow(dead_code, reason = "each test file uses its own part")]

use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use cobox_keys::cipher::BlockKey;
use cobox_view::indexer::{Indexer, View};
use cobox_view::journal::Entry;
use cobox_view::kv::{Database, ReadRows, Rows, Table, ViewError};
use cobox_view::source::{MemorySource, Source};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// More than any wait in these tests takes.
pub const SOON: Duration = Duration::from_secs(4);
/// The kind that these tests journal.
pub const KIND: u8 = 7;

/// A key that differs by `number`.
pub fn block_key(number: u8) -> BlockKey {
    BlockKey::from_bytes(&[number; 32])
}

/// A feed that differs by `number`.
pub fn feed(number: u8) -> FeedKey {
    FeedKey([number; 32])
}

/// Block `index` of a feed; different everywhere.
pub fn block(feed: FeedKey, index: u64) -> Bytes {
    let mut bytes = feed.0.to_vec();
    bytes.extend_from_slice(&index.to_le_bytes());
    bytes.into()
}

/// Appends the next `count` blocks.
pub fn append(source: &MemorySource, feed: FeedKey, count: u64) {
    let length = source.length(&feed);
    let blocks = (length..length + count).map(|index| block(feed, index));
    source.append(feed, blocks.collect());
}

/// A set with `count` feeds of the journaled kind.
pub fn source_with(count: u8) -> Arc<MemorySource> {
    let source = MemorySource::default();
    (0..count).for_each(|number| source.admit(feed(number), KIND));
    Arc::new(source)
}

/// What a tally did, seen from outside.
#[derive(Default)]
pub struct Seen {
    pub entries: AtomicU64,
    pub batches: AtomicU64,
    pub commits: AtomicU64,
    pub resets: AtomicU64,
    /// So many `apply` calls from now on answer `Damaged`.
    pub damaged: AtomicU32,
    /// So many `apply` calls from now on fail as a full disk does.
    pub failing: AtomicU32,
}

/// Counts and digests the blocks of each feed. It panics on gaps and repetitions.
pub struct Tally {
    pub table: Table,
    pub version: u32,
    pub seen: Arc<Seen>,
    /// Rows read or written since the last reset.
    cache: BTreeMap<FeedKey, (u64, u64)>,
}

impl Tally {
    fn state(&self, rows: &dyn Rows, feed: FeedKey) -> Result<(u64, u64), ViewError> {
        if let Some(state) = self.cache.get(&feed) {
            return Ok(*state);
        }
        Ok(rows
            .get(self.table, &feed.0)?
            .map_or((0, 0), |row| decode(&row)))
    }
}

/// A tally that keeps its rows in `table`, and what it does.
pub fn tally_view(table: &'static str, version: u32) -> (Box<dyn View>, Arc<Seen>) {
    let seen = Arc::<Seen>::default();
    let (table, cache) = (Table(table), BTreeMap::new());
    (
        Box::new(Tally {
            table,
            version,
            seen: seen.clone(),
            cache,
        }),
        seen,
    )
}

fn decode(row: &[u8]) -> (u64, u64) {
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    (number(&row[..8]), number(&row[8..]))
}

/// A digest that depends on order.
fn digest(before: u64, block: &[u8]) -> u64 {
    block.iter().fold(before, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte) + 1)
    })
}

fn take_one(count: &AtomicU32) -> bool {
    count
        .fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1))
        .is_ok()
}

impl View for Tally {
    fn name(&self) -> &'static str {
        self.table.0
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn tables(&self) -> Vec<Table> {
        vec![self.table]
    }

    fn apply(&mut self, rows: &mut dyn Rows, entries: &[Entry]) -> Result<(), ViewError> {
        for entry in entries {
            assert_eq!(entry.kind, KIND);
            let (count, sum) = self.state(rows, entry.feed)?;
            assert_eq!(count, entry.index, "a gap or a repetition");
            let state = (count + 1, digest(sum, &entry.block));
            self.cache.insert(entry.feed, state);
            let row = [state.0.to_le_bytes(), state.1.to_le_bytes()].concat();
            rows.put(self.table, &entry.feed.0, &row)?;
        }
        if take_one(&self.seen.damaged) {
            return Err(ViewError::Damaged(self.table.0));
        }
        if take_one(&self.seen.failing) {
            return Err(ViewError::Table("the disk is full".into()));
        }
        self.seen.entries.fetch_add(entries.len() as u64, SeqCst);
        self.seen.batches.fetch_add(1, SeqCst);
        Ok(())
    }

    fn committed(&mut self) {
        self.seen.commits.fetch_add(1, SeqCst);
    }

    fn reset(&mut self) {
        self.cache.clear();
        self.seen.resets.fetch_add(1, SeqCst);
    }
}

/// Rows of a tally.
pub fn tally(rows: &dyn ReadRows, table: &'static str) -> BTreeMap<FeedKey, (u64, u64)> {
    let rows = rows
        .prefix(Table(table), b"", usize::MAX)
        .unwrap()
        .into_iter();
    rows.map(|(key, row)| (FeedKey(key.try_into().unwrap()), decode(&row)))
        .collect()
}

/// What a tally must be when the first blocks of each feed are applied.
pub fn expected(
    lengths: impl IntoIterator<Item = (FeedKey, u64)>,
) -> BTreeMap<FeedKey, (u64, u64)> {
    let state = |(feed, length)| {
        let sum = (0..length).fold(0, |sum, index| digest(sum, &block(feed, index)));
        (feed, (length, sum))
    };
    lengths
        .into_iter()
        .filter(|(_, length)| *length > 0)
        .map(state)
        .collect()
}

/// What a tally must be when all that can be read of the source is applied.
pub fn expected_of(source: &MemorySource) -> BTreeMap<FeedKey, (u64, u64)> {
    let feeds = source.feeds().into_iter().filter(|(_, kind)| *kind == KIND);
    expected(feeds.map(|(feed, _)| (feed, source.held_prefix(&feed))))
}

/// An indexer with one tally, named "tally".
pub fn start(db: &Database, source: &Arc<MemorySource>) -> (Indexer, Arc<Seen>) {
    let (view, seen) = tally_view("tally", 1);
    let indexer = Indexer::start(db.clone(), source.clone(), vec![KIND], vec![view]).unwrap();
    (indexer, seen)
}

/// The tally equals the source once the indexer has caught up.
pub fn assert_caught_up(
    indexer: &Indexer,
    db: &Database,
    source: &MemorySource,
    table: &'static str,
) {
    indexer.catch_up(SOON).unwrap();
    assert_eq!(tally(&db.snapshot().unwrap(), table), expected_of(source));
}
