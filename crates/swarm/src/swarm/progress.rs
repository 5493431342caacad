//! How far a space is.

use crate::protocol::receipt::share;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use std::collections::HashMap;

/// How far a space is, from what peers say they have and what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncProgress {
    /** blocks known to exist and wanted here */
    pub known: u64,
    /** of those, held */
    pub held: u64,
    /** bytes in the signed heads */
    pub bytes_known: u64,
    /** bytes of blocks held (estimate where blocks are unequal) */
    pub bytes_held: u64,
    /** something was left out because of the quota */
    pub over_quota: bool,
}

impl SyncProgress {
    /// Of a set, with the longer lengths that peers claim.
    pub(super) fn of(set: &FeedSet, claims: &HashMap<FeedKey, u64>) -> Self {
        let mut progress = Self::default();
        for feed in set.feeds() {
            let claimed = claims.get(&feed.key()).copied().unwrap_or(0);
            progress.add(set, &feed, claimed);
        }
        progress
    }

    fn add(&mut self, set: &FeedSet, feed: &Feed, claimed: u64) {
        let length = feed.length();
        let held = feed.held().len();
        let skipped = match length - held {
            0 => 0,
            _ => not_wanted(set, feed, length),
        };
        self.known += length.max(claimed).saturating_sub(skipped);
        self.held += held;
        if let Some(head) = feed.head() {
            self.bytes_known += head.byte_length;
            self.bytes_held += share(head.byte_length, held, length);
        }
    }
}

fn not_wanted(set: &FeedSet, feed: &Feed, length: u64) -> u64 {
    let skipped = set.skipped(&feed.key());
    let mut count = 0;
    for gap in feed.missing(0..length) {
        let inside = skipped.present(gap);
        count += inside.map(|range| range.end - range.start).sum::<u64>();
    }
    count
}
