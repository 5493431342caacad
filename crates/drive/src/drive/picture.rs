//! The space as it was at a time, to be looked at: read once, kept as long as somebody looks.

use super::{Drive, DriveError, list_in};
use crate::handle::FileReader;
use crate::path::DrivePath;
use crate::tree::{Entry, Tree};
use cobox_view::kv::MemoryRows;
use std::sync::Arc;

/// A space as of a time.
pub struct Picture {
    drive: Arc<Drive>,
    rows: MemoryRows,
    at_ms: u64,
}

impl Drive {
    /// The space as of a time (ms since 1970): per writer the last commit at or before it, by the writers' clocks.
    /// Replays all commits, so keep what it returns.
    pub fn picture(self: &Arc<Self>, at_ms: u64) -> Result<Picture, DriveError> {
        Ok(Picture {
            drive: self.clone(),
            rows: self.rows_at(at_ms)?,
            at_ms,
        })
    }

    /// When commits were made, newest first, ms since 1970 by their authors' clocks: at most so many of each writer.
    pub fn commit_times(&self, most: usize) -> Result<Vec<u64>, DriveError> {
        Ok(Tree(&self.rows()?).commit_times(most)?)
    }
}

impl Picture {
    /// Of when it is, ms since 1970.
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// What was at a path.
    pub fn stat(&self, path: &DrivePath) -> Result<Entry, DriveError> {
        self.drive.found(Tree(&self.rows).lookup(path)?, path)
    }

    /// What was in a folder, in name order.
    pub fn list(&self, path: &DrivePath) -> Result<Vec<Entry>, DriveError> {
        list_in(&Tree(&self.rows), path)
    }

    /// Opens a file as it was.
    pub fn open(&self, path: &DrivePath) -> Result<FileReader, DriveError> {
        let entry = self.stat(path)?;
        self.drive.reader(&Tree(&self.rows), &entry, path)
    }
}
