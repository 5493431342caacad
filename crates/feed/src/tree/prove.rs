//! Making proofs: which nodes a peer needs to check the answer to its request.
//!
//! The choice and order of nodes is JavaScript hypercore's, so that its peers can check ours.

use super::flat;
use super::head::Head;
use super::lookup::{Lookup, Refusal};
use super::node::{Node, Nodes};
use super::proof::{BlockProof, HashProof, Request, SeekProof, UntrustedProof, UpgradeProof};
use crate::manifest::Manifest;
use bytes::Bytes;
use std::ops::Range;

/// Why a request cannot be answered. `E` is what reading a block can end in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// No honest peer asks this (hypercore's reason 2).
    #[error("the request makes no sense: {0}")]
    Invalid(&'static str),
    /// A block or a node that it needs is not held (hypercore's reason 1).
    #[error("what was asked for is not held")]
    Missing,
    /// Reading the block failed.
    #[error("reading the block failed")]
    Load(E),
}

impl<E> From<Refusal> for ProveError<E> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(why) => Self::Invalid(why),
            Refusal::Missing => Self::Missing,
        }
    }
}

/// Answers a request from a signed head and the nodes held. `load` reads the block asked for, last and
/// only if all nodes are there. Pass no manifest for a compat feed: it is never sent.
pub fn prove<E>(
    request: &Request,
    head: Option<&Head>,
    manifest: Option<&Manifest>,
    nodes: &dyn Nodes,
    load: impl FnOnce(u64) -> Result<Option<Bytes>, E>,
) -> Result<UntrustedProof, ProveError<E>> {
    let mut proof = UntrustedProof {
        fork: head.map_or(0, |head| head.fork),
        ..Default::default()
    };
    let parts = Request {
        manifest: false,
        ..request.clone()
    };
    if parts != Request::default() {
        let head = head
            .filter(|head| head.length > 0)
            .ok_or(Refusal::Missing)?;
        Prover {
            tree: Lookup { head, nodes },
            seek: request.seek,
            target: Target::of(request),
        }
        .fill(request, manifest, &mut proof)?;
    }
    if request.manifest {
        proof.manifest = manifest.cloned();
    }
    if let Some(block) = &mut proof.block {
        block.value = load(block.index)
            .map_err(ProveError::Load)?
            .ok_or(ProveError::Missing)?;
    }
    if proof.flags() == 0 {
        Err(ProveError::Invalid("nothing asked for"))
    } else {
        Ok(proof)
    }
}

/// The block or node asked for.
#[derive(Clone, Copy)]
struct Target {
    index: u64,
    levels: u64,
    is_block: bool,
}

impl Target {
    fn of(request: &Request) -> Option<Self> {
        let block = request.block.map(|(block, levels)| Self {
            index: block.saturating_mul(2),
            levels,
            is_block: true,
        });
        block.or(request.hash.map(|(index, levels)| Self {
            index,
            levels,
            is_block: false,
        }))
    }

    fn blocks(&self) -> Range<u64> {
        flat::blocks(self.index)
    }
}

/// Paths from the target and from the node sought, bottom up.
#[derive(Default)]
struct Paths {
    target: Option<Vec<Node>>,
    seek: Option<Vec<Node>>,
}

impl Paths {
    fn is_empty(&self) -> bool {
        self.target.is_none() && self.seek.is_none()
    }
}

struct Prover<'a> {
    tree: Lookup<'a>,
    /// Byte offset, padding.
    seek: Option<(u64, u64)>,
    target: Option<Target>,
}

impl Prover<'_> {
    fn fill(
        &self,
        request: &Request,
        manifest: Option<&Manifest>,
        proof: &mut UntrustedProof,
    ) -> Result<(), Refusal> {
        let upgrade = self.asked_upgrade(request, manifest)?;
        self.check_target(upgrade.as_ref())?;
        let mut paths = Paths::default();
        let end = upgrade
            .as_ref()
            .map_or(self.tree.head.length, |upgrade| upgrade.end);
        // What is below the old length hangs on a node that the asker holds, the rest on the upgrade.
        let held = |target: &Target| {
            upgrade
                .as_ref()
                .is_none_or(|upgrade| target.blocks().end <= upgrade.start)
        };
        let old = self.target.filter(held);
        if let Some(target) = old {
            paths = self.below_held(&target, end)?;
        }
        if let Some(upgrade) = upgrade {
            let joint = if old.is_some() {
                None
            } else {
                self.joint(end)?
            };
            proof.upgrade = Some(self.upgrade(&upgrade, joint, &mut paths)?);
        }
        self.settle(request, paths, proof)
    }

    /// Old and new length; a prologue is sent whole or not at all.
    fn asked_upgrade(
        &self,
        request: &Request,
        manifest: Option<&Manifest>,
    ) -> Result<Option<Range<u64>>, Refusal> {
        let Some((mut start, mut length)) = request.upgrade else {
            return Ok(None);
        };
        let prologue = manifest
            .and_then(|manifest| manifest.prologue)
            .map_or(0, |prologue| prologue.length);
        if start < prologue {
            (start, length) = (0, prologue);
        }
        match start.checked_add(length) {
            Some(end) if length > 0 && end <= self.tree.head.length => Ok(Some(start..end)),
            _ => Err(Refusal::Invalid("upgrade is empty or beyond the head")),
        }
    }

    fn check_target(&self, upgrade: Option<&Range<u64>>) -> Result<(), Refusal> {
        let Some(target) = &self.target else {
            return Ok(());
        };
        let end = upgrade.map_or(self.tree.head.length, |upgrade| upgrade.end);
        if target.index >= 2 * end || target.blocks().end > end {
            return Err(Refusal::Invalid("block or node is beyond the head"));
        }
        if target.levels > flat::MAX_DEPTH.into() {
            return Err(Refusal::Invalid("more levels than a tree has"));
        }
        let above = |upgrade: &Range<u64>| target.index >= 2 * upgrade.start;
        if self.seek.is_some() && upgrade.is_some_and(above) {
            return Err(Refusal::Invalid(
                "seek and block cannot both be in the upgrade",
            ));
        }
        Ok(())
    }

    /// Target (and node sought) up to the node that the asker says it holds.
    fn below_held(&self, target: &Target, end: u64) -> Result<Paths, Refusal> {
        let mut top = target.index;
        for _ in 0..target.levels {
            top = flat::parent(top);
            if flat::blocks(top).end > end {
                return Err(Refusal::Invalid("more levels than the tree has"));
            }
        }
        let sought = match self.seek {
            Some((bytes, padding)) => Some(self.tree.seek_below(top, bytes, padding)?),
            None => None,
        };
        self.target_path(target, sought, top)
    }

    /// The node within the upgrade that block, node or seek hang on.
    fn joint(&self, end: u64) -> Result<Option<u64>, Refusal> {
        match (self.seek, &self.target) {
            (Some((bytes, padding)), _) => self.tree.seek_from_start(end, bytes, padding),
            (None, target) => Ok(target.map(|target| target.index)),
        }
    }

    fn upgrade(
        &self,
        asked: &Range<u64>,
        joint: Option<u64>,
        paths: &mut Paths,
    ) -> Result<UpgradeProof, Refusal> {
        let mut nodes = Vec::new();
        for index in flat::subtrees(asked.clone()) {
            match joint.filter(|joint| flat::contains(index, *joint)) {
                Some(joint) if paths.is_empty() => *paths = self.joint_paths(joint, index)?,
                _ => nodes.push(self.tree.node(index)?),
            }
        }
        let additional =
            flat::subtrees(asked.end..self.tree.head.length).map(|index| self.tree.node(index));
        Ok(UpgradeProof {
            start: asked.start,
            length: asked.end - asked.start,
            nodes,
            additional_nodes: additional.collect::<Result<_, _>>()?,
            signature: self.tree.head.signature.clone(),
        })
    }

    fn joint_paths(&self, joint: u64, top: u64) -> Result<Paths, Refusal> {
        match &self.target {
            Some(target) => self.target_path(target, self.seek.map(|_| joint), top),
            None => Ok(Paths {
                target: None,
                seek: Some(self.path(joint, top)?),
            }),
        }
    }

    fn target_path(
        &self,
        target: &Target,
        sought: Option<u64>,
        top: u64,
    ) -> Result<Paths, Refusal> {
        let mut seek = None;
        let mut nodes = Vec::new();
        if !target.is_block {
            nodes.push(self.tree.node(target.index)?);
        }
        for sibling in siblings(target.index, top)? {
            match sought.filter(|sought| flat::contains(sibling, *sought) && sibling != *sought) {
                Some(sought) => seek = Some(self.path(sought, sibling)?),
                None => nodes.push(self.tree.node(sibling)?),
            }
        }
        Ok(Paths {
            target: Some(nodes),
            seek,
        })
    }

    /// The node itself, then siblings up to (not with) `top`.
    fn path(&self, index: u64, top: u64) -> Result<Vec<Node>, Refusal> {
        std::iter::once(index)
            .chain(siblings(index, top)?)
            .map(|index| self.tree.node(index))
            .collect()
    }

    fn settle(
        &self,
        request: &Request,
        paths: Paths,
        proof: &mut UntrustedProof,
    ) -> Result<(), Refusal> {
        match (&self.target, paths.target) {
            (Some(target), Some(nodes)) if target.is_block => {
                proof.block = Some(BlockProof {
                    index: target.index / 2,
                    value: Bytes::new(),
                    nodes,
                });
            }
            (Some(target), Some(nodes)) => {
                proof.hash = Some(HashProof {
                    index: target.index,
                    nodes,
                })
            }
            (Some(_), None) => return Err(Refusal::Invalid("block is not in the upgrade")),
            (None, _) => {}
        }
        if let (Some((bytes, _)), Some(nodes)) = (request.seek, paths.seek) {
            proof.seek = Some(SeekProof { bytes, nodes });
        }
        Ok(())
    }
}

/// Siblings on the way from a node to one above it.
fn siblings(index: u64, top: u64) -> Result<impl Iterator<Item = u64>, Refusal> {
    if !flat::contains(top, index) {
        return Err(Refusal::Invalid("block is not in the subtree"));
    }
    let levels = flat::depth(top) - flat::depth(index);
    let up = std::iter::successors(Some(index), |at| Some(flat::parent(*at)));
    Ok(up.take(levels as usize).map(flat::sibling))
}
