//! People, machines and a network in memory.

#![allow(dead_code)] // each test file uses a part

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cobox_drive::drive::{Drive, DriveError};
use cobox_drive::handle::WriteOptions;
use cobox_drive::path::DrivePath;
use cobox_drive::record::Kind;
use cobox_feed::set::FeedSet;
use cobox_space::shelf::{LockedShelf, Shelf, ShelfOptions, SpaceError, TransportFactory};
use cobox_space::space::Space;
use cobox_swarm::transport::Transport;
use cobox_swarm::transport::memory::MemoryNetwork;
use tokio::runtime::Runtime;

/// Machines that can reach each other, and nothing else.
pub struct World {
    pub runtime: Runtime,
    pub network: MemoryNetwork,
    dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            runtime,
            network: MemoryNetwork::new(),
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    pub fn home(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn try_start(&self, home: &Path) -> Result<Shelf, SpaceError> {
        self.try_start_with(home, |_| {})
    }

    pub fn try_start_with(
        &self,
        home: &Path,
        more: impl FnOnce(&mut ShelfOptions),
    ) -> Result<Shelf, SpaceError> {
        let mut options = Self::options();
        more(&mut options);
        self.runtime
            .block_on(Shelf::open_with(home, options, self.transport()))
    }

    /// Starts the program in a home whose password nobody gives.
    pub fn start_locked(&self, home: &Path) -> LockedShelf {
        let options = Self::options();
        let opened = LockedShelf::open_with(home, &options, self.transport());
        self.runtime.block_on(opened).expect("a locked shelf")
    }

    /// Ends that.
    pub fn stop_locked(&self, shelf: LockedShelf) {
        self.runtime.block_on(shelf.close()).expect("closed");
    }

    fn options() -> ShelfOptions {
        let mut options = ShelfOptions::default();
        options.lan = false;
        options
    }

    fn transport(&self) -> TransportFactory {
        let network = self.network.clone();
        Arc::new(move |pair, _| {
            let device = network.device(pair);
            Box::pin(async move { Ok(Arc::new(device) as Arc<dyn Transport>) })
        })
    }

    /// Starts the program of the person called so, in the home called so.
    pub fn start(&self, name: &str) -> Shelf {
        let shelf = self.try_start(&self.home(name)).expect("a shelf");
        if shelf.name().is_none() {
            shelf.set_name(name).expect("a name");
        }
        shelf
    }

    /// Ends the program; the home can be opened again.
    pub fn stop(&self, shelf: Shelf) {
        self.runtime.block_on(shelf.close()).expect("closed");
    }
}

/// Waits until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn path(text: &str) -> DrivePath {
    DrivePath::parse(text.as_bytes()).expect("a path")
}

pub fn write(space: &Space, at: &str, bytes: &[u8]) {
    let options = WriteOptions {
        parents: true,
        ..WriteOptions::default()
    };
    let written = space.drive().write_file(&path(at), &mut &*bytes, options);
    written.expect("written");
}

pub fn read(drive: &Drive, at: &DrivePath) -> Result<Vec<u8>, DriveError> {
    let file = drive.open_file(at, None)?;
    let mut bytes = vec![0; file.size() as usize];
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(done as u64, &mut bytes[done..])? {
            0 => break,
            more => done += more,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

/// Text of a file, if it is here.
pub fn text(space: &Space, at: &str) -> Option<String> {
    let bytes = read(space.drive(), &path(at)).ok()?;
    String::from_utf8(bytes).ok()
}

/// Whether one set has every block of every feed of another.
pub fn holds_all(here: &FeedSet, there: &FeedSet) -> bool {
    there.feeds().iter().all(|feed| {
        let length = feed.length();
        let kept = here.feed(&feed.key());
        length == 0
            || kept
                .is_some_and(|kept| kept.length() == length && kept.missing(0..length).is_empty())
    })
}

/// Bytes that do not compress, the same each time.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Every path with its bytes.
pub fn picture(space: &Space) -> BTreeMap<String, Vec<u8>> {
    let mut picture = BTreeMap::new();
    let mut folders = vec![DrivePath::default()];
    while let Some(folder) = folders.pop() {
        for entry in space.drive().list(&folder).expect("a listing") {
            let at = folder.join(entry.name);
            match entry.kind {
                Kind::Folder => folders.push(at),
                _ => {
                    let bytes = read(space.drive(), &at).expect("bytes");
                    picture.insert(at.to_string(), bytes);
                }
            }
        }
    }
    picture
}

/// A copy of a whole folder, as `cp -a` makes it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a listing") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Puts a folder back in place, as an image of the whole disk would: the lock file stays the same file.
pub fn put_back(image: &Path, home: &Path) {
    for file in files_below(home) {
        if !file.ends_with("store/lock") {
            std::fs::remove_file(file).expect("removed");
        }
    }
    for file in files_below(image) {
        let target = home.join(file.strip_prefix(image).expect("below"));
        if !file.ends_with("store/lock") {
            std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
            std::fs::copy(file, target).expect("a copy");
        }
    }
}

/// Every file below a folder.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a listing").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push(path),
            }
        }
    }
    files
}
