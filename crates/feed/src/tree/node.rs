//! Nodes and how they are hashed. Leaves are hashed several at a time: that is the hottest loop of a feed.

use crate::manifest::{blake2b, digest};
use blake2b_simd::{Params, State, many};

/// One node: flat in-order index, bytes below it, hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Flat in-order index; block `i` is node `2i`.
    pub index: u64,
    /// Bytes in its subtree.
    pub size: u64,
    /// BLAKE2b-256.
    pub hash: [u8; 32],
}

/// Where stored nodes are looked up.
pub trait Nodes {
    /// The node, if stored.
    fn node(&self, index: u64) -> Option<Node>;
}

const LEAF: u8 = 0;
const PARENT: u8 = 1;
const ROOT: u8 = 2;

/// Leaves hashed per round: enough to keep the lanes busy, few enough for their states to stay in cache.
const ROUND: usize = 32;

fn leaf_state(size: usize) -> State {
    let mut state = Params::new().hash_length(32).to_state();
    state.update(&[LEAF]).update(&(size as u64).to_le_bytes());
    state
}

/// Leaf of one block: BLAKE2b(0, length, block).
pub fn leaf(block: u64, bytes: &[u8]) -> Node {
    Node {
        index: 2 * block,
        size: bytes.len() as u64,
        hash: digest(leaf_state(bytes.len()).update(bytes)),
    }
}

/// Leaves of consecutive blocks from number `first` on, hashed in parallel lanes.
pub fn hash_leaves<T: AsRef<[u8]>>(first: u64, blocks: &[T]) -> Vec<Node> {
    let hashes = leaf_hashes(blocks.iter().map(AsRef::as_ref));
    let leaf = |(at, (block, hash)): (usize, (&T, [u8; 32]))| Node {
        index: 2 * (first + at as u64),
        size: block.as_ref().len() as u64,
        hash,
    };
    blocks.iter().zip(hashes).enumerate().map(leaf).collect()
}

/// Leaf hashes of any blocks, in their order.
pub(crate) fn leaf_hashes<'a>(blocks: impl Iterator<Item = &'a [u8]>) -> Vec<[u8; 32]> {
    let blocks: Vec<&[u8]> = blocks.collect();
    let mut hashes = Vec::with_capacity(blocks.len());
    for round in blocks.chunks(ROUND) {
        let mut states: Vec<State> = round.iter().map(|block| leaf_state(block.len())).collect();
        many::update_many(states.iter_mut().zip(round));
        hashes.extend(states.iter().map(digest));
    }
    hashes
}

/// Parent of two siblings: BLAKE2b(1, size of both, left hash, right hash). None if the sizes overflow,
/// which only made-up ones do.
pub(crate) fn parent(index: u64, left: &Node, right: &Node) -> Option<Node> {
    let size = left.size.checked_add(right.size)?;
    let hash = blake2b(&[&[PARENT], &size.to_le_bytes(), &left.hash, &right.hash]);
    Some(Node { index, size, hash })
}

/// Tree hash over the roots, left to right: BLAKE2b(2, then hash, index, size of each).
pub fn tree_hash(roots: &[Node]) -> [u8; 32] {
    let mut state = Params::new().hash_length(32).to_state();
    state.update(&[ROOT]);
    for root in roots {
        state
            .update(&root.hash)
            .update(&root.index.to_le_bytes())
            .update(&root.size.to_le_bytes());
    }
    digest(&state)
}
