//! Looking: names, details and lists, the tree's with what is not committed laid over.

use super::state::{File, State};
use super::{FileId, Overlay, gone, lock};
use crate::error::DriveError;
use crate::path::Name;
use crate::record::{Attrs, Body, Content, Kind, NodeId, Time, Xattrs};
use crate::tree::{Entry, Tree};
use crate::version::Dot;
use cobox_view::kv::Snapshot;
use std::collections::{BTreeMap, HashMap};

/// Permission bits of the root.
const ROOT_MODE: u32 = 0o755;
/// Folders whose nodes are remembered.
const MANY_FOLDERS: usize = 4096;

/// A file, folder or symlink as a program sees it.
#[derive(Clone, Debug)]
pub struct Stat {
    /// its number
    pub id: FileId,
    /// its name; empty for the root
    pub name: Name,
    /// what it is
    pub kind: Kind,
    /// bytes
    pub size: u64,
    /// bytes of it that take room on this machine
    pub stored: u64,
    /// last change of its bytes, or of a folder's names
    pub mtime: Time,
    /// last change of anything about it
    pub ctime: Time,
    /// permission bits
    pub mode: u32,
    /// a losing version shown beside the winner
    pub conflict: bool,
    /// may its bytes be changed?
    pub writable: bool,
    /// no name leads to it any more
    pub nameless: bool,
    /// the version shown, if it is committed
    pub version: Option<Dot>,
    node: NodeId,
    copy: Option<Dot>,
    folder: Option<NodeId>,
}

/// One picture of the tree.
pub(super) struct Picture(pub Snapshot);

impl Picture {
    pub fn tree(&self) -> Tree<'_, Snapshot> {
        Tree(&self.0)
    }

    /// Is this entry a version that lost against another of its own node?
    fn copy(&self, entry: &Entry) -> Result<Option<Dot>, DriveError> {
        if !entry.conflict {
            return Ok(None);
        }
        let shown = self.tree().shown_version(entry.node)?;
        Ok(entry.version.filter(|_| shown != entry.version))
    }
}

/// Folders that were asked for since the tree last changed, and the nodes shown as one with each. To find these, the tree
/// is walked from the root: too much for every look at a name.
#[derive(Default)]
pub(super) struct Groups {
    /// of which picture
    number: Option<u64>,
    known: HashMap<NodeId, Vec<NodeId>>,
}

impl Groups {
    fn get(&self, picture: &Picture, folder: &NodeId) -> Option<Vec<NodeId>> {
        let same = self.number == Some(picture.0.number());
        self.known.get(folder).filter(|_| same).cloned()
    }

    fn put(&mut self, picture: &Picture, folder: NodeId, group: &[NodeId]) {
        let number = Some(picture.0.number());
        if self.number != number || self.known.len() >= MANY_FOLDERS {
            self.known.clear();
            self.number = number;
        }
        self.known.insert(folder, group.to_vec());
    }
}

impl Overlay {
    pub(super) fn picture(&self) -> Result<Picture, DriveError> {
        Ok(Picture(self.drive.rows()?))
    }

    /// What is under a name. Counts one reference.
    pub fn lookup(&self, folder: FileId, name: &Name) -> Result<Stat, DriveError> {
        let mut state = self.state();
        let picture = self.picture()?;
        let (id, _) = self.present(&mut state, &picture, folder, name)?;
        self.counted(&mut state, &picture, id)
    }

    /// Counts one reference to an entry of a list.
    pub fn keep(&self, stat: &Stat) {
        let mut state = self.state();
        let mut file = File::new(stat.node, stat.copy, stat.kind);
        file.at = stat.folder.map(|folder| (folder, stat.name.clone()));
        file.told = stat.version;
        let id = state.insert(file);
        if let Some(file) = state.file_mut(id) {
            file.refs += 1;
        }
    }

    /// The kernel forgot some references.
    pub fn forget(&self, id: FileId, count: u64) {
        let mut state = self.state();
        if let Some(file) = state.file_mut(id).filter(|_| id != FileId::ROOT) {
            file.refs = file.refs.saturating_sub(count);
            state.drop_if_idle(id);
        }
    }

    /// Everything that somebody has a number of, with its folder and name.
    pub fn known(&self) -> Vec<(FileId, Option<(FileId, Name)>)> {
        let state = self.state();
        let place = |file: &File| {
            let (folder, name) = file.at.clone()?;
            Some((state.by_key(&(folder, None))?, name))
        };
        state.files().map(|(id, file)| (id, place(file))).collect()
    }

    /// Details.
    pub fn stat(&self, id: FileId) -> Result<Stat, DriveError> {
        let state = self.state();
        let picture = self.picture()?;
        self.details(&state, &picture, id)
    }

    /// Everything in a folder, in name order. Counts nothing.
    pub fn list(&self, folder: FileId) -> Result<Vec<Stat>, DriveError> {
        let state = self.state();
        let picture = self.picture()?;
        let group = self.group(&state, &picture, folder)?;
        let mut found: BTreeMap<Name, Stat> = BTreeMap::new();
        for entry in picture.tree().list_nodes(&group)? {
            if state.slot(&group, &entry.name).is_none() {
                let name = entry.name.clone();
                let stat = self.of_entry(&state, &picture, entry)?;
                found.insert(
                    name.clone(),
                    Stat {
                        name,
                        folder: group.first().copied(),
                        ..stat
                    },
                );
            }
        }
        for (name, id) in state.slots(&group) {
            if let Some(id) = id {
                let stat = self.details(&state, &picture, id)?;
                let name = name.clone();
                found.insert(name.clone(), Stat { name, ..stat });
            }
        }
        Ok(found.into_values().collect())
    }

    /// The folder above; the root's is itself.
    pub fn parent(&self, folder: FileId) -> Result<FileId, DriveError> {
        let state = self.state();
        let file = state.file(folder).ok_or_else(|| gone(folder))?;
        let above = file.at.as_ref().map(|(folder, _)| (*folder, None));
        Ok(above
            .and_then(|key| state.by_key(&key))
            .unwrap_or(FileId::ROOT))
    }

    /// A symlink's target.
    pub fn target(&self, id: FileId) -> Result<Vec<u8>, DriveError> {
        let state = self.state();
        let picture = self.picture()?;
        match self.content(&state, &picture, id)?.body {
            Body::Target(target) => Ok(target),
            _ => Err(DriveError::NotAFile(self.words(&state, id))),
        }
    }

    /// Extended attributes.
    pub fn xattrs(&self, id: FileId) -> Result<Xattrs, DriveError> {
        let state = self.state();
        let picture = self.picture()?;
        Ok(self.attrs(&state, &picture, id)?.xattrs)
    }

    /// The number under a name; none when there is nothing.
    pub(super) fn find(
        &self,
        state: &mut State,
        picture: &Picture,
        folder: FileId,
        name: &Name,
    ) -> Result<Option<FileId>, DriveError> {
        let group = self.group(state, picture, folder)?;
        self.find_in(state, picture, &group, name)
    }

    /// The same in folder nodes shown as one.
    pub(super) fn find_in(
        &self,
        state: &mut State,
        picture: &Picture,
        group: &[NodeId],
        name: &Name,
    ) -> Result<Option<FileId>, DriveError> {
        if let Some(slot) = state.slot(group, name) {
            return Ok(slot);
        }
        let Some(entry) = picture.tree().child(group, name)? else {
            return Ok(None);
        };
        let copy = picture.copy(&entry)?;
        let mut file = File::new(entry.node, copy, entry.kind);
        file.at = group.first().map(|folder| (*folder, name.clone()));
        file.told = entry.version;
        file.attrs = entry.attrs;
        Ok(Some(state.insert(file)))
    }

    /// The number under a name where there must be something, and the node that new names beside it go into.
    pub(super) fn present(
        &self,
        state: &mut State,
        picture: &Picture,
        folder: FileId,
        name: &Name,
    ) -> Result<(FileId, NodeId), DriveError> {
        let group = self.group(state, picture, folder)?;
        let found = self.find_in(state, picture, &group, name)?;
        let id = found.ok_or_else(|| DriveError::NotFound(name.to_string()))?;
        Ok((id, group.first().copied().ok_or_else(|| gone(folder))?))
    }

    /// The folder nodes shown as one with this one; new names go into the first.
    pub(super) fn group(
        &self,
        state: &State,
        picture: &Picture,
        folder: FileId,
    ) -> Result<Vec<NodeId>, DriveError> {
        let file = state.file(folder).ok_or_else(|| gone(folder))?;
        if file.kind != Kind::Folder {
            return Err(DriveError::NotAFolder(self.words(state, folder)));
        }
        if file.orphan {
            return Err(DriveError::NotFound(self.words(state, folder)));
        }
        if !file.born || file.node == NodeId::ROOT {
            return Ok(vec![file.node]);
        }
        self.nodes_of(picture, file.node)
    }

    /// The same for a folder in the tree.
    pub(super) fn nodes_of(
        &self,
        picture: &Picture,
        folder: NodeId,
    ) -> Result<Vec<NodeId>, DriveError> {
        if let Some(group) = lock(&self.groups).get(picture, &folder) {
            return Ok(group);
        }
        let mut group = picture.tree().group(folder)?;
        if group.is_empty() {
            group.push(folder);
        }
        lock(&self.groups).put(picture, folder, &group);
        Ok(group)
    }

    pub(super) fn counted(
        &self,
        state: &mut State,
        picture: &Picture,
        id: FileId,
    ) -> Result<Stat, DriveError> {
        let stat = self.details(state, picture, id)?;
        if let Some(file) = state.file_mut(id) {
            file.refs += 1;
        }
        Ok(stat)
    }

    pub(super) fn details(
        &self,
        state: &State,
        picture: &Picture,
        id: FileId,
    ) -> Result<Stat, DriveError> {
        let file = state.file(id).ok_or_else(|| gone(id))?;
        let entry = self.entry(picture, file)?;
        self.laid_over(state, picture, (id, file), entry)
    }

    fn of_entry(&self, state: &State, picture: &Picture, entry: Entry) -> Result<Stat, DriveError> {
        let copy = picture.copy(&entry)?;
        let key = (entry.node, copy);
        match state
            .by_key(&key)
            .and_then(|id| Some((id, state.file(id)?)))
        {
            Some((id, file)) => self.laid_over(state, picture, (id, file), Some(entry)),
            None => {
                let file = File::new(entry.node, copy, entry.kind);
                self.laid_over(state, picture, (state.number(&key), &file), Some(entry))
            }
        }
    }

    /// What the tree says about a file; none before its first commit.
    fn entry(&self, picture: &Picture, file: &File) -> Result<Option<Entry>, DriveError> {
        if let Some(node) = file.pending.bytes_of {
            return Ok(picture.tree().entry(node)?);
        }
        match (file.born, file.version()) {
            (false, _) => Ok(None),
            (true, None) => Ok(picture.tree().entry(file.node)?),
            (true, Some(dot)) => Ok(picture.tree().copy(file.node, dot)?),
        }
    }

    fn laid_over(
        &self,
        state: &State,
        picture: &Picture,
        (id, file): (FileId, &File),
        entry: Option<Entry>,
    ) -> Result<Stat, DriveError> {
        let is_settled = !file.fresh
            && file
                .shared
                .as_ref()
                .is_none_or(|shared| !shared.is_changed());
        let known = entry
            .as_ref()
            .filter(|entry| is_settled && entry.kind == Kind::File);
        let stored = known.map(|entry| self.drive.stored(&picture.tree(), entry));
        let stored = stored.transpose()?;
        let (name, attrs, content, version, conflict) = match entry {
            Some(entry) => (
                entry.name,
                entry.attrs,
                entry.content,
                entry.version,
                entry.conflict,
            ),
            None => (
                Name::known_good(Vec::new()),
                Attrs::default(),
                Content::default(),
                None,
                false,
            ),
        };
        let name = file.at.as_ref().map_or(name, |(_, name)| name.clone());
        let attrs = file.pending.attrs.as_ref().unwrap_or(&attrs);
        let content = file.pending.content.as_ref().unwrap_or(&content);
        let times = state.times(&file.node).unwrap_or_default();
        let shared = file.shared.as_ref();
        let size = shared.map_or(if file.fresh { 0 } else { content.size }, |shared| {
            shared.size()
        });
        let recorded = file.pending.mtime.unwrap_or(content.mtime);
        let written = shared.and_then(|shared| shared.mtime());
        let mtime = written.or(times.mtime).unwrap_or(recorded);
        let mode = match file.node == NodeId::ROOT {
            true => times.mode.unwrap_or(ROOT_MODE),
            false => attrs.mode,
        };
        Ok(Stat {
            id,
            name,
            kind: file.kind,
            size,
            stored: stored.unwrap_or(size).min(size),
            mtime,
            ctime: times.ctime.max(mtime),
            mode,
            conflict,
            writable: file.copy.is_none() && self.drive.is_writable(),
            nameless: file.orphan,
            version: version.filter(|_| !file.fresh),
            node: file.node,
            copy: file.copy,
            folder: file.at.as_ref().map(|(folder, _)| *folder),
        })
    }

    /// Details now.
    pub(super) fn attrs(
        &self,
        state: &State,
        picture: &Picture,
        id: FileId,
    ) -> Result<Attrs, DriveError> {
        let file = state.file(id).ok_or_else(|| gone(id))?;
        if let Some(attrs) = &file.pending.attrs {
            return Ok(attrs.clone());
        }
        Ok(self
            .entry(picture, file)?
            .map(|entry| entry.attrs)
            .unwrap_or_default())
    }

    /// Content without what open files hold.
    pub(super) fn content(
        &self,
        state: &State,
        picture: &Picture,
        id: FileId,
    ) -> Result<Content, DriveError> {
        let file = state.file(id).ok_or_else(|| gone(id))?;
        if let Some(content) = &file.pending.content {
            return Ok(content.clone());
        }
        let entry = self.entry(picture, file)?;
        Ok(entry.map(|entry| entry.content).unwrap_or_default())
    }
}
