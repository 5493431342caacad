//! The reading half of an import: walks without following anything, compares with what is in the drive, and hands on
//! records with their bytes.

use super::read;
use super::{Folder, Totals};
use crate::content::dedup::{Hash, HashKey};
use crate::content::intake::Small;
use crate::drive::records::birth;
use crate::error::DriveError;
use crate::path::{DrivePath, MAX_DEPTH, Name};
use crate::record::{Attrs, Body, Content, Kind, MAX_TARGET, NodeId, Record, Write};
use crate::tree::{Entry, Tree};
use bytes::Bytes as Chunk;
use cobox_view::kv::Snapshot;
use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

/// What the walker hands on.
pub(super) enum Item {
    /// A record, complete but for its runs.
    Done {
        record: Box<Record>,
        layout: Option<Bytes>,
        bytes: u64,
    },
    /// The same as in the drive.
    Unchanged { bytes: u64 },
    /// A large file begins; `base` is the version in the drive, if any.
    Begin {
        base: Option<(Box<Entry>, DrivePath)>,
    },
    /// Its next bytes, hashed or still to be.
    Chunk { bytes: Chunk, hash: Option<Hash> },
    /// Its next bytes are zeros that take no room.
    Hole(u64),
    /// It is given up, after that many bytes.
    Abandon { bytes: u64 },
    /// Something that could not be kept as it is.
    Problem(PathBuf, String),
}

/// The bytes that belong to a record.
pub(super) enum Bytes {
    /// All of them.
    Small(Small),
    /// Those handed on since `Begin`.
    Begun,
}

/// Why a walk ends early.
pub(super) enum Stop {
    /// The other side has gone, or the caller wants to stop.
    Ended,
    /// The drive's own rows could not be read.
    Failed(DriveError),
}

impl<E: Into<DriveError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(super) type Step<T = ()> = Result<T, Stop>;

/// Sources with the names they get; all of them exist.
pub(super) fn named(sources: &[PathBuf]) -> Result<Vec<(PathBuf, Name)>, DriveError> {
    sources
        .iter()
        .map(|source| {
            fs::symlink_metadata(source).map_err(|error| DriveError::local(source, error))?;
            let name = match source.file_name() {
                Some(name) => name.to_owned(),
                // `.`, `..` and the like: the real folder's own name.
                None => {
                    let real = fs::canonicalize(source)
                        .map_err(|error| DriveError::local(source, error))?;
                    real.file_name().unwrap_or_default().to_owned()
                }
            };
            Ok((source.clone(), Name::new(name.as_bytes())?))
        })
        .collect()
}

/// Counts what will be walked.
pub(super) fn count(sources: &[(PathBuf, Name)], totals: &Totals, cancel: &AtomicBool) {
    let mut todo: Vec<PathBuf> = sources.iter().map(|(path, _)| path.clone()).collect();
    while let Some(path) = todo.pop() {
        if cancel.load(Ordering::Relaxed) {
            return;
        }
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        totals.entries.fetch_add(1, Ordering::Relaxed);
        if metadata.is_file() {
            totals.bytes.fetch_add(metadata.len(), Ordering::Relaxed);
        } else if metadata.is_dir() {
            let children = fs::read_dir(&path).into_iter().flatten().flatten();
            todo.extend(children.map(|child| child.path()));
        }
    }
    totals.known.store(true, Ordering::Release);
}

/// State of a walk.
pub(super) struct Walk<'a> {
    tree: Tree<'a, Snapshot>,
    pub(super) key: HashKey,
    out: SyncSender<Item>,
    cancel: &'a AtomicBool,
    /// Files with several links seen so far.
    links: HashSet<(u64, u64)>,
}

impl<'a> Walk<'a> {
    pub fn new(
        tree: Tree<'a, Snapshot>,
        key: HashKey,
        out: SyncSender<Item>,
        cancel: &'a AtomicBool,
    ) -> Self {
        Self {
            tree,
            key,
            out,
            cancel,
            links: HashSet::new(),
        }
    }

    /// Walks all sources into the folder at `to`.
    pub fn all(
        mut self,
        sources: &[(PathBuf, Name)],
        to: &DrivePath,
        folders: &[NodeId],
    ) -> Result<(), DriveError> {
        match self.sources(sources, to, folders) {
            Ok(()) | Err(Stop::Ended) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn sources(&mut self, sources: &[(PathBuf, Name)], to: &DrivePath, folders: &[NodeId]) -> Step {
        let node = *folders
            .first()
            .ok_or_else(|| DriveError::NotFound(to.to_string()))?;
        let folder = Folder {
            node,
            path: to.clone(),
            existed: true,
        };
        let existing = self.existing(&folder)?;
        let mut taken = HashSet::new();
        for (path, name) in sources {
            match taken.insert(name) {
                true => self.entry(path, name.clone(), &folder, existing.get(name))?,
                false => self.problem(path, "another source has the same name")?,
            }
        }
        Ok(())
    }

    /// What a folder holds in the drive already.
    fn existing(&self, folder: &Folder) -> Step<HashMap<Name, Entry>> {
        if !folder.existed {
            return Ok(HashMap::new());
        }
        let entries = self
            .tree
            .list(&folder.path)?
            .into_iter()
            .filter(|entry| !entry.conflict);
        Ok(entries.map(|entry| (entry.name.clone(), entry)).collect())
    }

    fn entry(
        &mut self,
        path: &Path,
        name: Name,
        folder: &Folder,
        existing: Option<&Entry>,
    ) -> Step {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Stop::Ended);
        }
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return self.unreadable(path, &error),
        };
        let kind = match kind(&metadata) {
            Ok(kind) => kind,
            Err(what) => {
                return self.problem(
                    path,
                    format!("{what} cannot be kept in a space; it was left out"),
                );
            }
        };
        if existing.is_some_and(|entry| entry.kind != kind) {
            return self.problem(
                path,
                "something of another kind has this name in the space; it was left out",
            );
        }
        if folder.path.names().len() >= MAX_DEPTH {
            return self.problem(path, "it lies too deep; it was left out");
        }
        match kind {
            Kind::Folder => self.folder(path, &metadata, name, folder, existing),
            Kind::Symlink => self.symlink(path, &metadata, name, folder, existing),
            Kind::File => self.file(path, &metadata, name, folder, existing),
        }
    }

    fn folder(
        &mut self,
        path: &Path,
        metadata: &Metadata,
        name: Name,
        folder: &Folder,
        existing: Option<&Entry>,
    ) -> Step {
        let mut children =
            match fs::read_dir(path).and_then(|dir| dir.collect::<io::Result<Vec<_>>>()) {
                Ok(children) => children,
                Err(error) => return self.unreadable(path, &error),
            };
        children.sort_by_key(fs::DirEntry::file_name);
        let below = folder.path.join(name.clone());
        let content = Content {
            size: 0,
            mtime: read::mtime(metadata),
            body: Body::None,
        };
        let node = self.simple(
            path,
            metadata,
            name,
            folder,
            existing,
            content,
            Kind::Folder,
        )?;
        let inner = Folder {
            node,
            path: below,
            existed: existing.is_some(),
        };
        let existing = self.existing(&inner)?;
        for child in children {
            let path = child.path();
            match Name::new(child.file_name().into_vec()) {
                Ok(name) => {
                    let there = existing.get(&name);
                    self.entry(&path, name, &inner, there)?;
                }
                Err(error) => self.problem(&path, error.to_string())?,
            }
        }
        Ok(())
    }

    fn symlink(
        &mut self,
        path: &Path,
        metadata: &Metadata,
        name: Name,
        folder: &Folder,
        existing: Option<&Entry>,
    ) -> Step {
        let target = match fs::read_link(path) {
            Ok(target) => target.into_os_string().into_vec(),
            Err(error) => return self.unreadable(path, &error),
        };
        if target.len() > MAX_TARGET {
            return self.problem(path, "its target is too long; it was left out");
        }
        let content = Content {
            size: target.len() as u64,
            mtime: read::mtime(metadata),
            body: Body::Target(target),
        };
        self.simple(
            path,
            metadata,
            name,
            folder,
            existing,
            content,
            Kind::Symlink,
        )
        .map(drop)
    }

    /// A folder or symlink: all of it is in the record.
    #[allow(clippy::too_many_arguments)]
    fn simple(
        &mut self,
        path: &Path,
        metadata: &Metadata,
        name: Name,
        folder: &Folder,
        existing: Option<&Entry>,
        content: Content,
        kind: Kind,
    ) -> Step<NodeId> {
        let mode = read::mode(metadata);
        let record = match existing {
            None => birth(
                kind,
                folder.node,
                name,
                content,
                self.attrs(path, mode, read::xattrs_at(path))?,
            ),
            Some(entry) => {
                let mut record = Record::new(entry.node, kind);
                if (&entry.content.mtime, &entry.content.body) != (&content.mtime, &content.body) {
                    let replaces = entry.version.into_iter().collect();
                    record.content = Some(Write {
                        value: content,
                        replaces,
                    });
                }
                self.new_mode(&mut record, entry, mode)?;
                record
            }
        };
        let node = record.node;
        self.done(record, None, 0)?;
        Ok(node)
    }

    fn file(
        &mut self,
        path: &Path,
        metadata: &Metadata,
        name: Name,
        folder: &Folder,
        existing: Option<&Entry>,
    ) -> Step {
        if metadata.nlink() > 1 && !self.links.insert((metadata.dev(), metadata.ino())) {
            self.problem(path, "a hard link was kept as a copy")?;
        }
        let is_same = |entry: &&Entry| {
            entry.content.size == metadata.len() && entry.content.mtime == read::mtime(metadata)
        };
        if let Some(entry) = existing.filter(is_same) {
            let mut record = Record::new(entry.node, Kind::File);
            self.new_mode(&mut record, entry, read::mode(metadata))?;
            return self.done(record, None, metadata.len());
        }
        let base = existing.map(|entry| (entry, folder.path.join(name.clone())));
        let Some(taken) = self.take(path, base)? else {
            return Ok(());
        };
        let content = Content {
            size: 0,
            mtime: read::mtime(&taken.metadata),
            body: Body::None,
        };
        let mode = read::mode(&taken.metadata);
        let record = match existing {
            None => birth(
                Kind::File,
                folder.node,
                name,
                content,
                self.attrs(path, mode, taken.xattrs)?,
            ),
            Some(entry) => {
                let mut record = Record::new(entry.node, Kind::File);
                record.content = Some(Write {
                    value: content,
                    replaces: entry.version.into_iter().collect(),
                });
                self.new_mode(&mut record, entry, mode)?;
                record
            }
        };
        let bytes = match &taken.bytes {
            Bytes::Small(file) => file.len() as u64,
            Bytes::Begun => 0,
        };
        self.done(record, Some(taken.bytes), bytes)
    }

    fn new_mode(&self, record: &mut Record, entry: &Entry, mode: u32) -> Step {
        if entry.attrs.mode != mode {
            let value = Attrs {
                mode,
                ..entry.attrs.clone()
            };
            record.attrs = Some(Write {
                value,
                replaces: self.tree.heads(entry.node)?.attrs,
            });
        }
        Ok(())
    }

    fn attrs(&self, path: &Path, mode: u32, xattrs: io::Result<read::Xattrs>) -> Step<Attrs> {
        let xattrs = match xattrs {
            Ok(xattrs) => xattrs,
            Err(error) => {
                self.problem(
                    path,
                    format!("its extended attributes were left out: {error}"),
                )?;
                Vec::new()
            }
        };
        Ok(Attrs { mode, xattrs })
    }

    fn done(&self, record: Record, layout: Option<Bytes>, bytes: u64) -> Step {
        let is_empty = record.content.is_none() && record.attrs.is_none() && record.place.is_none();
        self.send(match is_empty {
            true => Item::Unchanged { bytes },
            false => Item::Done {
                record: Box::new(record),
                layout,
                bytes,
            },
        })
    }

    pub(super) fn unreadable(&self, path: &Path, error: &io::Error) -> Step {
        self.problem(path, format!("it could not be read: {error}"))
    }

    pub(super) fn problem(&self, path: &Path, reason: impl Into<String>) -> Step {
        self.send(Item::Problem(path.to_owned(), reason.into()))
    }

    pub(super) fn send(&self, item: Item) -> Step {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Stop::Ended);
        }
        self.out.send(item).map_err(|_| Stop::Ended)
    }
}

/// What can be kept, or in words what it is.
fn kind(metadata: &Metadata) -> Result<Kind, &'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => Ok(Kind::File),
        () if kind.is_dir() => Ok(Kind::Folder),
        () if kind.is_symlink() => Ok(Kind::Symlink),
        () if kind.is_fifo() => Err("a named pipe"),
        () if kind.is_socket() => Err("a socket"),
        () => Err("a device"),
    }
}
