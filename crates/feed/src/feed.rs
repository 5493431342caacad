//! One feed: its head, which blocks it holds, reading, proving, checking. Writing goes through [`crate::set::FeedSet::commit`].

use crate::bitfield::RangeSet;
use crate::manifest::{FeedKey, Manifest};
use crate::store::StoreError;
use crate::tree::{Head, Proof, ProofError, Request, UntrustedProof};
use bytes::Bytes;
use std::ops::Range;

/// Shared handle to a feed in a set. Cheap to share behind an `Arc`; all methods take `&self` and may be called from any thread.
/// What it shows is always committed (synced) state.
pub struct Feed;
impl Feed {
    /// Its name.
    pub fn key(&self) -> FeedKey { unimplemented!() }
    /// The tag its admission gave it (keys::FeedKind as a byte).
    pub fn kind(&self) -> u8 { unimplemented!() }
    /// True when this program holds its key pair.
    pub fn is_own(&self) -> bool { unimplemented!() }
    /// Known manifest.
    pub fn manifest(&self) -> Option<Manifest> { unimplemented!() }
    /// Signed head, none before the first.
    pub fn head(&self) -> Option<Head> { unimplemented!() }
    /// Blocks in the signed head (0 without one).
    pub fn length(&self) -> u64 { unimplemented!() }
    /// Blocks held.
    pub fn held(&self) -> RangeSet { unimplemented!() }
    /// Is block `index` held?
    pub fn has(&self, index: u64) -> bool { unimplemented!() }
    /// What of `within` is not held.
    pub fn missing(&self, within: Range<u64>) -> Vec<Range<u64>> { unimplemented!() }
    /// Reads one block as stored (sealed). `None`: not held, or found rotten and quarantined (an [`crate::set::Event::Rot`] follows).
    pub fn get(&self, index: u64) -> Result<Option<Bytes>, StoreError> { unimplemented!() }
    /// Reads several consecutive blocks with as few disk reads as possible; stops at the first not held.
    pub fn get_range(&self, range: Range<u64>) -> Result<Vec<Bytes>, StoreError> { unimplemented!() }
    /// Tree hash the feed had at an earlier length, where the nodes for it are held.
    pub fn tree_hash_at(&self, length: u64) -> Option<[u8; 32]> { unimplemented!() }
    /// Tree levels above `block` that we lack, for a request's `nodes` field.
    pub fn levels_missing(&self, block: u64) -> u64 { unimplemented!() }
    /// Answers a peer's request; `None` if a block asked for is not held or the request is beyond the head.
    pub fn prove(&self, request: &Request) -> Result<Option<UntrustedProof>, StoreError> { unimplemented!() }
    /// Checks what arrived against the held state. Takes no lock while hashing.
    pub fn verify(&self, proof: UntrustedProof) -> Result<Proof, ProofError> { unimplemented!() }
    /// Same for many at once (leaf hashes in parallel lanes); all are checked against the same held head.
    pub fn verify_all(&self, proofs: Vec<UntrustedProof>) -> Vec<Result<Proof, ProofError>> { unimplemented!() }
}
