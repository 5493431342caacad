//! The pages of tree nodes that were looked at last: proofs climb the same few pages again and again.

use crate::sync::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Pages kept, of at most 10 KiB each.
const LIMIT: usize = 128;

/// Feed id and page.
pub(crate) type PageKey = (u32, u64);

/// A small cache of pages, least recently used first out.
#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<Cache>);

#[derive(Debug, Default)]
struct Cache {
    /// Counts uses.
    clock: u64,
    /// Counts checkpoints: a page read before one must not be kept behind it.
    round: u64,
    pages: HashMap<PageKey, (Arc<[u8]>, u64)>,
}

impl Pages {
    /// The page if it is here, and the round that one read now belongs to.
    pub(crate) fn get(&self, key: PageKey) -> (Option<Arc<[u8]>>, u64) {
        let mut cache = lock(&self.0);
        cache.clock += 1;
        let (clock, round) = (cache.clock, cache.round);
        let page = cache.pages.get_mut(&key).map(|(page, used)| {
            *used = clock;
            page.clone()
        });
        (page, round)
    }

    /// Keeps a page read in `round`.
    pub(crate) fn keep(&self, key: PageKey, page: Arc<[u8]>, round: u64) {
        let mut cache = lock(&self.0);
        if cache.round != round {
            return;
        }
        if cache.pages.len() >= LIMIT {
            let oldest = cache.pages.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                cache.pages.remove(&oldest);
            }
        }
        let clock = cache.clock;
        cache.pages.insert(key, (page, clock));
    }

    /// The table has changed.
    pub(crate) fn clear(&self) {
        let mut cache = lock(&self.0);
        cache.round += 1;
        cache.pages.clear();
    }
}
