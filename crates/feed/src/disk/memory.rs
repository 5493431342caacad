//! A disk in memory that forgets what was not synced, tears writes, fills up and fails: for tests.

use super::{Disk, DiskFile};
use crate::sync::lock;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Bytes that reach a real disk together or not at all.
const SECTOR: usize = 512;

/// When the disk is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// From the so-manieth call that changes something on, nothing works any more.
    PowerCut(u64),
    /// So many bytes may still be written to segments; in the table file only what is there can be overwritten.
    Full(u64),
    /// The so-manieth sync of a file fails, once.
    Sync(u64),
}

/// The disk. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    /// Names as they are after a crash.
    synced_names: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
    calls: u64,
    syncs: u64,
    fault: Option<Fault>,
    /// Sectors that cannot be read, by file.
    bad: BTreeSet<(usize, u64)>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// What happened since the last sync.
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// Bytes that change.
trait Apply {
    fn apply(&mut self, change: &Change);
}

impl Apply for Vec<u8> {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write(offset, data) => put(self, *offset, data),
            Change::Length(length) => self.resize(*length, 0),
        }
    }
}

impl MemoryDisk {
    /// Lets it fail; `None` heals it.
    pub(crate) fn fail(&self, fault: Option<Fault>) {
        lock(&self.0).fault = fault;
    }

    /// Calls so far that change something.
    pub(crate) fn calls(&self) -> u64 {
        lock(&self.0).calls
    }

    /// Syncs of files so far.
    pub(crate) fn syncs(&self) -> u64 {
        lock(&self.0).syncs
    }

    /// What a machine finds that starts again after the power was cut now: everything synced, and of the rest what chance
    /// lets through, sector by sector.
    pub(crate) fn after_crash(&self, chance: &mut dyn FnMut() -> bool) -> Self {
        let old = lock(&self.0);
        let mut new = State {
            dirs: old.dirs.clone(),
            files: old
                .files
                .iter()
                .map(|file| file.after_crash(chance))
                .collect(),
            ..State::default()
        };
        new.names = old.synced_names.clone();
        for (name, file) in &old.names {
            if old.synced_names.get(name) != Some(file) && chance() {
                new.names.insert(name.clone(), *file);
            }
        }
        for name in old
            .synced_names
            .keys()
            .filter(|name| !old.names.contains_key(*name))
        {
            if chance() {
                new.names.remove(name);
            }
        }
        new.synced_names = new.names.clone();
        Self(Arc::new(Mutex::new(new)))
    }

    /// A disk with the same bytes.
    pub(crate) fn copy(&self) -> Self {
        self.after_crash(&mut || true)
    }

    /// Names of all files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        lock(&self.0).names.keys().cloned().collect()
    }

    /// Bytes of a file.
    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = lock(&self.0);
        state.files[state.names[path]].now.clone()
    }

    /// Replaces the bytes of a file, behind everybody's back.
    pub(crate) fn set_bytes(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = lock(&self.0);
        let number = state.names[path];
        state.files[number] = Content {
            now: bytes.clone(),
            synced: bytes,
            unsynced: Vec::new(),
        };
    }

    /// From now on the sector of a file that holds this byte cannot be read.
    pub(crate) fn spoil(&self, path: &Path, offset: u64) {
        let mut state = lock(&self.0);
        let number = state.names[path];
        state.bad.insert((number, offset / SECTOR as u64));
    }

    fn file(&self, number: usize) -> Arc<dyn DiskFile> {
        Arc::new(MemoryFile {
            disk: self.clone(),
            number,
        })
    }
}

impl Content {
    fn after_crash(&self, chance: &mut dyn FnMut() -> bool) -> Self {
        let mut bytes = self.synced.clone();
        for change in &self.unsynced {
            match change {
                Change::Length(length) if chance() => bytes.resize(*length, 0),
                Change::Length(_) => {}
                Change::Write(offset, data) => tear(&mut bytes, *offset, data, chance),
            }
        }
        Self {
            now: bytes.clone(),
            synced: bytes,
            unsynced: Vec::new(),
        }
    }
}

fn tear(bytes: &mut Vec<u8>, offset: usize, data: &[u8], chance: &mut dyn FnMut() -> bool) {
    let mut from = 0;
    while from < data.len() {
        let to = (((offset + from) / SECTOR + 1) * SECTOR - offset).min(data.len());
        if chance() {
            put(bytes, offset + from, &data[from..to]);
        }
        from = to;
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

impl State {
    /// Counts a call that changes something.
    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.fault {
            Some(Fault::PowerCut(calls)) if self.calls > calls => {
                Err(io::Error::other("the power is off"))
            }
            _ => Ok(()),
        }
    }

    fn number(&self, path: &Path) -> io::Result<usize> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, number: usize, change: Change) {
        let file = &mut self.files[number];
        file.now.apply(&change);
        file.unsynced.push(change);
    }

    fn sync(&mut self, number: usize) -> io::Result<()> {
        self.call()?;
        self.syncs += 1;
        let file = &mut self.files[number];
        let changes = std::mem::take(&mut file.unsynced);
        if self.fault == Some(Fault::Sync(self.syncs)) {
            // As Linux does: reads still show what was written, and no later sync tries it again.
            return Err(io::Error::other("the sync failed"));
        }
        for change in &changes {
            file.synced.apply(change);
        }
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.0);
        state.call()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = state.files.len();
        state.files.push(Content::default());
        state.names.insert(path.to_owned(), number);
        Ok(self.file(number))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(lock(&self.0).number(path)?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = lock(&self.0);
        let paths = state.names.keys().chain(&state.dirs);
        let names = paths
            .filter(|path| path.parent() == Some(dir))
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        Ok(names.collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        lock(&self.0).dirs.extend(
            dir.ancestors()
                .filter(|dir| *dir != Path::new(""))
                .map(Path::to_owned),
        );
        Ok(())
    }

    /// A rename of a folder is taken as durable at once: removing a space may be repeated.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.call()?;
        let moved = |path: &Path| {
            path.strip_prefix(from)
                .map_or(path.to_owned(), |rest| to.join(rest))
        };
        state.names = state
            .names
            .iter()
            .map(|(path, file)| (moved(path), *file))
            .collect();
        state.synced_names = state
            .synced_names
            .iter()
            .map(|(path, file)| (moved(path), *file))
            .collect();
        state.dirs = state
            .dirs
            .iter()
            .map(|path| {
                if path == from {
                    to.to_owned()
                } else {
                    path.clone()
                }
            })
            .collect();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.call()?;
        state.number(path)?;
        state.names.remove(path);
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.call()?;
        state.synced_names.retain(|path, _| !path.starts_with(dir));
        state
            .dirs
            .remove(dir)
            .then_some(())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.call()?;
        state
            .synced_names
            .retain(|path, _| path.parent() != Some(dir));
        let names: Vec<_> = state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(dir))
            .map(|(path, file)| (path.clone(), *file))
            .collect();
        state.synced_names.extend(names);
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        match lock(&self.0).fault {
            Some(Fault::Full(left)) => Ok(left),
            _ => Ok(u64::MAX),
        }
    }

    fn open_table(
        &self,
        builder: &redb::Builder,
        path: &Path,
    ) -> Result<redb::Database, redb::DatabaseError> {
        let number = {
            let mut state = lock(&self.0);
            state.number(path).unwrap_or_else(|_| {
                let number = state.files.len();
                state.files.push(Content::default());
                state.names.insert(path.to_owned(), number);
                state.synced_names.insert(path.to_owned(), number);
                number
            })
        };
        builder.create_with_backend(MemoryFile {
            disk: self.clone(),
            number,
        })
    }
}

#[derive(Clone, Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    number: usize,
}

impl DiskFile for MemoryFile {
    fn forget(&self, _bytes: Range<u64>) {
        let file = &mut lock(&self.disk.0).files[self.number];
        if file.unsynced.is_empty() {
            file.now = file.synced.clone();
        }
    }

    fn write_at(&self, mut offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut state = lock(&self.disk.0);
        // A write that is cut short may have reached the disk in part.
        let cut = state.call();
        for part in parts {
            let mut room = part.len();
            if let Some(Fault::Full(left)) = &mut state.fault {
                room = room.min(*left as usize);
                *left -= room as u64;
            }
            state.change(
                self.number,
                Change::Write(offset as usize, part[..room].to_vec()),
            );
            if room < part.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            offset += part.len() as u64;
        }
        cut
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = lock(&self.disk.0);
        let end = offset + buffer.len() as u64;
        if state
            .bad
            .range(
                (self.number, offset / SECTOR as u64)
                    ..=(self.number, end.saturating_sub(1) / SECTOR as u64),
            )
            .next()
            .is_some()
        {
            return Err(rustix::io::Errno::IO.into());
        }
        let rest = state.files[self.number]
            .now
            .get(offset as usize..)
            .unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn sync(&self) -> io::Result<()> {
        lock(&self.disk.0).sync(self.number)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = lock(&self.disk.0);
        state.call()?;
        state.change(self.number, Change::Length(length as usize));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.disk.0).files[self.number].now.len() as u64)
    }
}

impl redb::StorageBackend for MemoryFile {
    fn len(&self) -> Result<u64, io::Error> {
        DiskFile::len(self)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        super::read_exact(self, offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.truncate(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = lock(&self.disk.0);
        state.call()?;
        let file = &mut state.files[self.number];
        file.synced = file.now.clone();
        file.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = lock(&self.disk.0);
        state.call()?;
        let synced = &state.files[self.number].synced;
        let old = synced.get(offset as usize..offset as usize + data.len());
        let is_new = old.is_none_or(|old| old.iter().all(|byte| *byte == 0));
        if is_new && matches!(state.fault, Some(Fault::Full(_))) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.change(self.number, Change::Write(offset as usize, data.to_vec()));
        Ok(())
    }
}
