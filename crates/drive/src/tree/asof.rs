//! The space as of a time: the same commits, fewer of them.

use super::batch::Batch;
use super::gate::Gate;
use super::rows::*;
use super::view::read_feeds;
use crate::version::WriterTag;
use cobox_feed::set::FeedSet;
use cobox_keys::access::ReadKey;
use cobox_view::kv::{Database, MemoryRows, ReadRows, Rows, ViewError};
use std::collections::HashMap;

/// The space as of a time: rows in memory built from the commits within the cut (per writer the last commit at or before `time_ms`, closed under `seen`).
pub fn as_of(
    db: &Database,
    set: &FeedSet,
    read_key: &ReadKey,
    time_ms: u64,
) -> Result<MemoryRows, ViewError> {
    let now = db.snapshot()?;
    let mut rows = MemoryRows::default();
    if let Some(key) = now.get(META, b"names")? {
        rows.put(META, b"names", &key)?;
    }
    let mut feeds = read_feeds(&now)?;
    let writers = super::eyes::writer_rows(&now)?;
    for (feed, state) in &mut feeds {
        let Some(row) = writers.get(&WriterTag::of(feed)).filter(|_| state.accepted) else {
            continue;
        };
        // No further than the rows of now, so that both pictures fit together.
        state.blocks = row.applied;
        let fresh = WriterRow {
            applied: 1,
            claim: row.claim.clone(),
            ..WriterRow::default()
        };
        rows.put(WRITERS, &WriterTag::of(feed).0, &fresh.encode())?;
    }
    let mut batch = Batch::new(&mut rows)?;
    let mut gate = Gate {
        set,
        read_key,
        feeds: &feeds,
        at_hand: &HashMap::new(),
        waiting: &mut HashMap::new(),
        until: Some(time_ms),
        keys: HashMap::new(),
    };
    gate.advance(&mut batch)?;
    batch.finish()?;
    drop(batch);
    Ok(rows)
}
