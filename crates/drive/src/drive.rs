//! `Drive`: the verbs. Look up, read, write, move, remove, history, restore, conflicts.

use crate::path::{DrivePath, PathError};
use crate::record::NodeId;
use crate::tree::{Changed, Conflict, Entry, Version, WriterInfo};
use crate::version::Dot;
use bytes::Bytes;
use cobox_feed::feed::Feed;
use cobox_feed::set::FeedSet;
use cobox_feed::store::StoreError;
use cobox_keys::access::{Address, ReadKey};
use cobox_view::indexer::Indexer;
use cobox_view::kv::{Database, ViewError};
use std::sync::Arc;

pub use crate::error::DriveError;

/// The feeds we write, if we may write.
pub struct OwnFeeds {
    /** metadata */
    pub metadata: Arc<Feed>,
    /** content */
    pub content: Arc<Feed>,
    /** the signed claim to put into block 0 when a feed is empty */
    pub claim: Bytes,
}
/// Everything a drive stands on.
pub struct Parts {
    /** space */
    pub address: Address,
    /** feeds */
    pub set: Arc<FeedSet>,
    /** rows */
    pub db: Database,
    /** keeps rows up to date; has a `TreeView` among its views */
    pub indexer: Arc<Indexer>,
    /** opens blocks */
    pub read_key: ReadKey,
    /** none = read-only */
    pub own: Option<OwnFeeds>,
    /** sender given to the `TreeView` */
    pub changed: tokio::sync::broadcast::Sender<Changed>,
}

/// The multi-writer file system of one space. All methods block (call from a blocking thread); share behind an `Arc`.
pub struct Drive;
impl Drive {
    /// Also writes the claim (block 0) into own feeds that are empty.
    pub fn open(parts: Parts) -> Result<Drive, DriveError> {
        unimplemented!()
    }
    /// What is at a path.
    pub fn stat(&self, path: &DrivePath) -> Result<Entry, DriveError> {
        unimplemented!()
    }
    /// Children of a folder in name order.
    pub fn list(&self, path: &DrivePath) -> Result<Vec<Entry>, DriveError> {
        unimplemented!()
    }
    /// Opens a file's shown version (or a given one) for reading.
    pub fn open_file(
        &self,
        path: &DrivePath,
        version: Option<Dot>,
    ) -> Result<crate::handle::FileReader, DriveError> {
        unimplemented!()
    }
    /// Writes a whole file (creating or as a new version); durable and visible to own reads when it returns.
    pub fn write_file(
        &self,
        path: &DrivePath,
        source: &mut dyn std::io::Read,
        options: crate::handle::WriteOptions,
    ) -> Result<Entry, DriveError> {
        unimplemented!()
    }
    /// Creates a folder (parents too when asked).
    pub fn create_folder(&self, path: &DrivePath, parents: bool) -> Result<Entry, DriveError> {
        unimplemented!()
    }
    /// Creates a symlink.
    pub fn symlink(&self, path: &DrivePath, target: &[u8]) -> Result<Entry, DriveError> {
        unimplemented!()
    }
    /// Removes a file, symlink or folder (a folder with everything below only if `recursive`); one record.
    pub fn remove(&self, path: &DrivePath, recursive: bool) -> Result<(), DriveError> {
        unimplemented!()
    }
    /// Moves or renames; over a file: the target gets a new version and the source goes (history survives).
    pub fn rename(&self, from: &DrivePath, to: &DrivePath) -> Result<(), DriveError> {
        unimplemented!()
    }
    /// Versions, newest first.
    pub fn history(&self, path: &DrivePath) -> Result<Vec<Version>, DriveError> {
        unimplemented!()
    }
    /// Brings a version back as the newest (undeletes when needed). For folders: by time, everything below.
    pub fn restore(&self, path: &DrivePath, what: Restore) -> Result<u64, DriveError> {
        unimplemented!()
    }
    /// Open conflicts.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, DriveError> {
        unimplemented!()
    }
    /// Keeps one version; the others become history.
    pub fn resolve(&self, path: &DrivePath, keep: Dot) -> Result<(), DriveError> {
        unimplemented!()
    }
    /// Node of a path.
    pub fn node(&self, path: &DrivePath) -> Result<NodeId, DriveError> {
        unimplemented!()
    }
    /// Events after commit.
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Changed> {
        unimplemented!()
    }
    /// Writers with accepted claims.
    pub fn writers(&self) -> Result<Vec<WriterInfo>, DriveError> {
        unimplemented!()
    }
    /// Files, folders, logical bytes.
    pub fn totals(&self) -> Result<(u64, u64, u64), DriveError> {
        unimplemented!()
    }
    /// The own metadata head with its tree hash, for an invite.
    pub fn own_head(&self) -> Option<(cobox_feed::manifest::FeedKey, u64, [u8; 32])> {
        unimplemented!()
    }
}
/// Which older state to bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /** one version of a file */
    Version(Dot),
    /** as of a time, ms since 1970 */
    Time(u64),
}
