//! Which feeds may be spoken about at all: the chain of certificates, as far as it is known here.
//!
//! Its job: verify, order and count certificates. Not its job: storing them, sending them.

use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use cobox_keys::access::Address;
use cobox_keys::certificate::{CertificateError, CertifiedFeed, Chain, Learnt, certificate_hash};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Feeds that one epoch may admit.
pub const MAX_FEEDS_PER_EPOCH: usize = 4096;
/// Certificates kept per space.
const MAX_CERTIFICATES: usize = 40_000;
/// Bytes of certificates that wait for their issuer's.
const MAX_PARKED: usize = 1 << 20;

/// First bytes of the hash of a certificate's statement.
pub type ShortHash = [u8; 16];

/// Why a certificate was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The chain says no.
    #[error(transparent)]
    Chain(#[from] CertificateError),
    /// More feeds than an epoch may have, or more certificates than a space may have.
    #[error("there are too many certificates in this space")]
    TooMany,
}

impl Refusal {
    /// Could an honest peer have sent it? One with a newer program could, or one that knows more than fits here.
    pub fn is_honest(&self) -> bool {
        use CertificateError::{TooNew, UnknownIssuer};
        matches!(self, Self::TooMany | Self::Chain(UnknownIssuer | TooNew(_)))
    }
}

/// The certificates of one space.
pub struct Certificates {
    chain: Chain,
    /// Every accepted one, by its statement.
    known: BTreeMap<ShortHash, Bytes>,
    /// The same in the order of acceptance: issuers come before what they issue.
    order: Vec<ShortHash>,
    parked: VecDeque<Bytes>,
    parked_bytes: usize,
    per_epoch: HashMap<[u8; 32], usize>,
    /// Of all; computed again when asked for after a change.
    digest: Option<ShortHash>,
}

/// What adding one certificate led to.
#[derive(Debug, Default)]
pub struct Added {
    /// Newly accepted, in order; more than one if some had waited for this one.
    pub accepted: Vec<Bytes>,
    /// Feeds they vouch for.
    pub feeds: Vec<CertifiedFeed>,
    /// Refused with its reason: this one, or one that had waited.
    pub refused: Vec<Refusal>,
}

impl Certificates {
    /// Nothing known but the address.
    pub fn new(address: Address) -> Self {
        Self {
            chain: Chain::new(address),
            known: BTreeMap::new(),
            order: Vec::new(),
            parked: VecDeque::new(),
            parked_bytes: 0,
            per_epoch: HashMap::new(),
            digest: None,
        }
    }

    /// Verifies one and whatever had waited for it. Known ones are passed over.
    pub fn add(&mut self, certificate: Bytes) -> Added {
        let mut added = Added::default();
        let mut waiting = VecDeque::from([certificate]);
        while let Some(next) = waiting.pop_front() {
            match self.accept(&next) {
                Ok(None) => {}
                Ok(Some(learnt)) => {
                    added.accepted.push(next);
                    match learnt {
                        Learnt::Feed(feed) => added.feeds.push(feed),
                        Learnt::Admin(_) | Learnt::Epoch(_) => waiting.extend(self.unpark()),
                    }
                }
                Err(Refusal::Chain(CertificateError::UnknownIssuer)) => {
                    if let Err(refusal) = self.park(next) {
                        added.refused.push(refusal);
                    }
                }
                Err(refusal) => added.refused.push(refusal),
            }
        }
        if !added.accepted.is_empty() {
            self.digest = None;
        }
        added
    }

    fn accept(&mut self, certificate: &Bytes) -> Result<Option<Learnt>, Refusal> {
        let hash = short_hash(certificate);
        if self.known.contains_key(&hash) {
            return Ok(None);
        }
        if self.known.len() >= MAX_CERTIFICATES {
            return Err(Refusal::TooMany);
        }
        let learnt = self.chain.add(certificate)?;
        if let Learnt::Feed(feed) = &learnt {
            let count = self.per_epoch.entry(feed.epoch).or_default();
            if *count >= MAX_FEEDS_PER_EPOCH {
                return Err(Refusal::TooMany);
            }
            *count += 1;
        }
        self.known.insert(hash, certificate.clone());
        self.order.push(hash);
        Ok(Some(learnt))
    }

    fn park(&mut self, certificate: Bytes) -> Result<(), Refusal> {
        if self.parked.contains(&certificate) {
            return Ok(());
        }
        if self.parked_bytes + certificate.len() > MAX_PARKED {
            return Err(CertificateError::UnknownIssuer.into());
        }
        self.parked_bytes += certificate.len();
        self.parked.push_back(certificate);
        Ok(())
    }

    fn unpark(&mut self) -> VecDeque<Bytes> {
        self.parked_bytes = 0;
        std::mem::take(&mut self.parked)
    }

    fn hash_all(&self) -> ShortHash {
        let mut state = blake2b_simd::Params::new().hash_length(16).to_state();
        state.update(b"cobox/1/certificates\0");
        for hash in self.known.keys() {
            state.update(hash);
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(state.finalize().as_bytes());
        digest
    }

    /// Equal on two peers that know the same.
    pub fn digest(&mut self) -> ShortHash {
        let digest = self.digest.unwrap_or_else(|| self.hash_all());
        self.digest = Some(digest);
        digest
    }

    /// What to tell a peer that knows others.
    pub fn hashes(&self) -> Vec<ShortHash> {
        self.known.keys().copied().collect()
    }

    /// What a peer lacks that has only `theirs`, issuers first.
    pub fn lacking(&self, theirs: &[ShortHash]) -> Vec<Bytes> {
        let theirs: std::collections::HashSet<_> = theirs.iter().collect();
        let unknown = self.order.iter().filter(|hash| !theirs.contains(hash));
        unknown
            .filter_map(|hash| self.known.get(hash))
            .cloned()
            .collect()
    }

    /// Does a certificate vouch for this feed?
    pub fn vouches_for(&self, feed: &FeedKey) -> bool {
        self.chain.feed(&feed.0).is_some()
    }
}

fn short_hash(certificate: &[u8]) -> ShortHash {
    let hash = certificate_hash(certificate);
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}
