//! Changing names and details: in memory at once, in the tree with the next commit.

use super::look::{Picture, Stat};
use super::state::{File, State};
use super::{FileId, Must, OpenFile, Overlay, Set, gone};
use crate::drive::edit::Edit;
use crate::drive::now;
use crate::error::DriveError;
use crate::path::{DrivePath, Name};
use crate::record::{Attrs, Body as Bytes, Content, Kind, MAX_TARGET, NodeId, RecordError};
use std::sync::Arc;

use super::shared::{Body, Shared};

/// Permission bits of symlinks.
const SYMLINK_MODE: u32 = 0o777;
/// Bytes that a file's extended attributes may take: they must fit a record.
const MAX_XATTRS: usize = 56 << 10;

impl Overlay {
    /// Creates a file and opens it for writing. Counts one reference.
    pub fn create(
        self: &Arc<Self>,
        folder: FileId,
        name: &Name,
        mode: u32,
    ) -> Result<(Stat, Arc<OpenFile>), DriveError> {
        let mut state = self.state();
        let picture = self.picture()?;
        let id = self.begin(&mut state, &picture, folder, name, Kind::File, mode)?;
        let path = DrivePath::from_names(vec![name.clone()]);
        let mut edit = Edit::begin(&self.drive, path);
        edit.mtime = Some(now());
        let shared = Arc::new(Shared::new(id, Body::Writing(Box::new(edit))));
        let open = self.handle(shared.clone(), true);
        if let Some(file) = state.file_mut(id) {
            file.shared = Some(shared);
        }
        let stat = self.counted(&mut state, &picture, id);
        // Dropping an open file takes the lock.
        drop(state);
        self.wake();
        self.wait_for_room()?;
        Ok((stat?, open))
    }

    /// Creates a folder. Counts one reference.
    pub fn create_folder(
        &self,
        folder: FileId,
        name: &Name,
        mode: u32,
    ) -> Result<Stat, DriveError> {
        self.create_closed(folder, name, Kind::Folder, mode, Bytes::None)
    }

    /// Creates a symlink; its target is kept as given. Counts one reference.
    pub fn symlink(&self, folder: FileId, name: &Name, target: &[u8]) -> Result<Stat, DriveError> {
        if target.len() > MAX_TARGET {
            return Err(RecordError::TooLarge("symlink target").into());
        }
        let body = Bytes::Target(target.to_vec());
        self.create_closed(folder, name, Kind::Symlink, SYMLINK_MODE, body)
    }

    fn create_closed(
        &self,
        folder: FileId,
        name: &Name,
        kind: Kind,
        mode: u32,
        body: Bytes,
    ) -> Result<Stat, DriveError> {
        let mut state = self.state();
        let picture = self.picture()?;
        let id = self.begin(&mut state, &picture, folder, name, kind, mode)?;
        let size = match &body {
            Bytes::Target(target) => target.len() as u64,
            _ => 0,
        };
        let mtime = now();
        state.change(id, |file| {
            file.fresh = false;
            file.pending.content = Some(Content { size, mtime, body });
        });
        let stat = self.counted(&mut state, &picture, id)?;
        drop(state);
        self.wake();
        Ok(stat)
    }

    /// A new file of a free name.
    fn begin(
        &self,
        state: &mut State,
        picture: &Picture,
        folder: FileId,
        name: &Name,
        kind: Kind,
        mode: u32,
    ) -> Result<FileId, DriveError> {
        self.check_writable()?;
        let group = self.group(state, picture, folder)?;
        if self.find_in(state, picture, &group, name)?.is_some() {
            return Err(DriveError::Exists(name.to_string()));
        }
        let parent = group.first().copied().ok_or_else(|| gone(folder))?;
        let mut file = File::new(NodeId::generate(kind), None, kind);
        (file.born, file.fresh) = (false, true);
        file.at = Some((parent, name.clone()));
        file.pending.place = file.at.clone();
        file.pending.attrs = Some(Attrs {
            mode: mode & 0o7777,
            xattrs: Vec::new(),
        });
        file.pending.succeeds = state.freed.predecessor(parent, name);
        let id = state.insert(file);
        state.change(id, |_| {});
        state.put(parent, name.clone(), Some(id));
        self.touch_folder(state, parent);
        Ok(id)
    }

    /// Removes a file or symlink; removing a losing version dismisses it.
    pub fn remove_file(&self, folder: FileId, name: &Name) -> Result<(), DriveError> {
        self.check_writable()?;
        let mut state = self.state();
        let mut picture = self.picture()?;
        let (id, mut parent) = self.present(&mut state, &picture, folder, name)?;
        let file = state.file(id).ok_or_else(|| gone(id))?;
        if file.kind == Kind::Folder {
            return Err(DriveError::IsAFolder(name.to_string()));
        }
        if let Some(loser) = file.copy {
            drop(state);
            return self.dismiss(id, loser);
        }
        if file.shared.as_ref().is_some_and(|shared| shared.is_open()) {
            drop(state);
            self.keep_what_is_open(id)?;
            (state, picture) = (self.state(), self.picture()?);
            let now = self.present(&mut state, &picture, folder, name)?;
            if now.0 != id {
                return Err(DriveError::NotFound(name.to_string()));
            }
            parent = now.1;
        }
        self.unlink(&mut state, &picture, parent, name, id)?;
        drop(state);
        self.wake();
        Ok(())
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, folder: FileId, name: &Name) -> Result<(), DriveError> {
        self.check_writable()?;
        let mut state = self.state();
        let picture = self.picture()?;
        let (id, parent) = self.present(&mut state, &picture, folder, name)?;
        self.check_empty(&state, &picture, id)?;
        self.unlink(&mut state, &picture, parent, name, id)?;
        drop(state);
        self.wake();
        Ok(())
    }

    /// Takes a name away from what it leads to.
    pub(super) fn unlink(
        &self,
        state: &mut State,
        picture: &Picture,
        parent: NodeId,
        name: &Name,
        id: FileId,
    ) -> Result<(), DriveError> {
        let file = state.file(id).ok_or_else(|| gone(id))?;
        let (node, kind, born) = (file.node, file.kind, file.born);
        if born {
            let nodes = match kind {
                Kind::Folder => self.group(state, picture, id)?,
                _ => vec![node],
            };
            nodes.into_iter().for_each(|node| state.doom(node, kind));
            state.freed.freed(parent, name.clone(), node);
        }
        self.orphan(state, id);
        state.put(parent, name.clone(), None);
        state.touch(node, |times| times.ctime = now());
        self.touch_folder(state, parent);
        Ok(())
    }

    pub(super) fn check_empty(
        &self,
        state: &State,
        picture: &Picture,
        id: FileId,
    ) -> Result<(), DriveError> {
        let group = self.group(state, picture, id)?;
        let full = || DriveError::NotEmpty(self.words(state, id));
        if state.slots(&group).any(|(_, file)| file.is_some()) {
            return Err(full());
        }
        let file = state.file(id).ok_or_else(|| gone(id))?;
        if !file.born {
            return Ok(());
        }
        let entries = picture.tree().list_nodes(&group)?;
        match entries
            .iter()
            .all(|entry| state.slot(&group, &entry.name).is_some())
        {
            true => Ok(()),
            false => Err(full()),
        }
    }

    /// Bytes stored ahead can be read only once a record names them: before a file that is open loses its name.
    pub(super) fn keep_what_is_open(&self, id: FileId) -> Result<(), DriveError> {
        let shared = {
            let state = self.state();
            state.file(id).and_then(|file| file.shared.clone())
        };
        let staged = shared.is_some_and(|shared| {
            shared.is_open()
                && matches!(&*shared.body(), Body::Writing(edit) if edit.staged.is_some())
        });
        match staged {
            true => self.commit(super::plan::Which::File(id)),
            false => Ok(()),
        }
    }

    /// The node that new names in a folder go into.
    pub(super) fn parent_node(
        &self,
        state: &State,
        picture: &Picture,
        folder: FileId,
    ) -> Result<NodeId, DriveError> {
        let group = self.group(state, picture, folder)?;
        group.first().copied().ok_or_else(|| gone(folder))
    }

    /// Names in a folder changed.
    pub(super) fn touch_folder(&self, state: &mut State, folder: NodeId) {
        let now = now();
        state.touch(folder, |times| {
            (times.mtime, times.ctime) = (Some(now), now)
        });
    }

    /// Changes details and size.
    pub fn set(self: &Arc<Self>, id: FileId, set: Set) -> Result<Stat, DriveError> {
        self.check_writable()?;
        if let Some(size) = set.size {
            self.open_file(id, true)?.truncate(size)?;
        }
        if let Some(mode) = set.mode {
            self.change_attrs(id, |attrs| {
                attrs.mode = mode & 0o7777;
                Ok(())
            })?;
        }
        if let Some(mtime) = set.mtime {
            self.set_mtime(id, mtime)?;
        }
        self.wake();
        self.stat(id)
    }

    fn set_mtime(
        self: &Arc<Self>,
        id: FileId,
        mtime: crate::record::Time,
    ) -> Result<(), DriveError> {
        let mut state = self.state();
        let file = state.file(id).ok_or_else(|| gone(id))?;
        let (node, copy, is_changed) = (
            file.node,
            file.copy,
            file.shared
                .as_ref()
                .is_some_and(|shared| shared.is_changed()),
        );
        if copy.is_some() {
            return Err(DriveError::ConflictCopy(self.words(&state, id)));
        }
        // The kernel tells the time of every file that was just removed, and nobody can ask for it.
        if file.orphan && file.shared.is_none() {
            return Ok(());
        }
        state.touch(node, |times| (times.mtime, times.ctime) = (None, now()));
        if node == NodeId::ROOT {
            state.touch(node, |times| times.mtime = Some(mtime));
            return Ok(());
        }
        if is_changed {
            drop(state);
            return self.open_file(id, true)?.set_mtime(mtime);
        }
        let picture = self.picture()?;
        if self.content(&state, &picture, id)?.mtime != mtime {
            state.change(id, |file| match &mut file.pending.content {
                Some(content) => content.mtime = mtime,
                None => file.pending.mtime = Some(mtime),
            });
        }
        Ok(())
    }

    /// Sets or removes (no value) one extended attribute.
    pub fn change_xattr(
        &self,
        id: FileId,
        name: &[u8],
        value: Option<&[u8]>,
        must: Must,
    ) -> Result<(), DriveError> {
        self.check_writable()?;
        self.change_attrs(id, |attrs| {
            let found = attrs
                .xattrs
                .binary_search_by(|(one, _)| one.as_slice().cmp(name));
            match (found, value) {
                (Ok(_), Some(_)) if must == Must::New => return Err(DriveError::XattrExists),
                (Err(_), Some(_)) if must == Must::Exist => return Err(DriveError::NoXattr),
                (Err(_), None) => return Err(DriveError::NoXattr),
                (Ok(at), Some(value)) => attrs.xattrs[at].1 = value.to_vec(),
                (Err(at), Some(value)) => attrs.xattrs.insert(at, (name.to_vec(), value.to_vec())),
                (Ok(at), None) => drop(attrs.xattrs.remove(at)),
            }
            let bytes = |(name, value): &(Vec<u8>, Vec<u8>)| name.len() + value.len() + 8;
            match attrs.xattrs.iter().map(bytes).sum::<usize>() > MAX_XATTRS {
                true => Err(RecordError::TooLarge("what extended attributes hold").into()),
                false => Ok(()),
            }
        })?;
        self.wake();
        Ok(())
    }

    fn change_attrs(
        &self,
        id: FileId,
        change: impl FnOnce(&mut Attrs) -> Result<(), DriveError>,
    ) -> Result<(), DriveError> {
        let mut state = self.state();
        let picture = self.picture()?;
        let before = self.attrs(&state, &picture, id)?;
        let file = state.file(id).ok_or_else(|| gone(id))?;
        let (node, copy) = (file.node, file.copy);
        if copy.is_some() {
            return Err(DriveError::ConflictCopy(self.words(&state, id)));
        }
        let mut after = before.clone();
        change(&mut after)?;
        state.touch(node, |times| times.ctime = now());
        if node == NodeId::ROOT {
            if after.xattrs != before.xattrs {
                return Err(DriveError::Root);
            }
            state.touch(node, |times| times.mode = Some(after.mode));
        } else if after != before {
            state.change(id, |file| file.pending.attrs = Some(after));
        }
        Ok(())
    }
}
