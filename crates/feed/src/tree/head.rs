//! Signed heads: what they say and which bytes their signature covers.
//!
//! | feed | signed bytes | signature bytes |
//! | --- | --- | --- |
//! | compat | TREE, tree hash, length, fork | 64 raw |
//! | version 0 | TREE, the signer's namespace, tree hash, length, fork | 64 raw, or envelope version 0 |
//! | version 1 to 3 | TREE, feed key, tree hash, length, fork | envelope |

use super::node::Node;
use crate::manifest::TREE;

/// A signed head as held by a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Blocks.
    pub length: u64,
    /// Bytes as stored.
    pub byte_length: u64,
    /// Always 0 for certified feeds.
    pub fork: u64,
    /// Hash over the roots.
    pub tree_hash: [u8; 32],
    /// Roots, left to right.
    pub roots: Vec<Node>,
    /// Stored and wire form of the signature.
    pub signature: Vec<u8>,
}

/// Bytes that a signature covers. `context` is the feed key (versions 1 and later), the signer's
/// namespace (version 0) or nothing (compat).
pub fn signable(
    context: Option<&[u8; 32]>,
    tree_hash: &[u8; 32],
    length: u64,
    fork: u64,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(112);
    out.extend_from_slice(&*TREE);
    out.extend_from_slice(context.map_or(&[], |context| context));
    out.extend_from_slice(tree_hash);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&fork.to_le_bytes());
    out
}
