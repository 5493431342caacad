//! The upgrade of a proof: the tree that it leads to, its signature, and whether it begins like the held one.

use super::batch::{MerkleBatch, roots_at};
use super::flat;
use super::known::Known;
use super::node::Node;
use super::path::{Top, check_index};
use super::proof::{ProofError, UpgradeProof};
use super::signature::verify_signature;
use crate::manifest::{Manifest, Prologue};
use std::ops::Range;

/// Builds the tree, takes `top` for the subtree that it is in place of, and checks it all. The tree may
/// turn out to be no longer than the one held.
pub(crate) fn verify_upgrade(
    known: &Known<'_>,
    upgrade: &UpgradeProof,
    offered: Option<&Manifest>,
    top: &mut Option<Top>,
) -> Result<MerkleBatch, ProofError> {
    let manifest = known.manifest.or(offered);
    let asked = asked(upgrade)?;
    let prologue = cut_prologue(manifest, &asked)?;
    let mut tree = Grown::from(base(known, asked.start)?, known.fork);
    tree.push_all(asked.clone(), &upgrade.nodes, top)?;
    if prologue.is_some_and(|prologue| tree.batch.tree_hash() != prologue.hash) {
        return Err(ProofError::WrongProof);
    }
    if let Some(last) = upgrade.additional_nodes.last() {
        check_index(last.index)?;
        let more = asked.end..flat::blocks(last.index).end;
        tree.push_all(more, &upgrade.additional_nodes, &mut None)?;
    }
    verify_signature(&known.key, manifest, &tree.batch, &upgrade.signature)?;
    if asked.start != known.length() {
        compare(known, &tree)?;
    }
    Ok(tree.batch)
}

fn asked(upgrade: &UpgradeProof) -> Result<Range<u64>, ProofError> {
    match upgrade.start.checked_add(upgrade.length) {
        Some(end) if upgrade.length > 0 && end <= flat::MAX_LENGTH => Ok(upgrade.start..end),
        _ => Err(ProofError::Malformed("upgrade range")),
    }
}

/// The prologue, if the upgrade begins within it: then it must be exactly the prologue, whose hash is known.
fn cut_prologue(
    manifest: Option<&Manifest>,
    asked: &Range<u64>,
) -> Result<Option<Prologue>, ProofError> {
    let prologue = manifest.and_then(|manifest| manifest.prologue);
    let prologue = prologue.filter(|prologue| asked.start < prologue.length);
    match prologue {
        Some(prologue) if *asked != (0..prologue.length) => {
            Err(ProofError::Malformed("the prologue is cut"))
        }
        prologue => Ok(prologue),
    }
}

/// Our roots at the length that the upgrade starts from.
fn base(known: &Known<'_>, start: u64) -> Result<Vec<Node>, ProofError> {
    match known.head {
        _ if start == 0 => Ok(Vec::new()),
        Some(head) if start == head.length => Ok(head.roots.clone()),
        Some(head) if start < head.length => {
            roots_at(known.nodes, start).ok_or(ProofError::NotConnected)
        }
        _ => Err(ProofError::NotConnected),
    }
}

/// Both trees are signed. Where they overlap, equal places must have equal hashes: sizes are left out,
/// since a peer in between could have shifted them in claimed nodes to blame the writer.
fn compare(known: &Known<'_>, tree: &Grown) -> Result<(), ProofError> {
    let (held, offered) = (known.length(), tree.batch.length());
    let theirs = tree.all_nodes();
    let contradicts = |node: &Node| {
        flat::blocks(node.index).end <= held
            && known
                .node(node.index)
                .is_some_and(|ours| ours.hash != node.hash)
    };
    if theirs.iter().any(contradicts) {
        return Err(ProofError::Forked);
    }
    if offered > held {
        let begins = flat::roots(held).all(|index| theirs.iter().any(|node| node.index == index));
        return if begins {
            Ok(())
        } else {
            Err(ProofError::NotConnected)
        };
    }
    let compared = flat::roots(offered).all(|index| known.node(index).is_some());
    if compared {
        Ok(())
    } else {
        Err(ProofError::Shorter { offered, held })
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

    /// Adds the subtrees that cover `blocks`: `top` in its place, the rest from `nodes`, none left over.
    fn push_all(
        &mut self,
        blocks: Range<u64>,
        nodes: &[Node],
        top: &mut Option<Top>,
    ) -> Result<(), ProofError> {
        let mut nodes = nodes.iter();
        for index in flat::subtrees(blocks) {
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
