//! Open files: opening, reading, writing, closing.

use super::plan::Which;
use super::shared::{Body, Shared};
use super::state::{DeadDraft, File, Key, State};
use super::{FileId, Overlay, gone};
use crate::drive::edit::Edit;
use crate::error::DriveError;
use crate::handle::FileReader;
use crate::path::DrivePath;
use crate::record::{Kind, Time};
use crate::tree::Tree;
use cobox_feed::store::StoreError;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes that a file without a name may hold in memory: nothing of it may reach the disk in clear.
const MAX_NAMELESS: usize = 256 << 20;
/// The same for all of them together.
const MAX_NAMELESS_TOGETHER: u64 = 512 << 20;
/// Bytes in short stretches, all over a file, that may gather in memory: they cannot be stored ahead.
const SCATTERED: usize = 32 << 20;
/// So much written and in memory will soon be stored ahead.
const LONG: usize = 4 << 20;
/// Room that stays on the disk when long writes are stored ahead: for their record, the rest of them, and others.
const RESERVE: u64 = 64 << 20;
/// Bytes of zeros written at a time.
const ZEROS: usize = 1 << 20;

/// A file that a program has open. Dropping it closes it.
pub struct OpenFile {
    overlay: Arc<Overlay>,
    shared: Arc<Shared>,
    write: bool,
}

impl Overlay {
    /// Opens a file, for writing too if asked.
    pub fn open_file(
        self: &Arc<Self>,
        id: FileId,
        write: bool,
    ) -> Result<Arc<OpenFile>, DriveError> {
        if write {
            self.check_writable()?;
            self.settle_bytes(id)?;
        }
        loop {
            let before = {
                let state = self.state();
                let file = state.file(id).ok_or_else(|| gone(id))?;
                match file.kind {
                    Kind::Folder => return Err(DriveError::IsAFolder(self.words(&state, id))),
                    Kind::Symlink => return Err(DriveError::NotAFile(self.words(&state, id))),
                    Kind::File if write && file.copy.is_some() => {
                        return Err(DriveError::ConflictCopy(self.words(&state, id)));
                    }
                    Kind::File => {}
                }
                if let Some(shared) = &file.shared {
                    return Ok(self.handle(shared.clone(), write));
                }
                file.told
            };
            // Reading where its bytes are may take long: not while others wait.
            let body = self.load(id)?;
            let mut state = self.state();
            let file = state.file_mut(id).ok_or_else(|| gone(id))?;
            // Somebody else may have written it and closed it by now.
            if file.shared.is_none() && file.told != before {
                continue;
            }
            let fresh = || Arc::new(Shared::new(id, body));
            let shared = file.shared.get_or_insert_with(fresh).clone();
            shared.nameless.store(file.orphan, Ordering::Release);
            return Ok(self.handle(shared, write));
        }
    }

    pub(super) fn handle(self: &Arc<Self>, shared: Arc<Shared>, write: bool) -> Arc<OpenFile> {
        shared.handles.fetch_add(1, Ordering::AcqRel);
        if write {
            shared.writers.fetch_add(1, Ordering::AcqRel);
        }
        Arc::new(OpenFile {
            overlay: self.clone(),
            shared,
            write,
        })
    }

    /// Bytes that were taken over from another node are to be the file's own before they are changed.
    fn settle_bytes(&self, id: FileId) -> Result<(), DriveError> {
        let borrowed = |file: &File| file.pending.bytes_of.is_some();
        let is_borrowed = self.state().file(id).is_some_and(borrowed);
        match is_borrowed {
            true => self.commit(Which::File(id)),
            false => Ok(()),
        }
    }

    /// The bytes of a file that nobody has open.
    fn load(&self, id: FileId) -> Result<Body, DriveError> {
        let (key, fresh, path) = {
            let state = self.state();
            let file = state.file(id).ok_or_else(|| gone(id))?;
            let bytes_of = file.pending.bytes_of.map(|node| (node, None));
            (
                bytes_of.unwrap_or(file.key()),
                file.fresh,
                self.path_of(&state, id),
            )
        };
        if fresh {
            return Ok(Body::Writing(Box::new(Edit::begin(&self.drive, path))));
        }
        Ok(Body::Reading(Arc::new(self.reader(key, &path)?)))
    }

    pub(super) fn reader(
        &self,
        (node, copy): Key,
        path: &DrivePath,
    ) -> Result<FileReader, DriveError> {
        let rows = self.drive.rows()?;
        let tree = Tree(&rows);
        let entry = match copy {
            None => tree.entry(node)?,
            Some(dot) => tree.copy(node, dot)?,
        };
        let entry = entry.ok_or_else(|| DriveError::NotFound(path.to_string()))?;
        self.drive.reader(&tree, &entry, path)
    }

    /// A name for errors.
    pub(super) fn words(&self, state: &State, id: FileId) -> String {
        self.path_of(state, id).to_string()
    }

    fn path_of(&self, state: &State, id: FileId) -> DrivePath {
        let at = state.file(id).and_then(|file| file.at.clone());
        DrivePath::from_names(at.map(|(_, name)| name).into_iter().collect())
    }

    /// More or fewer bytes wait in memory.
    pub(super) fn account(&self, more: i64) {
        // Two's complement: adding a negative number subtracts.
        self.dirty.fetch_add(more as u64, Ordering::AcqRel);
    }

    /// A file without a name holds so many bytes now.
    fn hold(&self, shared: &Shared, bytes: usize) {
        let more = shared.hold(bytes);
        self.nameless.fetch_add(more as u64, Ordering::AcqRel);
    }
}

impl OpenFile {
    /// Which file.
    pub fn id(&self) -> FileId {
        self.shared.id
    }

    /// Bytes now.
    pub fn size(&self) -> u64 {
        self.shared.size()
    }

    /// Are these bytes on this machine, so that reading them waits for nobody?
    pub fn is_here(&self, range: Range<u64>) -> bool {
        let reader = match &*self.shared.body() {
            Body::Reading(reader) => reader.clone(),
            Body::Writing(edit) => edit.reader.clone(),
        };
        reader.holds(range)
    }

    /// Reads; 0 at the end. Waits a bounded time for blocks that are not here.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DriveError> {
        loop {
            let reader = {
                let body = self.shared.body();
                match &*body {
                    Body::Reading(reader) => reader.clone(),
                    Body::Writing(edit) if !edit.changed => edit.reader.clone(),
                    Body::Writing(edit) => {
                        edit.check()?;
                        let length = edit.size.saturating_sub(offset).min(buffer.len() as u64);
                        if !edit.is_staged(offset..offset + length) {
                            edit.read(offset, &mut buffer[..length as usize])?;
                            return Ok(length as usize);
                        }
                        drop(body);
                        // What was stored ahead can be read once a record names it.
                        self.overlay.commit(Which::File(self.id()))?;
                        continue;
                    }
                }
            };
            return reader.read_at(offset, buffer);
        }
    }

    /// Writes; in memory, and in the feed ahead of a record, until the next commit.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DriveError> {
        let (more, is_full) = {
            let mut body = self.shared.body();
            let edit = self.writing(&mut body)?;
            self.check_nameless(data.len())?;
            self.check_room(edit)?;
            edit.write(offset, data)?;
            let outcome = self.make_room(edit);
            self.hold(edit);
            (self.shared.note(edit), outcome?)
        };
        self.overlay.account(more);
        if is_full {
            self.overlay.commit(Which::File(self.id()))?;
        }
        self.overlay.wake();
        self.overlay.wait_for_room()
    }

    /// Is there room for more in files without a name, if this is one?
    fn check_nameless(&self, more: usize) -> Result<(), DriveError> {
        let all = self.overlay.nameless.load(Ordering::Acquire) + more as u64;
        match self.shared.nameless.load(Ordering::Acquire) && all > MAX_NAMELESS_TOGETHER {
            true => Err(DriveError::NamelessFull),
            false => Ok(()),
        }
    }

    /// Is there room on the disk for a file that is, or will soon be, stored ahead of its record?
    fn check_room(&self, edit: &Edit) -> Result<(), DriveError> {
        let is_long = edit.staged.is_some() || edit.dirty.bytes() >= LONG;
        if !is_long || self.shared.nameless.load(Ordering::Acquire) {
            return Ok(());
        }
        let (drive, dirty) = (&self.overlay.drive, &self.overlay.dirty);
        match fits(drive.room(), dirty.load(Ordering::Acquire)) {
            true => Ok(()),
            false => Err(StoreError::DiskFull.into()),
        }
    }

    /// Counts what it holds without a name.
    fn hold(&self, edit: &Edit) {
        if self.shared.nameless.load(Ordering::Acquire) {
            self.overlay.hold(&self.shared, edit.dirty.bytes());
        }
    }

    /// Stores long writes ahead; true when that is not enough.
    fn make_room(&self, edit: &mut Edit) -> Result<bool, DriveError> {
        if !edit.wants_room() {
            return Ok(false);
        }
        if self.shared.nameless.load(Ordering::Acquire) {
            return match edit.dirty.bytes() > MAX_NAMELESS {
                true => Err(DriveError::TooLarge(edit.path.to_string())),
                false => Ok(false),
            };
        }
        edit.stage(&self.overlay.drive)?;
        Ok(edit.dirty.bytes() >= SCATTERED)
    }

    /// Cuts the file, or extends it with zeros.
    pub fn truncate(&self, size: u64) -> Result<(), DriveError> {
        let more = {
            let mut body = self.shared.body();
            let edit = self.writing(&mut body)?;
            edit.resize(size)?;
            self.hold(edit);
            self.shared.note(edit)
        };
        self.overlay.account(more);
        self.overlay.wake();
        Ok(())
    }

    /// Overwrites a range with zeros, as far as the file goes.
    pub fn zero(&self, range: Range<u64>) -> Result<(), DriveError> {
        let end = range.end.min(self.size());
        let mut at = range.start;
        while at < end {
            let length = ZEROS.min((end - at) as usize);
            self.write_at(at, &vec![0; length])?;
            at += length as u64;
        }
        Ok(())
    }

    /// The next stretch that is not a hole; none when the rest is one.
    pub fn next_data(&self, offset: u64) -> Option<Range<u64>> {
        let reader = match &*self.shared.body() {
            Body::Reading(reader) => reader.clone(),
            Body::Writing(edit) if !edit.changed => edit.reader.clone(),
            Body::Writing(edit) => return (offset < edit.size).then_some(offset..edit.size),
        };
        reader.next_data(offset)
    }

    /// The modification time that the next commit records.
    pub(super) fn set_mtime(&self, mtime: Time) -> Result<(), DriveError> {
        let mut body = self.shared.body();
        let edit = self.writing(&mut body)?;
        if edit.changed || edit.content.mtime != mtime {
            (edit.mtime, edit.changed, edit.draft_is_old) = (Some(mtime), true, true);
            self.shared.note(edit);
        }
        Ok(())
    }

    /// A program has closed it. What it wrote is committed soon; what could not be is told here.
    pub fn flush(&self) -> Result<(), DriveError> {
        self.overlay.wake();
        self.overlay.failed()
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<(), DriveError> {
        self.overlay.sync_file(&self.shared)
    }

    fn writing<'a>(&self, body: &'a mut Body) -> Result<&'a mut Edit, DriveError> {
        if !self.write {
            return Err(DriveError::ReadOnly);
        }
        if let Body::Reading(_) = body {
            *body = Body::Writing(Box::new(self.overlay.edit(self.id())?));
        }
        match body {
            Body::Writing(edit) => Ok(edit),
            Body::Reading(_) => Err(DriveError::ReadOnly),
        }
    }
}

impl Overlay {
    /// The first write to a file: an edit of the version that is shown, or of the one that it was opened with.
    fn edit(&self, id: FileId) -> Result<Edit, DriveError> {
        let (node, outdated, path) = {
            let state = self.state();
            let file = state.file(id).ok_or_else(|| gone(id))?;
            (file.node, file.outdated, self.path_of(&state, id))
        };
        let rows = self.drive.rows()?;
        let tree = Tree(&rows);
        let entry = match outdated {
            None => tree.entry(node)?,
            Some(dot) => tree.copy(node, dot)?,
        };
        let entry = entry.ok_or_else(|| DriveError::NotFound(path.to_string()))?;
        Edit::open(&self.drive, &tree, entry, path)
    }

    fn closed(&self, shared: &Arc<Shared>, write: bool) {
        if write {
            shared.writers.fetch_sub(1, Ordering::AcqRel);
        }
        let mut state = self.state();
        let last = shared.handles.fetch_sub(1, Ordering::AcqRel) == 1;
        let Some(file) = state.file_mut(shared.id).filter(|_| last) else {
            return;
        };
        if file.orphan || !shared.is_changed() {
            file.shared = None;
            self.account(-shared.give_up());
            self.hold(shared, 0);
            state.drop_if_idle(shared.id);
        }
    }

    /// No name leads to a file any more: what is unwritten lives while it is open.
    pub(super) fn orphan(&self, state: &mut State, id: FileId) {
        state.orphan(id);
        let shared = state.file(id).and_then(|file| file.shared.clone());
        if let Some(shared) = shared {
            shared.nameless.store(true, Ordering::Release);
            let bytes = shared.give_up();
            self.account(-bytes);
            self.hold(&shared, bytes as usize);
            let file = state.file(id).map(|file| (file.node, file.born));
            let dead = shared.draft().zip(file);
            let dead = dead.map(|(id, (node, born))| DeadDraft { id, node, born });
            state.dead_drafts.extend(dead);
            if let Some(file) = state.file_mut(id).filter(|_| !shared.is_open()) {
                file.shared = None;
                self.hold(&shared, 0);
            }
        }
        state.drop_if_idle(id);
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.overlay.closed(&self.shared, self.write);
        self.overlay.wake();
    }
}

/// Is there room for more to be stored ahead, and for the commit that makes a version of it? Whoever writes is told while
/// they write, as by any disk: a commit that comes after they have closed the file can tell nobody, and what was
/// stored ahead hangs on it.
fn fits(room: u64, dirty: u64) -> bool {
    room >= RESERVE.saturating_add(dirty.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_write_is_refused_while_there_is_still_room_for_its_commit() {
        assert!(fits(u64::MAX, 0) && fits(1 << 40, 96 << 20));
        assert!(!fits(0, 0) && !fits(RESERVE, 8 << 20));
        assert!(fits(RESERVE + (16 << 20), 8 << 20));
    }
}
