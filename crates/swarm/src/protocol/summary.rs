//! Everything held in one hash: heads in 256 buckets, so that two peers find where they differ without listing all.

use crate::wire::discovery_key;
use crate::wire::space::{BucketSet, Buckets, Heads, MAX_HEADS, ShortHead, Summary};
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use std::collections::{BTreeMap, BTreeSet};

/// Serial of a feed's newest clear certificate. No release writes any yet; the hash has its place.
const NOTHING_CLEARED: u64 = 0;

/// One feed's head, and how complete it is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// signed length
    pub length: u64,
    /// of that head
    pub tree_hash: [u8; 32],
    /// blocks wanted and not held
    pub missing: u64,
    /// blocks neither wanted nor held
    pub skipped: u64,
}

impl Entry {
    /// Of a feed as it is now; none before its first head.
    pub fn of(feed: &Feed, set: &FeedSet) -> Option<Self> {
        let head = feed.head()?;
        let absent = head.length.saturating_sub(feed.held().len());
        let skipped = match absent {
            0 => 0,
            _ => skipped_of(feed, set, head.length),
        };
        Some(Self {
            length: head.length,
            tree_hash: head.tree_hash,
            missing: absent.saturating_sub(skipped),
            skipped,
        })
    }
}

fn skipped_of(feed: &Feed, set: &FeedSet, length: u64) -> u64 {
    let skipped = set.skipped(&feed.key());
    let absent = feed.missing(0..length);
    let inside = absent
        .into_iter()
        .flat_map(|gap| skipped.present(gap).collect::<Vec<_>>());
    inside.map(|range| range.end - range.start).sum()
}

/// Feeds whose keys begin alike.
#[derive(Default)]
struct Bucket {
    entries: BTreeMap<FeedKey, Entry>,
    hash: [u8; 32],
}

/// The heads of a space.
pub struct Table {
    /// Only those that have feeds: most spaces have few, and a hub has thousands of spaces.
    buckets: BTreeMap<u8, Bucket>,
    /// Feeds with blocks missing, so that looking for work costs nothing when there is none.
    incomplete: BTreeSet<FeedKey>,
    feeds: u64,
    missing: u64,
    skipped: u64,
    root: [u8; 32],
}

impl Default for Table {
    fn default() -> Self {
        let mut table = Self {
            buckets: BTreeMap::new(),
            incomplete: BTreeSet::new(),
            feeds: 0,
            missing: 0,
            skipped: 0,
            root: [0; 32],
        };
        table.root = table.hash_root();
        table
    }
}

impl Table {
    /// Puts a feed's state in. True if anything changed.
    pub fn update(&mut self, feed: FeedKey, entry: Option<Entry>) -> bool {
        let name = feed.0[0];
        let bucket = self.buckets.entry(name).or_default();
        let before = match entry {
            Some(entry) => bucket.entries.insert(feed, entry),
            None => bucket.entries.remove(&feed),
        };
        let moved = head_of(before) != head_of(entry);
        if moved {
            bucket.hash = hash_bucket(&bucket.entries);
        }
        if bucket.entries.is_empty() {
            self.buckets.remove(&name);
        }
        if moved {
            self.root = self.hash_root();
        }
        self.count(before, entry);
        match entry {
            Some(Entry { missing: 1.., .. }) => self.incomplete.insert(feed),
            _ => self.incomplete.remove(&feed),
        };
        before != entry
    }

    fn count(&mut self, before: Option<Entry>, after: Option<Entry>) {
        if let Some(before) = before {
            self.feeds -= 1;
            self.missing -= before.missing;
            self.skipped -= before.skipped;
        }
        if let Some(after) = after {
            self.feeds += 1;
            self.missing += after.missing;
            self.skipped += after.skipped;
        }
    }

    /// Over the hashes of all buckets; empty ones count as zeros.
    fn hash_root(&self) -> [u8; 32] {
        let mut state = hasher(b"cobox/1/summary\0");
        for name in 0..=u8::MAX {
            let bucket = self.buckets.get(&name);
            state.update(&bucket.map_or([0; 32], |bucket| bucket.hash));
        }
        finish(&state)
    }

    /// For the wire.
    pub fn summary(&self, certificates: [u8; 16]) -> Summary {
        Summary {
            certificates,
            heads: self.root,
            feeds: self.feeds,
            missing: self.missing,
            skipped: self.skipped,
        }
    }

    /// Feeds with a head.
    pub fn feeds(&self) -> u64 {
        self.feeds
    }

    /// Blocks wanted and not held.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Feeds with blocks missing.
    pub fn incomplete(&self) -> impl Iterator<Item = &FeedKey> {
        self.incomplete.iter()
    }

    /// One feed's entry.
    pub fn entry(&self, feed: &FeedKey) -> Option<&Entry> {
        self.buckets.get(&feed.0[0])?.entries.get(feed)
    }

    /// Short hashes of all buckets.
    pub fn buckets(&self) -> Buckets {
        let mut filled = BucketSet::NONE;
        for name in self.buckets.keys() {
            filled.insert(*name);
        }
        let hashes = self.buckets.values().map(|bucket| short(&bucket.hash));
        Buckets {
            filled,
            hashes: hashes.collect(),
        }
    }

    /// Buckets in which a peer differs.
    pub fn differing(&self, theirs: &Buckets) -> BucketSet {
        let named = theirs.filled.iter().zip(theirs.hashes.iter().copied());
        let theirs: BTreeMap<u8, [u8; 8]> = named.collect();
        let mut differing = BucketSet::NONE;
        for name in 0..=u8::MAX {
            let ours = self.buckets.get(&name).map(|bucket| short(&bucket.hash));
            if theirs.get(&name).copied() != ours {
                differing.insert(name);
            }
        }
        differing
    }

    /// Buckets in which something is missing here.
    pub fn lacking(&self) -> BucketSet {
        let mut lacking = BucketSet::NONE;
        for feed in &self.incomplete {
            lacking.insert(feed.0[0]);
        }
        lacking
    }

    /// All heads of some buckets, in as few messages as limits allow.
    pub fn heads(&self, of: &BucketSet) -> Vec<Heads> {
        let mut messages = Vec::new();
        let mut next = Heads {
            buckets: BucketSet::NONE,
            heads: Vec::new(),
        };
        let none = BTreeMap::new();
        for bucket in of.iter() {
            let entries = self
                .buckets
                .get(&bucket)
                .map_or(&none, |bucket| &bucket.entries);
            if next.heads.len() + entries.len() > MAX_HEADS && !next.heads.is_empty() {
                messages.push(std::mem::replace(
                    &mut next,
                    Heads {
                        buckets: BucketSet::NONE,
                        heads: Vec::new(),
                    },
                ));
            }
            next.buckets.insert(bucket);
            let heads = entries.iter().take(MAX_HEADS);
            next.heads
                .extend(heads.map(|(feed, entry)| short_head(feed, entry)));
        }
        messages.push(next);
        messages
    }

    /// Feeds of some buckets that have a head.
    pub fn feeds_in(&self, of: &BucketSet) -> Vec<(FeedKey, Entry)> {
        let buckets = of.iter().filter_map(|bucket| self.buckets.get(&bucket));
        let entries = buckets.flat_map(|bucket| &bucket.entries);
        entries.map(|(feed, entry)| (*feed, *entry)).collect()
    }
}

fn head_of(entry: Option<Entry>) -> Option<(u64, [u8; 32])> {
    entry.map(|entry| (entry.length, entry.tree_hash))
}

/// Over key, fork, length, tree hash and clear serial of each feed, ascending by key.
fn hash_bucket(entries: &BTreeMap<FeedKey, Entry>) -> [u8; 32] {
    let mut state = hasher(b"cobox/1/bucket\0");
    for (feed, entry) in entries {
        state.update(&feed.0);
        state.update(&0u64.to_le_bytes()); // fork: certified feeds have no other
        state.update(&entry.length.to_le_bytes());
        state.update(&entry.tree_hash);
        state.update(&NOTHING_CLEARED.to_le_bytes());
    }
    finish(&state)
}

fn hasher(domain: &[u8]) -> blake2b_simd::State {
    let mut state = blake2b_simd::Params::new().hash_length(32).to_state();
    state.update(domain);
    state
}

fn finish(state: &blake2b_simd::State) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(state.finalize().as_bytes());
    hash
}

fn short(hash: &[u8; 32]) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&hash[..8]);
    short
}

fn short_head(feed: &FeedKey, entry: &Entry) -> ShortHead {
    ShortHead {
        feed: short(&discovery_key(feed)),
        length: entry.length,
        tree_hash: short(&entry.tree_hash),
        missing: entry.missing + entry.skipped,
    }
}

impl ShortHead {
    /// Is it a head of this feed?
    pub fn is_of(&self, name: &[u8; 32]) -> bool {
        self.feed == short(name)
    }

    /// Does our history of the feed begin like this, as far as can be told?
    pub fn is_begin_of(&self, feed: &Feed) -> bool {
        let ours = feed.tree_hash_at(self.length);
        ours.is_none_or(|ours| short(&ours) == self.tree_hash)
    }

    /// The same head as ours?
    pub fn is_head(&self, entry: &Entry) -> bool {
        self.length == entry.length && self.tree_hash == short(&entry.tree_hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(length: u64, missing: u64) -> Entry {
        Entry {
            length,
            tree_hash: [length as u8; 32],
            missing,
            skipped: 0,
        }
    }

    fn key(first: u8, last: u8) -> FeedKey {
        let mut key = [0; 32];
        (key[0], key[31]) = (first, last);
        FeedKey(key)
    }

    proptest! {
        /// Whatever the order of updates, equal feeds make equal summaries, and `differing` names exactly the buckets that differ.
        #[test]
        fn two_tables_differ_where_their_feeds_do(
            ours in proptest::collection::btree_map((0u8..6, 0u8..3), (1u64..4, 0u64..2), 0..12),
            theirs in proptest::collection::btree_map((0u8..6, 0u8..3), (1u64..4, 0u64..2), 0..12),
        ) {
            let build = |feeds: Vec<((u8, u8), (u64, u64))>| {
                let mut table = Table::default();
                for ((a, b), (length, missing)) in feeds {
                    table.update(key(a, b), Some(entry(length + 7, 0))); // an older state first
                    table.update(key(a, b), Some(entry(length, missing)));
                }
                table
            };
            let forward = build(ours.clone().into_iter().collect());
            let backward = build(ours.clone().into_iter().rev().collect());
            prop_assert_eq!(forward.summary([0; 16]), backward.summary([0; 16]));
            let other = build(theirs.clone().into_iter().collect());
            let differing = forward.differing(&other.buckets());
            for bucket in 0..6 {
                let heads = |of: &BTreeMap<(u8, u8), (u64, u64)>| -> Vec<_> {
                    let inside = of.iter().filter(|((first, _), _)| *first == bucket);
                    inside.map(|((_, last), (length, _))| (*last, *length)).collect()
                };
                prop_assert_eq!(differing.contains(bucket), heads(&ours) != heads(&theirs));
            }
            let equal = forward.summary([0; 16]).heads == other.summary([0; 16]).heads;
            prop_assert_eq!(equal, differing == BucketSet::NONE);
        }

        #[test]
        fn counts_follow_updates(updates in proptest::collection::vec((0u8..3, 0u64..3, 0u64..3), 0..30)) {
            let mut table = Table::default();
            let mut plain = BTreeMap::new();
            for (feed, length, missing) in updates {
                let entry = (length > 0).then(|| entry(length, missing));
                table.update(key(feed, 0), entry);
                match entry {
                    Some(entry) => plain.insert(feed, entry),
                    None => plain.remove(&feed),
                };
            }
            prop_assert_eq!(table.feeds(), plain.len() as u64);
            prop_assert_eq!(table.missing(), plain.values().map(|e| e.missing).sum::<u64>());
            let incomplete = plain.values().filter(|e| e.missing > 0).count();
            prop_assert_eq!(table.incomplete().count(), incomplete);
        }
    }
}
