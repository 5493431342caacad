//! All feeds of one data folder: the lock, the index, one set per address. Opens after a crash without repair by hand.

use crate::set::FeedSet;
use std::path::Path;
use std::sync::Arc;

/// One per data folder; a second program on the same folder is refused.
pub struct Store; // Clone = Arc inside

/// What went wrong with the disk.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder is in use.
    #[error("the data folder is in use by another running program")] Locked,
    /// No space left; nothing acknowledged was lost; the set can be used again when there is space.
    #[error("the disk is full")] DiskFull,
    /// Any other failed call; after a failed sync the set refuses further writes until re-opened.
    #[error("{action}: {source}")] Io { /** what was being done */ action: &'static str, /** cause */ source: Arc<std::io::Error> },
    /// A sync failed earlier: this set takes no more writes in this run.
    #[error("an earlier write could not be made durable; restart the program")] Poisoned,
    /// The data folder was made by a newer program.
    #[error("the data folder needs a newer program")] TooNew,
    /// The index table file failed even after being rebuilt.
    #[error("the index cannot be used: {0}")] Index(Arc<str>),
}
/// Tuning; defaults are right for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options { /** bytes per segment file */ pub segment_size: u64, /** files kept open for reading */ pub open_files: usize }
impl Default for Options { fn default() -> Self { Self { segment_size: 256 << 20, open_files: 64 } } }
impl Store {
    /// Opens (or creates) the folder, takes its lock, rebuilds what was lost, replays what the index had not seen.
    pub fn open(dir: &Path, options: Options) -> Result<Store, StoreError> { unimplemented!() }
    /// True when the folder was copied or moved to another machine since it was last opened (marker: machine id, inode and birth time of
    /// the lock file): the caller takes a new incarnation, then calls `accept_marker`.
    pub fn moved(&self) -> bool { unimplemented!() }
    /// Writes the marker of this place.
    pub fn accept_marker(&self) -> Result<(), StoreError> { unimplemented!() }
    /// The set of feeds at an address, opened once and shared.
    pub fn set(&self, address: [u8; 32]) -> Result<Arc<FeedSet>, StoreError> { unimplemented!() }
    /// Addresses that have segments here.
    pub fn addresses(&self) -> Vec<[u8; 32]> { unimplemented!() }
    /// Unlinks everything of an address and frees the disk. Open handles answer `StoreError` from then on.
    pub fn remove(&self, address: [u8; 32]) -> Result<(), StoreError> { unimplemented!() }
    /// Commits the index durably and stops the commit threads. Also done (best effort) on drop of the last clone.
    pub fn close(&self) -> Result<(), StoreError> { unimplemented!() }
}
