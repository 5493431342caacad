//! A tree that grows: from the roots of a head, or from nothing, to new roots and the nodes between.
//! Own appends and foreign upgrades go through the same steps.

use super::flat;
use super::head::Head;
use super::node::{self, Node, Nodes, hash_leaves, tree_hash};
use super::proof::ProofError;

/// How much is known about a root before the tree is signed or checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Part of a head that is held: nothing new.
    Held,
    /// Its hash was computed here from all below it that matters, so its size is what was hashed.
    Computed,
    /// Index, size and hash are a peer's words. A parent's hash fixes only the *sum* of its children's
    /// sizes: two claimed siblings could have shifted bytes from one to the other.
    Claimed,
}

/// Roots that grow by whole subtrees, and the nodes found on the way.
#[derive(Clone, Debug, Default)]
pub struct MerkleBatch {
    roots: Vec<(Node, Standing)>,
    length: u64,
    byte_length: u64,
    fork: u64,
    nodes: Vec<Node>,
}

impl MerkleBatch {
    /// An empty tree of fork 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues a held head.
    pub fn from_head(head: &Head) -> Self {
        Self::from_roots(&head.roots, head.fork)
    }

    /// Continues verified roots.
    pub(crate) fn from_roots(roots: &[Node], fork: u64) -> Self {
        Self {
            roots: roots.iter().map(|root| (*root, Standing::Held)).collect(),
            length: roots.last().map_or(0, |root| flat::blocks(root.index).end),
            byte_length: roots
                .iter()
                .map(|root| root.size)
                .fold(0, u64::saturating_add),
            fork,
            nodes: Vec::new(),
        }
    }

    /// The same tree in another fork.
    pub fn with_fork(self, fork: u64) -> Self {
        Self { fork, ..self }
    }

    /// Appends blocks as they are stored; returns the number of the first.
    pub fn append<T: AsRef<[u8]>>(&mut self, blocks: &[T]) -> u64 {
        let first = self.length;
        for leaf in hash_leaves(first, blocks) {
            // Sizes of bytes in memory cannot overflow 64 bits, and the place is right by construction.
            let pushed = self.push(leaf, Standing::Computed);
            debug_assert!(pushed.is_ok());
        }
        first
    }

    /// Appends a whole subtree whose hash was computed here.
    pub(crate) fn push_computed(&mut self, node: Node) -> Result<(), ProofError> {
        self.push(node, Standing::Computed)
    }

    /// Appends a whole subtree as a peer claims it to be.
    pub(crate) fn push_claimed(&mut self, node: Node) -> Result<(), ProofError> {
        self.push(node, Standing::Claimed)
    }

    fn push(&mut self, node: Node, standing: Standing) -> Result<(), ProofError> {
        let blocks = flat::blocks(node.index);
        if blocks.start != self.length || blocks.end > flat::MAX_LENGTH {
            return Err(ProofError::Malformed("a node is not where the tree ends"));
        }
        self.byte_length = self
            .byte_length
            .checked_add(node.size)
            .ok_or(ProofError::Malformed("sizes overflow"))?;
        self.length = blocks.end;
        self.roots.push((node, standing));
        self.keep(node, standing == Standing::Computed);
        self.merge()
    }

    /// Joins the last two roots into their parent for as long as they are siblings.
    fn merge(&mut self) -> Result<(), ProofError> {
        while let [.., (left, l), (right, r)] = self.roots[..] {
            if flat::depth(left.index) != flat::depth(right.index) {
                break;
            }
            let up = flat::parent(left.index);
            let parent =
                node::parent(up, &left, &right).ok_or(ProofError::Malformed("sizes overflow"))?;
            // One known child fixes the size of the other.
            self.keep(left, l == Standing::Claimed && r != Standing::Claimed);
            self.keep(right, r == Standing::Claimed && l != Standing::Claimed);
            self.keep(parent, true);
            self.roots.truncate(self.roots.len() - 2);
            self.roots.push((parent, Standing::Computed));
        }
        Ok(())
    }

    fn keep(&mut self, node: Node, known: bool) {
        if known {
            self.nodes.push(node);
        }
    }

    /// Blocks.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes as stored.
    pub fn byte_length(&self) -> u64 {
        self.byte_length
    }

    /// Fork.
    pub fn fork(&self) -> u64 {
        self.fork
    }

    /// Roots, left to right.
    pub fn roots(&self) -> Vec<Node> {
        self.roots.iter().map(|(root, _)| *root).collect()
    }

    /// Hash over the roots: with length and fork, what a signature covers.
    pub fn tree_hash(&self) -> [u8; 32] {
        tree_hash(&self.roots())
    }

    /// Nodes that were not part of the tree before, each with a size that the tree hash fixes. To be
    /// stored only once that hash is signed. Each index appears once.
    pub fn nodes(&self) -> Vec<Node> {
        let roots = self
            .roots
            .iter()
            .filter(|(_, standing)| *standing == Standing::Claimed);
        self.nodes
            .iter()
            .copied()
            .chain(roots.map(|(root, _)| *root))
            .collect()
    }

    /// A head with a given signature. The caller has checked or made the signature.
    pub(crate) fn head(&self, signature: Vec<u8>) -> Head {
        let roots = self.roots();
        Head {
            length: self.length,
            byte_length: self.byte_length,
            fork: self.fork,
            tree_hash: tree_hash(&roots),
            roots,
            signature,
        }
    }
}

/// Roots of an earlier, shorter tree of the same feed, where all of them are stored.
pub fn roots_at(nodes: &dyn Nodes, length: u64) -> Option<Vec<Node>> {
    flat::roots(length).map(|index| nodes.node(index)).collect()
}

/// Tree levels above (and with) node `index` that are not stored: the `nodes` field of a request. The
/// first stored node on the way up is what the answer is checked against.
pub fn levels_missing(nodes: &dyn Nodes, length: u64, index: u64) -> u64 {
    let mut levels = 0;
    let mut at = index;
    while flat::blocks(at).end <= length && nodes.node(at).is_none() {
        at = flat::parent(at);
        levels += 1;
    }
    levels
}
