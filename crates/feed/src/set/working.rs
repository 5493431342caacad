//! One feed while a commit is built: what is queued before it, and what the commit adds.

use crate::error::StoreError;
use crate::feed::{Feed, Queued};
use crate::manifest::{FeedKey, FeedKeyPair, Manifest};
use crate::segment::body::{BlocksMeta, HeadBody, MAX_BLOCKS, MAX_BYTES, MAX_NODES};
use crate::segment::log::Part;
use crate::segment::record::Kind;
use crate::sync::lock;
use crate::tree::{Head, MerkleBatch, Node, Proof};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, MutexGuard};

/// A feed under its append lock.
pub(crate) struct Working<'a> {
    feed: &'a Feed,
    queued: MutexGuard<'a, Queued>,
    /// Own blocks appended and not yet signed for.
    tree: Option<MerkleBatch>,
    blocks: BTreeMap<u64, (Bytes, u32)>,
    nodes: BTreeMap<u64, Node>,
    head: Option<Head>,
    manifest: Option<Manifest>,
}

impl<'a> Working<'a> {
    /// Locks the feed for appending; after a failed write it starts again from what is committed.
    pub(crate) fn lock(feed: &'a Arc<Feed>, round: u64) -> Self {
        let mut queued = lock(feed.queued());
        if queued.round < Some(round) {
            *queued = feed.committed(round);
        }
        Self {
            feed,
            queued,
            tree: None,
            blocks: BTreeMap::new(),
            nodes: BTreeMap::new(),
            head: None,
            manifest: None,
        }
    }

    fn head(&self) -> Option<&Head> {
        self.head.as_ref().or(self.queued.head.as_ref())
    }

    /// Appends own blocks, given with their checksums and leaves (numbered from 0).
    pub(crate) fn append(
        &mut self,
        expected: Option<u64>,
        blocks: &[(Bytes, u32)],
        leaves: &[Node],
    ) -> Result<(), StoreError> {
        let start = || {
            self.head
                .as_ref()
                .or(self.queued.head.as_ref())
                .map_or_else(MerkleBatch::new, MerkleBatch::from_head)
        };
        let mut tree = self.tree.take().unwrap_or_else(start);
        let first = tree.length();
        if expected.is_some_and(|expected| expected != first) {
            return Err(StoreError::Moved);
        }
        for leaf in leaves {
            let leaf = Node {
                index: leaf.index + 2 * first,
                ..*leaf
            };
            tree.push_computed(leaf).map_err(|_| StoreError::TooLarge {
                bytes: tree.byte_length(),
            })?;
        }
        self.tree = Some(tree);
        self.blocks.extend((first..).zip(blocks.iter().cloned()));
        Ok(())
    }

    /// Takes what of a checked proof is new. Since it was checked, others may have been queued: the held head never goes
    /// back, and never to one that was not checked against it.
    pub(crate) fn ingest(&mut self, proof: &Proof, crcs: &[u32]) -> Result<(), StoreError> {
        self.sign()?;
        if !self.agrees(proof) {
            return Ok(());
        }
        if let Some(head) = proof
            .head()
            .filter(|head| self.head().is_none_or(|held| held.length < head.length))
        {
            self.nodes
                .extend(head.roots.iter().map(|root| (root.index, *root)));
            self.head = Some(head.clone());
        }
        if self.manifest.is_none() && self.queued.manifest.is_none() {
            self.manifest = proof.manifest().cloned();
        }
        let length = self.head().map_or(0, |head| head.length);
        let blocks = self.blocks.len();
        for ((number, block), crc) in proof.blocks().iter().zip(crcs) {
            if *number < length && !self.queued.held.contains(*number) {
                self.blocks.insert(*number, (block.clone(), *crc));
            }
        }
        // A proof of blocks that are all here brings no nodes either.
        if proof.blocks().is_empty() || self.blocks.len() > blocks {
            self.nodes
                .extend(proof.nodes().iter().map(|node| (node.index, *node)));
        }
        Ok(())
    }

    /// Does what the proof was checked against still hold?
    fn agrees(&self, proof: &Proof) -> bool {
        match (proof.head(), self.head()) {
            (Some(new), _) if new.fork != 0 => false,
            (Some(new), Some(held)) if new.length == held.length => new.tree_hash == held.tree_hash,
            (Some(new), Some(held)) if new.length < held.length => {
                self.feed.tree_hash_at(new.length) == Some(new.tree_hash)
            }
            (Some(_), Some(held)) => proof.base() == Some((held.length, held.tree_hash)),
            (_, None) | (None, _) => true,
        }
    }

    /// Signs for what was appended.
    pub(crate) fn sign(&mut self) -> Result<(), StoreError> {
        let Some(tree) = self.tree.take() else {
            return Ok(());
        };
        if tree.length() == self.head().map_or(0, |head| head.length) {
            return Ok(());
        }
        let pair: &FeedKeyPair = self.feed.pair().ok_or(StoreError::NotOwn)?;
        let manifest = pair.manifest();
        self.head = Some(tree.sign(pair, &manifest).map_err(|_| StoreError::NotOwn)?);
        self.nodes
            .extend(tree.nodes().into_iter().map(|node| (node.index, node)));
        self.manifest = self.queued.manifest.is_none().then_some(manifest);
        Ok(())
    }

    /// Adds the feed's records and news to a commit: blocks and nodes before the head that covers them.
    pub(crate) fn emit(&self, parts: &mut Vec<Part>, news: &mut Vec<(FeedKey, Range<u64>)>) {
        let feed = self.feed.key();
        let mut nodes = self.nodes.values().copied().collect::<Vec<_>>().into_iter();
        let mut put = |first: u64, run: &[&(Bytes, u32)]| {
            let table = run
                .iter()
                .map(|(block, crc)| (block.len() as u32, *crc))
                .collect();
            let meta = BlocksMeta {
                feed,
                first,
                table,
                nodes: nodes.by_ref().take(MAX_NODES).collect(),
            };
            parts.push(Part {
                kind: Kind::Blocks,
                meta: meta.encode(),
                blocks: run.iter().map(|(block, _)| block.clone()).collect(),
            });
            nodes.len() > 0
        };
        let mut more = !self.nodes.is_empty();
        for (first, run) in self.runs() {
            more = put(first, &run);
            news.push((feed, first..first + run.len() as u64));
        }
        while more {
            more = put(0, &[]);
        }
        // A manifest that comes late goes with the head that is held.
        let manifest = self.manifest.clone();
        let held = self.queued.head.as_ref().filter(|_| manifest.is_some());
        let Some(head) = self.head.as_ref().or(held).cloned() else {
            return;
        };
        if self.blocks.is_empty() {
            news.push((feed, head.length..head.length));
        }
        let body = HeadBody {
            feed,
            kind: self.feed.kind(),
            head,
            manifest,
        };
        parts.push(Part {
            kind: Kind::Head,
            meta: body.encode(),
            blocks: Vec::new(),
        });
    }

    /// Consecutive blocks, in pieces that fit a record.
    fn runs(&self) -> Vec<(u64, Vec<&(Bytes, u32)>)> {
        let mut runs: Vec<(u64, Vec<&(Bytes, u32)>)> = Vec::new();
        let mut bytes = 0;
        for (number, block) in &self.blocks {
            bytes += block.0.len();
            match runs.last_mut() {
                Some((first, run))
                    if *first + run.len() as u64 == *number
                        && run.len() < MAX_BLOCKS
                        && bytes <= MAX_BYTES =>
                {
                    run.push(block)
                }
                _ => {
                    bytes = block.0.len();
                    runs.push((*number, vec![block]));
                }
            }
        }
        runs
    }

    /// The commit is queued: the next one builds on it.
    pub(crate) fn keep(mut self) {
        for number in std::mem::take(&mut self.blocks).into_keys() {
            self.queued.held.insert(number..number + 1);
        }
        if let Some(head) = self.head.take() {
            self.queued.head = Some(head);
        }
        if let Some(manifest) = self.manifest.take() {
            self.queued.manifest = Some(manifest);
        }
    }
}
