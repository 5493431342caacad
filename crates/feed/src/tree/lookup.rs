//! Nodes of a held tree by place and by byte offset, for making proofs.

use super::flat;
use super::head::Head;
use super::node::{Node, Nodes};

/// Why a request cannot be answered.
pub(crate) enum Refusal {
    Invalid(&'static str),
    Missing,
}

/// A signed head and the nodes held of its tree.
pub(crate) struct Lookup<'a> {
    pub(crate) head: &'a Head,
    pub(crate) nodes: &'a dyn Nodes,
}

impl Lookup<'_> {
    pub(crate) fn node(&self, index: u64) -> Result<Node, Refusal> {
        let root = self
            .head
            .roots
            .iter()
            .find(|root| root.index == index)
            .copied();
        root.or_else(|| self.nodes.node(index))
            .ok_or(Refusal::Missing)
    }

    /// The node at which `bytes` lies in the tree of the first `end` blocks; none if beyond it.
    pub(crate) fn seek_from_start(
        &self,
        end: u64,
        mut bytes: u64,
        padding: u64,
    ) -> Result<Option<u64>, Refusal> {
        for root in flat::roots(end) {
            let size = unpadded(&self.node(root)?, padding)?;
            if bytes == size {
                return Ok(Some(root));
            }
            if bytes < size {
                return self.descend(root, bytes, padding).map(Some);
            }
            bytes -= size;
        }
        Ok(None)
    }

    /// The node at which `bytes` lies, if that is below `top`.
    pub(crate) fn seek_below(&self, top: u64, bytes: u64, padding: u64) -> Result<u64, Refusal> {
        const OUTSIDE: Refusal = Refusal::Invalid("seek is outside of the block's subtree");
        let pads = padding
            .checked_mul(flat::blocks(top).start)
            .ok_or(OUTSIDE)?;
        let before = self.bytes_before(top)?.checked_sub(pads).ok_or(OUTSIDE)?;
        let rest = bytes.checked_sub(before).ok_or(OUTSIDE)?;
        if rest == 0 {
            return Ok(top);
        }
        if unpadded(&self.node(top)?, padding)? <= rest {
            return Err(OUTSIDE);
        }
        self.descend(top, rest, padding)
    }

    /// As deep towards byte `bytes` of the subtree as nodes are held.
    fn descend(&self, top: u64, mut bytes: u64, padding: u64) -> Result<u64, Refusal> {
        let mut at = top;
        while let Some((left, right)) = flat::children(at).filter(|_| bytes > 0) {
            let Some(node) = self.nodes.node(left) else {
                break;
            };
            let size = unpadded(&node, padding)?;
            if size == bytes {
                return Ok(left);
            }
            if size > bytes {
                at = left;
            } else {
                bytes -= size;
                at = right;
            }
        }
        Ok(at)
    }

    /// Bytes in front of a node's subtree.
    fn bytes_before(&self, index: u64) -> Result<u64, Refusal> {
        let mut sum = 0;
        let mut above = None;
        for root in &self.head.roots {
            if flat::contains(root.index, index) {
                above = Some(root.index);
                break;
            }
            sum += root.size;
        }
        let mut at = above.ok_or(Refusal::Missing)?;
        while let Some((left, right)) = flat::children(at).filter(|_| at != index) {
            let goes_left = flat::contains(left, index);
            if !goes_left {
                sum += self.node(left)?.size;
            }
            at = if goes_left { left } else { right };
        }
        Ok(sum)
    }
}

/// Size without `padding` bytes per block.
fn unpadded(node: &Node, padding: u64) -> Result<u64, Refusal> {
    let blocks = flat::blocks(node.index);
    let pads = padding.checked_mul(blocks.end - blocks.start);
    let size = pads.and_then(|pads| node.size.checked_sub(pads));
    size.ok_or(Refusal::Invalid("padding is larger than the blocks"))
}
