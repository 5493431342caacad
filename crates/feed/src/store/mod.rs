//! All feeds of one data folder: the lock, the index, one set per address. Opens after a crash without repair by hand.

mod place;
#[cfg(test)]
mod tests;

pub use crate::error::StoreError;

use crate::disk::Disk;
use crate::disk::handles::Handles;
use crate::disk::real::RealDisk;
use crate::index::checkpoint::Checkpointer;
use crate::index::table::Table;
use crate::segment;
use crate::set::FeedSet;
use crate::sync::lock;
use place::DataFolder;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Suffix of a space's folder that is being removed: the rename is the point of no return.
const GONE: &str = ".gone";

/// One per data folder; a second program on the same folder is refused.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

/// Tuning; defaults are right for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// bytes per segment file
    pub segment_size: u64,
    /// files kept open for reading
    pub open_files: usize,
    /// bytes of the disk that are not counted as room (see `FeedSet::room`)
    pub reserve: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_size: 256 << 20,
            open_files: 64,
            reserve: 0,
        }
    }
}

#[derive(Debug)]
struct Inner {
    /// Holds the lock; none on a simulated disk.
    folder: Option<DataFolder>,
    options: Options,
    disk: Arc<dyn Disk>,
    handles: Arc<Handles>,
    checkpointer: Arc<Checkpointer>,
    sets: Mutex<Sets>,
}

type Slot = Arc<Mutex<Option<Arc<FeedSet>>>>;

#[derive(Debug, Default)]
struct Sets {
    open: HashMap<[u8; 32], Slot>,
    closed: bool,
}

impl Store {
    /// Opens (or creates) the folder, takes its lock, rebuilds what was lost, replays what the index had not seen.
    pub fn open(dir: &Path, options: Options) -> Result<Store, StoreError> {
        let folder = DataFolder::lock(dir)?;
        Self::open_on(
            Arc::new(RealDisk::new(dir.to_owned(), options.reserve)),
            Some(folder),
            options,
        )
    }

    /// Opens on any disk.
    fn open_on(
        disk: Arc<dyn Disk>,
        folder: Option<DataFolder>,
        options: Options,
    ) -> Result<Store, StoreError> {
        disk.create_dir(&spaces())
            .map_err(StoreError::io("creating a folder"))?;
        disk.sync_dir(Path::new(""))
            .map_err(StoreError::io("creating a folder"))?;
        let table = Arc::new(Table::open(disk.clone())?);
        let handles = Arc::new(Handles::new(disk.clone(), options.open_files));
        let inner = Inner {
            folder,
            options,
            handles,
            checkpointer: Checkpointer::start(table)?,
            sets: Mutex::default(),
            disk,
        };
        inner.finish_removals()?;
        Ok(Store(Arc::new(inner)))
    }

    /// True when the folder was copied or moved to another machine since it was last opened (marker: machine id, inode and birth time of
    /// the lock file): the caller takes a new incarnation, then calls `accept_marker`.
    pub fn moved(&self) -> bool {
        self.0.folder.as_ref().is_some_and(DataFolder::moved)
    }

    /// Writes the marker of this place.
    pub fn accept_marker(&self) -> Result<(), StoreError> {
        self.0
            .folder
            .as_ref()
            .map_or(Ok(()), DataFolder::accept_marker)
    }

    /// Takes the marker away: the next start finds the folder moved, wherever it is.
    pub fn forget_marker(&self) -> Result<(), StoreError> {
        self.0
            .folder
            .as_ref()
            .map_or(Ok(()), DataFolder::forget_marker)
    }

    /// The set of feeds at an address, opened once and shared.
    pub fn set(&self, address: [u8; 32]) -> Result<Arc<FeedSet>, StoreError> {
        let slot = self.0.slot(address)?;
        let mut slot = lock(&slot);
        if let Some(set) = &*slot {
            return Ok(set.clone());
        }
        let inner = &self.0;
        let size = inner.options.segment_size;
        let set = FeedSet::open(address, size, &inner.handles, &inner.checkpointer)?;
        if lock(&inner.sets).closed {
            set.close();
            return Err(StoreError::Closed);
        }
        *slot = Some(set.clone());
        Ok(set)
    }

    /// Addresses that have segments here.
    pub fn addresses(&self) -> Vec<[u8; 32]> {
        let names = self.0.disk.list(&spaces()).unwrap_or_default();
        let mut addresses: Vec<_> = names
            .iter()
            .filter_map(|name| segment::address(name))
            .collect();
        addresses.sort_unstable();
        addresses
    }

    /// Unlinks everything of an address and frees the disk. Open handles answer `StoreError` from then on.
    pub fn remove(&self, address: [u8; 32]) -> Result<(), StoreError> {
        let slot = self.0.slot(address)?;
        // Held to the end: who asks for the set meanwhile waits, and gets an empty one.
        let mut slot = lock(&slot);
        if let Some(set) = slot.take() {
            set.remove(&self.0.checkpointer);
        }
        let folder = segment::folder(&address);
        self.0.handles.forget(&folder);
        if self.addresses().binary_search(&address).is_err() {
            return Ok(());
        }
        let gone = gone(&folder);
        self.0.unlink_folder(&gone)?;
        self.0
            .disk
            .rename(&folder, &gone)
            .map_err(StoreError::io("removing a space"))?;
        self.0
            .disk
            .sync_dir(&spaces())
            .map_err(StoreError::io("removing a space"))?;
        self.0.finish_removal(&address)
    }

    /// Commits the index durably, stops the commit threads and closes the index: sets that are still held commit nothing
    /// more and read little. Also done (best effort) on drop of the last clone.
    pub fn close(&self) -> Result<(), StoreError> {
        self.0.close()
    }
}

impl Inner {
    /// Where the set of an address is, or will be. Its lock is held while the set is opened or removed.
    fn slot(&self, address: [u8; 32]) -> Result<Slot, StoreError> {
        let mut sets = lock(&self.sets);
        if sets.closed {
            return Err(StoreError::Closed);
        }
        Ok(sets.open.entry(address).or_default().clone())
    }

    fn close(&self) -> Result<(), StoreError> {
        let open = {
            let mut sets = lock(&self.sets);
            sets.closed = true;
            std::mem::take(&mut sets.open)
        };
        for slot in open.values() {
            if let Some(set) = &*lock(slot) {
                set.close();
            }
        }
        self.checkpointer.stop()
    }

    /// Ends removals that a crash interrupted. One that cannot be ended costs disk space until the next start; it is no
    /// reason to keep all the others closed.
    fn finish_removals(&self) -> Result<(), StoreError> {
        for name in self
            .disk
            .list(&spaces())
            .map_err(StoreError::io("listing spaces"))?
        {
            if let Some(address) = name.strip_suffix(GONE).and_then(segment::address)
                && let Err(error) = self.finish_removal(&address)
            {
                tracing::warn!(%error, "a space that was removed is still on the disk");
            }
        }
        Ok(())
    }

    /// Index rows first: they must never point into files that are not there.
    fn finish_removal(&self, address: &[u8; 32]) -> Result<(), StoreError> {
        self.checkpointer.table().purge(address)?;
        self.unlink_folder(&gone(&segment::folder(address)))?;
        self.disk
            .sync_dir(&spaces())
            .map_err(StoreError::io("removing a space"))
    }

    fn unlink_folder(&self, folder: &Path) -> Result<(), StoreError> {
        for name in self
            .disk
            .list(folder)
            .map_err(StoreError::io("removing a space"))?
        {
            self.disk
                .remove(&folder.join(name))
                .map_err(StoreError::io("removing a segment"))?;
        }
        match self.disk.remove_dir(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("removing a space")(error))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the index was not written; the next start replays instead");
        }
    }
}

fn spaces() -> PathBuf {
    PathBuf::from("spaces")
}

fn gone(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(GONE);
    name.into()
}
