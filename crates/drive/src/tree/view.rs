//! `TreeView`: what the indexer feeds. Keeps the rows up to date and tells what changed after the commit.

use super::Changed;
use super::batch::Batch;
use super::claims::{Claims, Verdict};
use super::gate::{Delivered, Found, Gate};
use super::rows::*;
use crate::version::WriterTag;
use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use cobox_keys::access::{Address, ReadKey};
use cobox_keys::derive::FeedKind;
use cobox_view::indexer::View;
use cobox_view::journal::Entry;
use cobox_view::kv::{ReadRows, Rows, Table, ViewError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::broadcast;

/// State of a feed in its row.
const UNJUDGED: u64 = 0;
const ACCEPTED: u64 = 1;
const REFUSED_FEED: u64 = 2;

/// The view that the indexer feeds.
pub struct TreeView {
    address: Address,
    read_key: ReadKey,
    set: Arc<FeedSet>,
    changed: broadcast::Sender<Changed>,
    claims: Claims,
    /// As in the rows; none until they were read.
    feeds: Option<BTreeMap<FeedKey, Delivered>>,
    /// Content and log feeds of accepted writers.
    named: Vec<[[u8; 32]; 3]>,
    waiting: HashMap<FeedKey, (u64, Found)>,
    told: Vec<Changed>,
}

impl TreeView {
    /// `set` is used to check claims across a writer's three feeds and `seen` against signed trees.
    pub fn new(
        address: Address,
        read_key: ReadKey,
        set: Arc<FeedSet>,
        changed: broadcast::Sender<Changed>,
    ) -> TreeView {
        TreeView {
            address,
            read_key,
            set,
            changed,
            claims: Claims::default(),
            feeds: None,
            named: Vec::new(),
            waiting: HashMap::new(),
            told: Vec::new(),
        }
    }

    /// Settles whose feeds are whose; answers whether a writer that was believed is no longer.
    fn judge(
        &mut self,
        batch: &mut Batch<'_>,
        feeds: &mut BTreeMap<FeedKey, Delivered>,
    ) -> Result<bool, ViewError> {
        let keys: BTreeSet<FeedKey> = feeds.keys().copied().collect();
        let verdicts = self
            .claims
            .judge(&self.address, &self.read_key, &self.set, &keys)?;
        let mut revoked = false;
        self.named.clear();
        for (feed, verdict) in verdicts {
            let Some(state) = feeds.get_mut(&feed) else {
                continue;
            };
            let before = state.clone();
            match verdict {
                Verdict::Accepted(claim) => {
                    self.named.push(claim.feeds);
                    (state.accepted, state.refused) = (true, false);
                    if !before.accepted {
                        // A writer whose feed counted as nothing so far was perhaps waited for in vain.
                        revoked |= before.refused;
                        begin_writer(batch, &feed, claim);
                        self.told.push(Changed::Writer(WriterTag::of(&feed)));
                    }
                }
                Verdict::Refused(reason) => {
                    (state.accepted, state.refused) = (false, true);
                    revoked |= before.accepted;
                    if !before.refused {
                        batch.refuse(WriterTag::of(&feed), format!("writer refused: {reason}"))?;
                    }
                }
            }
            if *state != before {
                put_feed(batch, &feed, state)?;
            }
        }
        Ok(revoked)
    }

    fn tell(&mut self, batch: &mut Batch<'_>) {
        let paths = batch.outcome.paths();
        let outcome = std::mem::take(&mut batch.outcome);
        if !outcome.applied.is_empty() {
            self.told.push(Changed::Applied(outcome.applied));
        }
        self.told.extend(paths.into_iter().map(Changed::Path));
        let refused = outcome
            .refused
            .into_iter()
            .map(|(writer, reason)| Changed::Refused { writer, reason });
        self.told.extend(refused);
        if outcome.conflicts {
            self.told.push(Changed::Conflicts);
        }
        for (writer, blocks) in outcome.filler {
            let claim = batch
                .writers
                .get(&writer)
                .and_then(|row| row.claim.as_ref());
            if let Some(claim) = claim {
                self.set.skip(FeedKey(claim.feeds[1]), blocks);
            }
        }
    }
}

fn begin_writer(batch: &mut Batch<'_>, feed: &FeedKey, claim: cobox_keys::certificate::Claim) {
    let row = batch.writer_mut(WriterTag::of(feed));
    // Block 0 is the claim itself.
    *row = WriterRow {
        applied: 1,
        claim: Some(claim),
        ..WriterRow::default()
    };
}

fn put_feed(batch: &mut Batch<'_>, feed: &FeedKey, state: &Delivered) -> Result<(), ViewError> {
    let judged = match (state.accepted, state.refused) {
        (true, _) => ACCEPTED,
        (_, true) => REFUSED_FEED,
        _ => UNJUDGED,
    };
    batch
        .rows
        .put(FEEDS, &feed.0, &encode_pair(state.blocks, judged))
}

pub(super) fn read_feeds<R: ReadRows + ?Sized>(
    rows: &R,
) -> Result<BTreeMap<FeedKey, Delivered>, ViewError> {
    let mut feeds = BTreeMap::new();
    scan(rows, FEEDS, &[], |key, value| {
        let key = key.try_into().map_err(|_| ViewError::Damaged("tree"))?;
        let (blocks, judged) = decode_pair(value)?;
        feeds.insert(
            FeedKey(key),
            Delivered {
                blocks,
                accepted: judged == ACCEPTED,
                refused: judged == REFUSED_FEED,
            },
        );
        Ok(())
    })?;
    Ok(feeds)
}

/// Empties everything that commits have written, and begins all believed writers anew.
fn start_over(rows: &mut dyn Rows) -> Result<(), ViewError> {
    let claims = super::eyes::writer_rows(rows)?;
    for table in ALL
        .into_iter()
        .filter(|table| ![FEEDS, META, REFUSED].contains(table))
    {
        let mut keys = Vec::new();
        scan_keys(&*rows, table, &[], |key| {
            keys.push(key.to_vec());
            Ok(())
        })?;
        keys.iter().try_for_each(|key| rows.delete(table, key))?;
    }
    let feeds = read_feeds(rows)?;
    for (tag, row) in claims {
        let accepted = feeds
            .iter()
            .any(|(feed, state)| WriterTag::of(feed) == tag && state.accepted);
        if accepted {
            let fresh = WriterRow {
                applied: 1,
                claim: row.claim,
                ..WriterRow::default()
            };
            rows.put(WRITERS, &tag.0, &fresh.encode())?;
        }
    }
    Ok(())
}

impl View for TreeView {
    fn name(&self) -> &'static str {
        "tree"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> Vec<Table> {
        ALL.to_vec()
    }

    fn apply(&mut self, rows: &mut dyn Rows, entries: &[Entry]) -> Result<(), ViewError> {
        if rows.get(META, b"names")?.is_none() {
            rows.put(META, b"names", &self.read_key.hash_key("names"))?;
        }
        let mut feeds = match self.feeds.take() {
            Some(feeds) => feeds,
            None => read_feeds(rows)?,
        };
        let mut at_hand = HashMap::new();
        let mut first = false;
        let mut batch = Batch::new(rows)?;
        for entry in entries {
            first |= entry.index == 0;
            if entry.kind == FeedKind::Metadata as u8 {
                feeds.entry(entry.feed).or_default().blocks = entry.index + 1;
                at_hand.insert((entry.feed, entry.index), Bytes::clone(&entry.block));
            }
        }
        let touched: BTreeSet<FeedKey> = at_hand.keys().map(|(feed, _)| *feed).collect();
        for feed in &touched {
            put_feed(&mut batch, feed, &feeds[feed])?;
        }
        if first || self.claims.news(&self.set, self.named.iter().copied()) || self.named.is_empty()
        {
            let revoked = self.judge(&mut batch, &mut feeds)?;
            if revoked {
                batch.flush()?;
                start_over(batch.rows)?;
                self.waiting.clear();
                batch.forget()?;
                batch.outcome.paths.insert(super::DrivePath::default());
            }
        }
        let mut gate = Gate {
            set: &self.set,
            read_key: &self.read_key,
            feeds: &feeds,
            at_hand: &at_hand,
            waiting: &mut self.waiting,
            until: None,
            keys: HashMap::new(),
        };
        gate.advance(&mut batch)?;
        batch.finish()?;
        self.tell(&mut batch);
        self.feeds = Some(feeds);
        Ok(())
    }

    fn committed(&mut self) {
        for changed in self.told.drain(..) {
            // Nobody listening is fine.
            let _ = self.changed.send(changed);
        }
    }

    fn reset(&mut self) {
        self.claims.forget();
        self.feeds = None;
        self.named.clear();
        self.waiting.clear();
        self.told.clear();
    }
}
