//! The three certificates and the chain that ties a feed to an address.
//! Signed bytes are kept exactly as sent; sets are by statement, never by signature bytes.

use crate::access::Address;
use crate::derive::FeedKind;
use crate::error::KeyError;
use crate::identity::{KeyPair, PublicKey};

/// A verified chain for one address: what is needed to admit feeds. Knows only the address to begin with.
#[derive(Clone, Debug)]
pub struct Chain;

/// A feed that the chain vouches for. Only `Chain::add` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertifiedFeed { /** hypercore key */ pub feed_key: [u8; 32], /** which of the three */ pub kind: FeedKind, /** hash of its epoch certificate */ pub epoch: [u8; 32] }

/// What a certificate taught the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt { /** an admin */ Admin(PublicKey), /** an epoch (certificate hash) */ Epoch([u8; 32]), /** a feed */ Feed(CertifiedFeed) }

/// Why the chain refused a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not decodable.
    #[error(transparent)] Key(#[from] KeyError),
    /// Names another space.
    #[error("the certificate belongs to another space")] OtherAddress,
    /// Its issuer is not (yet) known: keep it and try again after the issuer's own certificate.
    #[error("the certificate's issuer is not known")] UnknownIssuer,
    /// Its format is newer than this program and must be understood.
    #[error("the certificate needs a newer program (format {0})")] TooNew(u64),
}
impl Chain {
    /// Nothing known but the address.
    pub fn new(address: Address) -> Self { unimplemented!() }
    /// The address.
    pub fn address(&self) -> Address { unimplemented!() }
    /// Verifies one certificate's bytes against what is known and learns from it.
    pub fn add(&mut self, certificate: &[u8]) -> Result<Learnt, CertificateError> { unimplemented!() }
    /// Adds any number in any order until nothing more is learnt; returns those learnt and those refused with their index.
    pub fn add_all<'a>(&mut self, certificates: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Learnt>, Vec<(usize, CertificateError)>) { unimplemented!() }
    /// The newest epoch's certificate hash (epoch 0 in release 1).
    pub fn current_epoch(&self) -> Option<[u8; 32]> { unimplemented!() }
    /// The writer key of the current epoch, to check an encryption key against.
    pub fn current_writer(&self) -> Option<PublicKey> { unimplemented!() }
    /// The certified feed, if known.
    pub fn feed(&self, feed_key: &[u8; 32]) -> Option<CertifiedFeed> { unimplemented!() }
}
/// Root vouches for an admin.
pub fn admin_certificate(root: &KeyPair, address: &Address, admin: &PublicKey) -> Vec<u8> { unimplemented!() }
/// Admin opens epoch 0 with its writer key.
pub fn epoch_certificate(admin: &KeyPair, address: &Address, number: u64, parents: &[[u8; 32]], writer: &PublicKey) -> Vec<u8> { unimplemented!() }
/// Hash by which an epoch certificate is named.
pub fn certificate_hash(certificate: &[u8]) -> [u8; 32] { unimplemented!() }
/// The epoch's writer pair admits a feed.
pub fn feed_certificate(writer: &KeyPair, address: &Address, epoch: &[u8; 32], kind: FeedKind, feed_key: &[u8; 32]) -> Vec<u8> { unimplemented!() }

/// The statement in block 0 of each of a writer's three feeds, signed by the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim { /** the space */ pub address: Address, /** metadata, content, log feed keys */ pub feeds: [[u8; 32]; 3], /** who */ pub identity: PublicKey, /** their device key */ pub device: PublicKey, /** the device's name */ pub device_name: String }
impl Claim {
    /// Signed bytes.
    pub fn sign(&self, identity: &crate::identity::Identity) -> Vec<u8> { unimplemented!() }
    /// Decodes and verifies the identity's signature. The caller checks that all three feeds carry it and that it names them.
    pub fn verify(bytes: &[u8]) -> Result<Claim, KeyError> { unimplemented!() }
}
