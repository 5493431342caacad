//! A bounded number of open segment files, shared by all sets: the least recently used one is closed.

use super::{Disk, DiskFile};
use crate::sync::lock;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Open files by path. A file in use while it is evicted stays open until its user lets go.
#[derive(Debug)]
pub(crate) struct Handles {
    disk: Arc<dyn Disk>,
    limit: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// Counts uses; the entry with the smallest number was used least recently.
    clock: u64,
    files: HashMap<PathBuf, (Arc<dyn DiskFile>, u64)>,
}

impl Handles {
    /// Keeps at most `limit` files open between uses.
    pub(crate) fn new(disk: Arc<dyn Disk>, limit: usize) -> Self {
        Self {
            disk,
            limit: limit.max(1),
            open: Mutex::default(),
        }
    }

    /// The disk the files are on.
    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The file, opened if it is not.
    pub(crate) fn get(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = lock(&self.open).touch(path) {
            return Ok(file);
        }
        let file = self.disk.open(path)?;
        self.keep(path, &file);
        Ok(file)
    }

    /// Keeps a file that was just created.
    pub(crate) fn keep(&self, path: &Path, file: &Arc<dyn DiskFile>) {
        let mut open = lock(&self.open);
        open.clock += 1;
        let now = open.clock;
        open.files.insert(path.to_owned(), (file.clone(), now));
        while open.files.len() > self.limit {
            open.evict_oldest();
        }
    }

    /// Closes all files below a folder.
    pub(crate) fn forget(&self, dir: &Path) {
        lock(&self.open)
            .files
            .retain(|path, _| !path.starts_with(dir));
    }
}

impl Open {
    fn touch(&mut self, path: &Path) -> Option<Arc<dyn DiskFile>> {
        self.clock += 1;
        let (file, used) = self.files.get_mut(path)?;
        *used = self.clock;
        Some(file.clone())
    }

    fn evict_oldest(&mut self) {
        let oldest = self
            .files
            .iter()
            .min_by_key(|(_, (_, used))| *used)
            .map(|(path, _)| path.clone());
        if let Some(path) = oldest {
            self.files.remove(&path);
        }
    }
}
