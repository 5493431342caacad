//! Blocks somebody waits for.

use crate::manifest::FeedKey;
use crate::sync::lock;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// Open wants by age.
#[derive(Debug, Default)]
pub(crate) struct Wants(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    wants: BTreeMap<u64, (FeedKey, Range<u64>)>,
}

/// A want lives as long as its guard.
#[derive(Debug)]
#[must_use = "the want ends when its guard is dropped"]
pub struct WantGuard {
    wants: Arc<Wants>,
    number: u64,
}

impl Wants {
    /// All, oldest first.
    pub(crate) fn all(&self) -> Vec<(FeedKey, Range<u64>)> {
        lock(&self.0).wants.values().cloned().collect()
    }
}

/// Opens a want.
pub(crate) fn open(wants: &Arc<Wants>, feed: FeedKey, blocks: Range<u64>) -> WantGuard {
    let mut open = lock(&wants.0);
    let number = open.next;
    open.next += 1;
    open.wants.insert(number, (feed, blocks));
    WantGuard {
        wants: wants.clone(),
        number,
    }
}

impl Drop for WantGuard {
    fn drop(&mut self) {
        lock(&self.wants.0).wants.remove(&self.number);
    }
}
