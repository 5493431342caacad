//! Real directory trees into a drive: modes, times, symlinks, xattrs, holes, odd names.
//!
//! Two threads: one walks, reads, cuts, hashes and compresses (`walk`), the caller's packs, seals and commits; the
//! feed's own writes and syncs. Between them a channel of bounded length, so memory does not grow with the tree.

mod read;
mod take;
mod walk;

use crate::content::intake::{Intake, Older};
use crate::drive::commit::Change;
use crate::drive::{Drive, DriveError};
use crate::path::DrivePath;
use crate::record::NodeId;
use crate::tree::{Entry, Tree};
use crate::version::Clock;
use cobox_view::kv::Snapshot;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use walk::{Item, Walk};

/// Items between the threads; a chunk is at most 1 MiB, mostly a quarter of it.
const CHANNEL: usize = 24;
/// A metadata commit is due at the latest after this many records,
const RECORDS: usize = 4096;
/// this much content,
const BYTES: u64 = 64 << 20;
/// or this long.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Progress is told at most this often; cancelling is noticed at least this often.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How far a long job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// entries done
    pub entries: u64,
    /// bytes of files done
    pub bytes: u64,
    /// bytes expected, when known
    pub total_bytes: u64,
    /// entries expected
    pub total_entries: u64,
}

/// What was done, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// how much
    pub done: Progress,
    /// files left out or changed in kind, each with the reason in words (unreadable, device node, hard link copied, changed while read)
    pub problems: Vec<(PathBuf, String)>,
}

impl Drive {
    /// Imports files and folders (each under its own name) into the folder `to`, which is created if it is missing.
    /// Committed in parts, each durable; unchanged files (same size, mtime, mode) are skipped; a file that cannot be
    /// read is a problem in the outcome, not an end. When cancelled, what is committed stays.
    pub fn import(
        &self,
        sources: &[PathBuf],
        to: &DrivePath,
        progress: &mut dyn FnMut(Progress),
        cancel: &AtomicBool,
    ) -> Result<Outcome, DriveError> {
        let sources = walk::named(sources)?;
        if !to.is_root() {
            match self.create_folder(to, true) {
                Err(DriveError::Exists(path)) => return Err(DriveError::NotAFolder(path)),
                other => other.map(drop)?,
            }
        }
        let work = self.work()?;
        let (rows, clock, key) = (work.rows, work.clock, work.writer.hash_key());
        drop(work.writer);
        let folders = Tree(&rows).folders(to)?;
        let totals = Totals::default();
        let (out, items) = sync_channel(CHANNEL);
        let mut job = Job::new(self, &rows, clock, progress, &totals)?;
        let done = std::thread::scope(|scope| {
            let count = || walk::count(&sources, &totals, cancel);
            scope.spawn(count);
            let walk = Walk::new(Tree(&rows), key, out, cancel);
            let walker = std::thread::Builder::new().stack_size(8 << 20);
            let walking = walker.spawn_scoped(scope, || walk.all(&sources, to, &folders))?;
            let done = job.run(items, cancel);
            // The walker ends when its channel is gone; what it found is what counts.
            match walking.join() {
                Ok(walked) => done.and(walked),
                Err(_) => Err(DriveError::Damaged("the import ended in the middle".into())),
            }
        });
        // Whatever happened: nothing of ours is left in flight.
        let settled = self.writer()?.settle();
        done?;
        settled?;
        self.await_own()?;
        Ok(job.outcome())
    }
}

/// What is to be expected, counted beside the work.
#[derive(Default)]
struct Totals {
    entries: AtomicU64,
    bytes: AtomicU64,
    known: AtomicBool,
}

/// The committing half of an import.
struct Job<'a> {
    drive: &'a Drive,
    rows: &'a Snapshot,
    clock: Clock,
    intake: Intake,
    changes: Vec<Change>,
    bytes: u64,
    last_commit: Instant,
    in_file: bool,
    indexed: u64,
    outcome: Outcome,
    progress: &'a mut dyn FnMut(Progress),
    last_told: Instant,
    totals: &'a Totals,
}

impl<'a> Job<'a> {
    fn new(
        drive: &'a Drive,
        rows: &'a Snapshot,
        clock: Clock,
        progress: &'a mut dyn FnMut(Progress),
        totals: &'a Totals,
    ) -> Result<Self, DriveError> {
        let now = Instant::now();
        Ok(Self {
            drive,
            rows,
            clock,
            intake: drive.intake()?,
            changes: Vec::new(),
            bytes: 0,
            last_commit: now,
            in_file: false,
            indexed: drive.writer()?.indexed(),
            outcome: Outcome::default(),
            progress,
            last_told: now,
            totals,
        })
    }

    fn run(&mut self, items: Receiver<Item>, cancel: &AtomicBool) -> Result<(), DriveError> {
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(DriveError::Cancelled);
            }
            match items.recv_timeout(TELL_EVERY) {
                Ok(item) => self.take(item)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.is_due() {
                self.commit()?;
            }
            self.tell();
        }
        self.commit()
    }

    fn take(&mut self, item: Item) -> Result<(), DriveError> {
        match item {
            Item::Done {
                record,
                layout,
                bytes,
            } => {
                let layout = match layout {
                    Some(walk::Bytes::Small(file)) => Some(self.intake.small(&file)),
                    Some(walk::Bytes::Begun) => {
                        self.in_file = false;
                        Some(self.intake.end())
                    }
                    None => None,
                };
                if let Some(layout) = &layout {
                    self.bytes += layout.size;
                }
                self.outcome.done.bytes += bytes;
                self.outcome.done.entries += 1;
                self.changes.push(Change::whole(*record, layout));
            }
            Item::Unchanged { bytes } => {
                self.outcome.done.entries += 1;
                self.outcome.done.bytes += bytes;
            }
            Item::Begin { base } => {
                self.in_file = true;
                let older = base.and_then(|(entry, path)| self.older(&entry, &path));
                self.intake.begin(older);
            }
            Item::Chunk { bytes, hash } => {
                let hash = hash.unwrap_or_else(|| self.intake.hash_key().hash(&bytes));
                self.intake.chunk(&bytes, hash);
                self.outcome.done.bytes += bytes.len() as u64;
            }
            Item::Hole(length) => {
                self.intake.hole(length);
                self.outcome.done.bytes += length;
            }
            Item::Abandon { bytes } => {
                self.in_file = false;
                self.intake.abandon();
                self.outcome.done.bytes -= bytes.min(self.outcome.done.bytes);
            }
            Item::Problem(path, reason) => self.outcome.problems.push((path, reason)),
        }
        self.drive.writer()?.ahead(&mut self.intake)
    }

    /// The version of a large file in the drive. If it cannot be read, more is stored than needed, nothing else.
    fn older(&mut self, entry: &Entry, path: &DrivePath) -> Option<Box<dyn Older>> {
        match self
            .drive
            .older(&mut self.intake, &Tree(self.rows), entry, path)
        {
            Ok(older) => older,
            Err(error) => {
                tracing::debug!("the older version of {path} was not looked at: {error}");
                None
            }
        }
    }

    fn is_due(&self) -> bool {
        !self.in_file
            && !self.changes.is_empty()
            && (self.changes.len() >= RECORDS
                || self.bytes >= BYTES
                || self.last_commit.elapsed() >= COMMIT_EVERY)
    }

    fn commit(&mut self) -> Result<(), DriveError> {
        self.last_commit = Instant::now();
        self.bytes = 0;
        if self.changes.is_empty() {
            return Ok(());
        }
        let mut writer = self.drive.writer()?;
        let changes = std::mem::take(&mut self.changes);
        writer.commit(&self.clock, &mut self.intake, changes, &[])?;
        let indexed = writer.indexed();
        drop(writer);
        self.intake.indexed(indexed - self.indexed);
        self.indexed = indexed;
        Ok(())
    }

    fn tell(&mut self) {
        if self.last_told.elapsed() >= TELL_EVERY {
            self.last_told = Instant::now();
            if self.totals.known.load(Ordering::Acquire) {
                self.outcome.done.total_bytes = self.totals.bytes.load(Ordering::Relaxed);
                self.outcome.done.total_entries = self.totals.entries.load(Ordering::Relaxed);
            }
            (self.progress)(self.outcome.done);
        }
    }

    fn outcome(mut self) -> Outcome {
        self.outcome.done.total_bytes = self.outcome.done.bytes;
        self.outcome.done.total_entries = self.outcome.done.entries;
        (self.progress)(self.outcome.done);
        self.outcome
    }
}

/// Where children go, and where existing ones are looked for.
struct Folder {
    node: NodeId,
    path: DrivePath,
    /// It was there before, so it may have children.
    existed: bool,
}
