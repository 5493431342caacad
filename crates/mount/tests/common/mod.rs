//! Members with a mounted folder each.
#![allow(dead_code)]

#[path = "../../../drive/tests/common/mod.rs"]
mod members;

use cobox_mount::{Mount, MountError, Options};
pub use members::*;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Can this machine mount at all? Says so where it cannot.
pub fn can_mount() -> bool {
    let can = Path::new("/dev/fuse").exists();
    if !can {
        eprintln!("skipped: there is no /dev/fuse here");
    }
    can
}

/// A member and the folder that its space is mounted at.
pub struct Mounted {
    pub peer: Peer,
    pub at: PathBuf,
    mount: Option<Mount>,
    _dir: tempfile::TempDir,
}

impl Mounted {
    pub fn new(space: &Space, seed: u8) -> Self {
        Self::with(Peer::new(space, seed), |_| {})
    }

    pub fn with(peer: Peer, change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let at = dir.path().join("folder");
        let mut options = options(&peer, &at);
        change(&mut options);
        let mount = Mount::start(peer.drive.clone(), options).expect("mounted");
        Self {
            peer,
            at,
            mount: Some(mount),
            _dir: dir,
        }
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        self.at.join(inside)
    }

    pub fn is_alive(&self) -> bool {
        self.mount.as_ref().is_some_and(Mount::is_alive)
    }

    /// Unmounts; the member stays.
    pub fn stop(mut self) -> Result<Peer, MountError> {
        if let Some(mount) = self.mount.take() {
            mount.stop()?;
        }
        Ok(self.peer)
    }
}

pub fn options(peer: &Peer, at: &Path) -> Options {
    Options {
        at: at.to_owned(),
        name: "test".into(),
        read_only: false,
        as_of_ms: None,
        others: false,
        disk: peer.dir.path().to_owned(),
    }
}

/// Waits a moment for something that comes by itself.
pub fn soon(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(5), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
