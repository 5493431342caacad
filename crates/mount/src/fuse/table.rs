//! What programs have open, by the handles that the kernel hands back to us.

use super::Answer;
use fuser::{Errno, FileHandle};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Things by file handle.
pub(super) struct Table<T> {
    next: AtomicU64,
    things: Mutex<HashMap<u64, Arc<T>>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            next: AtomicU64::new(1),
            things: Mutex::default(),
        }
    }
}

impl<T> Table<T> {
    fn things(&self) -> MutexGuard<'_, HashMap<u64, Arc<T>>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn put(&self, thing: T) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.things().insert(handle, Arc::new(thing));
        FileHandle(handle)
    }

    pub fn get(&self, handle: FileHandle) -> Answer<Arc<T>> {
        self.things().get(&handle.0).cloned().ok_or(Errno::EBADF)
    }

    pub fn take(&self, handle: FileHandle) -> Option<Arc<T>> {
        self.things().remove(&handle.0)
    }

    /// Is there one of which this is true?
    pub fn any(&self, is: impl FnMut(&Arc<T>) -> bool) -> bool {
        self.things().values().any(is)
    }
}
