//! `Drive`: the verbs. Look up, read, write, move, remove, history, restore, conflicts.

mod arrival;
pub(crate) mod commit;
pub(crate) mod compose;
pub(crate) mod edit;
pub(crate) mod gone;
mod picture;
pub(crate) mod records;
mod restore;
mod room;
mod write;

pub use crate::error::DriveError;
pub use picture::Picture;
pub use write::Details;

use crate::content::dedup;
use crate::content::intake::{Found, Intake, Older};
use crate::content::read::Blocks;
use crate::content::run;
use crate::handle::{self, FileReader};
use crate::path::DrivePath;
use crate::record::{Body, Content, Kind, NodeId, Record, RecordError, Time};
use crate::tree::{self, Changed, Conflict, Entry, Trashed, Tree, Version, WriterInfo};
use crate::version::{Clock, Dot, WriterTag};
use bytes::Bytes;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use cobox_keys::access::{Address, ReadKey};
use cobox_view::indexer::Indexer;
use cobox_view::kv::{Database, MemoryRows, ReadRows, Snapshot};
use commit::{Change, DraftId, Writer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a verb waits for its own records to be applied; they are durable by then.
const OWN_ROWS: Duration = Duration::from_secs(60);

/// The feeds we write, if we may write.
pub struct OwnFeeds {
    /// metadata
    pub metadata: Arc<Feed>,
    /// content
    pub content: Arc<Feed>,
    /// the signed claim to put into block 0 when a feed is empty
    pub claim: Bytes,
}

/// Everything a drive stands on.
pub struct Parts {
    /// space
    pub address: Address,
    /// feeds
    pub set: Arc<FeedSet>,
    /// rows
    pub db: Database,
    /// keeps rows up to date; has a `TreeView` among its views
    pub indexer: Arc<Indexer>,
    /// opens blocks
    pub read_key: ReadKey,
    /// none = read-only
    pub own: Option<OwnFeeds>,
    /// sender given to the `TreeView`
    pub changed: tokio::sync::broadcast::Sender<Changed>,
}

/// The multi-writer file system of one space. All methods block (call from a blocking thread); share behind an `Arc`.
pub struct Drive {
    set: Arc<FeedSet>,
    db: Database,
    indexer: Arc<Indexer>,
    read_key: ReadKey,
    changed: tokio::sync::broadcast::Sender<Changed>,
    blocks: Arc<Blocks>,
    own: Option<Own>,
}

struct Own {
    metadata: Arc<Feed>,
    content: Arc<Feed>,
    tag: WriterTag,
    writer: Mutex<Writer>,
}

/// What a verb works on: the writer, locked, and one picture of the rows in which all our own commits are applied.
pub(crate) struct Work<'a> {
    pub writer: MutexGuard<'a, Writer>,
    pub rows: Snapshot,
    pub clock: Clock,
}

impl Work<'_> {
    pub fn tree(&self) -> Tree<'_, Snapshot> {
        Tree(&self.rows)
    }
}

impl Drive {
    /// Also writes the claim (block 0) into own feeds that are empty.
    pub fn open(parts: Parts) -> Result<Drive, DriveError> {
        let Parts {
            set,
            db,
            indexer,
            read_key,
            own,
            changed,
            ..
        } = parts;
        let own_content = own
            .as_ref()
            .map(|own| (WriterTag::of(&own.metadata.key()), own.content.key()));
        let own = match own {
            Some(OwnFeeds {
                metadata,
                content,
                claim,
            }) => {
                let writer = Writer::open(
                    set.clone(),
                    db.clone(),
                    &read_key,
                    metadata.clone(),
                    content.clone(),
                    &claim,
                )?;
                Some(Own {
                    metadata,
                    content,
                    tag: writer.tag(),
                    writer: Mutex::new(writer),
                })
            }
            None => None,
        };
        let rows = db.clone();
        let find = move |tag| match own_content {
            Some((own, content)) if own == tag => Some(content),
            _ => content_feed(&rows, tag),
        };
        let blocks = Arc::new(Blocks::new(set.clone(), read_key.clone(), Box::new(find)));
        let drive = Drive {
            set,
            db,
            indexer,
            read_key,
            changed,
            blocks,
            own,
        };
        drive.skip_fillers()?;
        drive.recover_drafts()?;
        Ok(drive)
    }

    /// Content blocks that nothing names are not fetched. (For commits that arrive from now on the view sees to it.)
    fn skip_fillers(&self) -> Result<(), DriveError> {
        let rows = self.rows()?;
        let tree = Tree(&rows);
        let feeds: HashMap<WriterTag, FeedKey> = tree
            .writers()?
            .into_iter()
            .map(|writer| (writer.tag, writer.feeds[1]))
            .collect();
        for (writer, blocks) in tree.fillers()? {
            if let Some(feed) = feeds.get(&writer) {
                self.set.skip(*feed, blocks);
            }
        }
        Ok(())
    }

    /// How long reads wait for content that is not here yet (30 s unless set).
    pub fn set_wait(&self, wait: Duration) {
        self.blocks.set_wait(wait);
    }

    /// What is at a path.
    pub fn stat(&self, path: &DrivePath) -> Result<Entry, DriveError> {
        self.found(Tree(&self.rows()?).lookup(path)?, path)
    }

    /// Children of a folder in name order.
    pub fn list(&self, path: &DrivePath) -> Result<Vec<Entry>, DriveError> {
        list_in(&Tree(&self.rows()?), path)
    }

    /// Children of a folder as they were at a time (ms since 1970).
    pub fn list_at(&self, path: &DrivePath, at_ms: u64) -> Result<Vec<Entry>, DriveError> {
        list_in(&Tree(&self.rows_at(at_ms)?), path)
    }

    /// Opens a file's shown version (or a given one) for reading.
    pub fn open_file(
        &self,
        path: &DrivePath,
        version: Option<Dot>,
    ) -> Result<FileReader, DriveError> {
        let rows = self.rows()?;
        let tree = Tree(&rows);
        let Some(dot) = version else {
            let entry = self.found(tree.lookup(path)?, path)?;
            return self.reader(&tree, &entry, path);
        };
        let version = find_version(&tree, path, dot)?;
        let content = version
            .content
            .ok_or_else(|| DriveError::NoVersion(dot.to_string()))?;
        self.reader_of(&tree, version.node, &content, path)
    }

    /// Versions, newest first.
    pub fn history(&self, path: &DrivePath) -> Result<Vec<Version>, DriveError> {
        Ok(Tree(&self.rows()?).history(path)?)
    }

    /// What was deleted and can come back, the latest first, at most so many.
    pub fn trash(&self, most: usize) -> Result<Vec<Trashed>, DriveError> {
        Ok(Tree(&self.rows()?).trash(most)?)
    }

    /// Open conflicts.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, DriveError> {
        Ok(Tree(&self.rows()?).conflicts()?)
    }

    /// Node of a path.
    pub fn node(&self, path: &DrivePath) -> Result<NodeId, DriveError> {
        if path.is_root() {
            return Ok(NodeId::ROOT);
        }
        Ok(self.stat(path)?.node)
    }

    /// Events after commit.
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Changed> {
        self.changed.subscribe()
    }

    /// Writers with accepted claims.
    pub fn writers(&self) -> Result<Vec<WriterInfo>, DriveError> {
        Ok(Tree(&self.rows()?).writers()?)
    }

    /// May we write?
    pub fn is_writable(&self) -> bool {
        self.own.is_some()
    }

    /// Our own tag, if we may write.
    pub fn tag(&self) -> Option<WriterTag> {
        self.own.as_ref().map(|own| own.tag)
    }

    /// Bytes of an entry's content that are on this machine. What is laid over another version counts as here.
    pub fn held(&self, entry: &Entry) -> u64 {
        match &entry.content.body {
            Body::Runs(runs) => {
                let here = runs.iter().filter(|run| self.blocks.holds(run));
                here.map(|run| run.length).sum()
            }
            _ => entry.content.size,
        }
    }

    /// Does the tree show everything that is held here, or is some of it still being read?
    pub fn is_indexed(&self) -> bool {
        self.indexer.catch_up(Duration::ZERO).is_ok()
    }

    /// Files, folders, logical bytes.
    pub fn totals(&self) -> Result<(u64, u64, u64), DriveError> {
        Ok(Tree(&self.rows()?).totals()?)
    }

    /// The own metadata head with its tree hash, for an invite.
    pub fn own_head(&self) -> Option<(FeedKey, u64, [u8; 32])> {
        let metadata = &self.own.as_ref()?.metadata;
        let head = metadata.head()?;
        Some((metadata.key(), head.length, head.tree_hash))
    }

    /// A picture of the rows of now.
    pub(crate) fn rows(&self) -> Result<Snapshot, DriveError> {
        Ok(self.db.snapshot()?)
    }

    /// The rows as of a time.
    pub(crate) fn rows_at(&self, at_ms: u64) -> Result<MemoryRows, DriveError> {
        Ok(tree::as_of(&self.db, &self.set, &self.read_key, at_ms)?)
    }

    /// A reader of an entry's shown version.
    pub(crate) fn reader<R: ReadRows + ?Sized>(
        &self,
        tree: &Tree<'_, R>,
        entry: &Entry,
        path: &DrivePath,
    ) -> Result<FileReader, DriveError> {
        match entry.kind {
            Kind::File => self.reader_of(tree, entry.node, &entry.content, path),
            Kind::Folder => Err(DriveError::IsAFolder(path.to_string())),
            Kind::Symlink => Err(DriveError::NotAFile(path.to_string())),
        }
    }

    fn reader_of<R: ReadRows + ?Sized>(
        &self,
        tree: &Tree<'_, R>,
        node: NodeId,
        content: &Content,
        path: &DrivePath,
    ) -> Result<FileReader, DriveError> {
        let what = path.to_string();
        let base = |dot| Ok(tree.content_at(node, dot)?);
        let extents = handle::layout(&self.blocks, content, &base, &what)?;
        Ok(FileReader::new(
            self.blocks.clone(),
            extents,
            content.size,
            what,
        ))
    }

    /// Bytes that may still be written.
    pub(crate) fn room(&self) -> u64 {
        self.set.room()
    }

    /// Where new content goes.
    pub(crate) fn intake(&self) -> Result<Intake, DriveError> {
        Ok(self.writer()?.intake(&self.blocks))
    }

    /// The writer, locked.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Writer>, DriveError> {
        let own = self.own.as_ref().ok_or(DriveError::ReadOnly)?;
        // A panic while it was held can only have left numbers behind, and those are checked by the feed.
        Ok(own.writer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Locks the writer and waits until the rows show all that we wrote.
    pub(crate) fn work(&self) -> Result<Work<'_>, DriveError> {
        let mut writer = self.writer()?;
        writer.settle()?;
        self.await_own()?;
        let rows = self.rows()?;
        // A newer program's rules may give our records another meaning than we intend.
        if let Some(format) = Tree(&rows).too_new()? {
            return Err(RecordError::TooNew(format).into());
        }
        let clock = Tree(&rows).clock()?;
        Ok(Work {
            writer,
            rows,
            clock,
        })
    }

    /// Commits changes and drops drafts, waits until that is durable and shown. Returns the version they make and the
    /// records as they were written.
    pub(crate) fn finish(
        &self,
        mut work: Work<'_>,
        intake: Option<Intake>,
        changes: Vec<Change>,
        drafts: &[DraftId],
    ) -> Result<Option<(Dot, Vec<Record>)>, DriveError> {
        if changes.is_empty() {
            if !drafts.is_empty() {
                work.writer.drop_drafts(drafts)?;
            }
            return Ok(None);
        }
        let mut intake = intake.unwrap_or_else(|| work.writer.intake(&self.blocks));
        let done = work
            .writer
            .commit(&work.clock, &mut intake, changes, drafts)?;
        work.writer.settle()?;
        let dot = commit::dot_at(work.writer.tag(), done.length);
        drop(work);
        self.await_own()?;
        Ok(Some((dot, done.records)))
    }

    /// Waits until the rows show all own commits that are durable.
    pub(crate) fn await_own(&self) -> Result<(), DriveError> {
        if let Some(own) = &self.own {
            self.indexer
                .wait_for(own.metadata.key(), own.metadata.length(), OWN_ROWS)?;
        }
        Ok(())
    }

    fn found(&self, entry: Option<Entry>, path: &DrivePath) -> Result<Entry, DriveError> {
        entry.ok_or_else(|| DriveError::NotFound(path.to_string()))
    }

    /// The version of a large file that new bytes are compared with. If another member wrote it, its chunks become
    /// known, so that bytes that only moved are not stored again; own files are known since they were written.
    pub(crate) fn older<R: ReadRows + ?Sized>(
        &self,
        intake: &mut Intake,
        tree: &Tree<'_, R>,
        entry: &Entry,
        path: &DrivePath,
    ) -> Result<Option<Box<dyn Older>>, DriveError> {
        if entry.kind != Kind::File || entry.content.size < crate::content::LARGE {
            return Ok(None);
        }
        let reader = self.reader(tree, entry, path)?;
        let own = self.own.as_ref().map(|own| (own.tag, own.content.length()));
        let foreign = |extent: &run::Extent| own.is_none_or(|(tag, _)| extent.run.writer != tag);
        let here = |extent: &run::Extent| self.blocks.may_name(&extent.run);
        if let Some((tag, length)) = own
            && reader.extents().iter().any(foreign)
            && reader.extents().iter().all(here)
            && let Some(runs) = run::runs(reader.extents())
        {
            let put = |found: &[Found]| dedup::put(&self.db, tag, length, found);
            intake.learn(&mut handle::Stream::new(&reader), &runs, put)?;
        }
        Ok(Some(Box::new(reader)))
    }
}

fn content_feed(db: &Database, tag: WriterTag) -> Option<FeedKey> {
    let rows = db.snapshot().ok()?;
    let writers = Tree(&rows).writers().ok()?;
    writers
        .into_iter()
        .find(|writer| writer.tag == tag)
        .map(|writer| writer.feeds[1])
}

/// Children of a folder, or why there are none.
pub(crate) fn list_in<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    path: &DrivePath,
) -> Result<Vec<Entry>, DriveError> {
    if !tree.folders(path)?.is_empty() {
        return Ok(tree.list(path)?);
    }
    match tree.lookup(path)? {
        Some(_) => Err(DriveError::NotAFolder(path.to_string())),
        None => Err(DriveError::NotFound(path.to_string())),
    }
}

fn find_version<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    path: &DrivePath,
    dot: Dot,
) -> Result<Version, DriveError> {
    let versions = tree.history(path)?;
    versions
        .into_iter()
        .find(|version| version.dot == dot)
        .ok_or_else(|| DriveError::NoVersion(dot.to_string()))
}

/// Now, for modification times.
pub(crate) fn now() -> Time {
    tree::time_from_ms(commit::now_ms())
}

/// Which older state to bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// one version of a file; a deletion is taken back, of folders too
    Version(Dot),
    /// as of a time, ms since 1970
    Time(u64),
}
