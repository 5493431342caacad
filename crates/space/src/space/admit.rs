//! A space begun from paper: address and encryption key are there, the certificates between them come from peers.
//!
//! Until they are here nothing is written: which epoch is current, and that the key on the paper is its key, only they say.

use cobox_keys::access::EncryptionKey;
use cobox_keys::certificate::Learnt;
use cobox_keys::identity::PublicKey;
use cobox_keys::invite::Grant;

use super::Space;
use super::own;

/// As many as a space's entry holds.
const MAX_CERTIFICATES: usize = 16;

/// What has been found out about the key on the paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing yet.
    None,
    /// It is the key of the current epoch; by these certificates of admins and epochs.
    Holds(Vec<Vec<u8>>),
    /// The current epoch has another key.
    Other,
}

impl Space {
    /// Whether nothing of the space has been reached yet since it was begun from paper.
    pub fn waits(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Writer key of the current epoch, as the certificates say that are here.
    pub(crate) fn current_writer(&self) -> Option<PublicKey> {
        own::chain(self.address, &self.set).current_writer()
    }

    /// What the certificates that came say about the key.
    pub(crate) fn prove_key(&self) -> Proof {
        let Grant::Write(key) = &self.grant else {
            return Proof::None; // on paper are encryption keys only
        };
        prove(self, key)
    }
}

fn prove(space: &Space, key: &EncryptionKey) -> Proof {
    let held = space.set.certificates();
    let mut chain = own::chain(space.address, &space.set);
    match chain.current_writer() {
        None => Proof::None,
        Some(writer) if writer != key.writer_pair().public() => Proof::Other,
        Some(_) => {
            let names_no_feed = |certificate: &&bytes::Bytes| {
                matches!(
                    chain.add(certificate),
                    Ok(Learnt::Admin(_) | Learnt::Epoch(_))
                )
            };
            let needed = held.iter().filter(names_no_feed).take(MAX_CERTIFICATES);
            Proof::Holds(needed.map(|certificate| certificate.to_vec()).collect())
        }
    }
}
