//! The drive as the programs of one machine see it: the committed tree, and over it what they changed a moment ago.
//!
//! Programs on a folder make thousands of small changes; each would be a signed commit and a sync. Here they gather
//! for up to half a second and become one commit, in which what was overwritten or created and deleted in between
//! never appears. Files have numbers ([`FileId`]) that stay with what a program has opened, also when a rename gives
//! its bytes to another node. Not its job: the kernel's protocol (`cobox-mount`), what records mean together (`tree`).

mod change;
mod commit;
mod file;
mod look;
mod plan;
mod rename;
mod shared;
mod stale;
mod state;
mod sync;

pub use file::OpenFile;
pub use look::Stat;
pub use stale::Stale;

use crate::drive::Drive;
use crate::error::DriveError;
use crate::record::Time;
use commit::Committer;
use look::Groups;
use state::State;
use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// What the kernel must forget may wait for it; one that lags forgets everything.
const STALE: usize = 4096;

/// Numbers a file for as long as the overlay is open. Fits an inode number; its top bit is never set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u64);

impl FileId {
    /// The top folder.
    pub const ROOT: Self = Self(1);
}

/// What a rename may do to what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replace {
    /// take its place
    Allowed,
    /// nothing
    Refused,
    /// both change places
    Exchange,
}

/// What to change about a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set {
    /// permission bits
    pub mode: Option<u32>,
    /// modification time
    pub mtime: Option<Time>,
    /// bytes
    pub size: Option<u64>,
}

/// What must be true of an extended attribute that is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Must {
    /// nothing
    Any,
    /// it is not there yet
    New,
    /// it is there
    Exist,
}

/// The tree and what is not committed yet. Methods block; share behind an `Arc`.
pub struct Overlay {
    drive: Arc<Drive>,
    state: Mutex<State>,
    /// Bytes written and in memory.
    dirty: AtomicU64,
    /// Bytes in memory of files without a name, which are never committed.
    nameless: AtomicU64,
    /// Held by whoever commits, and by whoever compares the tree with what the kernel was told.
    committing: Mutex<()>,
    /// Last blocks of this overlay's own commits that the tree has not told about yet: what they changed is known here.
    ours: Mutex<HashSet<u64>>,
    committer: Committer,
    groups: Mutex<Groups>,
    stale: broadcast::Sender<Stale>,
}

impl Overlay {
    /// Over a drive. Its changes are committed by a thread of its own until `close`.
    pub fn open(drive: Arc<Drive>) -> Result<Arc<Self>, DriveError> {
        let overlay = Arc::new(Self {
            drive,
            state: Mutex::new(State::new()),
            dirty: AtomicU64::new(0),
            nameless: AtomicU64::new(0),
            committing: Mutex::new(()),
            ours: Mutex::default(),
            committer: Committer::default(),
            groups: Mutex::default(),
            stale: broadcast::channel(STALE).0,
        });
        overlay.start()?;
        overlay.follow()?;
        Ok(overlay)
    }

    /// The drive below.
    pub fn drive(&self) -> &Arc<Drive> {
        &self.drive
    }

    /// What others changed, and what must therefore be looked at again.
    pub fn subscribe(&self) -> broadcast::Receiver<Stale> {
        self.stale.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn check_writable(&self) -> Result<(), DriveError> {
        match self.drive.is_writable() {
            true => Ok(()),
            false => Err(DriveError::ReadOnly),
        }
    }
}

/// Every value behind these locks is whole after each statement, so a panic elsewhere spoils none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nobody has a file of this number any more.
fn gone(id: FileId) -> DriveError {
    DriveError::NotFound(format!("number {}", id.0))
}
