//! What only the shelf asks of a space: its events followed up, its log kept complete, its end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cobox_feed::manifest::FeedKey;
use cobox_keys::identity::PublicKey;
use cobox_keys::invite::PinnedHead;
use tokio::sync::Notify;

use super::pin::{self, Pin};
use super::{Space, clean_name, lock, name_in};
use crate::error::SpaceError;
use crate::home::KindOfFeed;
use crate::log::types::{Certificates, LastSync, PeerAbout, SpaceAbout};
use crate::log::{Content, Filter, Logged, MAX_CONTENT, Message};

/// Refusals remembered from the network.
const MAX_REFUSALS: usize = 100;
/// Milliseconds between two messages about syncs with the same device.
const SYNC_TOLD_EVERY: u64 = 24 * 60 * 60 * 1000;
/// Certificates this long are not repeated in the log.
const MAX_CERTIFICATE: usize = 4096;

impl Space {
    /// Looks the agreed name up again; says it if it is news.
    pub(crate) fn refresh_name(&self) -> Result<Option<String>, SpaceError> {
        let usable = |about: &SpaceAbout| clean_name(&about.name).is_ok();
        let Some(about) = self.log.newest(usable)? else {
            return Ok(None);
        };
        let name = clean_name(&about.name)?;
        let news = self.names.learn(self.address, &name);
        Ok(news.then_some(name))
    }

    /// Who told their name: the author of `logged`, or everybody.
    pub(crate) fn names_told(
        &self,
        logged: Option<&Logged>,
    ) -> Result<Vec<(PublicKey, String)>, SpaceError> {
        let only = match logged {
            Some(logged) => match self.log.author(&logged.feed)? {
                // Its claim may come later, and is then told as a new writer.
                None => return Ok(Vec::new()),
                author => author,
            },
            None => None,
        };
        let told = self.log.newest_by_author(PeerAbout::TYPE)?.into_iter();
        let told = told.filter(|(author, _)| only.is_none_or(|only| only == *author));
        let name = |(author, message): (PublicKey, Message)| Some((author, name_in(&message)?));
        Ok(told.filter_map(name).collect())
    }

    /// Tells our name, unless it is told already.
    pub(crate) fn tell_name(&self, name: &str) -> Result<(), SpaceError> {
        if !self.writable() {
            return Ok(());
        }
        let me = self.identity.public_key();
        let told = self.log.newest_by_author(PeerAbout::TYPE)?.remove(&me);
        if told.and_then(|message| message.read()) == Some(PeerAbout { name: name.into() }) {
            return Ok(());
        }
        self.log.tell(&PeerAbout { name: name.into() }).map(drop)
    }

    /// Tells that our device and another member's had the same, at most once a day for each: idle pairs
    /// must not write for ever about having nothing to write. Of replicators their receipts tell.
    pub(crate) fn tell_sync(&self, device: PublicKey, time_ms: u64) -> Result<(), SpaceError> {
        if !self.writable() || self.has_receipt(&device) {
            return Ok(());
        }
        let mut told = lock(&self.told_syncs);
        let known = match told.take() {
            Some(known) => known,
            None => self.syncs_told()?,
        };
        let known = told.insert(known);
        let is_new = known
            .get(&device)
            .is_none_or(|last| last.saturating_add(SYNC_TOLD_EVERY) <= time_ms);
        if is_new {
            self.log.tell(&LastSync {
                device,
                time_ms,
                receipt: None,
            })?;
            known.insert(device, time_ms);
        }
        Ok(())
    }

    fn syncs_told(&self) -> Result<BTreeMap<PublicKey, u64>, SpaceError> {
        let mine = Filter {
            author: Some(self.identity.public_key()),
            ..Filter::of::<LastSync>()
        };
        let told = self.log.read(&mine)?;
        let told = told.iter().filter_map(|message| message.read::<LastSync>());
        Ok(told.map(|sync| (sync.device, sync.time_ms)).collect())
    }

    /// Repeats in our log the certificates that it does not have yet, so that one feed leads to all.
    pub(crate) fn repeat_certificates(&self) -> Result<(), SpaceError> {
        if !self.writable() {
            return Ok(());
        }
        let mut repeated = lock(&self.repeated);
        let known = match repeated.take() {
            Some(known) => known,
            None => self.certificates_told()?,
        };
        let known = repeated.insert(known);
        let held = self.set.certificates();
        let news: Vec<_> = held
            .iter()
            .filter(|one| one.len() <= MAX_CERTIFICATE && !known.contains(&fingerprint(one)))
            .map(|one| one.to_vec())
            .collect();
        for part in Certificates::in_parts(&news, MAX_CONTENT) {
            self.log.tell(&part)?;
            known.extend(part.certificates.iter().map(|one| fingerprint(one)));
        }
        Ok(())
    }

    fn certificates_told(&self) -> Result<HashSet<[u8; 32]>, SpaceError> {
        let mine = Filter {
            author: Some(self.identity.public_key()),
            ..Filter::of::<Certificates>()
        };
        let told = self.log.read(&mine)?;
        let told = told
            .iter()
            .filter_map(|message| message.read::<Certificates>());
        let told = told.flat_map(|message| message.certificates);
        Ok(told.map(|one| fingerprint(&one)).collect())
    }

    /// Notes that a peer refused something or was refused.
    pub(crate) fn refuse(&self, reason: &str) {
        let mut refused = lock(&self.refused);
        refused.retain(|earlier| earlier != reason);
        refused.push_front(reason.to_owned());
        refused.truncate(MAX_REFUSALS);
    }

    /// Notes that a device was here.
    pub(crate) fn met(&self, device: PublicKey, time_ms: u64) {
        lock(&self.met).insert(device, time_ms);
    }

    /// Told when something happened outside that the health may depend on.
    pub(crate) fn poke(&self) -> &Arc<Notify> {
        &self.poke
    }

    /// Notes that a peer had everything we have.
    pub(crate) fn synced(&self, time_ms: u64) {
        self.last_sync.fetch_max(time_ms, Ordering::AcqRel);
    }

    /// What the invite promised against what is here. Once reached it is never asked again.
    pub(crate) fn pin(&self) -> Option<Pin> {
        let mut pinned = lock(&self.pinned);
        let pin = pin::compare(pinned.as_ref()?, &self.set);
        if pin == Pin::Reached {
            *pinned = None;
        }
        Some(pin)
    }

    /// What the invite promised and is not here yet.
    pub(crate) fn pinned(&self) -> Option<PinnedHead> {
        lock(&self.pinned).clone()
    }

    /// Signs no more with the writer we have: its feeds went on elsewhere.
    pub(crate) fn retire(&self) {
        let feeds = self.set.feeds();
        feeds
            .iter()
            .filter(|feed| feed.is_own())
            .for_each(|feed| feed.retire());
    }

    /// Whether one of our feeds is still ours to sign.
    pub(crate) fn signs(&self, feed: &FeedKey) -> bool {
        self.set.feed(feed).is_some_and(|feed| feed.is_own())
    }

    /// The feeds that are ours to sign.
    pub(crate) fn own_feeds(&self) -> Vec<KindOfFeed> {
        let feeds = self.set.feeds();
        let own = feeds.iter().filter(|feed| feed.is_own());
        own.map(|feed| (feed.key().0, feed.kind())).collect()
    }

    /// Views applied, durable, stopped.
    pub(crate) fn stop(&self) -> Result<(), SpaceError> {
        self.tables.indexer.stop()?;
        Ok(self.tables.db.flush()?)
    }
}

fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    *blake3::hash(certificate).as_bytes()
}
