//! Paths of a proof: from a block, a node or a byte offset up to where the proof hangs on something known.

use super::flat;
use super::known::Known;
use super::node::{self, Node};
use super::proof::{BlockProof, HashProof, ProofError, SeekProof, UntrustedProof};

/// The upper end of a path.
#[derive(Clone, Copy)]
pub(crate) struct Top {
    pub(crate) node: Node,
    /// Was its hash computed here, and so its size with it?
    pub(crate) computed: bool,
}

impl Top {
    /// A node as a peer claims it to be.
    pub(crate) fn claimed(node: Node) -> Self {
        Self {
            node,
            computed: false,
        }
    }
}

/// Walks the paths of one proof.
pub(crate) struct Paths<'a> {
    known: &'a Known<'a>,
    nodes: Vec<Node>,
}

impl<'a> Paths<'a> {
    pub(crate) fn new(known: &'a Known<'a>) -> Self {
        Self {
            known,
            nodes: Vec::new(),
        }
    }

    /// Nodes below the tops, with sizes that the tops fix. To be stored once the tops are known to be right.
    pub(crate) fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// Computes the paths of block, node and seek to where they meet. `leaf` is the block's hash, none if
    /// it is beyond limits.
    pub(crate) fn top(
        &mut self,
        proof: &UntrustedProof,
        leaf: Option<[u8; 32]>,
    ) -> Result<Option<Top>, ProofError> {
        let mut sought = match &proof.seek {
            Some(seek) => self.seek(seek)?,
            None => None,
        };
        match (&proof.block, &proof.hash) {
            (Some(_), Some(_)) => Err(ProofError::Malformed("both block and node")),
            (Some(block), None) => self.block(block, leaf, &mut sought).map(Some),
            (None, Some(hash)) => self.hash(hash, &mut sought).map(Some),
            (None, None) => Ok(sought),
        }
    }

    fn seek(&mut self, seek: &SeekProof) -> Result<Option<Top>, ProofError> {
        match seek.nodes.split_first() {
            Some((first, siblings)) => {
                check_index(first.index)?;
                self.climb(Top::claimed(*first), siblings, &mut None)
                    .map(Some)
            }
            None => Ok(None),
        }
    }

    fn block(
        &mut self,
        block: &BlockProof,
        leaf: Option<[u8; 32]>,
        sought: &mut Option<Top>,
    ) -> Result<Top, ProofError> {
        let hash = leaf.ok_or(ProofError::Malformed("block number or size"))?;
        let leaf = Node {
            index: 2 * block.index,
            size: block.value.len() as u64,
            hash,
        };
        self.climb(
            Top {
                node: leaf,
                computed: true,
            },
            &block.nodes,
            sought,
        )
    }

    fn hash(&mut self, hash: &HashProof, sought: &mut Option<Top>) -> Result<Top, ProofError> {
        check_index(hash.index)?;
        if let Some(sought) = sought.take_if(|sought| sought.node.index == hash.index) {
            return self.climb(sought, &hash.nodes, &mut None);
        }
        match hash.nodes.split_first() {
            Some((first, siblings)) if first.index == hash.index => {
                self.climb(Top::claimed(*first), siblings, sought)
            }
            _ => Err(ProofError::Malformed("the node asked for is not there")),
        }
    }

    /// Up from a node by its siblings, one of which may be the top of the seek.
    fn climb(
        &mut self,
        from: Top,
        siblings: &[Node],
        sought: &mut Option<Top>,
    ) -> Result<Top, ProofError> {
        let mut top = from;
        let mut siblings = siblings.iter();
        loop {
            let index = flat::sibling(top.node.index);
            let sibling = match sought.take_if(|sought| sought.node.index == index) {
                Some(sought) => sought,
                None => match siblings.next() {
                    Some(node) => Top::claimed(*node),
                    None if sought.is_none() => return Ok(top),
                    None => return Err(ProofError::Malformed("the seek does not join the block")),
                },
            };
            if sibling.node.index != index || flat::depth(index) >= flat::MAX_DEPTH {
                return Err(ProofError::Malformed("a node is not the sibling"));
            }
            top = self.join(top, sibling)?;
        }
    }

    /// The parent of two siblings. They are kept when the size of one is known, and so that of the other.
    fn join(&mut self, a: Top, b: Top) -> Result<Top, ProofError> {
        let (left, right) = if flat::is_left(a.node.index) {
            (a.node, b.node)
        } else {
            (b.node, a.node)
        };
        let parent = node::parent(flat::parent(a.node.index), &left, &right);
        if [a, b]
            .iter()
            .any(|top| top.computed || self.known.node(top.node.index) == Some(top.node))
        {
            self.nodes.extend([left, right]);
        }
        let node = parent.ok_or(ProofError::Malformed("sizes overflow"))?;
        Ok(Top {
            node,
            computed: true,
        })
    }
}

/// Within the largest tree there can be.
pub(crate) fn check_index(index: u64) -> Result<(), ProofError> {
    if index < 2 * flat::MAX_LENGTH {
        Ok(())
    } else {
        Err(ProofError::Malformed("tree index"))
    }
}
