//! The Merkle tree of a feed: nodes, roots, tree hashes, proofs made and proofs checked.
//! Pure: node look-ups go through [`Nodes`]; nothing here touches a disk.

use crate::codec::{DecodeError, Reader};
use crate::manifest::{FeedKey, Manifest};
use bytes::Bytes;

/// One node: flat in-order index, bytes below it, hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node { /** flat in-order index; block i is node 2i */ pub index: u64, /** bytes in its subtree */ pub size: u64, /** BLAKE2b-256 */ pub hash: [u8; 32] }

/// Where stored nodes are looked up.
pub trait Nodes {
    /// The node, if stored.
    fn node(&self, index: u64) -> Option<Node>;
}

/// A signed head as held by a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head { /** blocks */ pub length: u64, /** bytes as stored */ pub byte_length: u64, /** always 0 for certified feeds */ pub fork: u64, /** hash over the roots */ pub tree_hash: [u8; 32], /** roots, left to right */ pub roots: Vec<Node>, /** stored/wire signature */ pub signature: Vec<u8> }

/// What a peer asks for, in hypercore's terms (message type 1 without id, fork and priority).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request { /** block index, tree levels the asker lacks */ pub block: Option<(u64, u64)>, /** tree index, levels */ pub hash: Option<(u64, u64)>, /** byte offset, padding */ pub seek: Option<(u64, u64)>, /** start, length */ pub upgrade: Option<(u64, u64)>, /** send the manifest too */ pub manifest: bool }

/// What arrived and is not yet checked (message type 3 without its request id and fork).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UntrustedProof { pub(crate) _private: () /* fork, block: Option<BlockProof{index,value:Bytes,nodes}>, hash, seek, upgrade: Option<UpgradeProof{start,length,nodes,additional_nodes,signature}>, manifest: Option<Manifest>; all pub */ }
impl UntrustedProof {
    /// Flags, then the parts in hypercore's order; caller has already read id and fork. `flags` as on the wire.
    pub fn decode(flags: u64, fork: u64, reader: &mut Reader<'_>) -> Result<Self, DecodeError> { unimplemented!() }
    /// Appends the parts (not the flags, id, fork).
    pub fn encode(&self, out: &mut Vec<u8>) { unimplemented!() }
    /// Wire flags of the parts present.
    pub fn flags(&self) -> u64 { unimplemented!() }
}

/// A checked proof: what may be stored. Only verification makes one.
#[derive(Clone, Debug)]
pub struct Proof { pub(crate) blocks: Vec<(u64, Bytes)>, pub(crate) nodes: Vec<Node>, pub(crate) head: Option<Head>, pub(crate) manifest: Option<Manifest> }

/// Why a proof was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Hashes do not add up to what is signed or held.
    #[error("the proof does not match the signed tree")] WrongProof,
    /// Signature does not verify under the manifest.
    #[error("the head's signature is not valid")] BadSignature,
    /// Another fork than 0: kept as evidence by the caller.
    #[error("the head is of fork {0}; certified feeds have fork 0 for ever")] OtherFork(u64),
    /// A head shorter than the one held, yet contradicting it, or claiming to be newer.
    #[error("the head has {offered} blocks, {held} are held")] Shorter { /** theirs */ offered: u64, /** ours */ held: u64 },
    /// Two validly signed heads that contradict each other.
    #[error("two signed heads contradict each other: the feed was forked")] Forked,
    /// The manifest does not hash to the feed key, or none is known yet.
    #[error("the manifest does not belong to this feed")] WrongManifest,
    /// Beyond limits: empty upgrade, block larger than 15 MiB, more nodes than a tree can need.
    #[error("the proof is malformed: {0}")] Malformed(&'static str),
}
/// Checks the key against the manifest hash, or as a compat key.
pub fn manifest_fits(key: &FeedKey, manifest: &Manifest) -> bool { unimplemented!() }
