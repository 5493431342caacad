//! The Merkle tree of a feed: nodes, roots, tree hashes, signed heads, proofs made and proofs checked.
//! Pure: node look-ups go through [`Nodes`]; nothing here touches a disk.
//!
//! An own append: [`MerkleBatch::from_head`], [`MerkleBatch::append`], [`MerkleBatch::sign`].

mod batch;
mod envelope;
pub mod flat;
mod head;
mod known;
mod lookup;
mod node;
mod path;
mod proof;
mod prove;
mod signature;
mod upgrade;
mod verify;

pub use batch::{MerkleBatch, levels_missing, roots_at};
pub use envelope::{Envelope, Share};
pub use head::{Head, signable};
pub use known::Known;
pub use node::{Node, Nodes, hash_leaves, leaf, tree_hash};
pub use proof::{
    BlockProof, HashProof, MAX_BLOCK, Proof, ProofError, Request, SeekProof, UntrustedProof,
    UpgradeProof, flags,
};
pub use prove::{ProveError, prove};
pub use signature::{SignError, manifest_fits, verify_head};
pub use verify::{verify, verify_all};
