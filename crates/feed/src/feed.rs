//! One feed: its head, which blocks it holds, reading, proving, checking. Writing goes through [`crate::set::FeedSet::commit`].

use crate::bitfield::RangeSet;
use crate::error::StoreError;
use crate::event::Event;
use crate::index::rows::FeedRow;
use crate::manifest::{FeedKey, FeedKeyPair, Manifest};
use crate::sync::lock;
use crate::tree::{
    self, Head, Known, Node, Nodes, Proof, ProofError, ProveError, Request, UntrustedProof,
};
use crate::vault::Vault;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Shared handle to a feed in a set. Cheap to share behind an `Arc`; all methods take `&self` and may be called from any thread.
/// What it shows is always committed (synced) state.
pub struct Feed {
    key: FeedKey,
    kind: u8,
    id: u32,
    pair: OnceLock<FeedKeyPair>,
    /// Never signed again by this program.
    retired: AtomicBool,
    /// Ours, though its pair is not at hand.
    guarded: AtomicBool,
    vault: Arc<Vault>,
    queued: Mutex<Queued>,
}

/// What the feed will be once everything queued is durable: new commits build on this. Its lock is the feed's append lock.
#[derive(Debug, Default)]
pub(crate) struct Queued {
    /// Round of the set's queue that this belongs to: after a failed write a new round begins from what is committed.
    pub round: Option<u64>,
    /// Newest head.
    pub head: Option<Head>,
    /// Manifest, once known.
    pub manifest: Option<Manifest>,
    /// Blocks.
    pub held: RangeSet,
}

impl Feed {
    pub(crate) fn new(key: FeedKey, kind: u8, vault: Arc<Vault>) -> Self {
        let id = vault.index.admit(key, kind);
        Self {
            key,
            kind,
            id,
            pair: OnceLock::new(),
            retired: AtomicBool::new(false),
            guarded: AtomicBool::new(false),
            vault,
            queued: Mutex::default(),
        }
    }

    /// Its name.
    pub fn key(&self) -> FeedKey {
        self.key
    }

    /// The tag its admission gave it (keys::FeedKind as a byte).
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// True when this program holds its key pair and still signs with it, or will again: nobody else makes it longer.
    pub fn is_own(&self) -> bool {
        self.pair().is_some() || self.guarded.load(Ordering::Acquire)
    }

    /// True also when it was signed here and is no more, in this run.
    pub fn was_own(&self) -> bool {
        self.is_own() || self.pair.get().is_some()
    }

    /// Is ours though its pair is not at hand: what others have of it beyond our end is not taken.
    pub(crate) fn guard(&self) {
        self.guarded.store(true, Ordering::Release);
    }

    /// Signs no more for as long as it is open: for a feed that went on elsewhere, where a block more
    /// from here would fork it. From now on it is like anybody's. Commits queued before stand.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Known manifest.
    pub fn manifest(&self) -> Option<Manifest> {
        self.look(|row| row.manifest.clone())
            .or_else(|| self.pair.get().map(FeedKeyPair::manifest))
    }

    /// Signed head, none before the first.
    pub fn head(&self) -> Option<Head> {
        self.look(|row| row.head.clone())
    }

    /// Blocks in the signed head (0 without one).
    pub fn length(&self) -> u64 {
        self.look(FeedRow::length)
    }

    /// Blocks held.
    pub fn held(&self) -> RangeSet {
        self.look(|row| {
            let mut held = row.held.clone();
            // Blocks whose head rotted count again once a head covers them.
            held.remove(row.length()..u64::MAX);
            held
        })
    }

    /// Is block `index` held?
    pub fn has(&self, index: u64) -> bool {
        self.look(|row| index < row.length() && row.held.contains(index))
    }

    /// What of `within` is not held.
    pub fn missing(&self, within: Range<u64>) -> Vec<Range<u64>> {
        self.look(|row| row.held.missing(within))
    }

    /// Reads one block as stored (sealed). `None`: not held, or found rotten and quarantined (an [`crate::set::Event::Rot`] follows).
    pub fn get(&self, index: u64) -> Result<Option<Bytes>, StoreError> {
        let Some(end) = index.checked_add(1) else {
            return Ok(None);
        };
        Ok(self.get_range(index..end)?.pop())
    }

    /// Reads several consecutive blocks with as few disk reads as possible; stops at the first not held.
    pub fn get_range(&self, range: Range<u64>) -> Result<Vec<Bytes>, StoreError> {
        let mut blocks = Vec::new();
        let mut at = range.start;
        while at < range.end && self.has(at) {
            let Some((first, extent)) = self.vault.index.extent(self.id, at)? else {
                break;
            };
            let end = range.end.min(first + extent.count());
            let read = self
                .vault
                .read(extent.segment, &extent.places(at - first..end - first))?;
            at += read.len() as u64;
            blocks.extend(read);
            if at < end {
                self.quarantine(at..at + 1)?;
                break;
            }
        }
        Ok(blocks)
    }

    /// Tree hash the feed had at an earlier length, where the nodes for it are held.
    pub fn tree_hash_at(&self, length: u64) -> Option<[u8; 32]> {
        if length > self.length() {
            return None;
        }
        tree::roots_at(&self.nodes(), length).map(|roots| tree::tree_hash(&roots))
    }

    /// Tree levels above `block` that we lack, for a request's `nodes` field.
    pub fn levels_missing(&self, block: u64) -> u64 {
        tree::levels_missing(&self.nodes(), self.length(), 2 * block)
    }

    /// Answers a peer's request; `None` if a block asked for is not held or the request is beyond the head.
    pub fn prove(&self, request: &Request) -> Result<Option<UntrustedProof>, StoreError> {
        match self.try_prove(request) {
            Ok(proof) => Ok(Some(proof)),
            Err(ProveError::Load(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The same, telling a request that makes no sense from one for what is not held.
    pub fn try_prove(&self, request: &Request) -> Result<UntrustedProof, ProveError<StoreError>> {
        let (head, manifest) = (self.head(), self.manifest());
        tree::prove(
            request,
            head.as_ref(),
            manifest.as_ref(),
            &self.nodes(),
            |block| self.get(block),
        )
    }

    /// Checks what arrived against the held state. Takes no lock while hashing.
    pub fn verify(&self, proof: UntrustedProof) -> Result<Proof, ProofError> {
        let (head, manifest) = (self.head(), self.manifest());
        tree::verify(
            &self.known(head.as_ref(), manifest.as_ref(), &self.nodes()),
            proof,
        )
    }

    /// Same for many at once (leaf hashes in parallel lanes); all are checked against the same held head.
    pub fn verify_all(&self, proofs: Vec<UntrustedProof>) -> Vec<Result<Proof, ProofError>> {
        let (head, manifest) = (self.head(), self.manifest());
        tree::verify_all(
            &self.known(head.as_ref(), manifest.as_ref(), &self.nodes()),
            proofs,
        )
    }

    fn known<'a>(
        &self,
        head: Option<&'a Head>,
        manifest: Option<&'a Manifest>,
        nodes: &'a dyn Nodes,
    ) -> Known<'a> {
        Known {
            key: self.key,
            manifest,
            head,
            nodes,
            fork: 0,
        }
    }

    /// Gives the feed its pair; a second one is ignored.
    pub(crate) fn set_pair(&self, pair: FeedKeyPair) {
        // Both name this feed's key, so both sign alike.
        let _ = self.pair.set(pair);
    }

    pub(crate) fn pair(&self) -> Option<&FeedKeyPair> {
        let retired = self.retired.load(Ordering::Acquire);
        self.pair.get().filter(|_| !retired)
    }

    pub(crate) fn is_in(&self, vault: &Arc<Vault>) -> bool {
        Arc::ptr_eq(&self.vault, vault)
    }

    pub(crate) fn queued(&self) -> &Mutex<Queued> {
        &self.queued
    }

    /// The committed state as a start for new commits.
    pub(crate) fn committed(&self, round: u64) -> Queued {
        self.look(|row| Queued {
            round: Some(round),
            head: row.head.clone(),
            manifest: row.manifest.clone(),
            held: row.held.clone(),
        })
    }

    fn look<T>(&self, look: impl FnOnce(&FeedRow) -> T) -> T
    where
        T: Default,
    {
        // Admission made the row; only a removed space has none.
        self.vault
            .index
            .with_feed(&self.key, look)
            .unwrap_or_default()
    }

    fn nodes(&self) -> StoredNodes<'_> {
        StoredNodes {
            feed: self,
            roots: self.head().map(|head| head.roots).unwrap_or_default(),
        }
    }

    /// Takes rotten blocks out of what is held and tells about it.
    fn quarantine(&self, blocks: Range<u64>) -> Result<(), StoreError> {
        if !self.vault.index.quarantine(&self.key, blocks.clone())? {
            return Ok(());
        }
        lock(&self.queued).held.remove(blocks.clone());
        tracing::warn!(feed = %self.key, block = blocks.start, "a rotten block was put aside");
        self.vault.events.tell(Event::Rot {
            feed: self.key,
            blocks,
        });
        Ok(())
    }
}

impl FeedRow {
    fn length(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.length)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("key", &self.key)
            .field("kind", &self.kind)
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

/// A feed's stored nodes.
struct StoredNodes<'a> {
    feed: &'a Feed,
    roots: Vec<Node>,
}

impl Nodes for StoredNodes<'_> {
    fn node(&self, index: u64) -> Option<Node> {
        let root = self.roots.iter().find(|root| root.index == index);
        root.copied().or_else(|| {
            let stored = self.feed.vault.index.node(self.feed.id, index);
            stored
                .inspect_err(|error| tracing::error!(%error, "a tree node could not be read"))
                .ok()
                .flatten()
        })
    }
}
