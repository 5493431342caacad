//! What is proven about one space, beginning with nothing but its address.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{Admin, Epoch, Feed, MAX_EPOCH_CERTIFICATE, Statement};
use crate::access::Address;
use crate::derive::FeedKind;
use crate::error::KeyError;
use crate::identity::PublicKey;
use crate::signed::Signed;

/// A verified chain for one address: what is needed to admit feeds. Knows only the address to begin
/// with. What it knows does not depend on the order in which certificates arrive.
#[derive(Clone, Debug)]
pub struct Chain {
    address: Address,
    admins: BTreeSet<PublicKey>,
    epochs: BTreeMap<[u8; 32], Epoch>,
    feeds: BTreeMap<[u8; 32], BTreeSet<(FeedKind, [u8; 32])>>,
}

/// A feed that the chain vouches for. Only `Chain::add` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertifiedFeed {
    /// hypercore key
    pub feed_key: [u8; 32],
    /// which of the three
    pub kind: FeedKind,
    /// hash of its epoch certificate
    pub epoch: [u8; 32],
}

/// What a certificate taught the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// an admin
    Admin(PublicKey),
    /// an epoch (certificate hash)
    Epoch([u8; 32]),
    /// a feed
    Feed(CertifiedFeed),
}

/// Why the chain refused a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not decodable, or its signature is not its issuer's.
    #[error(transparent)]
    Key(KeyError),
    /// Names another space.
    #[error("the certificate belongs to another space")]
    OtherAddress,
    /// Its issuer, or an epoch it names, is not (yet) known: keep it and try again after the
    /// issuer's own certificate.
    #[error("the certificate's issuer is not known")]
    UnknownIssuer,
    /// Its format is newer than this program and must be understood.
    #[error("the certificate needs a newer program (format {0})")]
    TooNew(u64),
}

impl From<KeyError> for CertificateError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::TooNew { format, .. } => Self::TooNew(format),
            error => Self::Key(error),
        }
    }
}

impl Chain {
    /// Nothing known but the address.
    pub fn new(address: Address) -> Self {
        let (admins, epochs, feeds) = Default::default();
        Self {
            address,
            admins,
            epochs,
            feeds,
        }
    }

    /// The address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Verifies one certificate's bytes against what is known and learns from it. What is known
    /// already is verified and learnt again, to no effect.
    ///
    /// # Errors
    ///
    /// See [`CertificateError`]; the chain is then as it was.
    pub fn add(&mut self, certificate: &[u8]) -> Result<Learnt, CertificateError> {
        let signed = Signed::read(certificate, "certificate", MAX_EPOCH_CERTIFICATE)?;
        let statement = Statement::decode(signed.statement)?;
        if statement.address() != self.address {
            return Err(CertificateError::OtherAddress);
        }
        let issuer = self
            .issuer_of(&statement)
            .ok_or(CertificateError::UnknownIssuer)?;
        signed.verify(statement.what(), &issuer)?;
        match statement {
            Statement::Admin(admin) => Ok(self.learn_admin(&admin)),
            Statement::Epoch(epoch) => self.learn_epoch(signed.statement_hash(), epoch),
            Statement::Feed(feed) => Ok(self.learn_feed(&feed)),
        }
    }

    /// Adds any number in any order until nothing more is learnt; returns those learnt and those
    /// refused with their index.
    pub fn add_all<'a>(
        &mut self,
        certificates: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Learnt>, Vec<(usize, CertificateError)>) {
        let mut waiting: Vec<_> = certificates.into_iter().enumerate().collect();
        let (mut learnt, mut refused) = (Vec::new(), Vec::new());
        loop {
            let before = self.issuers();
            waiting.retain(|(index, certificate)| match self.add(certificate) {
                Ok(fact) => {
                    learnt.push(fact);
                    false
                }
                Err(CertificateError::UnknownIssuer) => true,
                Err(error) => {
                    refused.push((*index, error));
                    false
                }
            });
            if waiting.is_empty() || self.issuers() == before {
                break;
            }
        }
        let unknown = CertificateError::UnknownIssuer;
        refused.extend(
            waiting
                .into_iter()
                .map(|(index, _)| (index, unknown.clone())),
        );
        refused.sort_by_key(|(index, _)| *index);
        (learnt, refused)
    }

    /// The newest epoch's certificate hash (epoch 0 in release 1): the highest number, among equals
    /// the lowest hash.
    pub fn current_epoch(&self) -> Option<[u8; 32]> {
        self.epochs
            .iter()
            .max_by_key(|&(hash, epoch)| rank(epoch, hash))
            .map(|(hash, _)| *hash)
    }

    /// The writer key of the current epoch, to check an encryption key against.
    pub fn current_writer(&self) -> Option<PublicKey> {
        self.epoch(&self.current_epoch()?).map(|epoch| epoch.writer)
    }

    /// A known epoch by its certificate's hash.
    pub fn epoch(&self, hash: &[u8; 32]) -> Option<&Epoch> {
        self.epochs.get(hash)
    }

    /// Whether this key may open epochs.
    pub fn is_admin(&self, key: &PublicKey) -> bool {
        self.admins.contains(key)
    }

    /// The certified feed, if known. Should writers disagree about one feed, the newest epoch's word
    /// counts (a former member cannot take it back), then the lower kind.
    pub fn feed(&self, feed_key: &[u8; 32]) -> Option<CertifiedFeed> {
        let vouched = self.feeds.get(feed_key)?.iter();
        let best = vouched.max_by_key(|(kind, hash)| {
            let epoch = self.epochs.get(hash).map(|epoch| rank(epoch, hash));
            (epoch, std::cmp::Reverse(*kind))
        });
        best.map(|&(kind, epoch)| CertifiedFeed {
            feed_key: *feed_key,
            kind,
            epoch,
        })
    }

    /// Every certified feed once, ascending by feed key.
    pub fn feeds(&self) -> impl Iterator<Item = CertifiedFeed> + '_ {
        self.feeds.keys().filter_map(|feed_key| self.feed(feed_key))
    }

    /// Whose signature the statement needs, if that is somebody known.
    fn issuer_of(&self, statement: &Statement) -> Option<PublicKey> {
        let admin = |issuer: PublicKey| self.admins.contains(&issuer).then_some(issuer);
        match statement {
            Statement::Admin(Admin { issuer, .. }) if *issuer == self.address.root() => {
                Some(*issuer)
            }
            Statement::Admin(Admin { issuer, .. }) => admin(*issuer),
            Statement::Epoch(epoch) if epoch.parents.iter().all(|hash| self.knows(hash)) => {
                admin(epoch.issuer)
            }
            Statement::Epoch(_) => None,
            Statement::Feed(feed) => self.epochs.get(&feed.epoch).map(|epoch| epoch.writer),
        }
    }

    fn knows(&self, epoch: &[u8; 32]) -> bool {
        self.epochs.contains_key(epoch)
    }

    /// Grows exactly when certificates that waited may now be accepted.
    fn issuers(&self) -> usize {
        self.admins.len() + self.epochs.len()
    }

    fn learn_admin(&mut self, admin: &Admin) -> Learnt {
        self.admins.insert(admin.admin);
        Learnt::Admin(admin.admin)
    }

    /// A number that leaps ahead could never be overtaken, so it must follow its parents'.
    fn learn_epoch(&mut self, hash: [u8; 32], epoch: Epoch) -> Result<Learnt, CertificateError> {
        let parents = epoch
            .parents
            .iter()
            .filter_map(|parent| self.epochs.get(parent));
        let next = parents
            .map(|parent| parent.number.saturating_add(1))
            .max()
            .unwrap_or(0);
        if epoch.number != next {
            return Err(KeyError::Malformed("epoch certificate").into());
        }
        self.epochs.insert(hash, epoch);
        Ok(Learnt::Epoch(hash))
    }

    fn learn_feed(&mut self, feed: &Feed) -> Learnt {
        let Feed {
            feed_key,
            kind,
            epoch,
            ..
        } = *feed;
        self.feeds
            .entry(feed_key)
            .or_default()
            .insert((kind, epoch));
        Learnt::Feed(CertifiedFeed {
            feed_key,
            kind,
            epoch,
        })
    }
}

/// Orders epochs: the greatest is current.
fn rank(epoch: &Epoch, hash: &[u8; 32]) -> (u64, std::cmp::Reverse<[u8; 32]>) {
    (epoch.number, std::cmp::Reverse(*hash))
}
