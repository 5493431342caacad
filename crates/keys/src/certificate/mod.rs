//! The three certificates and the chain that ties a feed to an address.
//!
//! Signed bytes are kept exactly as sent; sets are by statement, never by signature bytes. Not its
//! job: fetching or storing certificates, and how many feeds one is willing to keep.

mod chain;
mod claim;
mod statement;

pub use chain::{CertificateError, CertifiedFeed, Chain, Learnt};
pub use claim::Claim;
pub use statement::{ClosedFeed, Epoch, MAX_CERTIFICATE, MAX_EPOCH_CERTIFICATE};

use crate::access::Address;
use crate::derive::FeedKind;
use crate::identity::{KeyPair, PublicKey};
use crate::signed::Signed;
use crate::sodium;
use statement::{Admin, Feed, Statement};

/// Root vouches for an admin.
pub fn admin_certificate(root: &KeyPair, address: &Address, admin: &PublicKey) -> Vec<u8> {
    let issuer = root.public();
    Statement::Admin(Admin {
        address: *address,
        admin: *admin,
        issuer,
    })
    .sign(root)
}

/// Admin opens epoch 0 with its writer key. For later epochs see [`Epoch::sign`].
pub fn epoch_certificate(
    admin: &KeyPair,
    address: &Address,
    number: u64,
    parents: &[[u8; 32]],
    writer: &PublicKey,
) -> Vec<u8> {
    let mut parents = parents.to_vec();
    parents.sort_unstable();
    parents.dedup();
    let epoch = Epoch {
        address: *address,
        number,
        parents,
        writer: *writer,
        closed: Vec::new(),
        read_keys: Vec::new(),
        issuer: admin.public(),
    };
    epoch.sign(admin)
}

/// The epoch's writer pair admits a feed.
pub fn feed_certificate(
    writer: &KeyPair,
    address: &Address,
    epoch: &[u8; 32],
    kind: FeedKind,
    feed_key: &[u8; 32],
) -> Vec<u8> {
    let feed = Feed {
        address: *address,
        epoch: *epoch,
        kind,
        feed_key: *feed_key,
    };
    Statement::Feed(feed).sign(writer)
}

/// Hash by which an epoch certificate is named: BLAKE2b-256 of its statement, so that another
/// signature over the same statement names the same epoch. Bytes that are no certificate get a name
/// that no certificate has.
pub fn certificate_hash(certificate: &[u8]) -> [u8; 32] {
    match Signed::read(certificate, "certificate", MAX_EPOCH_CERTIFICATE) {
        Ok(signed) => signed.statement_hash(),
        Err(_) => sodium::labelled_hash("no certificate", &[certificate]),
    }
}
