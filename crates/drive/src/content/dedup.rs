//! The index of bytes that are stored already: keyed hash -> runs. A cache in the space's views file; what it lost is
//! only stored twice.
//!
//! A row is trusted for its bytes (128 bits of a keyed hash), so it must never outlive them: rows are put only after
//! the content they name is durable, and all are dropped when the own content feed is shorter than they say.

use super::read::Blocks;
use super::run;
use crate::error::DriveError;
use crate::record::{Codec, Run};
use crate::version::WriterTag;
use cobox_view::kv::{Database, ReadRows, Rows, Snapshot, Table};
use std::collections::{HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

/// First 16 bytes of a keyed BLAKE3.
pub type Hash = [u8; 16];

const CHUNKS: Table = Table("dedup.chunks");
/// One row under an empty key: own writer tag and how long the own content feed was when rows were put last.
const REACH: Table = Table("dedup.reach");
/// Smaller files are stored again rather than indexed: a row would cost as much.
const WORTH: u64 = 512;
/// Bytes of one run in a row.
const ROW: usize = 8 + 8 + 4 + 8 + 4;

/// The space's key for hashing plaintext. Wipes itself.
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// From the read key's `hash_key`.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Hash of some bytes.
    pub fn hash(&self, data: &[u8]) -> Hash {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.0, data).as_bytes()[..16]);
        short
    }
}

/// What is known, as seen by one writer of content.
pub struct Dedup {
    key: HashKey,
    db: Database,
    snapshot: Option<Snapshot>,
    blocks: Arc<Blocks>,
    /// Committed by us and not in the rows yet, per commit, oldest first.
    recent: VecDeque<HashMap<Hash, Vec<Run>>>,
}

impl Dedup {
    /// Over the rows of now.
    pub fn new(key: HashKey, db: Database, blocks: Arc<Blocks>) -> Self {
        let snapshot = db.snapshot().ok();
        Self {
            key,
            db,
            snapshot,
            blocks,
            recent: VecDeque::new(),
        }
    }

    /// The hashing key.
    pub fn key(&self) -> &HashKey {
        &self.key
    }

    /// Runs that hold exactly these bytes and are here.
    pub fn find(&self, hash: &Hash, length: u64) -> Option<Vec<Run>> {
        let runs = match self.recent.iter().find_map(|commit| commit.get(hash)) {
            Some(runs) => runs.clone(),
            None => decode(&self.snapshot.as_ref()?.get(CHUNKS, hash).ok()??)?,
        };
        let total: u64 = runs.iter().map(|r| r.length).sum();
        (total == length && runs.iter().all(|run| self.blocks.may_name(run))).then_some(runs)
    }

    /// Remembers the rows of a commit that are not put yet.
    pub fn remember(&mut self, found: &[(Hash, Vec<Run>)]) {
        if !found.is_empty() {
            self.recent.push_back(found.iter().cloned().collect());
        }
    }

    /// Looks at the rows of now; those of the oldest `commits` are among them.
    pub fn refresh(&mut self, commits: u64) {
        self.snapshot = self.db.snapshot().ok();
        let put = usize::try_from(commits)
            .unwrap_or(usize::MAX)
            .min(self.recent.len());
        self.recent.drain(..put);
    }
}

/// Puts rows whose content is durable; `length` is the own content feed's.
pub fn put(
    db: &Database,
    writer: WriterTag,
    length: u64,
    found: &[(Hash, Vec<Run>)],
) -> Result<(), DriveError> {
    let mut found: Vec<_> = found
        .iter()
        .filter(|(_, runs)| runs.iter().map(|r| r.length).sum::<u64>() >= WORTH)
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    found.sort_by_key(|(hash, _)| *hash);
    let mut rows = db.begin()?;
    for (hash, runs) in found {
        rows.put(CHUNKS, hash, &encode(runs))?;
    }
    let mut reach = writer.0.to_vec();
    reach.extend_from_slice(&length.to_le_bytes());
    rows.put(REACH, &[], &reach)?;
    Ok(rows.commit()?)
}

/// Drops all rows if they could name blocks that the own content feed does not have (any more).
pub fn check(db: &Database, writer: WriterTag, length: u64) -> Result<(), DriveError> {
    let reach = db.snapshot()?.get(REACH, &[])?;
    let fits = match reach.as_deref().and_then(|row| row.split_at_checked(8)) {
        Some((tag, reach)) => {
            let reach = reach.try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX);
            tag != writer.0 || reach <= length
        }
        None => reach.is_none(),
    };
    if fits { Ok(()) } else { wipe(db) }
}

fn wipe(db: &Database) -> Result<(), DriveError> {
    loop {
        let chunk = db
            .snapshot()?
            .range(CHUNKS, Bound::Unbounded, Bound::Unbounded, 4096)?;
        let mut rows = db.begin()?;
        for (key, _) in &chunk {
            rows.delete(CHUNKS, key)?;
        }
        if chunk.is_empty() {
            rows.delete(REACH, &[])?;
        }
        rows.commit()?;
        if chunk.is_empty() {
            return Ok(());
        }
    }
}

fn encode(runs: &[Run]) -> Vec<u8> {
    let mut row = Vec::with_capacity(runs.len() * ROW);
    for run in runs {
        let stored = match run.codec {
            Codec::Lz4 { stored } => stored,
            _ => 0,
        };
        row.extend_from_slice(&run.writer.0);
        row.extend_from_slice(&run.block.to_le_bytes());
        row.extend_from_slice(&run.offset.to_le_bytes());
        row.extend_from_slice(&run.length.to_le_bytes());
        row.extend_from_slice(&stored.to_le_bytes());
    }
    row
}

fn decode(row: &[u8]) -> Option<Vec<Run>> {
    if row.is_empty() || !row.len().is_multiple_of(ROW) {
        return None;
    }
    let mut runs = Vec::with_capacity(row.len() / ROW);
    for bytes in row.chunks_exact(ROW) {
        let u64_at = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let u32_at = |at: usize| bytes[at..at + 4].try_into().map(u32::from_le_bytes).ok();
        let codec = match u32_at(28)? {
            0 => Codec::Raw,
            stored => Codec::Lz4 { stored },
        };
        let writer = WriterTag(bytes[..8].try_into().ok()?);
        let (block, offset, length) = (u64_at(8)?, u32_at(16)?, u64_at(20)?);
        run::push(
            &mut runs,
            Run {
                writer,
                block,
                offset,
                length,
                codec,
                hash: None,
            },
        );
    }
    Some(runs)
}
