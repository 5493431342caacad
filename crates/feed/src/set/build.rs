//! From a batch to records: hashing and signing on the caller's thread, under the append locks of the feeds involved.
//!
//! New commits build on what is *queued*, so that several can be in flight. If a write fails, everything queued behind it fails
//! too and a new round begins from what is committed.

use super::batch::{Batch, Item};
use super::committer::{Commit, Committer};
use super::pending::{Pending, promise};
use super::working::Working;
use crate::error::StoreError;
use crate::feed::Feed;
use crate::index::change::digest;
use crate::segment::body::encode_draft;
use crate::segment::log::Part;
use crate::segment::record::Kind;
use crate::tree::{MAX_BLOCK, Node, Proof, hash_leaves};
use crate::vault::Vault;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Largest draft.
const MAX_DRAFT: usize = 256 << 20;
/// Largest certificate.
const MAX_CERTIFICATE: usize = 1 << 20;

/// A batch with everything done that needs no lock.
#[derive(Default)]
struct Prepared {
    /// Feeds it writes to, by key: locked in this order.
    feeds: BTreeMap<[u8; 32], Arc<Feed>>,
    steps: Vec<Step>,
    /// Records that belong to no feed.
    loose: Vec<(Kind, Vec<u8>)>,
}

/// One change of a feed.
enum Step {
    Append {
        feed: [u8; 32],
        first: Option<u64>,
        blocks: Vec<(Bytes, u32)>,
        leaves: Vec<Node>,
    },
    Ingest {
        feed: [u8; 32],
        proof: Box<Proof>,
        crcs: Vec<u32>,
    },
}

/// Builds and queues a commit.
pub(crate) fn commit(
    vault: &Arc<Vault>,
    committer: &Arc<Committer>,
    batch: Batch,
) -> Result<Pending, StoreError> {
    let prepared = Prepared::of(vault, batch)?;
    let (mut done, pending) = promise();
    loop {
        let round = committer.wait_for_room()?;
        let mut feeds: BTreeMap<[u8; 32], Working<'_>> = prepared
            .feeds
            .iter()
            .map(|(key, feed)| (*key, Working::lock(feed, round)))
            .collect();
        let received = prepared.is_received();
        let mut parts = prepared.loose_parts();
        let mut news = Vec::new();
        prepared.run(&mut feeds)?;
        for feed in feeds.values_mut() {
            feed.sign()?;
            feed.emit(&mut parts, &mut news);
        }
        let commit = Commit {
            parts,
            news,
            received,
            done,
        };
        match committer.push(round, commit)? {
            None => {
                feeds.into_values().for_each(Working::keep);
                return Ok(pending);
            }
            // A write failed meanwhile: build again, on what is committed.
            Some(refused) => done = refused.done,
        }
    }
}

impl Prepared {
    fn is_received(&self) -> bool {
        let is_ingest = |step: &Step| matches!(step, Step::Ingest { .. });
        !self.steps.is_empty() && self.steps.iter().all(is_ingest)
    }

    fn of(vault: &Arc<Vault>, batch: Batch) -> Result<Self, StoreError> {
        let mut prepared = Self::default();
        for item in batch.items {
            match item {
                Item::Append(feed, first, blocks) => prepared.append(vault, feed, first, blocks)?,
                Item::Ingest(feed, proof) => prepared.ingest(vault, feed, proof)?,
                Item::Certificate(bytes) => prepared.certificate(vault, &bytes)?,
                Item::Draft(id, bytes) => prepared.draft(&id, &bytes)?,
            }
        }
        Ok(prepared)
    }

    fn append(
        &mut self,
        vault: &Arc<Vault>,
        feed: Arc<Feed>,
        first: Option<u64>,
        blocks: Vec<Bytes>,
    ) -> Result<(), StoreError> {
        if feed.pair().is_none() || !feed.is_in(vault) {
            return Err(StoreError::NotOwn);
        }
        blocks
            .iter()
            .try_for_each(|block| within(block.len(), MAX_BLOCK))?;
        let leaves = hash_leaves(0, &blocks);
        let blocks = blocks
            .into_iter()
            .map(|block| (crc32fast::hash(&block), block))
            .map(|(crc, block)| (block, crc))
            .collect();
        self.steps.push(Step::Append {
            feed: feed.key().0,
            first,
            blocks,
            leaves,
        });
        self.feeds.insert(feed.key().0, feed);
        Ok(())
    }

    fn ingest(
        &mut self,
        vault: &Arc<Vault>,
        feed: Arc<Feed>,
        proof: Box<Proof>,
    ) -> Result<(), StoreError> {
        if !feed.is_in(vault) {
            return Err(StoreError::NotOwn);
        }
        proof
            .blocks()
            .iter()
            .try_for_each(|(_, block)| within(block.len(), MAX_BLOCK))?;
        let crcs = proof
            .blocks()
            .iter()
            .map(|(_, block)| crc32fast::hash(block))
            .collect();
        self.steps.push(Step::Ingest {
            feed: feed.key().0,
            proof,
            crcs,
        });
        self.feeds.insert(feed.key().0, feed);
        Ok(())
    }

    fn certificate(&mut self, vault: &Vault, bytes: &[u8]) -> Result<(), StoreError> {
        within(bytes.len(), MAX_CERTIFICATE)?;
        if !vault.index.has_certificate(&digest(bytes))? {
            self.loose.push((Kind::Certificate, bytes.to_vec()));
        }
        Ok(())
    }

    fn draft(&mut self, id: &[u8; 16], bytes: &[u8]) -> Result<(), StoreError> {
        within(bytes.len(), MAX_DRAFT)?;
        self.loose.push((Kind::Draft, encode_draft(id, bytes)));
        Ok(())
    }

    fn loose_parts(&self) -> Vec<Part> {
        self.loose
            .iter()
            .map(|(kind, meta)| Part {
                kind: *kind,
                meta: meta.clone(),
                blocks: Vec::new(),
            })
            .collect()
    }

    fn run(&self, feeds: &mut BTreeMap<[u8; 32], Working<'_>>) -> Result<(), StoreError> {
        for step in &self.steps {
            let (Step::Append { feed, .. } | Step::Ingest { feed, .. }) = step;
            let Some(feed) = feeds.get_mut(feed) else {
                continue;
            };
            match step {
                Step::Append {
                    first,
                    blocks,
                    leaves,
                    ..
                } => feed.append(*first, blocks, leaves)?,
                Step::Ingest { proof, crcs, .. } => feed.ingest(proof, crcs)?,
            }
        }
        Ok(())
    }
}

fn within(bytes: usize, limit: usize) -> Result<(), StoreError> {
    if bytes > limit {
        Err(StoreError::TooLarge {
            bytes: bytes as u64,
        })
    } else {
        Ok(())
    }
}
