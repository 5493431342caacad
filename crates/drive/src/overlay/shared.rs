//! What everybody who has a file open shares: its bytes, and what may be asked without waiting for them.

use super::state::Place;
use super::{FileId, lock};
use crate::drive::commit::DraftId;
use crate::drive::edit::Edit;
use crate::handle::FileReader;
use crate::record::Time;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A file whose last write is so long ago is committed though it is still open.
const QUIET: Duration = Duration::from_millis(500);
/// A file that is written all the time is committed this often.
const BUSY: Duration = Duration::from_secs(5);

/// What everybody who has a file open shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub id: FileId,
    body: Mutex<Body>,
    size: AtomicU64,
    changed: AtomicBool,
    pub nameless: AtomicBool,
    /// A new file was renamed or given other details since its draft.
    pub changed_birth: AtomicBool,
    pub handles: AtomicUsize,
    pub writers: AtomicUsize,
    /// Bytes of `Overlay::dirty` that are ours.
    counted: AtomicUsize,
    /// Bytes of `Overlay::nameless` that are ours.
    held: AtomicUsize,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    mtime: Option<Time>,
    draft: Option<DraftId>,
    /// Where a new file was when its draft was kept.
    kept_at: Option<Place>,
    /// Is all of it in the draft?
    is_kept: bool,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// The file's bytes.
pub(super) enum Body {
    Reading(Arc<FileReader>),
    Writing(Box<Edit>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reading(_) => "Reading",
            Self::Writing(_) => "Writing",
        })
    }
}

impl Shared {
    pub fn new(id: FileId, body: Body) -> Self {
        let mut times = Times::default();
        let (size, changed) = match &body {
            Body::Reading(reader) => (reader.size(), false),
            Body::Writing(edit) => {
                let now = Some(Instant::now());
                (times.mtime, times.first, times.last) = (edit.mtime, now, now);
                (edit.size, edit.changed)
            }
        };
        Self {
            id,
            body: Mutex::new(body),
            size: AtomicU64::new(size),
            changed: AtomicBool::new(changed),
            nameless: AtomicBool::new(false),
            changed_birth: AtomicBool::new(false),
            handles: AtomicUsize::new(0),
            writers: AtomicUsize::new(0),
            counted: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            times: Mutex::new(times),
        }
    }

    pub fn body(&self) -> MutexGuard<'_, Body> {
        lock(&self.body)
    }

    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Modification time of writes that are not committed.
    pub fn mtime(&self) -> Option<Time> {
        lock(&self.times).mtime
    }

    /// Anything that a commit would write?
    pub fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }

    /// The draft that holds what was synced.
    pub fn draft(&self) -> Option<DraftId> {
        lock(&self.times).draft
    }

    /// Would a crash find all of it in its draft?
    pub fn is_kept(&self) -> bool {
        lock(&self.times).is_kept && !self.changed_birth.load(Ordering::Acquire)
    }

    /// A new file's draft was kept, and says that it is there.
    pub fn note_place(&self, place: Option<Place>) {
        lock(&self.times).kept_at = place;
    }

    /// Would a crash find it there, though it may have moved since?
    pub fn is_kept_at(&self, place: &Place) -> bool {
        let times = lock(&self.times);
        times.draft.is_some() && times.kept_at.as_ref() == Some(place)
    }

    /// Does its draft say another name, or other details, than a new file has now?
    pub fn has_moved(&self) -> bool {
        self.changed_birth.load(Ordering::Acquire) && self.draft().is_some()
    }

    /// Its bytes in memory are given up; how many they were.
    pub fn give_up(&self) -> i64 {
        self.counted.swap(0, Ordering::AcqRel) as i64
    }

    /// It holds so many bytes without a name; by how much that has grown.
    pub fn hold(&self, bytes: usize) -> i64 {
        bytes as i64 - self.held.swap(bytes, Ordering::AcqRel) as i64
    }

    pub fn is_open(&self) -> bool {
        self.handles.load(Ordering::Acquire) > 0
    }

    /// Is it time to commit its bytes: closed, at rest, or written for long?
    pub fn is_due(&self) -> bool {
        if self.writers.load(Ordering::Acquire) == 0 {
            return true;
        }
        let times = lock(&self.times);
        let passed =
            |since: Option<Instant>, time| since.is_none_or(|since| since.elapsed() >= time);
        passed(times.last, QUIET) || passed(times.first, BUSY)
    }

    /// Takes what others may ask without waiting for the body over from the edit; returns by how much its bytes in
    /// memory have grown.
    pub fn note(&self, edit: &Edit) -> i64 {
        self.size.store(edit.size, Ordering::Release);
        let was = self.changed.swap(edit.changed, Ordering::AcqRel);
        let mut times = lock(&self.times);
        (times.mtime, times.draft) = (edit.mtime, edit.draft);
        times.is_kept = edit.draft.is_some() && !edit.draft_is_old;
        if edit.changed {
            let now = Instant::now();
            times.first = times.first.filter(|_| was).or(Some(now));
            times.last = Some(now);
        }
        // What has no name is never committed: counting it, writers would wait for ever for room.
        let bytes = match self.nameless.load(Ordering::Acquire) {
            true => 0,
            false => edit.dirty.bytes(),
        };
        bytes as i64 - self.counted.swap(bytes, Ordering::AcqRel) as i64
    }
}
