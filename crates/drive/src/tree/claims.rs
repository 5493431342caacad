//! Whose feeds are whose: a writer counts only when the claim in block 0 of its feeds holds.
//!
//! A pure function of the first blocks held: feeds are judged in the order of their keys, whatever
//! the order in which they came.

use crate::record::decode_claim;
use crate::version::WriterTag;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use cobox_keys::access::{Address, ReadKey};
use cobox_keys::certificate::Claim;
use cobox_keys::derive::FeedKind;
use cobox_view::kv::ViewError;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is to be thought of a metadata feed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Accepted(Claim),
    Refused(&'static str),
}

/// A claim as one feed carries it: the signed bytes, and what they say if they hold.
#[derive(Clone)]
struct Carried {
    bytes: Vec<u8>,
    claim: Option<Claim>,
}

/// Judges claims; remembers first blocks, which never change.
#[derive(Default)]
pub(super) struct Claims {
    carried: HashMap<FeedKey, Option<Carried>>,
}

impl Claims {
    /// Verdicts on all these metadata feeds. Feeds whose first block is not here get none.
    pub fn judge(
        &mut self,
        address: &Address,
        key: &ReadKey,
        set: &FeedSet,
        feeds: &BTreeSet<FeedKey>,
    ) -> Result<BTreeMap<FeedKey, Verdict>, ViewError> {
        let mut verdicts = BTreeMap::new();
        let (mut taken, mut tags) = (BTreeSet::new(), BTreeSet::new());
        for feed in feeds {
            let Some(carried) = self.carried(key, set, feed)? else {
                continue;
            };
            let mut verdict = self.judge_one(address, key, set, feed, carried)?;
            if let Verdict::Accepted(claim) = &verdict {
                if claim.feeds.iter().any(|feed| taken.contains(feed)) {
                    verdict =
                        Verdict::Refused("its claim names a feed that belongs to another writer");
                } else if !tags.insert(WriterTag::of(feed)) {
                    verdict = Verdict::Refused("its feed key begins like another writer's");
                } else {
                    taken.extend(claim.feeds);
                }
            }
            verdicts.insert(*feed, verdict);
        }
        Ok(verdicts)
    }

    /// The first block of a feed; `None` while it is not here.
    fn carried(
        &mut self,
        key: &ReadKey,
        set: &FeedSet,
        feed: &FeedKey,
    ) -> Result<Option<Carried>, ViewError> {
        if let Some(carried) = self.carried.get(feed) {
            return Ok(Some(carried.clone().unwrap_or(Carried {
                bytes: Vec::new(),
                claim: None,
            })));
        }
        let Some(block) = set
            .feed(feed)
            .map(|feed| feed.get(0))
            .transpose()?
            .flatten()
        else {
            return Ok(None);
        };
        let opened = key.block_key(&feed.0).open(&block).ok();
        let bytes = opened.and_then(|plaintext| decode_claim(&plaintext).ok());
        let carried = bytes.map(|bytes| Carried {
            claim: Claim::verify(&bytes).ok(),
            bytes,
        });
        self.carried.insert(*feed, carried);
        self.carried(key, set, feed)
    }

    fn judge_one(
        &mut self,
        address: &Address,
        key: &ReadKey,
        set: &FeedSet,
        feed: &FeedKey,
        carried: Carried,
    ) -> Result<Verdict, ViewError> {
        let Some(claim) = carried.claim else {
            return Ok(Verdict::Refused("its first block holds no valid claim"));
        };
        if claim.address != *address {
            return Ok(Verdict::Refused("its claim is for another space"));
        }
        let distinct = claim.feeds.iter().collect::<BTreeSet<_>>().len() == claim.feeds.len();
        if claim.feeds[0] != feed.0 || !distinct {
            return Ok(Verdict::Refused("its claim is about other feeds"));
        }
        for (named, kind) in claim
            .feeds
            .iter()
            .map(|feed| FeedKey(*feed))
            .zip(FeedKind::ALL)
        {
            if set
                .feed(&named)
                .is_some_and(|feed| feed.kind() != kind as u8)
            {
                return Ok(Verdict::Refused("its claim names a feed of the wrong kind"));
            }
            if self
                .carried(key, set, &named)?
                .is_some_and(|other| other.bytes != carried.bytes)
            {
                return Ok(Verdict::Refused(
                    "its three feeds do not carry the same claim",
                ));
            }
        }
        Ok(Verdict::Accepted(claim))
    }

    /// Are there first blocks now that were not here when a claim was judged?
    pub fn news(&self, set: &FeedSet, claims: impl Iterator<Item = [[u8; 32]; 3]>) -> bool {
        let unread = |feed: &FeedKey| {
            !self.carried.contains_key(feed) && set.feed(feed).is_some_and(|feed| feed.has(0))
        };
        claims.flatten().map(FeedKey).any(|feed| unread(&feed))
    }

    pub fn forget(&mut self) {
        self.carried.clear();
    }
}
