//! Checking what arrived, away from the state machine: many proofs at once, one commit for all.

use super::PeerId;
use super::peer::Asked;
use bytes::Bytes;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::{Batch, FeedSet, Pending};
use cobox_feed::store::StoreError;
use cobox_feed::tree::{Proof, ProofError, UntrustedProof};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedSemaphorePermit;

/// An answer that was asked for and has not been checked.
pub(super) struct Arrived {
    pub ticket: Ticket,
    pub proof: UntrustedProof,
    pub weight: Weight,
}

/// The memory that an answer takes until it is stored.
pub struct Weight {
    /// bytes as received
    pub bytes: usize,
    /// given back when the answer is stored or refused
    pub permit: Option<OwnedSemaphorePermit>,
}

impl Weight {
    /// Without a permit: an answer small enough for the control stream.
    pub fn of(bytes: usize) -> Self {
        Self {
            bytes,
            permit: None,
        }
    }
}

/// Which request an answer is to.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub peer: PeerId,
    pub asked: Asked,
}

/// What became of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Stored, if the commit succeeds.
    Good,
    /// Proven wrong.
    Wrong(ProofError),
    /// True, but its head promises more bytes than we are allowed to hold.
    OverQuota {
        /** length of that head */
        length: u64,
    },
    /// True, and looked at only: a head of this length is signed.
    Seen {
        /** its length */
        length: u64,
    },
}

/// Proofs to check and to store, with certificates that belong before them.
pub struct Job {
    pub(super) certificates: Vec<Bytes>,
    pub(super) arrived: Vec<Arrived>,
    pub(super) feeds: HashMap<FeedKey, Arc<Feed>>,
    pub(super) quota: Option<Quota>,
    pub(super) weights: Vec<Weight>,
}

/// What signed heads promise, and may promise. Shared by all jobs of a space, which run beside each other.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    /// most bytes, all feeds together
    pub most: u64,
    pub promised: Arc<Mutex<HashMap<FeedKey, u64>>>,
}

/// What became of a [`Job`].
pub struct Report {
    pub(super) verdicts: Vec<(Ticket, Verdict)>,
    /// Certificates that were part of it.
    pub(super) certificates: Vec<Bytes>,
    /// Given back with the report, when nothing of it waits any more.
    _weights: Vec<Weight>,
    /// Whether what was good is durable now.
    pub(super) stored: Result<(), StoreError>,
}

impl Job {
    /// Checks and queues the commit: hashing, so not for a thread that others wait for. The report is
    /// complete only with the outcome of the commit.
    pub fn run(mut self, set: &FeedSet) -> (Report, Option<Pending>) {
        let mut batch = Batch::new();
        for certificate in &self.certificates {
            batch.certificate(certificate);
        }
        let mut anything = !self.certificates.is_empty();
        let mut verdicts = Vec::with_capacity(self.arrived.len());
        for (feed, tickets, proofs) in self.by_feed() {
            for (ticket, outcome) in tickets.into_iter().zip(feed.verify_all(proofs)) {
                let verdict = match outcome {
                    Err(error) => Verdict::Wrong(error),
                    Ok(proof) if ticket.asked.evidence => seen(&proof),
                    Ok(proof) => match over_quota(self.quota.as_ref(), &feed, &proof) {
                        Some(length) => Verdict::OverQuota { length },
                        None => {
                            batch.ingest(&feed, proof);
                            anything = true;
                            Verdict::Good
                        }
                    },
                };
                verdicts.push((ticket, verdict));
            }
        }
        let mut report = Report {
            verdicts,
            certificates: self.certificates,
            _weights: self.weights,
            stored: Ok(()),
        };
        let pending = anything.then(|| set.commit(batch)).transpose();
        match pending {
            Ok(pending) => (report, pending),
            Err(error) => {
                report.stored = Err(error);
                (report, None)
            }
        }
    }

    fn by_feed(&mut self) -> Vec<(Arc<Feed>, Vec<Ticket>, Vec<UntrustedProof>)> {
        let mut groups: BTreeMap<FeedKey, (Vec<Ticket>, Vec<UntrustedProof>)> = BTreeMap::new();
        for arrived in self.arrived.drain(..) {
            let Arrived {
                ticket,
                proof,
                weight,
            } = arrived;
            self.weights.push(weight);
            let (tickets, proofs) = groups.entry(ticket.asked.feed).or_default();
            tickets.push(ticket);
            proofs.push(proof);
        }
        let feeds = &self.feeds;
        let with_feed =
            |(key, (tickets, proofs))| Some((feeds.get(&key)?.clone(), tickets, proofs));
        groups.into_iter().filter_map(with_feed).collect()
    }
}

impl Report {
    /// Completes a report with what became of its commit.
    pub fn with(mut self, stored: Result<(), StoreError>) -> Self {
        self.stored = self.stored.and(stored);
        self
    }
}

fn seen(proof: &Proof) -> Verdict {
    Verdict::Seen {
        length: proof.head().map_or(0, |head| head.length),
    }
}

/// Counts a longer head against the quota; its length, if it does not fit.
fn over_quota(quota: Option<&Quota>, feed: &Feed, proof: &Proof) -> Option<u64> {
    let (quota, head) = (quota?, proof.head()?);
    let promised = quota.promised.lock();
    let mut promised = promised.unwrap_or_else(PoisonError::into_inner);
    let of_others = promised.iter().filter(|(key, _)| **key != feed.key());
    let of_others = of_others.fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    if of_others.saturating_add(head.byte_length) > quota.most {
        return Some(head.length);
    }
    let ours = promised.entry(feed.key()).or_default();
    *ours = head.byte_length.max(*ours);
    None
}
