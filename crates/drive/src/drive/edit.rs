//! Editing a file in place: writes at any offset, kept in memory, stored as splices over the version that was opened.
//!
//! Long writes are cut, sealed and committed ahead as they come, so that a file of any size passes through bounded
//! memory; the record, and with it the new version, is written by `flush`.

mod dirty;
mod draft;
mod state;

use super::commit::{Change, DraftId};
use super::records::writable;
use super::{Drive, DriveError, now};
use crate::handle::WriteOptions;
use crate::path::DrivePath;
use crate::record::{Body, Content, NodeId, Record, Time, Write};
use crate::tree::Tree;
use draft::{Draft, Start};
pub(crate) use state::Edit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes in memory above which long writes are stored ahead.
const STAGE: usize = 8 << 20;
/// Larger edits are committed rather than kept as a draft.
pub(crate) const MAX_DRAFT: usize = 1 << 20;
/// Largest file.
const MAX_SIZE: u64 = i64::MAX as u64;

/// A file open for writing. Reads see what was written; other readers see it after `flush`. Dropped without a flush,
/// what was written since the last flush or sync is lost.
pub struct FileWriter {
    drive: Arc<Drive>,
    state: Mutex<Edit>,
}

impl Drive {
    /// Opens a file for writing in place, or begins a new one, which appears with its first flush.
    pub fn edit_file(
        self: &Arc<Self>,
        path: &DrivePath,
        options: WriteOptions,
    ) -> Result<FileWriter, DriveError> {
        let rows = self.rows()?;
        let tree = Tree(&rows);
        let existing = writable(&tree, path, &options)?;
        let mut edit = match existing {
            Some(entry) => Edit::open(self, &tree, entry, path.clone())?,
            None => Edit::begin(self, path.clone()),
        };
        (edit.mode, edit.mtime) = (options.mode, options.mtime);
        edit.changed |= options.mode.is_some() || options.mtime.is_some();
        Ok(FileWriter {
            drive: self.clone(),
            state: Mutex::new(edit),
        })
    }

    /// Flushes several files in one commit where that is possible.
    pub fn flush_files(&self, files: &[&FileWriter]) -> Result<(), DriveError> {
        let mut edits: Vec<MutexGuard<'_, Edit>> = files.iter().map(|file| file.lock()).collect();
        let mut together = Vec::new();
        for edit in &mut edits {
            match edit.staged.is_some() {
                true => self.flush_edits(&mut [&mut **edit])?,
                false => together.push(&mut **edit),
            }
        }
        self.flush_edits(&mut together)
    }

    pub(crate) fn flush_edits(&self, edits: &mut [&mut Edit]) -> Result<(), DriveError> {
        edits.iter().try_for_each(|edit| edit.check())?;
        let mut open: Vec<&mut &mut Edit> = edits.iter_mut().filter(|edit| edit.changed).collect();
        if open.is_empty() {
            return Ok(());
        }
        let mut intake = self.intake()?;
        let mut forms = Vec::new();
        for edit in &mut open {
            forms.push(edit.form(self, &mut intake)?);
        }
        let mut work = self.work()?;
        let mut changes = Vec::new();
        let mut at = Vec::new();
        for (edit, form) in open.iter().zip(forms) {
            let record = edit.record(self, &mut work, &mut changes)?;
            at.push(changes.len());
            changes.push(Change { record, form });
        }
        let drafts: Vec<DraftId> = open.iter().filter_map(|edit| edit.draft).collect();
        let Some((dot, records)) = self.finish(work, Some(intake), changes, &drafts)? else {
            return Ok(());
        };
        for (edit, at) in open.iter_mut().zip(at) {
            edit.settled(self, dot, &records[at])?;
        }
        Ok(())
    }

    /// Commits what was synced but not flushed when the program ended last.
    pub(super) fn recover_drafts(&self) -> Result<(), DriveError> {
        let drafts = self.set.drafts();
        if drafts.is_empty() || self.own.is_none() {
            return Ok(());
        }
        self.await_own()?;
        let key = draft::key(&self.read_key);
        for (id, sealed) in drafts {
            let Some(draft) = key
                .open(&sealed)
                .ok()
                .and_then(|plaintext| draft::decode(&plaintext))
            else {
                continue;
            };
            if let Err(error) = self.recover(id, draft) {
                tracing::warn!(
                    "a synced edit is kept as a draft, it could not be committed: {error}"
                );
            }
        }
        Ok(())
    }

    fn recover(&self, id: DraftId, draft: Draft) -> Result<(), DriveError> {
        let path = DrivePath::default();
        let (edit, birth) = match draft.start {
            Start::Version {
                node,
                version,
                floor,
            } => {
                let rows = self.rows()?;
                let tree = Tree(&rows);
                let content = tree.content_at(node, version)?;
                let content = content.ok_or_else(|| DriveError::NoVersion(version.to_string()))?;
                let reader = self.reader_of(&tree, node, &content, &path)?;
                let edit = Edit::new(path, Some(node), Some(version), content, reader);
                (Edit { floor, ..edit }, None)
            }
            Start::Birth(record) => (Edit::begin(self, path), Some(*record)),
        };
        let mut edit = Edit {
            size: draft.size,
            mtime: Some(draft.mtime),
            dirty: draft.dirty,
            changed: true,
            draft: Some(id),
            ..edit
        };
        match birth {
            Some(record) => self.give_birth(&mut edit, record, id),
            None => self.flush_edits(&mut [&mut edit]),
        }
    }

    /// A file that was synced before its first commit comes into being.
    fn give_birth(
        &self,
        edit: &mut Edit,
        mut record: Record,
        id: DraftId,
    ) -> Result<(), DriveError> {
        let mut intake = self.intake()?;
        let form = edit.form(self, &mut intake)?;
        record.content = Some(Write {
            value: Content {
                size: edit.size,
                mtime: edit.mtime.unwrap_or_else(now),
                body: Body::None,
            },
            replaces: Vec::new(),
        });
        let work = self.work()?;
        let changes = vec![Change { record, form }];
        self.finish(work, Some(intake), changes, &[id]).map(drop)
    }
}

impl FileWriter {
    /// Bytes now.
    pub fn size(&self) -> u64 {
        self.lock().size
    }

    /// Node, once the file exists for others.
    pub fn node(&self) -> Option<NodeId> {
        self.lock().node
    }

    /// Anything that a flush would write?
    pub fn is_changed(&self) -> bool {
        self.lock().changed
    }

    /// Reads what the file holds now, unflushed writes included; 0 at the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DriveError> {
        let mut edit = self.lock();
        edit.check()?;
        let length = edit.size.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..length];
        if edit.is_staged(offset..offset + length as u64) {
            self.drive.flush_edits(&mut [&mut *edit])?;
        }
        edit.read(offset, buffer)?;
        Ok(length)
    }

    /// Writes bytes; in memory until `sync` or `flush`.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DriveError> {
        let mut edit = self.lock();
        edit.write(offset, data)?;
        if edit.dirty.bytes() >= STAGE {
            edit.stage(&self.drive)?;
        }
        if edit.dirty.bytes() >= STAGE {
            self.drive.flush_edits(&mut [&mut *edit])?;
        }
        Ok(())
    }

    /// Cuts the file, or extends it with zeros.
    pub fn truncate(&self, size: u64) -> Result<(), DriveError> {
        self.lock().resize(size)
    }

    /// Sets the modification time that the next flush records; later writes set it to their own.
    pub fn set_mtime(&self, mtime: Time) {
        let mut edit = self.lock();
        edit.mtime = Some(mtime);
        edit.changed = true;
    }

    /// Makes what was written durable on this machine, cheaply: as a draft beside the feeds where that is enough.
    pub fn sync(&self) -> Result<(), DriveError> {
        self.lock().sync(&self.drive)
    }

    /// Writes a new version; durable, and visible to everybody, when it returns.
    pub fn flush(&self) -> Result<(), DriveError> {
        self.drive.flush_edits(&mut [&mut *self.lock()])
    }

    fn lock(&self) -> MutexGuard<'_, Edit> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
