//! What lies around a small read. For one page a block of 64 KiB is opened as a whole; the rest of it is given to the
//! kernel as well, so that small reads nearby need neither us nor the block again.
//!
//! What is given must never cover what a program writes. So it is given only while nobody has the file open for writing,
//! and nobody gets to, or gets to cut it, while it is given.

use super::content::Open;
use super::{Files, with_buffer};
use cobox_drive::overlay::OpenFile;
use fuser::{INodeNo, Notifier};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockWriteGuard};

/// As much as is opened at a time.
const WINDOW: u64 = 64 << 10;
/// Longer reads are of programs, or of a kernel, that read ahead.
const SMALL: u64 = 32 << 10;

/// Held by those who give, and by those who begin to change.
#[derive(Default)]
pub(super) struct Gate(RwLock<()>);

impl Gate {
    /// From here on nothing is given of a file that is open for writing. Waits for those who give, and they may wait for
    /// requests that are under way: not on a thread that answers the kernel.
    pub fn change(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of an open file.
pub(super) struct Around {
    /// Is all of it on this machine? Else a read that waits for a peer could keep us waiting, and us others.
    is_whole: OnceLock<bool>,
    /// The window given last.
    given: AtomicU64,
}

impl Default for Around {
    fn default() -> Self {
        Self {
            is_whole: OnceLock::new(),
            given: AtomicU64::new(u64::MAX),
        }
    }
}

impl Around {
    /// Is there more to give than was read, and has it not been given just now?
    pub fn is_wanted(&self, file: &OpenFile, range: &Range<u64>) -> bool {
        let window = window(file, range);
        range.end - range.start <= SMALL
            && (window.start < range.start || range.end < window.end)
            && self.given.swap(window.start, Ordering::Relaxed) != window.start
    }
}

/// The window that a range begins in, as far as the file goes.
fn window(file: &OpenFile, range: &Range<u64>) -> Range<u64> {
    let start = range.start - range.start % WINDOW;
    start..(start + WINDOW).min(file.size())
}

impl Files {
    /// Gives the kernel what lies around a range that it has read.
    pub(super) fn read_around(&self, ino: INodeNo, open: &Open, range: &Range<u64>) {
        let (Some(kernel), Open::File { file, around, .. }) = (self.kernel.get(), open) else {
            return;
        };
        if !around.is_whole.get_or_init(|| file.is_here(0..file.size())) {
            return;
        }
        let _nobody_begins = self.gate.0.read().unwrap_or_else(PoisonError::into_inner);
        if self.is_written(ino) {
            return;
        }
        let window = window(file, range);
        let size = window.end.saturating_sub(window.start) as usize;
        with_buffer(size, |buffer| {
            let Ok(length) = file.read_at(window.start, buffer) else {
                return; // whoever wants those bytes will hear of it
            };
            let within = |at: u64| (at.saturating_sub(window.start) as usize).min(length);
            let before = &buffer[..within(range.start)];
            let behind = &buffer[within(range.end)..length];
            give(kernel, ino, window.start, before);
            give(kernel, ino, range.end, behind);
        });
    }
}

fn give(kernel: &Notifier, ino: INodeNo, at: u64, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    if let Err(error) = kernel.store(ino, at, data) {
        tracing::debug!("the kernel did not take what lies around a read: {error}");
    }
}
