//! Arithmetic of the flat in-order tree: block `i` is node `2i`, a parent sits between its children.
//!
//! Depth `d` and offset `o` name a node too: its index is `o * 2^(d+1) + 2^d - 1`. All functions are
//! total for indexes below `2 * MAX_LENGTH` and depths up to `MAX_DEPTH`; callers check foreign numbers first.

use std::iter;
use std::ops::Range;

/// Longest feed there can be: every node index stays a JavaScript number (below 2^53).
pub const MAX_LENGTH: u64 = 1 << 51;
/// Depth of the root of a feed that long.
pub const MAX_DEPTH: u32 = 51;

fn node_at(depth: u32, offset: u64) -> u64 {
    (offset << (depth + 1)) | ((1 << depth) - 1)
}

/// Levels between the node and its leaves.
pub fn depth(index: u64) -> u32 {
    index.trailing_ones()
}

fn offset(index: u64) -> u64 {
    index >> (depth(index) + 1)
}

/// The node above.
pub fn parent(index: u64) -> u64 {
    node_at(depth(index) + 1, offset(index) >> 1)
}

/// The other child of the same parent.
pub fn sibling(index: u64) -> u64 {
    node_at(depth(index), offset(index) ^ 1)
}

/// Is it the left one of the two?
pub fn is_left(index: u64) -> bool {
    offset(index) & 1 == 0
}

/// Both children; none for a leaf.
pub fn children(index: u64) -> Option<(u64, u64)> {
    let depth = depth(index).checked_sub(1)?;
    let left = offset(index) << 1;
    Some((node_at(depth, left), node_at(depth, left + 1)))
}

/// Blocks below the node.
pub fn blocks(index: u64) -> Range<u64> {
    let (depth, offset) = (depth(index), offset(index));
    offset << depth..(offset + 1) << depth
}

/// Is node `inner` the node itself or below it?
pub fn contains(index: u64, inner: u64) -> bool {
    let blocks = blocks(index);
    (2 * blocks.start..2 * blocks.end - 1).contains(&inner)
}

/// The fewest full subtrees that cover the blocks, left to right: what turns a tree of `start` blocks
/// into one of `end` blocks. From 0 they are the roots.
pub fn subtrees(blocks: Range<u64>) -> impl Iterator<Item = u64> {
    let mut next = blocks.start;
    iter::from_fn(move || {
        let left = blocks.end.checked_sub(next).filter(|left| *left > 0)?;
        let depth = left.ilog2().min(next.trailing_zeros());
        let index = node_at(depth, next >> depth);
        next += 1 << depth;
        Some(index)
    })
}

/// Roots of a tree of `length` blocks, left to right.
pub fn roots(length: u64) -> impl Iterator<Item = u64> {
    subtrees(0..length)
}
