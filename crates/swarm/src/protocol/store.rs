//! What has arrived, handed out to be checked and stored, and what became of it.

use super::feeds::FeedState;
use super::job::{Arrived, Job, Quota, Report, Ticket, Verdict};
use super::peer::Asked;
use super::receive::about;
use super::{Action, Fact, PAUSE, PeerId, Replication};
use cobox_feed::tree::ProofError;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Bytes checked and stored at once.
const JOB_BYTES: usize = 4 << 20;
/// How long blocks that nobody waits for may gather.
const GATHER: Duration = Duration::from_millis(20);

impl Replication {
    /// Until when what has arrived waits for more, if it does. Every commit costs a sync, whatever its size, so blocks
    /// gather while others are on their way; but not where somebody waits for one of them, and only for a moment.
    pub fn gathering_until(&self) -> Option<Instant> {
        let since = self.arrived_since.filter(|_| !self.arrived_awaited)?;
        let expected = self.peers.values().any(|peer| !peer.requests.is_empty());
        (expected && self.arrived_bytes < JOB_BYTES).then_some(since + GATHER)
    }

    /// An answer to be checked and stored.
    pub(super) fn arrive(&mut self, arrived: Arrived, now: Instant) {
        let asked = &arrived.ticket.asked;
        let urgent = |state: &FeedState| asked.block.is_some_and(|b| state.urgent.contains(b));
        self.arrived_awaited |=
            asked.upgrade || asked.evidence || self.feeds.get(&asked.feed).is_some_and(urgent);
        self.arrived_since.get_or_insert(now);
        self.arrived_bytes += arrived.weight.bytes;
        self.arrived.push_back(arrived);
    }

    /// What has arrived and may be checked now, up to a few megabytes.
    pub fn next_job(&mut self, now: Instant) -> Option<Job> {
        let paused = self.paused_until.is_some_and(|until| until > now);
        if self.arrived.is_empty() && (self.unstored.is_empty() || paused) {
            return None;
        }
        let mut job = Job {
            certificates: std::mem::take(&mut self.unstored),
            arrived: Vec::new(),
            feeds: Default::default(),
            quota: self.quota(),
            weights: Vec::new(),
        };
        let mut bytes = 0;
        while bytes < JOB_BYTES {
            let Some(next) = self.arrived.pop_front() else {
                break;
            };
            bytes += next.weight.bytes;
            self.arrived_bytes -= next.weight.bytes;
            let key = next.ticket.asked.feed;
            if let Some(state) = self.feeds.get(&key) {
                job.feeds.insert(key, state.feed.clone());
                job.arrived.push(next);
            }
        }
        if self.arrived.is_empty() {
            (self.arrived_since, self.arrived_awaited) = (None, false);
        }
        Some(job)
    }

    /// The quota, with what is promised now; what running jobs have counted stays counted.
    fn quota(&self) -> Option<Quota> {
        let most = self.limits.quota?;
        let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, state) in &self.feeds {
            if let Some(head) = state.feed.head() {
                let known = promised.entry(*key).or_default();
                *known = head.byte_length.max(*known);
            }
        }
        Some(Quota {
            most,
            promised: self.promised.clone(),
        })
    }

    /// A job is done.
    pub fn stored(&mut self, report: Report, now: Instant) {
        for (Ticket { peer, asked }, verdict) in &report.verdicts {
            self.release(*peer, asked);
            self.judge(*peer, asked, verdict, now);
        }
        match report.stored {
            Ok(()) => self.store_failed = false,
            Err(error) => {
                self.unstored.extend(report.certificates);
                self.paused_until = Some(now + PAUSE);
                self.next_tick.get_or_insert(now + PAUSE);
                if !std::mem::replace(&mut self.store_failed, true) {
                    let reason = error.to_string();
                    self.actions
                        .push(Action::Tell(Fact::StoreFailed { reason }));
                }
            }
        }
        self.hungry = true;
    }

    fn judge(&mut self, id: PeerId, asked: &Asked, verdict: &Verdict, now: Instant) {
        match verdict {
            Verdict::Good => {}
            Verdict::Wrong(error) => self.on_wrong(id, asked, error, now),
            Verdict::OverQuota { length } => {
                if let Some(state) = self.feeds.get_mut(&asked.feed) {
                    state.over_quota = Some(*length);
                }
                self.actions
                    .refused(id, "the quota would be exceeded".into());
            }
            Verdict::Seen { length } => self.look_at_evidence(id, asked, *length),
        }
    }

    /// An answer was wrong. A head that does not go on from ours may be a lie; or the truth, of a feed that was forked, and
    /// whoever shows that does nothing wrong.
    fn on_wrong(&mut self, id: PeerId, asked: &Asked, error: &ProofError, now: Instant) {
        let key = &asked.feed;
        let (ours, is_own) = match self.feeds.get(key) {
            Some(state) => (state.feed.length(), state.feed.was_own()),
            None => return,
        };
        let theirs = self.known(id, key).map_or(0, |known| known.length);
        match error {
            ProofError::Forked => {
                if self.leave_feed(id, key) || asked.evidence {
                    self.actions.refused(id, about(key, &error.to_string()));
                }
                self.set.note_fork(*key);
                if is_own {
                    let feed = *key;
                    self.actions
                        .push(Action::Tell(Fact::OwnFeedForked { feed }));
                }
            }
            _ if asked.upgrade && ours > 0 && theirs > 0 => {
                self.leave_feed(id, key);
                self.ask_for_evidence(id, key, ours.min(theirs), now);
            }
            _ if asked.evidence => {
                self.leave_feed(id, key);
                self.strike(id, about(key, &error.to_string()));
            }
            _ => self.refuse_feed(id, key, error.to_string()),
        }
    }

    fn look_at_evidence(&mut self, id: PeerId, asked: &Asked, length: u64) {
        let Some(state) = self.feeds.get(&asked.feed) else {
            return;
        };
        if state.feed.is_own() && length > state.feed.length() {
            let feed = asked.feed;
            self.actions
                .push(Action::Tell(Fact::OwnFeedAhead { feed, length }));
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.ahead.remove(&asked.feed);
        }
    }
}
