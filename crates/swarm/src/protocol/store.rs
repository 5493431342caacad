//! What has arrived, handed out to be checked and stored, and what became of it.

use super::job::{Job, Quota, Report, Ticket, Verdict};
use super::peer::Asked;
use super::{Action, Fact, PAUSE, PeerId, Replication};
use std::time::Instant;

/// Bytes checked and stored at once.
const JOB_BYTES: usize = 4 << 20;

impl Replication {
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
            quota: self.quota_left(),
            weights: Vec::new(),
        };
        let mut bytes = 0;
        while bytes < JOB_BYTES {
            let Some(next) = self.arrived.pop_front() else {
                break;
            };
            bytes += next.weight.bytes;
            let key = next.ticket.asked.feed;
            if let Some(state) = self.feeds.get(&key) {
                job.feeds.insert(key, state.feed.clone());
                job.arrived.push(next);
            }
        }
        Some(job)
    }

    fn quota_left(&self) -> Option<Quota> {
        let quota = self.limits.quota?;
        let heads = self.feeds.values().filter_map(|state| state.feed.head());
        let promised: u64 = heads.map(|head| head.byte_length).sum();
        Some(Quota {
            left: quota.saturating_sub(promised),
        })
    }

    /// A job is done.
    pub fn stored(&mut self, report: Report, now: Instant) {
        for (Ticket { peer, asked }, verdict) in &report.verdicts {
            self.release(*peer, asked);
            self.judge(*peer, asked, verdict);
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

    fn judge(&mut self, id: PeerId, asked: &Asked, verdict: &Verdict) {
        match verdict {
            Verdict::Good => {}
            Verdict::Wrong(error) => self.refuse_feed(id, &asked.feed, error.to_string()),
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
