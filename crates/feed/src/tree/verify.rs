//! Checking proofs: what arrived becomes what may be stored, or a reason why not.
//!
//! Stricter than JavaScript in three ways. Nodes whose size only a peer vouches for are not kept (see
//! [`MerkleBatch::nodes`]); left-over nodes are refused; and a valid head that does not begin like the
//! held one is told apart as a fork, wherever the two can be compared.

use super::batch::MerkleBatch;
use super::flat;
use super::known::Known;
use super::node::{self, leaf_hashes};
use super::path::{Paths, Top};
use super::proof::{BlockProof, MAX_BLOCK, Proof, ProofError, UntrustedProof};
use super::signature::manifest_fits;
use super::upgrade::verify_upgrade;
use crate::manifest::Manifest;

/// Checks one proof. Stores nothing, so it may run without any lock on a snapshot of what is held.
pub fn verify(known: &Known<'_>, proof: UntrustedProof) -> Result<Proof, ProofError> {
    let leaf = hashable(&proof).map(|block| node::leaf(block.index, &block.value).hash);
    verify_with(known, proof, leaf)
}

/// Checks many proofs against the same held state, hashing their blocks in parallel lanes.
pub fn verify_all(
    known: &Known<'_>,
    proofs: Vec<UntrustedProof>,
) -> Vec<Result<Proof, ProofError>> {
    let mut leaves = leaf_hashes(
        proofs
            .iter()
            .filter_map(hashable)
            .map(|block| &block.value[..]),
    )
    .into_iter();
    let verify = |proof: UntrustedProof| {
        let leaf = hashable(&proof).and_then(|_| leaves.next());
        verify_with(known, proof, leaf)
    };
    proofs.into_iter().map(verify).collect()
}

/// The block, if it is within limits and so worth hashing.
fn hashable(proof: &UntrustedProof) -> Option<&BlockProof> {
    let block = proof.block.as_ref()?;
    (block.index < flat::MAX_LENGTH && block.value.len() <= MAX_BLOCK).then_some(block)
}

fn verify_with(
    known: &Known<'_>,
    proof: UntrustedProof,
    leaf: Option<[u8; 32]>,
) -> Result<Proof, ProofError> {
    if proof.fork != known.fork {
        return Err(ProofError::OtherFork(proof.fork));
    }
    if proof.flags() == 0 {
        return Err(ProofError::Malformed("empty"));
    }
    let manifest = proof.manifest.as_ref();
    if manifest.is_some_and(|manifest| !manifest_fits(&known.key, manifest)) {
        return Err(ProofError::WrongManifest);
    }
    let mut paths = Paths::new(known);
    let mut top = paths.top(&proof, leaf)?;
    let tree = match &proof.upgrade {
        Some(upgrade) => Some(verify_upgrade(known, upgrade, manifest, &mut top)?),
        None => None,
    };
    if let Some(top) = top {
        check_top(known, &top, tree.as_ref())?;
    }
    Ok(settle(known, proof, paths, tree))
}

/// A top that the upgrade did not take must be a node that is held, or that the upgrade brought.
fn check_top(known: &Known<'_>, top: &Top, tree: Option<&MerkleBatch>) -> Result<(), ProofError> {
    let index = top.node.index;
    let brought = tree.and_then(|tree| tree.nodes().into_iter().find(|node| node.index == index));
    match brought.or_else(|| known.node(index)) {
        Some(node) if node == top.node => Ok(()),
        Some(_) => Err(ProofError::WrongProof),
        None => Err(ProofError::NotConnected),
    }
}

fn settle(
    known: &Known<'_>,
    proof: UntrustedProof,
    paths: Paths<'_>,
    tree: Option<MerkleBatch>,
) -> Proof {
    let mut nodes = paths.into_nodes();
    if let Some(tree) = &tree {
        nodes.extend(tree.nodes());
    }
    let longer = tree.filter(|tree| tree.length() > known.length());
    // A compat feed needs no manifest: its key is enough.
    let new = |manifest: &Manifest| known.manifest.is_none() && manifest.key() == known.key;
    Proof {
        base: known.head.map(|head| (head.length, head.tree_hash)),
        blocks: proof
            .block
            .map(|block| (block.index, block.value))
            .into_iter()
            .collect(),
        nodes,
        head: longer
            .zip(proof.upgrade)
            .map(|(tree, upgrade)| tree.head(upgrade.signature)),
        manifest: proof.manifest.filter(new),
    }
}
