//! The three feeds that this device writes in a space: derived, certified, claimed.
//!
//! Certificates and the three claims are one commit: a writer is there whole or not at all.

use std::sync::Arc;

use bytes::Bytes;
use cobox_drive::drive::OwnFeeds;
use cobox_drive::record::{decode_claim, encode_claim};
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKeyPair;
use cobox_feed::set::{Batch, FeedSet};
use cobox_keys::access::{Address, EncryptionKey, ReadKey};
use cobox_keys::certificate::{Chain, Claim, feed_certificate};
use cobox_keys::derive::{FeedKind, Incarnation};
use cobox_keys::identity::Identity;

use crate::error::SpaceError;
use crate::home::Device;

/// Whose feeds they are.
pub(super) struct Writer<'a> {
    pub address: Address,
    pub identity: &'a Identity,
    pub device: &'a Device,
    /// Under which the feeds derive.
    pub incarnation: Incarnation,
    /// What other members see in the claim.
    pub device_name: &'a str,
}

/// Ours, ready to be written.
pub(super) struct Own {
    pub drive: OwnFeeds,
    pub log: Arc<Feed>,
}

impl Writer<'_> {
    /// Takes up writing; `None` if `key` is not the current epoch's.
    pub(super) fn take_up(
        &self,
        set: &FeedSet,
        key: &EncryptionKey,
    ) -> Result<Option<Own>, SpaceError> {
        let chain = chain(self.address, set);
        let pair = key.writer_pair();
        let epoch = match (chain.current_epoch(), chain.current_writer()) {
            (Some(epoch), Some(writer)) if writer == pair.public() => epoch,
            _ => return Ok(None),
        };
        let feeds = FeedKind::ALL.map(|kind| set.own(self.feed_pair(&epoch, kind), kind as u8));
        let claim = self.claim(&feeds, &key.read_key());
        let mut batch = Batch::new();
        let mut anything = false;
        for (feed, kind) in feeds.iter().zip(FeedKind::ALL) {
            let feed_key = feed.key().0;
            if chain.feed(&feed_key).is_none() {
                let certificate = feed_certificate(&pair, &self.address, &epoch, kind, &feed_key);
                batch.certificate(&certificate);
                anything = true;
            }
            if feed.length() == 0 {
                let sealed = key
                    .read_key()
                    .block_key(&feed_key)
                    .seal(&encode_claim(&claim));
                batch.append(feed, vec![sealed.into()]);
                anything = true;
            }
        }
        if anything {
            set.commit(batch)?.wait()?;
        }
        let [metadata, content, log] = feeds;
        let drive = OwnFeeds {
            metadata,
            content,
            claim,
        };
        Ok(Some(Own { drive, log }))
    }

    fn feed_pair(&self, epoch: &[u8; 32], kind: FeedKind) -> FeedKeyPair {
        let parent = &self.device.parent;
        let pair = parent.feed_key_pair(&self.address, epoch, &self.incarnation, kind);
        FeedKeyPair::from_seed(pair.expose_seed())
    }

    /// The claim that one of the feeds already carries (all three must carry the same bytes), or a
    /// new one.
    fn claim(&self, feeds: &[Arc<Feed>; 3], read_key: &ReadKey) -> Bytes {
        let carried = feeds.iter().find_map(|feed| {
            let sealed = feed.get(0).ok()??;
            let plaintext = read_key.block_key(&feed.key().0).open(&sealed).ok()?;
            decode_claim(&plaintext).ok()
        });
        carried.unwrap_or_else(|| self.sign_claim(feeds)).into()
    }

    fn sign_claim(&self, feeds: &[Arc<Feed>; 3]) -> Vec<u8> {
        let claim = Claim {
            address: self.address,
            feeds: [0, 1, 2].map(|kind: usize| feeds[kind].key().0),
            identity: self.identity.public_key(),
            device: self.device.parent.device_key().public(),
            device_name: self.device_name.to_owned(),
        };
        claim.sign(self.identity)
    }
}

/// What the set's certificates prove.
pub(super) fn chain(address: Address, set: &FeedSet) -> Chain {
    let mut chain = Chain::new(address);
    let certificates = set.certificates();
    // Those that prove nothing teach nothing; they were refused when they came.
    let _ = chain.add_all(certificates.iter().map(|bytes| &bytes[..]));
    chain
}
