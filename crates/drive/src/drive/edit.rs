//! Editing a file in place: writes at any offset, kept in memory, stored as splices over the version that was opened.
//!
//! Long writes are cut, sealed and committed ahead as they come, so that a file of any size passes through bounded
//! memory; the record, and with it the new version, is written by `flush`.

mod dirty;
mod draft;

use super::commit::{Change, DraftId};
use super::compose::{Base, Edited, Form, Segment};
use super::write::{created, replaced, writable};
use super::{Drive, DriveError, Work, now};
use crate::content::LARGE;
use crate::content::chunk::Chunker;
use crate::content::intake::{Intake, Small};
use crate::content::run::{self, Extent};
use crate::handle::{FileReader, WriteOptions};
use crate::path::DrivePath;
use crate::record::{Attrs, Body, Codec, Content, Kind, NodeId, Record, Time, Write};
use crate::tree::Tree;
use crate::version::Dot;
use bytes::Bytes;
use dirty::Dirty;
use draft::Draft;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes in memory above which long writes are stored ahead.
const STAGE: usize = 8 << 20;
/// Larger edits are committed rather than kept as a draft.
const MAX_DRAFT: usize = 1 << 20;
/// Permission bits of a new file.
const FILE_MODE: u32 = 0o644;
/// An aligned window with more runs than this is rewritten when runs are folded.
const WINDOW_RUNS: usize = 64;
/// Largest file.
const MAX_SIZE: u64 = i64::MAX as u64;

/// A file open for writing. Reads see what was written; other readers see it after `flush`. Dropped without a flush,
/// what was written since the last flush or sync is lost.
pub struct FileWriter {
    drive: Arc<Drive>,
    state: Mutex<Edit>,
}

/// An edit under way.
struct Edit {
    path: DrivePath,
    /// None until the first flush of a new file.
    node: Option<NodeId>,
    version: Option<Dot>,
    content: Content,
    /// The version that was opened or flushed last.
    reader: FileReader,
    floor: u64,
    size: u64,
    mtime: Option<Time>,
    mode: Option<u32>,
    dirty: Dirty,
    staged: Option<Staged>,
    /// Something a flush must write.
    changed: bool,
    draft: Option<DraftId>,
    /// The draft on disk is not all of it.
    draft_is_old: bool,
    /// Stored-ahead bytes were lost to a failed commit: the file cannot be trusted any more.
    failed: bool,
}

/// Bytes stored ahead of their record.
struct Staged {
    intake: Intake,
    segments: Vec<Segment>,
    length: u64,
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
            Some(entry) => {
                let reader = self.reader(&tree, &entry, path)?;
                Edit::new(
                    path.clone(),
                    Some(entry.node),
                    entry.version,
                    entry.content,
                    reader,
                )
            }
            None => {
                let reader = FileReader::new(self.blocks.clone(), Vec::new(), 0, path.to_string());
                Edit {
                    changed: true,
                    ..Edit::new(path.clone(), None, None, Content::default(), reader)
                }
            }
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

    fn flush_edits(&self, edits: &mut [&mut Edit]) -> Result<(), DriveError> {
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
        let rows = self.rows()?;
        let tree = Tree(&rows);
        let content = tree.content_at(draft.node, draft.version)?;
        let content = content.ok_or_else(|| DriveError::NoVersion(draft.version.to_string()))?;
        let path = DrivePath::default();
        let reader = self.reader_of(&tree, draft.node, &content, &path)?;
        let mut edit = Edit {
            floor: draft.floor,
            size: draft.size,
            mtime: Some(draft.mtime),
            dirty: draft.dirty,
            changed: true,
            draft: Some(id),
            ..Edit::new(path, Some(draft.node), Some(draft.version), content, reader)
        };
        self.flush_edits(&mut [&mut edit])
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
        edit.check()?;
        let end = offset
            .checked_add(data.len() as u64)
            .filter(|end| *end <= MAX_SIZE);
        let end = end.ok_or_else(|| DriveError::TooLarge(edit.path.to_string()))?;
        edit.dirty.write(offset, data);
        edit.size = edit.size.max(end);
        edit.touch();
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
        let mut edit = self.lock();
        edit.check()?;
        if size > MAX_SIZE {
            return Err(DriveError::TooLarge(edit.path.to_string()));
        }
        if size != edit.size {
            edit.truncate(size);
        }
        Ok(())
    }

    /// Sets the modification time that the next flush records; later writes set it to their own.
    pub fn set_mtime(&self, mtime: Time) {
        let mut edit = self.lock();
        edit.mtime = Some(mtime);
        edit.changed = true;
    }

    /// Makes what was written durable on this machine, cheaply: as a draft beside the feeds where that is enough.
    pub fn sync(&self) -> Result<(), DriveError> {
        let mut edit = self.lock();
        edit.check()?;
        if !edit.changed {
            return Ok(());
        }
        let (Some(node), Some(version)) = (edit.node, edit.version) else {
            return self.drive.flush_edits(&mut [&mut *edit]);
        };
        if edit.staged.is_some() || edit.dirty.bytes() > MAX_DRAFT || edit.mode.is_some() {
            return self.drive.flush_edits(&mut [&mut *edit]);
        }
        if edit.draft.is_some() && !edit.draft_is_old {
            return Ok(());
        }
        let dirty = std::mem::take(&mut edit.dirty);
        let mtime = edit.mtime.unwrap_or_else(now);
        let draft = Draft {
            node,
            version,
            floor: edit.floor,
            size: edit.size,
            mtime,
            dirty,
        };
        let sealed = draft::key(&self.drive.read_key).seal(&draft::encode(&draft));
        edit.dirty = draft.dirty;
        let id = edit.draft.unwrap_or_else(|| NodeId::generate(Kind::File).0);
        self.drive.writer()?.keep_draft(id, sealed.into())?;
        (edit.draft, edit.draft_is_old) = (Some(id), false);
        Ok(())
    }

    /// Writes a new version; durable, and visible to everybody, when it returns.
    pub fn flush(&self) -> Result<(), DriveError> {
        self.drive.flush_edits(&mut [&mut *self.lock()])
    }

    fn lock(&self) -> MutexGuard<'_, Edit> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Edit {
    fn new(
        path: DrivePath,
        node: Option<NodeId>,
        version: Option<Dot>,
        content: Content,
        reader: FileReader,
    ) -> Self {
        Self {
            path,
            node,
            version,
            floor: content.size,
            size: content.size,
            content,
            reader,
            mtime: None,
            mode: None,
            dirty: Dirty::default(),
            staged: None,
            changed: false,
            draft: None,
            draft_is_old: false,
            failed: false,
        }
    }

    fn check(&self) -> Result<(), DriveError> {
        match self.failed {
            true => Err(DriveError::Damaged(format!(
                "{}: an earlier write was lost; open it again",
                self.path
            ))),
            false => Ok(()),
        }
    }

    fn touch(&mut self) {
        (self.mtime, self.changed, self.draft_is_old) = (Some(now()), true, true);
    }

    fn truncate(&mut self, size: u64) {
        self.floor = self.floor.min(size);
        self.size = size;
        self.dirty.cut(size);
        if let Some(staged) = &mut self.staged {
            for (at, part) in &mut staged.segments {
                part.end = part.end.min(part.start + size.saturating_sub(*at));
            }
        }
        self.touch();
    }

    fn is_staged(&self, range: Range<u64>) -> bool {
        let overlaps =
            |(at, part): &Segment| *at < range.end && at + (part.end - part.start) > range.start;
        self.staged
            .as_ref()
            .is_some_and(|staged| staged.segments.iter().any(overlaps))
    }

    /// Base and unstored writes; the caller has made sure that nothing stored ahead is asked for.
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), DriveError> {
        let kept = self.floor.saturating_sub(offset).min(out.len() as u64) as usize;
        let (base, gap) = out.split_at_mut(kept);
        self.reader.read_at(offset, base)?;
        gap.fill(0);
        self.dirty.overlay(offset, out);
        Ok(())
    }

    /// Stores long writes ahead of their record. The last chunk of each stays, since more may follow it.
    fn stage(&mut self, drive: &Drive) -> Result<(), DriveError> {
        let long = self.dirty.take_long(LARGE as usize);
        let mut staged = match self.staged.take() {
            Some(staged) => staged,
            None => {
                let mut intake = drive.intake()?;
                intake.begin(None);
                Staged {
                    intake,
                    segments: Vec::new(),
                    length: 0,
                }
            }
        };
        // Until it is put back, what is stored ahead hangs on this call.
        self.failed = true;
        for (at, data) in long {
            let mut at = at;
            let mut chunker = Chunker::new(std::io::Cursor::new(data));
            let mut next = chunker.next_chunk()?;
            while let Some(chunk) = next {
                next = chunker.next_chunk()?;
                if next.is_none() {
                    self.dirty.write(at, &chunk);
                    break;
                }
                staged.chunk(at, &chunk);
                at += chunk.len() as u64;
            }
            drive.writer()?.ahead(&mut staged.intake)?;
        }
        self.failed = false;
        self.staged = Some(staged);
        Ok(())
    }

    /// The new version's bytes, taken in. None: only details changed.
    fn form(&mut self, drive: &Drive, shared: &mut Intake) -> Result<Option<Form>, DriveError> {
        let is_same = self.dirty.is_empty() && self.staged.is_none();
        if is_same
            && self.node.is_some()
            && self.size == self.content.size
            && self.floor == self.size
        {
            return Ok(None);
        }
        if self.staged.is_none() && self.size < LARGE {
            let mut data = vec![0; self.size as usize];
            self.read(0, &mut data)?;
            return Ok(Some(Form::Whole(
                shared.small(&Small::new(data, shared.hash_key())),
            )));
        }
        let base = Base::of(&self.content, self.version);
        let mut under = Vec::new();
        if !base.has_room(
            self.dirty.len()
                + 2 * self
                    .staged
                    .as_ref()
                    .map_or(0, |staged| staged.segments.len()),
        ) {
            self.unfold(&mut under)?;
        }
        let staged = match self.staged.take() {
            Some(staged) => {
                // From here on only the commit holds what was stored ahead.
                self.failed = true;
                let Staged {
                    intake,
                    segments,
                    length,
                } = staged;
                *shared = intake;
                (segments, length)
            }
            None => {
                shared.begin(None);
                (Vec::new(), 0)
            }
        };
        let (mut segments, mut length) = staged;
        for (at, data) in &under {
            segments.insert(0, (*at, length..length + data.len() as u64));
            length += data.len() as u64;
            shared.piece(data);
        }
        for (at, data) in self.dirty.iter() {
            segments.push((at, length..length + data.len() as u64));
            length += data.len() as u64;
            take_in(shared, data)?;
            drive.writer()?.ahead(shared)?;
        }
        let layout = shared.end();
        let extents = self.reader.extents().to_vec();
        Ok(Some(Form::Edit(Edited {
            base,
            extents,
            floor: self.floor,
            size: self.size,
            layout,
            segments,
        })))
    }

    /// Before runs are folded: what is compressed is unpacked, since it cannot be cut, and windows that were edited
    /// all over are read to be written anew.
    fn unfold(&self, under: &mut Vec<(u64, Vec<u8>)>) -> Result<(), DriveError> {
        let mut read = |range: Range<u64>| -> Result<(), DriveError> {
            let mut data = vec![0; range.end.min(self.floor).saturating_sub(range.start) as usize];
            self.reader.read_at(range.start, &mut data)?;
            under.push((range.start, data));
            Ok(())
        };
        let mut window = (0, 0);
        for extent in self.reader.extents() {
            if matches!(extent.run.codec, Codec::Lz4 { .. }) {
                read(extent.at..extent.at + extent.length)?;
            }
            let number = extent.at / LARGE;
            window = if window.0 == number {
                (number, window.1 + 1)
            } else {
                (number, 1)
            };
            if window.1 == WINDOW_RUNS + 1 {
                read(number * LARGE..(number + 1) * LARGE)?;
            }
        }
        Ok(())
    }

    fn record(
        &self,
        drive: &Drive,
        work: &mut Work<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<Record, DriveError> {
        let mtime = self.mtime.unwrap_or_else(now);
        let value = Content {
            mtime,
            size: self.size,
            body: self.content.body.clone(),
        };
        let Some(node) = self.node else {
            let (parent, name) = drive.place(work, &self.path, false, changes)?;
            let mode = self.mode.unwrap_or(FILE_MODE);
            let value = Content {
                body: Body::None,
                ..value
            };
            return Ok(created(
                &mut work.writer,
                Kind::File,
                parent,
                name,
                value,
                mode,
            ));
        };
        let heads = work.tree().heads(node)?;
        let mut record = Record::new(node, Kind::File);
        let replaces = replaced(&heads.content, self.version, work.writer.tag());
        record.content = Some(Write { value, replaces });
        if let Some(mode) = self.mode {
            let old = work.tree().attrs(node)?.unwrap_or_default();
            let value = Attrs {
                mode: mode & 0o7777,
                ..old
            };
            record.attrs = Some(Write {
                value,
                replaces: heads.attrs,
            });
        }
        Ok(record)
    }

    /// The flush is durable: the new version is what later writes are laid over.
    fn settled(&mut self, drive: &Drive, dot: Dot, record: &Record) -> Result<(), DriveError> {
        let Some(content) = record.content.as_ref().map(|write| write.value.clone()) else {
            return Ok(());
        };
        let extents = self.laid_out(drive, record.node, &content)?;
        self.reader = FileReader::new(
            drive.blocks.clone(),
            extents,
            content.size,
            self.path.to_string(),
        );
        (self.node, self.version) = (Some(record.node), Some(dot));
        (self.floor, self.size) = (content.size, content.size);
        self.content = content;
        (self.mtime, self.mode, self.draft) = (None, None, None);
        self.dirty.clear();
        (self.changed, self.draft_is_old, self.failed) = (false, false, false);
        Ok(())
    }

    fn laid_out(
        &self,
        drive: &Drive,
        node: NodeId,
        content: &Content,
    ) -> Result<Vec<Extent>, DriveError> {
        match &content.body {
            // The old layout has the base and the old splices; a table that was not folded anew is not read again.
            Body::Splices { splices, .. } | Body::Table { splices, .. } if !splices.is_empty() => {
                let mut extents = self.reader.extents().to_vec();
                run::resize(&mut extents, self.floor);
                run::resize(&mut extents, content.size);
                splices
                    .iter()
                    .for_each(|splice| run::lay(&mut extents, splice));
                Ok(extents)
            }
            _ => {
                let rows = drive.rows()?;
                let reader = drive.reader_of(&Tree(&rows), node, content, &self.path)?;
                Ok(reader.extents().to_vec())
            }
        }
    }
}

impl Staged {
    fn chunk(&mut self, at: u64, chunk: &Bytes) {
        let hash = self.intake.hash_key().hash(chunk);
        self.intake.chunk(chunk, hash);
        let from = self.length;
        self.length += chunk.len() as u64;
        match self.segments.last_mut() {
            Some((last, part)) if *last + (part.end - part.start) == at && part.end == from => {
                part.end = self.length
            }
            _ => self.segments.push((at, from..self.length)),
        }
    }
}

/// Long stretches are cut into chunks that may be known; short ones are simply stored.
fn take_in(intake: &mut Intake, data: &[u8]) -> Result<(), DriveError> {
    if (data.len() as u64) < LARGE {
        intake.piece(data);
        return Ok(());
    }
    let mut chunker = Chunker::new(data);
    while let Some(chunk) = chunker.next_chunk()? {
        let hash = intake.hash_key().hash(&chunk);
        intake.chunk(&chunk, hash);
    }
    Ok(())
}
