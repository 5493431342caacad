//! A drive, or a part of it, now or as of a time, out to a real folder.

use crate::drive::{Drive, DriveError};
use crate::import::{Outcome, Progress};
use crate::path::DrivePath;
use std::path::Path;
use std::sync::atomic::AtomicBool;

impl Drive {
    /// Writes what is at `path` (a folder's children, or one file) into the existing or new local folder `dir`, as now or as of `at_ms`. Never follows symlinks out of `dir`,
    /// never overwrites a different file (problem in the outcome).
    pub fn export(
        &self,
        path: &DrivePath,
        dir: &Path,
        at_ms: Option<u64>,
        progress: &mut dyn FnMut(Progress),
        cancel: &AtomicBool,
    ) -> Result<Outcome, DriveError> {
        unimplemented!()
    }
}
