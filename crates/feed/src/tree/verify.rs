//! Checking proofs: what arrived becomes what may be stored, or a reason why not.
//!
//! Stricter than JavaScript in three ways. Nodes whose size only a peer vouches for are not kept (see
//! [`MerkleBatch::nodes`]); left-over nodes are refused; and a valid head that does not begin like the
//! held one is told apart as a fork, wherever the two can be compared.

use super::batch::{MerkleBatch, roots_at};
use super::flat;
use super::head::Head;
use super::node::{self, Node, Nodes, leaf_hashes};
use super::proof::{
    BlockProof, HashProof, MAX_BLOCK, Proof, ProofError, SeekProof, UntrustedProof, UpgradeProof,
};
use super::signature::{manifest_fits, verify_signature};
use crate::manifest::{FeedKey, Manifest};

/// What is held of a feed when a proof arrives.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Its name.
    pub key: FeedKey,
    /// Its manifest, once one has arrived.
    pub manifest: Option<&'a Manifest>,
    /// Its head, once one has arrived.
    pub head: Option<&'a Head>,
    /// Its nodes.
    pub nodes: &'a dyn Nodes,
    /// Its fork: 0 for certified feeds.
    pub fork: u64,
}

/// Checks one proof. Stores nothing, so it may run without any lock on a snapshot of what is held.
pub fn verify(known: &Known<'_>, proof: UntrustedProof) -> Result<Proof, ProofError> {
    let leaf = proof
        .block
        .as_ref()
        .filter(|block| fits(block))
        .map(|block| node::leaf(block.index, &block.value).hash);
    Verifier {
        known,
        nodes: Vec::new(),
    }
    .run(proof, leaf)
}

/// Checks many proofs against the same held state, hashing their blocks in parallel lanes.
pub fn verify_all(
    known: &Known<'_>,
    proofs: Vec<UntrustedProof>,
) -> Vec<Result<Proof, ProofError>> {
    let blocks = proofs
        .iter()
        .filter_map(|proof| proof.block.as_ref())
        .filter(|block| fits(block));
    let mut leaves = leaf_hashes(blocks.map(|block| &block.value[..])).into_iter();
    let verify = |proof: UntrustedProof| {
        let leaf = proof
            .block
            .as_ref()
            .filter(|block| fits(block))
            .and_then(|_| leaves.next());
        Verifier {
            known,
            nodes: Vec::new(),
        }
        .run(proof, leaf)
    };
    proofs.into_iter().map(verify).collect()
}

/// Small enough to be hashed at all.
fn fits(block: &BlockProof) -> bool {
    block.index < flat::MAX_LENGTH && block.value.len() <= MAX_BLOCK
}

/// The upper end of a path.
#[derive(Clone, Copy)]
struct Top {
    node: Node,
    /// Was its hash computed here, and so its size with it?
    computed: bool,
}

impl Top {
    fn claimed(node: Node) -> Self {
        Self {
            node,
            computed: false,
        }
    }
}

struct Verifier<'a> {
    known: &'a Known<'a>,
    /// Nodes below the tops, with sizes that the tops fix.
    nodes: Vec<Node>,
}

impl Verifier<'_> {
    fn run(mut self, proof: UntrustedProof, leaf: Option<[u8; 32]>) -> Result<Proof, ProofError> {
        if proof.fork != self.known.fork {
            return Err(ProofError::OtherFork(proof.fork));
        }
        if proof.flags() == 0 {
            return Err(ProofError::Malformed("empty"));
        }
        let manifest = self.manifest(proof.manifest.as_ref())?;
        let mut top = self.top(&proof, leaf)?;
        let tree = match &proof.upgrade {
            Some(upgrade) => Some(self.upgrade(upgrade, manifest, &mut top)?),
            None => None,
        };
        if let Some(top) = top {
            self.check_top(&top, tree.as_ref())?;
        }
        Ok(self.settle(proof, tree))
    }

    /// The manifest to check signatures with.
    fn manifest<'m>(
        &self,
        offered: Option<&'m Manifest>,
    ) -> Result<Option<&'m Manifest>, ProofError>
    where
        Self: 'm,
    {
        match offered {
            Some(offered) if !manifest_fits(&self.known.key, offered) => {
                Err(ProofError::WrongManifest)
            }
            offered => Ok(offered),
        }
    }

    /// Computes the paths of block, node and seek to where they meet.
    fn top(
        &mut self,
        proof: &UntrustedProof,
        leaf: Option<[u8; 32]>,
    ) -> Result<Option<Top>, ProofError> {
        let mut sought = match &proof.seek {
            Some(seek) => self.seek_top(seek)?,
            None => None,
        };
        match (&proof.block, &proof.hash) {
            (Some(_), Some(_)) => Err(ProofError::Malformed("both block and node")),
            (Some(block), None) => self.block_top(block, leaf, &mut sought).map(Some),
            (None, Some(hash)) => self.hash_top(hash, &mut sought).map(Some),
            (None, None) => Ok(sought),
        }
    }

    fn seek_top(&mut self, seek: &SeekProof) -> Result<Option<Top>, ProofError> {
        match seek.nodes.split_first() {
            Some((first, siblings)) => {
                check_index(first.index)?;
                self.climb(Top::claimed(*first), siblings, &mut None)
                    .map(Some)
            }
            None => Ok(None),
        }
    }

    fn block_top(
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

    fn hash_top(&mut self, hash: &HashProof, sought: &mut Option<Top>) -> Result<Top, ProofError> {
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
            .any(|top| top.computed || self.held(top.node.index) == Some(top.node))
        {
            self.nodes.extend([left, right]);
        }
        let node = parent.ok_or(ProofError::Malformed("sizes overflow"))?;
        Ok(Top {
            node,
            computed: true,
        })
    }

    fn held(&self, index: u64) -> Option<Node> {
        let root = self
            .known
            .head
            .and_then(|head| head.roots.iter().find(|root| root.index == index));
        root.copied().or_else(|| self.known.nodes.node(index))
    }

    fn held_length(&self) -> u64 {
        self.known.head.map_or(0, |head| head.length)
    }

    /// Builds the tree that the upgrade leads to, checks its signature and that it begins like the held one.
    fn upgrade(
        &self,
        upgrade: &UpgradeProof,
        offered: Option<&Manifest>,
        top: &mut Option<Top>,
    ) -> Result<MerkleBatch, ProofError> {
        let manifest = self.known.manifest.or(offered);
        let tree = self.grow(upgrade, manifest, top)?;
        verify_signature(&self.known.key, manifest, &tree.batch, &upgrade.signature)?;
        self.compare(upgrade, &tree)?;
        Ok(tree.batch)
    }

    fn grow(
        &self,
        upgrade: &UpgradeProof,
        manifest: Option<&Manifest>,
        top: &mut Option<Top>,
    ) -> Result<Grown, ProofError> {
        let end = upgrade
            .start
            .checked_add(upgrade.length)
            .filter(|end| *end <= flat::MAX_LENGTH);
        let end = end
            .filter(|end| *end > upgrade.start)
            .ok_or(ProofError::Malformed("upgrade range"))?;
        let prologue = manifest
            .and_then(|manifest| manifest.prologue)
            .filter(|prologue| upgrade.start < prologue.length);
        if prologue.is_some_and(|prologue| upgrade.start != 0 || end != prologue.length) {
            return Err(ProofError::Malformed("the prologue is cut"));
        }
        let mut tree = Grown::from(self.base(upgrade.start)?, self.known.fork);
        tree.push_all(upgrade.start, end, &upgrade.nodes, top)?;
        if prologue.is_some_and(|prologue| tree.batch.tree_hash() != prologue.hash) {
            return Err(ProofError::WrongProof);
        }
        if let Some(last) = upgrade.additional_nodes.last() {
            check_index(last.index)?;
            tree.push_all(
                end,
                flat::blocks(last.index).end,
                &upgrade.additional_nodes,
                &mut None,
            )?;
        }
        Ok(tree)
    }

    /// Our roots at the length that the upgrade starts from.
    fn base(&self, start: u64) -> Result<Vec<Node>, ProofError> {
        let held = self.held_length();
        match self.known.head {
            _ if start == 0 => Ok(Vec::new()),
            Some(head) if start == held => Ok(head.roots.clone()),
            Some(_) if start < held => {
                roots_at(self.known.nodes, start).ok_or(ProofError::NotConnected)
            }
            _ => Err(ProofError::NotConnected),
        }
    }

    /// Both trees are signed. Where they overlap, equal places must have equal hashes: sizes are left out,
    /// since a peer in between could have shifted them in claimed nodes and blame the writer.
    fn compare(&self, upgrade: &UpgradeProof, tree: &Grown) -> Result<(), ProofError> {
        let (held, offered) = (self.held_length(), tree.batch.length());
        let Some(head) = self.known.head.filter(|_| upgrade.start != held) else {
            return Ok(());
        };
        let theirs = tree.all_nodes();
        let contradicts = |node: &&Node| {
            flat::blocks(node.index).end <= held
                && self
                    .held(node.index)
                    .is_some_and(|ours| ours.hash != node.hash)
        };
        if theirs.iter().any(|node| contradicts(&node)) {
            return Err(ProofError::Forked);
        }
        if offered > held {
            let begins = head
                .roots
                .iter()
                .all(|root| theirs.iter().any(|node| node.index == root.index));
            return if begins {
                Ok(())
            } else {
                Err(ProofError::NotConnected)
            };
        }
        let compared = flat::roots(offered).all(|index| self.held(index).is_some());
        if compared {
            Ok(())
        } else {
            Err(ProofError::Shorter { offered, held })
        }
    }

    /// A top that the upgrade did not take must be a node that is held, or that the upgrade brought.
    fn check_top(&self, top: &Top, tree: Option<&MerkleBatch>) -> Result<(), ProofError> {
        let index = top.node.index;
        let brought =
            tree.and_then(|tree| tree.nodes().into_iter().find(|node| node.index == index));
        match brought.or_else(|| self.held(index)) {
            Some(node) if node == top.node => Ok(()),
            Some(_) => Err(ProofError::WrongProof),
            None => Err(ProofError::NotConnected),
        }
    }

    fn settle(mut self, proof: UntrustedProof, tree: Option<MerkleBatch>) -> Proof {
        if let Some(tree) = &tree {
            self.nodes.extend(tree.nodes());
        }
        let longer = tree.filter(|tree| tree.length() > self.held_length());
        let head = longer
            .zip(proof.upgrade)
            .map(|(tree, upgrade)| tree.head(upgrade.signature));
        // A compat feed needs no manifest: its key is enough.
        let new =
            |manifest: &Manifest| self.known.manifest.is_none() && manifest.key() == self.known.key;
        Proof {
            base: self.known.head.map(|head| (head.length, head.tree_hash)),
            blocks: proof
                .block
                .map(|block| (block.index, block.value))
                .into_iter()
                .collect(),
            nodes: self.nodes,
            head,
            manifest: proof.manifest.filter(new),
        }
    }
}

/// A tree that an upgrade leads to, with all that it was made from.
struct Grown {
    batch: MerkleBatch,
    /// Every node that was part of it, claimed ones too.
    parts: Vec<Node>,
}

impl Grown {
    fn from(base: Vec<Node>, fork: u64) -> Self {
        Self {
            batch: MerkleBatch::from_roots(&base, fork),
            parts: base,
        }
    }

    /// Adds the subtrees of blocks `start..end`: the top of the block's path in its place, the rest from `nodes`.
    fn push_all(
        &mut self,
        start: u64,
        end: u64,
        nodes: &[Node],
        top: &mut Option<Top>,
    ) -> Result<(), ProofError> {
        let mut nodes = nodes.iter();
        for index in flat::subtrees(start..end) {
            let next = match top.take_if(|top| top.node.index == index) {
                Some(top) => top,
                None => Top::claimed(*nodes.next().ok_or(ProofError::Malformed("too few nodes"))?),
            };
            if next.node.index != index {
                return Err(ProofError::Malformed("a node is not of this upgrade"));
            }
            self.push(next)?;
        }
        if nodes.next().is_some() {
            Err(ProofError::Malformed("too many nodes"))
        } else {
            Ok(())
        }
    }

    fn push(&mut self, top: Top) -> Result<(), ProofError> {
        self.parts.push(top.node);
        if top.computed {
            self.batch.push_computed(top.node)
        } else {
            self.batch.push_claimed(top.node)
        }
    }

    fn all_nodes(&self) -> Vec<Node> {
        let mut all = self.parts.clone();
        all.extend(self.batch.nodes());
        all.extend(self.batch.roots());
        all
    }
}

fn check_index(index: u64) -> Result<(), ProofError> {
    if index < 2 * flat::MAX_LENGTH {
        Ok(())
    } else {
        Err(ProofError::Malformed("tree index"))
    }
}
