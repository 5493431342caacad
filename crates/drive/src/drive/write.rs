//! The verbs that write: files, folders, symlinks, names, attributes.

use super::commit::Change;
use super::records::{
    created, deleted, dismissed, new_folder, new_version, same_bytes_kind, version_beside, writable,
};
use super::{Drive, DriveError, Work, now};
use crate::content::intake::{Intake, Layout};
use crate::content::run;
use crate::handle::{self, WriteOptions};
use crate::path::{DrivePath, Name};
use crate::record::{
    Attrs, Body, Content, Kind, MAX_RUNS, MAX_TARGET, NodeId, Place, Record, RecordError, Time,
    Write,
};
use crate::tree::{Entry, Tree};
use cobox_view::kv::ReadRows;
use std::io::Read;

/// Permission bits of new files and symlinks.
const FILE_MODE: u32 = 0o644;
const SYMLINK_MODE: u32 = 0o777;

/// What to change about an entry without touching its bytes.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// permission bits (07777)
    pub mode: Option<u32>,
    /// modification time
    pub mtime: Option<Time>,
    /// all extended attributes, in any order
    pub xattrs: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Drive {
    /// Writes a whole file (creating or as a new version); durable and visible to own reads when it returns.
    pub fn write_file(
        &self,
        path: &DrivePath,
        source: &mut (dyn Read + Send),
        options: WriteOptions,
    ) -> Result<Entry, DriveError> {
        // The bytes may come slowly, so they are taken in without the lock; the target is looked at before and after.
        let rows = self.rows()?;
        let opened = writable(&Tree(&rows), path, &options)?;
        let mut intake = self.intake()?;
        let mut older = None;
        if let Some(entry) = &opened {
            older = self.older(&mut intake, &Tree(&rows), entry, path)?;
        }
        drop(rows);
        let layout = intake.stream(source, older, |intake| self.writer()?.ahead(intake))?;
        let mut work = self.work()?;
        let current = writable(&work.tree(), path, &options)?;
        let mtime = options.mtime.unwrap_or_else(now);
        let content = Content {
            size: layout.size,
            mtime,
            body: Body::None,
        };
        let mut changes = Vec::new();
        let record = match &current {
            Some(entry) => {
                let opened = opened
                    .filter(|opened| opened.node == entry.node)
                    .and_then(|opened| opened.version);
                new_version(&work, entry, opened, content, &options)?
            }
            None => {
                let (parent, name) = self.place(&mut work, path, options.parents, &mut changes)?;
                let mode = options.mode.unwrap_or(FILE_MODE);
                created(&mut work.writer, Kind::File, parent, name, content, mode)
            }
        };
        changes.push(Change::whole(record, Some(layout)));
        self.finish(work, Some(intake), changes, &[])?;
        self.stat(path)
    }

    /// Creates a folder (parents too when asked; then one that is there already is fine).
    pub fn create_folder(&self, path: &DrivePath, parents: bool) -> Result<Entry, DriveError> {
        if path.is_root() {
            return Err(DriveError::Root);
        }
        let mut work = self.work()?;
        match work.tree().lookup(path)? {
            Some(entry) if parents && entry.kind == Kind::Folder => return Ok(entry),
            Some(_) => return Err(DriveError::Exists(path.to_string())),
            None => {}
        }
        let mut changes = Vec::new();
        let (parent, name) = self.place(&mut work, path, parents, &mut changes)?;
        changes.push(new_folder(&mut work.writer, parent, name).into());
        self.finish(work, None, changes, &[])?;
        self.stat(path)
    }

    /// Creates a symlink. The target is kept as given and never followed.
    pub fn symlink(&self, path: &DrivePath, target: &[u8]) -> Result<Entry, DriveError> {
        let mut work = self.work()?;
        if work.tree().lookup(path)?.is_some() {
            return Err(DriveError::Exists(path.to_string()));
        }
        if target.len() > MAX_TARGET {
            return Err(DriveError::Record(RecordError::TooLarge("symlink target")));
        }
        let mut changes = Vec::new();
        let (parent, name) = self.place(&mut work, path, false, &mut changes)?;
        let content = Content {
            size: target.len() as u64,
            mtime: now(),
            body: Body::Target(target.to_vec()),
        };
        changes.push(
            created(
                &mut work.writer,
                Kind::Symlink,
                parent,
                name,
                content,
                SYMLINK_MODE,
            )
            .into(),
        );
        self.finish(work, None, changes, &[])?;
        self.stat(path)
    }

    /// Removes a file, symlink or folder (a folder with everything below only if `recursive`); one record. Removing a
    /// conflict copy dismisses that version.
    pub fn remove(&self, path: &DrivePath, recursive: bool) -> Result<(), DriveError> {
        let (parent, name) = path.split().ok_or(DriveError::Root)?;
        let mut work = self.work()?;
        let tree = work.tree();
        let entry = self.found(tree.lookup(path)?, path)?;
        if let Some(winner) = version_beside(&tree, &parent, &entry)? {
            let record = dismissed(&winner, &entry);
            return self.finish(work, None, vec![record.into()], &[]).map(drop);
        }
        let nodes = match entry.kind {
            Kind::Folder if !recursive && !tree.list(path)?.is_empty() => {
                return Err(DriveError::NotEmpty(path.to_string()));
            }
            Kind::Folder => tree.folders(path)?,
            _ => vec![entry.node],
        };
        let parent = tree.folders(&parent)?.first().copied();
        let changes = nodes
            .iter()
            .map(|node| Ok(deleted(&tree, *node, entry.kind)?.into()));
        let changes = changes.collect::<Result<Vec<Change>, DriveError>>()?;
        if let Some(parent) = parent {
            work.writer.gone.freed(parent, name, entry.node);
        }
        self.finish(work, None, changes, &[]).map(drop)
    }

    /// Moves or renames; over a file: the target gets a new version and the source goes (history survives).
    pub fn rename(&self, from: &DrivePath, to: &DrivePath) -> Result<(), DriveError> {
        let (from_parent, from_name) = from.split().ok_or(DriveError::Root)?;
        to.split().ok_or(DriveError::Root)?;
        let mut work = self.work()?;
        let entry = self.found(work.tree().lookup(from)?, from)?;
        if from == to {
            return Ok(());
        }
        if to.names().starts_with(from.names()) {
            return Err(DriveError::IntoItself(from.to_string()));
        }
        let mut changes = Vec::new();
        let mut intake = work.writer.intake(&self.blocks);
        match work.tree().lookup(to)? {
            Some(target) if same_bytes_kind(&entry, &target) => {
                let tree = work.tree();
                let content = entry.content.clone();
                let (content, layout) =
                    self.portable(&mut intake, &tree, entry.node, content, from)?;
                let mut record = Record::new(target.node, target.kind);
                record.content = Some(Write {
                    value: content,
                    replaces: target.version.into_iter().collect(),
                });
                record.attrs = Some(Write {
                    value: entry.attrs.clone(),
                    replaces: tree.heads(target.node)?.attrs,
                });
                changes.push(Change::whole(record, layout));
                changes.push(deleted(&tree, entry.node, entry.kind)?.into());
            }
            target => {
                if let Some(target) = target {
                    changes.extend(self.made_room(&work.tree(), to, &entry, &target)?);
                }
                let (parent, name) = self.place(&mut work, to, false, &mut changes)?;
                let nodes = match entry.kind {
                    Kind::Folder => work.tree().folders(from)?,
                    _ => vec![entry.node],
                };
                for node in nodes {
                    let heads = work.tree().heads(node)?;
                    let mut record = Record::new(node, entry.kind);
                    let value = Place {
                        parent,
                        name: name.clone(),
                    };
                    record.place = Some(Write {
                        value,
                        replaces: heads.place,
                    });
                    record.succeeds = work
                        .writer
                        .gone
                        .predecessor(parent, &name)
                        .filter(|old| *old != node);
                    changes.push(record.into());
                }
            }
        }
        if let Some(parent) = work.tree().folders(&from_parent)?.first().copied() {
            work.writer.gone.freed(parent, from_name, entry.node);
        }
        self.finish(work, Some(intake), changes, &[]).map(drop)
    }

    /// Changes permission bits, modification time or extended attributes.
    pub fn set_details(&self, path: &DrivePath, details: Details) -> Result<Entry, DriveError> {
        if path.is_root() {
            return Err(DriveError::Root);
        }
        let work = self.work()?;
        let entry = self.found(work.tree().lookup(path)?, path)?;
        let mut record = Record::new(entry.node, entry.kind);
        if details.mode.is_some() || details.xattrs.is_some() {
            let mode = details.mode.map_or(entry.attrs.mode, |mode| mode & 0o7777);
            let mut xattrs = details.xattrs.unwrap_or_else(|| entry.attrs.xattrs.clone());
            xattrs.sort();
            xattrs.dedup_by(|a, b| a.0 == b.0);
            let replaces = work.tree().heads(entry.node)?.attrs;
            record.attrs = Some(Write {
                value: Attrs { mode, xattrs },
                replaces,
            });
        }
        if let Some(mtime) = details.mtime {
            let value = Content {
                mtime,
                ..entry.content.clone()
            };
            record.content = Some(Write {
                value,
                replaces: entry.version.into_iter().collect(),
            });
        }
        if record.attrs.is_none() && record.content.is_none() {
            return Ok(entry);
        }
        self.finish(work, None, vec![record.into()], &[])?;
        self.stat(path)
    }

    /// Folder node and name for something new at `path`; records of missing folders are added when allowed.
    pub(crate) fn place(
        &self,
        work: &mut Work<'_>,
        path: &DrivePath,
        parents: bool,
        changes: &mut Vec<Change>,
    ) -> Result<(NodeId, Name), DriveError> {
        let (folder, name) = path.split().ok_or(DriveError::Root)?;
        if let Some(node) = work.tree().folders(&folder)?.first() {
            return Ok((*node, name));
        }
        if work.tree().lookup(&folder)?.is_some() {
            return Err(DriveError::NotAFolder(folder.to_string()));
        }
        if !parents {
            return Err(DriveError::NotFound(folder.to_string()));
        }
        let (above, own_name) = self.place(work, &folder, true, changes)?;
        let record = new_folder(&mut work.writer, above, own_name);
        let node = record.node;
        changes.push(record.into());
        Ok((node, name))
    }

    /// What must go so that `entry` can take the place of `target`, which is not a file under a file.
    fn made_room<R: ReadRows + ?Sized>(
        &self,
        tree: &Tree<'_, R>,
        to: &DrivePath,
        entry: &Entry,
        target: &Entry,
    ) -> Result<Vec<Change>, DriveError> {
        if target.node == entry.node {
            return Ok(Vec::new());
        }
        match (entry.kind, target.kind) {
            (Kind::Folder, Kind::Folder) if !tree.list(to)?.is_empty() => {
                Err(DriveError::NotEmpty(to.to_string()))
            }
            (Kind::Folder, Kind::Folder) => tree
                .folders(to)?
                .iter()
                .map(|node| Ok(deleted(tree, *node, Kind::Folder)?.into()))
                .collect(),
            (Kind::Folder, _) => Err(DriveError::NotAFolder(to.to_string())),
            (_, Kind::Folder) => Err(DriveError::IsAFolder(to.to_string())),
            _ => Ok(vec![deleted(tree, target.node, target.kind)?.into()]),
        }
    }

    /// Content in a form that another node can carry: splices name a version of their own node, so they are folded; a
    /// layout is returned when that takes more runs than a register holds.
    pub(crate) fn portable<R: ReadRows + ?Sized>(
        &self,
        intake: &mut Intake,
        tree: &Tree<'_, R>,
        node: NodeId,
        mut content: Content,
        path: &DrivePath,
    ) -> Result<(Content, Option<Layout>), DriveError> {
        if !matches!(content.body, Body::Splices { .. }) {
            return Ok((content, None));
        }
        let reader = self.reader_of(tree, node, &content, path)?;
        let layout = match run::runs(reader.extents()) {
            Some(runs) if runs.len() <= MAX_RUNS => {
                content.body = Body::Runs(runs);
                return Ok((content, None));
            }
            Some(runs) => intake.known(runs),
            None => intake.stream(&mut handle::Stream::new(&reader), None, |_| {
                Ok::<_, DriveError>(())
            })?,
        };
        Ok((content, Some(layout)))
    }
}
