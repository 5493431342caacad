//! Signing heads, and checking who signed one.

use super::batch::MerkleBatch;
use super::envelope::{Envelope, Share};
use super::flat;
use super::head::{Head, signable};
use super::node::{Node, tree_hash};
use super::proof::ProofError;
use crate::manifest::{FeedKey, FeedKeyPair, Manifest, verify_ed25519};
use std::collections::HashSet;

/// Why a head could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The manifest does not name this pair.
    #[error("this key pair may not sign the feed")]
    NotSigner,
    /// One signature is not enough: build an [`Envelope`] from several.
    #[error("the feed needs several signatures")]
    SeveralSigners,
}

impl MerkleBatch {
    fn signable(&self, context: Option<&[u8; 32]>) -> Vec<u8> {
        signable(context, &self.tree_hash(), self.length(), self.fork())
    }

    /// Signs the tree as the only signer of `manifest`.
    pub fn sign(&self, pair: &FeedKeyPair, manifest: &Manifest) -> Result<Head, SignError> {
        if manifest.quorum != 1 {
            return Err(SignError::SeveralSigners);
        }
        let share = self.share(pair, manifest)?;
        let raw = manifest.version == 0 && manifest.signers.len() == 1 && !manifest.allow_patch;
        let signature = if raw {
            share.signature.to_vec()
        } else {
            Envelope::of(vec![share]).encode(manifest.version)
        };
        Ok(self.head(signature))
    }

    /// One signer's part of an [`Envelope`].
    pub fn share(&self, pair: &FeedKeyPair, manifest: &Manifest) -> Result<Share, SignError> {
        let public_key = pair.public_key();
        let place = manifest
            .signers
            .iter()
            .position(|signer| signer.public_key == public_key);
        let signer = place.ok_or(SignError::NotSigner)?;
        let context = match manifest.version {
            0 => manifest.signers[signer].namespace,
            _ => manifest.key().0,
        };
        Ok(Share {
            signer: signer as u64,
            signature: pair.sign(&self.signable(Some(&context))),
            patch: 0,
        })
    }

    /// Signs as a compat feed, whose key is the public key itself.
    pub fn sign_compat(&self, pair: &FeedKeyPair) -> Head {
        self.head(pair.sign(&self.signable(None)).to_vec())
    }
}

/// Checks the key against the manifest hash, or as a compat key.
pub fn manifest_fits(key: &FeedKey, manifest: &Manifest) -> bool {
    is_compat(key, manifest) || manifest.key() == *key
}

fn is_compat(key: &FeedKey, manifest: &Manifest) -> bool {
    matches!(manifest.signers.as_slice(), [only] if only.public_key == key.0)
}

/// Checks that a head is complete in itself and signed for the feed. Without a manifest only a compat
/// feed's head can be valid.
pub fn verify_head(
    key: &FeedKey,
    manifest: Option<&Manifest>,
    head: &Head,
) -> Result<(), ProofError> {
    let in_place = head
        .roots
        .iter()
        .map(|root| root.index)
        .eq(flat::roots(head.length.min(flat::MAX_LENGTH)));
    if !in_place || head.length > flat::MAX_LENGTH || tree_hash(&head.roots) != head.tree_hash {
        return Err(ProofError::WrongProof);
    }
    let byte_length = head
        .roots
        .iter()
        .try_fold(0u64, |sum, root| sum.checked_add(root.size));
    if byte_length != Some(head.byte_length) {
        return Err(ProofError::WrongProof);
    }
    verify_signature(
        key,
        manifest,
        &MerkleBatch::from_roots(&head.roots, head.fork),
        &head.signature,
    )
}

/// Is the tree signed for the feed?
pub(crate) fn verify_signature(
    key: &FeedKey,
    manifest: Option<&Manifest>,
    tree: &MerkleBatch,
    signature: &[u8],
) -> Result<(), ProofError> {
    let Some(manifest) = manifest.filter(|manifest| !is_compat(key, manifest)) else {
        let valid = verify_raw(&key.0, &tree.signable(None), signature);
        // Without a manifest the key may just as well be the hash of one that nobody has sent yet.
        let reason = if manifest.is_some() {
            ProofError::BadSignature
        } else {
            ProofError::WrongManifest
        };
        return if valid { Ok(()) } else { Err(reason) };
    };
    if manifest.key() != *key {
        return Err(ProofError::WrongManifest);
    }
    let valid = match (
        &manifest.prologue,
        manifest.version,
        manifest.signers.as_slice(),
    ) {
        (_, 0, [only]) if !manifest.allow_patch && manifest.quorum == 1 => verify_raw(
            &only.public_key,
            &tree.signable(Some(&only.namespace)),
            signature,
        ),
        (Some(prologue), 1.., _) if tree.length() <= prologue.length => {
            tree.length() == prologue.length && tree.tree_hash() == prologue.hash
        }
        _ => verify_envelope(key, manifest, tree, signature),
    };
    if valid {
        Ok(())
    } else {
        Err(ProofError::BadSignature)
    }
}

fn verify_raw(public_key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    signature
        .try_into()
        .is_ok_and(|signature| verify_ed25519(public_key, message, signature))
}

/// The first `quorum` shares must be valid and by different signers. Quorum 0 is never reached.
fn verify_envelope(
    key: &FeedKey,
    manifest: &Manifest,
    tree: &MerkleBatch,
    signature: &[u8],
) -> bool {
    let Ok(envelope) = Envelope::decode(manifest.version, signature) else {
        return false;
    };
    if !is_tidy(&envelope, manifest, signature) {
        return false;
    }
    let quorum = usize::try_from(manifest.quorum)
        .ok()
        .filter(|quorum| *quorum > 0);
    let Some(shares) = quorum.and_then(|quorum| envelope.shares.get(..quorum)) else {
        return false;
    };
    let distinct: HashSet<u64> = shares.iter().map(|share| share.signer).collect();
    distinct.len() == shares.len()
        && shares
            .iter()
            .all(|share| verify_share(key, manifest, tree, &envelope, share))
}

/// Nothing in it that does not count: signatures are stored and passed on as they came.
fn is_tidy(envelope: &Envelope, manifest: &Manifest, signature: &[u8]) -> bool {
    let canonical = manifest.version == 0 || envelope.encode(manifest.version) == signature;
    let patched = manifest.allow_patch || envelope.patch.is_empty();
    canonical && patched && envelope.shares.len() <= manifest.signers.len()
}

fn verify_share(
    key: &FeedKey,
    manifest: &Manifest,
    tree: &MerkleBatch,
    envelope: &Envelope,
    share: &Share,
) -> bool {
    let place = usize::try_from(share.signer).ok();
    let Some(signer) = place.and_then(|place| manifest.signers.get(place)) else {
        return false;
    };
    let context = if manifest.version == 0 {
        &signer.namespace
    } else {
        &key.0
    };
    let signed = match share.patch {
        0 => tree.signable(Some(context)),
        // This signer signed a longer tree; the patch shows that ours is how it begins.
        blocks if manifest.allow_patch => match patched(tree, blocks, &envelope.patch) {
            Some(longer) => longer.signable(Some(context)),
            None => return false,
        },
        _ => return false,
    };
    verify_ed25519(&signer.public_key, &signed, &share.signature)
}

fn patched(tree: &MerkleBatch, blocks: u64, patch: &[Node]) -> Option<MerkleBatch> {
    let length = tree
        .length()
        .checked_add(blocks)
        .filter(|length| *length <= flat::MAX_LENGTH)?;
    let mut longer = tree.clone();
    for index in flat::subtrees(tree.length()..length) {
        let node = patch.iter().rfind(|node| node.index == index)?;
        longer.push_claimed(*node).ok()?;
    }
    Some(longer)
}
