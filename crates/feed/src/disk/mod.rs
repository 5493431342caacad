//! The narrow waist between the store and a disk: a handful of calls on folders and on append-only files.
//! Not its job: formats, checksums, caching. [`real::RealDisk`] is the machine's disk; in tests a simulated one loses what
//! was not synced.

pub(crate) mod handles;
#[cfg(test)]
pub(crate) mod memory;
pub(crate) mod real;

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Folders and files below the data folder. Paths are relative to it.
pub(crate) trait Disk: Send + Sync + Debug {
    /// Creates an empty file that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Names in a folder, in no particular order; a folder that does not exist is empty.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Creates a folder (and what leads to it); fine if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Renames a folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Unlinks a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes names created, renamed or removed in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes that may still be written, as far as the disk tells.
    fn free(&self) -> io::Result<u64>;
    /// Opens or creates the table file at `path`.
    fn open_table(
        &self,
        builder: &redb::Builder,
        path: &Path,
    ) -> Result<redb::Database, redb::DatabaseError>;
}

/// One file. Appending is positional, so that a failed write can be cut off and repeated.
pub(crate) trait DiskFile: Send + Sync + Debug {
    /// Writes all parts one after the other from `offset` on, in as few calls as possible.
    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()>;
    /// Fills `buffer` from `offset`; fewer bytes only at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Bytes and length are on the disk when this returns.
    fn sync(&self) -> io::Result<()>;
    /// Synced bytes that nobody will read soon: their memory may go to others. Advice only.
    fn forget(&self, bytes: Range<u64>);
    /// Cuts the file.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Bytes in the file.
    fn len(&self) -> io::Result<u64>;
}

/// A bad sector: what is there is lost, the rest of the disk works.
pub(crate) fn is_bad_sector(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Reads exactly `buffer.len()` bytes.
pub(crate) fn read_exact(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    match file.read_at(offset, buffer)? {
        n if n == buffer.len() => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
