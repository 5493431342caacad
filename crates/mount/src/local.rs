//! What programs expect of a file and the format does not keep: owner, group, time of last access. Remembered as
//! long as the folder is mounted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Files remembered; beyond that, all are forgotten and belong to the person who mounted again.
const MOST: usize = 1 << 20;

/// What was set about one file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Details {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub atime: Option<SystemTime>,
    /// of a folder, when names in it changed that a space does not keep
    pub mtime: Option<SystemTime>,
    pub ctime: Option<SystemTime>,
}

/// Of all files, by inode number.
#[derive(Debug, Default)]
pub(crate) struct Local(Mutex<HashMap<u64, Details>>);

impl Local {
    pub fn get(&self, ino: u64) -> Details {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&ino).copied().unwrap_or_default()
    }

    pub fn change(&self, ino: u64, change: impl FnOnce(&mut Details)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > MOST {
            all.clear();
        }
        change(all.entry(ino).or_default());
    }

    pub fn forget(&self, ino: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&ino);
    }
}
