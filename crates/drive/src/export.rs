//! A drive, or a part of it, now or as of a time, out to a real folder.

mod target;

use crate::drive::{Drive, DriveError, list_in};
use crate::handle::FileReader;
use crate::import::{Outcome, Progress};
use crate::path::DrivePath;
use crate::record::{Body, Kind};
use crate::tree::{Entry, Tree};
use cobox_view::kv::ReadRows;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use target::{Made, Target};

/// Bytes read and opened at a time.
const PIECE: usize = 1 << 20;
/// Pieces read ahead of the disk.
const AHEAD: usize = 4;
/// From this size on one thread reads while another writes.
const TWO_THREADS: u64 = 4 << 20;
/// Progress is told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(100);

impl Drive {
    /// Writes what is at `path` (a folder's children, or one file) into the existing or new local folder `dir`, as now
    /// or as of `at_ms`. Content that is still coming is written as it comes. Never follows symlinks out of `dir`, never overwrites a different file (problem in the outcome).
    /// Durable when it returns.
    pub fn export(
        &self,
        path: &DrivePath,
        dir: &Path,
        at_ms: Option<u64>,
        progress: &mut dyn FnMut(Progress),
        cancel: &AtomicBool,
    ) -> Result<Outcome, DriveError> {
        let rows: Box<dyn ReadRows> = match at_ms {
            Some(at_ms) => Box::new(self.rows_at(at_ms)?),
            None => Box::new(self.rows()?),
        };
        let tree = Tree(rows.as_ref());
        let mut job = Job {
            drive: self,
            tree: &tree,
            outcome: Outcome::default(),
            progress,
            last_told: Instant::now(),
            cancel,
        };
        let is_folder = !tree.folders(path)?.is_empty();
        let entry = match is_folder {
            true => None,
            false => Some(
                tree.lookup(path)?
                    .ok_or_else(|| DriveError::NotFound(path.to_string()))?,
            ),
        };
        let target = Target::create(dir)?;
        match entry {
            Some(entry) => {
                job.expect(
                    1,
                    if entry.kind == Kind::File {
                        entry.content.size
                    } else {
                        0
                    },
                );
                job.entry(path, &entry, &target)?;
            }
            None => {
                job.count(path)?;
                job.folder(path, &target)?;
            }
        }
        // Whoever reads "done" may pull the stick.
        target.sync()?;
        Ok(job.outcome())
    }
}

struct Job<'a> {
    drive: &'a Drive,
    tree: &'a Tree<'a, dyn ReadRows>,
    outcome: Outcome,
    progress: &'a mut dyn FnMut(Progress),
    last_told: Instant,
    cancel: &'a AtomicBool,
}

/// What became of one file; the outer error ends the export.
type Written = Result<Result<(), String>, DriveError>;

impl Job<'_> {
    fn expect(&mut self, entries: u64, bytes: u64) {
        self.outcome.done.total_entries += entries;
        self.outcome.done.total_bytes += bytes;
    }

    fn count(&mut self, path: &DrivePath) -> Result<(), DriveError> {
        let mut todo = vec![path.clone()];
        while let Some(folder) = todo.pop() {
            self.check()?;
            for entry in self.tree.list(&folder)? {
                match entry.kind {
                    Kind::Folder => todo.push(folder.join(entry.name)),
                    Kind::File => self.outcome.done.total_bytes += entry.content.size,
                    Kind::Symlink => {}
                }
                self.outcome.done.total_entries += 1;
            }
        }
        Ok(())
    }

    /// What is here comes first, then what is still on its way, in the order in which peers send it.
    fn folder(&mut self, path: &DrivePath, target: &Target) -> Result<(), DriveError> {
        let mut entries = list_in(self.tree, path)?;
        entries.sort_by_cached_key(|entry| self.drive.awaited(&entry.content));
        for entry in entries {
            self.entry(&path.join(entry.name.clone()), &entry, target)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        path: &DrivePath,
        entry: &Entry,
        target: &Target,
    ) -> Result<(), DriveError> {
        self.check()?;
        let local = target.path_of(&entry.name);
        let done = match entry.kind {
            Kind::Folder => self.subfolder(path, entry, target)?,
            Kind::Symlink => match &entry.content.body {
                Body::Target(to) => fate(&local, target.symlink(&entry.name, to, entry))?,
                _ => Err("its target is not known".into()),
            },
            Kind::File => self.file(path, entry, target)?,
        };
        if let Err(reason) = done {
            self.outcome.problems.push((local, reason));
        }
        self.outcome.done.entries += 1;
        self.tell();
        Ok(())
    }

    fn subfolder(&mut self, path: &DrivePath, entry: &Entry, target: &Target) -> Written {
        let local = target.path_of(&entry.name);
        let inner = match target.folder(&entry.name) {
            Ok(inner) => inner,
            Err(error) => return fate::<()>(&local, Err(error)),
        };
        self.folder(path, &inner)?;
        // Last, since writing children changes a folder's time and may need more rights than it will have.
        let problems = inner.finish(entry);
        self.outcome
            .problems
            .extend(problems.into_iter().map(|reason| (local.clone(), reason)));
        Ok(Ok(()))
    }

    fn file(&mut self, path: &DrivePath, entry: &Entry, target: &Target) -> Written {
        let local = target.path_of(&entry.name);
        let reader = match self.drive.reader(self.tree, entry, path) {
            Ok(reader) => reader,
            Err(error) => return Ok(Err(missing(error)?)),
        };
        match target.existing(&entry.name) {
            Ok(None) => {}
            Ok(Some(there)) => {
                let is_same = there.fits(entry) && self.is_equal(&there, &reader)?;
                self.outcome.done.bytes += entry.content.size;
                let other = "a different file of this name is there already; it was left alone";
                return Ok(if is_same { Ok(()) } else { Err(other.into()) });
            }
            Err(error) => return fate::<()>(&local, Err(error)),
        }
        let made = match target.file() {
            Ok(made) => made,
            Err(error) => return fate::<()>(&local, Err(error)),
        };
        let before = self.outcome.done.bytes;
        if let Err(reason) = self.copy(&reader, &made, &local)? {
            return Ok(Err(reason));
        }
        // Holes are done too.
        self.outcome.done.bytes = before + entry.content.size;
        match made.finish(&entry.name, entry) {
            Ok(problems) => {
                self.outcome
                    .problems
                    .extend(problems.into_iter().map(|reason| (local.clone(), reason)));
                Ok(Ok(()))
            }
            Err(error) => fate::<()>(&local, Err(error)),
        }
    }

    /// Copies the data, leaving holes where there are holes.
    fn copy(&mut self, reader: &FileReader, made: &Made<'_>, local: &Path) -> Written {
        if reader.size() < TWO_THREADS {
            return self.write(pieces(reader), made, local);
        }
        std::thread::scope(|scope| {
            let (out, read) = sync_channel(AHEAD);
            scope.spawn(move || {
                for piece in pieces(reader) {
                    let is_last = piece.is_err();
                    if out.send(piece).is_err() || is_last {
                        return;
                    }
                }
            });
            let read: Receiver<Piece> = read;
            self.write(read.into_iter(), made, local)
        })
    }

    fn write(
        &mut self,
        pieces: impl Iterator<Item = Piece>,
        made: &Made<'_>,
        local: &Path,
    ) -> Written {
        for piece in pieces {
            self.check()?;
            let (at, data) = match piece {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(missing(error)?)),
            };
            if let Err(error) = made.write_at(at, &data) {
                return fate::<()>(local, Err(error));
            }
            self.outcome.done.bytes += data.len() as u64;
            self.tell();
        }
        Ok(Ok(()))
    }

    fn is_equal(
        &mut self,
        there: &target::Existing,
        reader: &FileReader,
    ) -> Result<bool, DriveError> {
        let (mut ours, mut theirs) = (vec![0; PIECE], vec![0; PIECE]);
        let mut at = 0;
        while at < reader.size() {
            self.check()?;
            let length = match reader.read_at(at, &mut ours) {
                Ok(length) => length,
                Err(error) => return missing(error).map(|_| false),
            };
            if there.read_at(at, &mut theirs[..length]).is_err()
                || ours[..length] != theirs[..length]
            {
                return Ok(false);
            }
            at += length as u64;
        }
        Ok(true)
    }

    fn check(&self) -> Result<(), DriveError> {
        match self.cancel.load(Ordering::Relaxed) {
            true => Err(DriveError::Cancelled),
            false => Ok(()),
        }
    }

    fn tell(&mut self) {
        if self.last_told.elapsed() >= TELL_EVERY {
            self.last_told = Instant::now();
            (self.progress)(self.outcome.done);
        }
    }

    fn outcome(self) -> Outcome {
        (self.progress)(self.outcome.done);
        self.outcome
    }
}

/// An offset and the bytes there.
type Piece = Result<(u64, Vec<u8>), DriveError>;

/// The data of a file in order, without its holes.
fn pieces(reader: &FileReader) -> impl Iterator<Item = Piece> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let data = reader.next_data(at)?;
        let length = (data.end - data.start).min(PIECE as u64) as usize;
        reader.await_arrival(data.start..data.start + length as u64);
        let mut buffer = vec![0; length];
        let read = reader.read_at(data.start, &mut buffer);
        at = data.start + length as u64;
        Some(read.map(|_| (data.start, buffer)))
    })
}

/// Content that is not here or damaged is that file's problem; anything else ends the export.
fn missing(error: DriveError) -> Result<String, DriveError> {
    match error {
        DriveError::NotHere(_) | DriveError::Damaged(_) | DriveError::NoVersion(_) => {
            Ok(error.to_string())
        }
        error => Err(error),
    }
}

/// A local error that will meet the next file too ends the export; another is this file's problem.
fn fate<T>(local: &Path, done: std::io::Result<T>) -> Result<Result<(), String>, DriveError> {
    use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match done {
        Ok(_) => Ok(Ok(())),
        Err(error)
            if matches!(
                error.kind(),
                StorageFull | QuotaExceeded | ReadOnlyFilesystem
            ) =>
        {
            Err(DriveError::local(local, error))
        }
        Err(error) => Ok(Err(format!("it could not be written: {error}"))),
    }
}

/// Local path of something, for people.
fn shown(dir: &Path, name: &crate::path::Name) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    dir.join(std::ffi::OsStr::from_bytes(name.as_bytes()))
}
