//! The lock file: keeps a second program out, and tells whether the folder still is where it was.
//!
//! A folder that was copied lives on in two places with the same keys: both would append to the same feeds and fork them.
//! Its lock file then has another inode or birth time, or the machine another id, than the marker inside says.

use crate::error::StoreError;
use crate::segment::{FORMAT, hex};
use rustix::fs::{AtFlags, StatxFlags, statx};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Most bytes of a marker that are looked at.
const MAX_MARKER: u64 = 4096;

/// A locked data folder.
#[derive(Debug)]
pub(crate) struct DataFolder {
    lock: File,
    /// What the marker should be here.
    marker: String,
    found: std::sync::Mutex<Found>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Here,
    Elsewhere,
}

impl DataFolder {
    /// Creates the folder if needed and locks it until drop.
    pub(crate) fn lock(dir: &Path) -> Result<Self, StoreError> {
        create_dir(dir).map_err(StoreError::io("creating the data folder"))?;
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join("lock"));
        let lock = lock.map_err(StoreError::io("opening the lock file"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked),
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::io("locking the data folder")(error));
            }
        }
        let text = read_marker(&lock).map_err(StoreError::io("reading the lock file"))?;
        if format_of(&text).is_some_and(|format| format > FORMAT) {
            return Err(StoreError::TooNew);
        }
        let marker = marker(&lock).map_err(StoreError::io("reading the lock file"))?;
        let fresh = text.is_empty() && !dir.join("spaces").exists();
        let found = if text == marker || fresh {
            Found::Here
        } else {
            Found::Elsewhere
        };
        let folder = Self {
            lock,
            marker,
            found: found.into(),
        };
        if fresh {
            folder.accept_marker()?;
        }
        Ok(folder)
    }

    /// Was the folder copied or moved?
    pub(crate) fn moved(&self) -> bool {
        *crate::sync::lock(&self.found) == Found::Elsewhere
    }

    /// Writes the marker of this place, durably.
    pub(crate) fn accept_marker(&self) -> Result<(), StoreError> {
        let write = || -> io::Result<()> {
            // A crash in between leaves no marker, which counts as moved.
            self.lock.set_len(0)?;
            self.lock.write_all_at(self.marker.as_bytes(), 0)?;
            self.lock.sync_all()
        };
        write().map_err(StoreError::io("writing the lock file"))?;
        *crate::sync::lock(&self.found) = Found::Here;
        Ok(())
    }
}

impl DataFolder {
    /// Leaves no marker behind, durably. A folder without one counts as moved.
    pub(crate) fn forget_marker(&self) -> Result<(), StoreError> {
        let forget = || {
            self.lock.set_len(0)?;
            self.lock.sync_all()
        };
        forget().map_err(StoreError::io("writing the lock file"))
    }
}

/// Creates a folder and what leads to it, durably.
fn create_dir(dir: &Path) -> io::Result<()> {
    let new: Vec<&Path> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    std::fs::create_dir_all(dir)?;
    for dir in new {
        // A relative path of one name lies in the current folder.
        let parent = dir.parent().filter(|parent| *parent != Path::new(""));
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn read_marker(lock: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    lock.take(MAX_MARKER).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn format_of(marker: &str) -> Option<u32> {
    marker
        .lines()
        .next()?
        .strip_prefix("cobox-feed ")?
        .parse()
        .ok()
}

/// The marker of the place where this lock file is. The machine's id is hashed: it is nobody's business.
fn marker(lock: &File) -> io::Result<String> {
    let stat = statx(
        lock,
        "",
        AtFlags::EMPTY_PATH,
        StatxFlags::INO | StatxFlags::BTIME,
    )?;
    // Not every system has one, nor every file system birth times; the inode is always there.
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let machine = blake2b_simd::Params::new()
        .hash_length(16)
        .personal(b"cobox/marker")
        .hash(&machine);
    let (seconds, nanoseconds) = if stat.stx_mask & StatxFlags::BTIME.bits() != 0 {
        (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec)
    } else {
        (0, 0)
    };
    Ok(format!(
        "cobox-feed {FORMAT}\nmachine {}\ninode {}\nborn {seconds}.{nanoseconds:09}\n",
        hex(machine.as_bytes()),
        stat.stx_ino
    ))
}
