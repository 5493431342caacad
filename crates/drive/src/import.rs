//! Real directory trees into a drive: modes, times, symlinks, xattrs, holes, odd names.

use crate::drive::{Drive, DriveError};
use crate::path::DrivePath;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// How far a long job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /** entries done */
    pub entries: u64,
    /** bytes of files done */
    pub bytes: u64,
    /** bytes expected, when known */
    pub total_bytes: u64,
    /** entries expected */
    pub total_entries: u64,
}
/// What was done, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /** how much */
    pub done: Progress,
    /** files left out or changed in kind, each with the reason in words (unreadable, device node, hard link copied, changed while read) */
    pub problems: Vec<(PathBuf, String)>,
}
impl Drive {
    /// Imports files and folders (each under its own name) into the folder `to`. Committed in parts, each durable; unchanged files (same size, mtime, mode) are skipped; a file that
    /// cannot be read is a problem in the outcome, not an end.
    pub fn import(
        &self,
        sources: &[PathBuf],
        to: &DrivePath,
        progress: &mut dyn FnMut(Progress),
        cancel: &AtomicBool,
    ) -> Result<Outcome, DriveError> {
        unimplemented!()
    }
}
