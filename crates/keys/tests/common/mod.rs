//! A space with one admin, as its creator makes it.
#![allow(dead_code)] // each test file uses some of it

use cobox_keys::access::{Address, EncryptionKey, SpaceRoot};
use cobox_keys::certificate::{
    Chain, admin_certificate, certificate_hash, epoch_certificate, feed_certificate,
};
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::{Identity, KeyPair};
use cobox_keys::invite::{Grant, Invite, PinnedHead};

/// A seed that is the same in every run.
pub fn seed(byte: u8) -> [u8; 32] {
    [byte; 32]
}

/// Everything the creator of a space holds.
pub struct Founder {
    pub root: SpaceRoot,
    pub admin: KeyPair,
    pub key: EncryptionKey,
    pub identity: Identity,
    pub address: Address,
    pub admin_certificate: Vec<u8>,
    pub epoch_certificate: Vec<u8>,
    pub epoch: [u8; 32],
}

impl Founder {
    /// Another `number` is another space.
    pub fn new(number: u8) -> Self {
        let root = SpaceRoot::from_seed(&seed(number));
        let admin = KeyPair::from_seed(&seed(number + 1));
        let key = EncryptionKey::from_bytes(&seed(number + 2));
        let address = root.address();
        let admin_certificate = admin_certificate(root.key_pair(), &address, &admin.public());
        let writer = key.writer_pair().public();
        let epoch_certificate = epoch_certificate(&admin, &address, 0, &[], &writer);
        Self {
            epoch: certificate_hash(&epoch_certificate),
            identity: Identity::from_seed(&seed(number + 3)),
            root,
            admin,
            key,
            address,
            admin_certificate,
            epoch_certificate,
        }
    }

    pub fn chain(&self) -> Chain {
        let mut chain = Chain::new(self.address);
        chain.add(&self.admin_certificate).unwrap();
        chain.add(&self.epoch_certificate).unwrap();
        chain
    }

    pub fn feed_certificate(&self, kind: FeedKind, feed_key: &[u8; 32]) -> Vec<u8> {
        feed_certificate(
            &self.key.writer_pair(),
            &self.address,
            &self.epoch,
            kind,
            feed_key,
        )
    }

    pub fn invite(&self, grant: Grant) -> Invite {
        Invite {
            address: self.address,
            name: "Grüne Küche".to_owned(),
            certificates: vec![
                self.admin_certificate.clone(),
                self.epoch_certificate.clone(),
            ],
            grant,
            hints: vec!["ab".repeat(32), "https://relay.example.org".to_owned()],
            expires: Some(1_900_000_000),
            head: Some(PinnedHead {
                feed_key: seed(7),
                length: 42,
                tree_hash: seed(8),
            }),
            inviter: self.identity.public_key(),
        }
    }

    pub fn write_invite(&self) -> Invite {
        self.invite(Grant::Write(self.key.clone()))
    }
}
