//! What was waited for in vain a moment ago. The kernel asks page by page, and each program for itself: without this
//! the time that a read may take would be counted again for each of them.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long others are spared the same wait.
const MOMENT: Duration = Duration::from_secs(1);
/// Waits remembered.
const MOST: usize = 1024;

/// Ranges of files that did not come.
#[derive(Default)]
pub(super) struct Missed(Mutex<Vec<Wait>>);

struct Wait {
    ino: u64,
    range: Range<u64>,
    ended: Instant,
}

impl Missed {
    fn recent(&self) -> MutexGuard<'_, Vec<Wait>> {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waits.retain(|wait| wait.ended.elapsed() < MOMENT);
        waits
    }

    /// Was part of this waited for in vain a moment ago?
    pub fn was(&self, ino: u64, range: &Range<u64>) -> bool {
        let meets = |wait: &Wait| {
            wait.ino == ino && wait.range.start < range.end && range.start < wait.range.end
        };
        self.recent().iter().any(meets)
    }

    pub fn put(&self, ino: u64, range: Range<u64>) {
        let mut waits = self.recent();
        if waits.len() < MOST {
            let ended = Instant::now();
            waits.push(Wait { ino, range, ended });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_meets_the_same_part_of_the_same_file_is_spared() {
        let missed = Missed::default();
        missed.put(7, 4096..8192);
        assert!(missed.was(7, &(8191..9000)) && missed.was(7, &(0..4097)));
        assert!(!missed.was(7, &(8192..9000)) && !missed.was(7, &(0..4096)));
        assert!(!missed.was(8, &(4096..8192)));
    }
}
