//! Are we equal, and if not, where do we differ: summaries, buckets, heads, certificates.

use super::announce::send_certificates;
use super::peer::Asked;
use super::{Action, Fact, PeerId, Replication};
use crate::wire::frame;
use crate::wire::space::{BucketSet, Buckets, CertificateList, Heads, Summary};
use bytes::Bytes;
use cobox_feed::manifest::FeedKey;
use cobox_feed::tree;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Up to so many feeds, all heads are sent at once; beyond, buckets first.
const FEW_FEEDS: u64 = 64;
/// Two that differ and exchange nothing compare again after this, then after twice as long.
const RETRY: Duration = Duration::from_secs(2);
/// But at least so often.
const MAX_RETRY: Duration = Duration::from_secs(60);
/// Receipts to one peer are at least so far apart.
const RECEIPT_EVERY: Duration = Duration::from_secs(1);
/// While blocks are missing, so often a receipt tells how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

impl Replication {
    /// A peer's summary came.
    pub(super) fn on_summary(&mut self, id: PeerId, theirs: Summary, now: Instant) {
        let ours = self.table.summary(self.certificates.digest());
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let first = peer.summary.replace(theirs).is_none();
        if ours.certificates == theirs.certificates {
            self.informed(id);
        }
        if first && !(same(&ours, &theirs) && ours.missing == 0 && theirs.missing == 0) {
            self.reconcile(id, now);
        }
        self.check_synced(id, now);
        self.wake(now);
    }

    /// Tells a peer where to look for differences.
    fn reconcile(&mut self, id: PeerId, now: Instant) {
        let ours = self.table.summary(self.certificates.digest());
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let wait = (peer.reconcile_wait * 2).clamp(RETRY, MAX_RETRY);
        (peer.reconcile_wait, peer.reconcile_at) = (wait, Some(now + wait));
        let Some(theirs) = peer.summary else {
            return;
        };
        if ours.certificates != theirs.certificates {
            let hashes = self.certificates.hashes();
            self.actions
                .send(id, frame::SPACE, &CertificateList { hashes });
        }
        if ours.heads == theirs.heads {
            self.send_heads(id, &self.table.lacking());
        } else if self.table.feeds() <= FEW_FEEDS {
            self.send_heads(id, &BucketSet::ALL);
        } else {
            self.actions.send(id, frame::SPACE, &self.table.buckets());
        }
    }

    fn send_heads(&mut self, id: PeerId, of: &BucketSet) {
        if *of == BucketSet::NONE {
            return;
        }
        for heads in self.table.heads(of) {
            self.actions.send(id, frame::SPACE, &heads);
        }
    }

    /// A peer's buckets came: it learns our heads where they differ, or where we lack blocks.
    pub(super) fn on_buckets(&mut self, id: PeerId, theirs: &Buckets) {
        let mut of = self.table.differing(theirs);
        for bucket in self.table.lacking().iter() {
            of.insert(bucket);
        }
        self.send_heads(id, &of);
    }

    /// A peer's heads came: it is told whatever it lacks and we have. (It does the same for us.)
    pub(super) fn on_heads(&mut self, id: PeerId, theirs: &Heads, now: Instant) {
        let listed: HashMap<_, _> = theirs.heads.iter().map(|head| (head.feed, head)).collect();
        for (key, ours) in self.table.feeds_in(&theirs.buckets) {
            let Some(state) = self.feeds.get(&key) else {
                continue;
            };
            let mut short = [0; 8];
            short.copy_from_slice(&state.name[..8]);
            match listed.get(&short) {
                Some(head) if head.length > ours.length => {}
                Some(head) if head.is_head(&ours) && head.missing == 0 => {}
                Some(head) if !head.is_begin_of(&state.feed) => {
                    if !self.has_left(id, &key) {
                        self.ask_for_evidence(id, &key, head.length, now);
                    }
                    if head.length < ours.length {
                        self.announce(id, &key); // they are to find out, too
                    }
                }
                _ => self.announce(id, &key),
            }
        }
    }

    /// Asks for a signed head only to look at it: it may prove a fork, or that our own store is an old one. `both_have`
    /// blocks are shown as a tree of their own, so that two histories differ where both can be compared.
    pub(super) fn ask_for_evidence(
        &mut self,
        id: PeerId,
        key: &FeedKey,
        both_have: u64,
        now: Instant,
    ) {
        let asked = Asked {
            feed: *key,
            block: None,
            upgrade: false,
            evidence: true,
        };
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if peer.requests.values().any(|o| o.asked == asked) {
            return;
        }
        let parts = tree::Request {
            upgrade: Some((0, both_have)),
            manifest: true,
            ..Default::default()
        };
        self.request(id, asked, parts, false, now);
    }

    /// A peer's list of certificates came: it is sent what it lacks, and our list if it has none.
    pub(super) fn on_certificate_list(&mut self, id: PeerId, theirs: &CertificateList) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if !std::mem::replace(&mut peer.listed, true) {
            let hashes = self.certificates.hashes();
            self.actions
                .send(id, frame::SPACE, &CertificateList { hashes });
        }
        let lacking = self.certificates.lacking(&theirs.hashes);
        send_certificates(&mut self.actions, id, &lacking);
        self.informed(id);
    }

    /// Certificates came. Good ones are kept, told to others, and their feeds admitted.
    pub(super) fn on_certificates(&mut self, id: PeerId, sent: Vec<Vec<u8>>, now: Instant) {
        let mut accepted = Vec::new();
        for certificate in sent {
            let added = self.certificates.add(Bytes::from(certificate));
            accepted.extend(added.accepted);
            for feed in added.feeds {
                let key = FeedKey(feed.feed_key);
                let feed = self.set.admit(key, feed.kind as u8);
                self.keep(feed);
            }
            for refusal in added.refused {
                let reason = format!("a certificate was refused: {refusal}");
                match refusal.is_honest() {
                    true => self.actions.refused(id, reason),
                    false => self.strike(id, reason),
                }
            }
        }
        if accepted.is_empty() {
            return;
        }
        self.unstored.extend(accepted.iter().cloned());
        self.tell_certificates(&accepted, Some(id));
        self.certified(now);
    }

    /// Sends our summary to everybody who knows another one.
    pub(super) fn tell_summary(&mut self, now: Instant) {
        let ours = self.table.summary(self.certificates.digest());
        for (id, peer) in &mut self.peers {
            if peer.told != Some(ours) {
                peer.told = Some(ours);
                self.actions.send(*id, frame::SPACE, &ours);
            }
        }
        let ids: Vec<_> = self.peers.keys().copied().collect();
        for id in ids {
            self.check_synced(id, now);
        }
        self.wake(now);
    }

    fn check_synced(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let (Some(ours), Some(theirs)) = (peer.told, peer.summary) else {
            return;
        };
        if !same(&ours, &theirs) || ours.missing > 0 || theirs.missing > 0 {
            peer.synced = None;
            return;
        }
        let state = (ours.certificates, ours.heads);
        (peer.reconcile_at, peer.reconcile_wait) = (None, Duration::ZERO);
        if peer.synced.replace(state) != Some(state) {
            let earliest = peer.receipt_sent.map_or(now, |sent| sent + RECEIPT_EVERY);
            peer.receipt_due = Some(earliest.max(now));
            self.actions.push(Action::Tell(Fact::Synced { peer: id }));
        }
        self.send_receipt(id, now);
        self.wake(now);
    }

    fn send_receipt(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.receipt_due.is_none_or(|due| due > now) {
            return;
        }
        let ours = self.table.summary(self.certificates.digest());
        (peer.receipt_due, peer.receipt_sent) = (None, Some(now));
        self.actions.push(Action::Receipt {
            peer: id,
            summary: ours.heads,
            complete: ours.missing == 0 && ours.skipped == 0,
        });
    }

    /// Time-outs, receipts that are due, and pairs that differ without exchanging anything.
    pub(super) fn look_at_peers(&mut self, now: Instant) {
        let ids: Vec<_> = self.peers.keys().copied().collect();
        for id in ids {
            self.time_out(id, now);
            self.ask_what_is_held(id, now);
            self.tell_how_far(id, now);
            self.send_receipt(id, now);
            self.compare_again(id, now);
        }
    }

    /// A receipt is due now and then while blocks are missing, so that others see it grow.
    fn tell_how_far(&mut self, id: PeerId, now: Instant) {
        let missing = self.table.missing() > 0;
        let Some(peer) = self.peers.get_mut(&id).filter(|_| missing) else {
            return;
        };
        let last = peer.receipt_sent.unwrap_or(peer.since);
        if peer.receipt_due.is_none() && now >= last + PROGRESS_EVERY {
            peer.receipt_due = Some(now);
        }
    }

    /// Two that differ and exchange nothing compare again, now and then.
    fn compare_again(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.is_synced() || peer.summary.is_none() {
            peer.reconcile_at = None;
            return;
        }
        match peer.reconcile_at {
            Some(due) if due > now => {}
            Some(_) if peer.requests.is_empty() => self.reconcile(id, now),
            _ => peer.reconcile_at = Some(now + RETRY),
        }
    }
}

fn same(ours: &Summary, theirs: &Summary) -> bool {
    ours.certificates == theirs.certificates && ours.heads == theirs.heads
}
