//! What the tests share: a store on a disk in memory, a foreign writer, and a plain model of what should be in the store.

use super::super::{Options, Store};
use crate::disk::memory::MemoryDisk;
use crate::error::StoreError;
use crate::feed::Feed;
use crate::manifest::{FeedKey, FeedKeyPair};
use crate::set::{Batch, FeedSet, Pending};
use crate::tree::{MerkleBatch, Request, verify_head};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The one address of these tests.
pub(super) const ADDRESS: [u8; 32] = [9; 32];
/// Small, so that tests see several segments.
pub(super) const SEGMENT: u64 = 8 << 10;

/// A pseudo-random sequence: seeded, so that a failure can be repeated.
pub(super) struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }
}

pub(super) fn pair(seed: u8) -> FeedKeyPair {
    FeedKeyPair::from_seed(&[seed; 32])
}

/// A block that tells its feed and number.
pub(super) fn block(seed: u8, number: u64, bytes: usize) -> Bytes {
    let tag = [seed, number as u8, (number >> 8) as u8];
    tag.iter()
        .cycle()
        .take(bytes)
        .copied()
        .collect::<Vec<u8>>()
        .into()
}

pub(super) fn open(disk: &MemoryDisk) -> Result<Store, StoreError> {
    Store::open_on(
        Arc::new(disk.clone()),
        None,
        Options {
            segment_size: SEGMENT,
            ..Options::default()
        },
    )
}

/// One thing a script does.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Appends blocks of these sizes to the own feeds of these seeds.
    Append(Vec<(u8, Vec<usize>)>),
    Certificate(Vec<u8>),
    Draft([u8; 16], Vec<u8>),
    /// Fetches what a foreign writer has: its head, and one block.
    Fetch(u64),
    Checkpoint,
}

/// What should be in the store, kept plainly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub feeds: BTreeMap<FeedKey, BTreeMap<u64, Bytes>>,
    pub certificates: Vec<Vec<u8>>,
    pub drafts: BTreeMap<[u8; 16], Vec<u8>>,
}

/// Seed of the writer whose feed is fetched.
pub(super) const FOREIGN: u8 = 77;
/// Blocks of the foreign feed.
pub(super) const FOREIGN_LENGTH: u64 = 20;

/// A store of somebody else with a feed to fetch.
pub(super) struct Foreign(
    pub Arc<Feed>,
    #[expect(dead_code, reason = "keeps the feed's files")] Store,
);

impl Foreign {
    pub(super) fn new() -> Self {
        let store = open(&MemoryDisk::default()).unwrap();
        let set = store.set(ADDRESS).unwrap();
        let feed = set.own(pair(FOREIGN), 3);
        let mut batch = Batch::new();
        batch.append(
            &feed,
            (0..FOREIGN_LENGTH)
                .map(|number| block(FOREIGN, number, 100))
                .collect(),
        );
        set.commit(batch).unwrap().wait().unwrap();
        Self(feed, store)
    }

    /// The commit that brings block `number`, and the head if it is not there yet.
    pub(super) fn fetch(&self, set: &FeedSet, number: u64) -> Batch {
        let copy = set.admit(self.0.key(), 3);
        let upgrade = (copy.length() == 0).then_some((0, FOREIGN_LENGTH));
        let request = Request {
            block: Some((number, copy.levels_missing(number))),
            upgrade,
            manifest: upgrade.is_some(),
            ..Request::default()
        };
        let proof = self.0.prove(&request).unwrap().unwrap();
        let mut batch = Batch::new();
        batch.ingest(&copy, copy.verify(proof).unwrap());
        batch
    }
}

/// Does it in the store.
pub(super) fn act(
    store: &Store,
    set: &FeedSet,
    foreign: &Foreign,
    act: &Act,
) -> Result<Option<Pending>, StoreError> {
    let mut batch = Batch::new();
    match act {
        Act::Append(feeds) => {
            for (seed, sizes) in feeds {
                let feed = set.own(pair(*seed), *seed);
                // Numbers are given by the store; bytes tell how many acts came before.
                batch.append(
                    &feed,
                    sizes
                        .iter()
                        .map(|size| block(*seed, *size as u64, *size))
                        .collect(),
                );
            }
        }
        Act::Certificate(bytes) => drop(batch.certificate(bytes)),
        Act::Draft(id, bytes) => drop(batch.draft(*id, Bytes::copy_from_slice(bytes))),
        Act::Fetch(number) => batch = foreign.fetch(set, *number),
        Act::Checkpoint => return store.0.checkpointer.checkpoint().map(|()| None),
    }
    set.commit(batch).map(Some)
}

impl Model {
    /// Does it in the model.
    pub(super) fn act(&mut self, act: &Act) {
        match act {
            Act::Append(feeds) => {
                for (seed, sizes) in feeds.iter().filter(|(_, sizes)| !sizes.is_empty()) {
                    let feed = self.feeds.entry(pair(*seed).manifest().key()).or_default();
                    for size in sizes {
                        feed.insert(feed.len() as u64, block(*seed, *size as u64, *size));
                    }
                }
            }
            Act::Certificate(bytes) if !self.certificates.contains(bytes) => {
                self.certificates.push(bytes.clone())
            }
            Act::Draft(id, bytes) if bytes.is_empty() => drop(self.drafts.remove(id)),
            Act::Draft(id, bytes) => drop(self.drafts.insert(*id, bytes.clone())),
            Act::Fetch(number) => {
                let feed = self
                    .feeds
                    .entry(pair(FOREIGN).manifest().key())
                    .or_default();
                feed.insert(*number, block(FOREIGN, *number, 100));
            }
            Act::Certificate(_) | Act::Checkpoint => {}
        }
    }

    /// What a set holds, in the model's terms.
    pub(super) fn of(set: &FeedSet) -> Self {
        let mut model = Self::default();
        for feed in set.feeds().into_iter().filter(|feed| feed.length() > 0) {
            let held = feed.held();
            let blocks = held
                .iter()
                .flatten()
                .filter_map(|number| Some((number, feed.get(number).unwrap()?)))
                .collect();
            model.feeds.insert(feed.key(), blocks);
        }
        model.certificates = set
            .certificates()
            .iter()
            .map(|bytes| bytes.to_vec())
            .collect();
        model.drafts = set
            .drafts()
            .into_iter()
            .map(|(id, bytes)| (id, bytes.to_vec()))
            .collect();
        model
    }
}

/// Every head must verify, and be the tree of what is held.
pub(super) fn check_trees(set: &FeedSet) {
    for feed in set.feeds() {
        let Some(head) = feed.head() else { continue };
        verify_head(&feed.key(), feed.manifest().as_ref(), &head).unwrap();
        assert_eq!(feed.tree_hash_at(head.length), Some(head.tree_hash));
        if feed.missing(0..head.length).is_empty() {
            let mut tree = MerkleBatch::new();
            tree.append(&feed.get_range(0..head.length).unwrap());
            assert_eq!(
                (tree.tree_hash(), tree.length()),
                (head.tree_hash, head.length)
            );
        }
        for number in feed.held().iter().flatten() {
            let proof = feed
                .prove(&Request {
                    block: Some((number, 0)),
                    ..Request::default()
                })
                .unwrap()
                .unwrap();
            feed.verify(proof).unwrap();
        }
    }
}
