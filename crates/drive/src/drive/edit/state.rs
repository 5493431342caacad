//! The state of one edit: what was opened, what was written since, and how that becomes a version.

use super::dirty::Dirty;
use super::draft::{self, Draft, Start};
use super::{MAX_DRAFT, MAX_SIZE, STAGE};
use crate::content::chunk::chunks;
use crate::content::intake::{Intake, Small};
use crate::content::run::{self, Extent};
use crate::content::{LARGE, MAX_TABLE};
use crate::drive::commit::DraftId;
use crate::drive::compose::{Base, Edited, Form, Segment};
use crate::drive::records::replaced;
use crate::drive::{Drive, DriveError, Work, now};
use crate::handle::FileReader;
use crate::path::DrivePath;
use crate::record::{Body, Codec, Content, Kind, NodeId, Record, Time, Write};
use crate::tree::{Entry, Tree};
use crate::version::Dot;
use cobox_feed::store::StoreError;
use cobox_view::kv::ReadRows;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// An aligned window with more runs than this is rewritten when runs are folded.
const WINDOW_RUNS: usize = 128;
/// So many of them at a time: 32 MiB.
const WINDOWS_AT_ONCE: usize = 32;

/// An edit under way.
pub(crate) struct Edit {
    pub path: DrivePath,
    /// None until the first commit of a new file.
    pub node: Option<NodeId>,
    pub version: Option<Dot>,
    pub content: Content,
    /// The version that was opened or committed last.
    pub reader: Arc<FileReader>,
    pub floor: u64,
    pub size: u64,
    pub mtime: Option<Time>,
    pub dirty: Dirty,
    /// Bytes that were too scattered to be stored ahead when that was tried last.
    pub scattered: usize,
    pub staged: Option<Staged>,
    /// Something a commit must write.
    pub changed: bool,
    pub draft: Option<DraftId>,
    /// The draft on disk is not all of it.
    pub draft_is_old: bool,
    /// Stored-ahead bytes were lost to a failed commit: the file cannot be trusted any more.
    pub failed: bool,
    /// That was for want of room.
    pub full: bool,
}

/// Bytes stored ahead of their record.
pub(crate) struct Staged {
    intake: Intake,
    segments: Vec<Segment>,
    length: u64,
}

impl Edit {
    pub fn new(
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
            reader: Arc::new(reader),
            mtime: None,
            dirty: Dirty::default(),
            scattered: 0,
            staged: None,
            changed: false,
            draft: None,
            draft_is_old: false,
            failed: false,
            full: false,
        }
    }

    /// An edit of a file's shown version.
    pub fn open<R: ReadRows + ?Sized>(
        drive: &Drive,
        tree: &Tree<'_, R>,
        entry: Entry,
        path: DrivePath,
    ) -> Result<Self, DriveError> {
        let reader = drive.reader(tree, &entry, &path)?;
        Ok(Self::new(
            path,
            Some(entry.node),
            entry.version,
            entry.content,
            reader,
        ))
    }

    /// The first edit of a file that does not exist yet.
    pub fn begin(drive: &Drive, path: DrivePath) -> Self {
        let reader = FileReader::new(drive.blocks.clone(), Vec::new(), 0, path.to_string());
        Self {
            changed: true,
            ..Self::new(path, None, None, Content::default(), reader)
        }
    }

    pub fn check(&self) -> Result<(), DriveError> {
        match self.failed {
            true => Err(DriveError::Lost {
                path: self.path.to_string(),
                full: self.full,
            }),
            false => Ok(()),
        }
    }

    /// Whoever writes on is told why what hung on a failed call is lost.
    pub fn note_failure(&mut self, error: &DriveError) {
        self.full = matches!(error, DriveError::Store(StoreError::DiskFull));
    }

    pub fn touch(&mut self) {
        (self.mtime, self.changed, self.draft_is_old) = (Some(now()), true, true);
    }

    /// Writes bytes into memory.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DriveError> {
        self.check()?;
        let end = offset
            .checked_add(data.len() as u64)
            .filter(|end| *end <= MAX_SIZE);
        let end = end.ok_or_else(|| DriveError::TooLarge(self.path.to_string()))?;
        self.dirty.write(offset, data);
        self.size = self.size.max(end);
        self.touch();
        Ok(())
    }

    /// Cuts the file, or extends it with zeros.
    pub fn resize(&mut self, size: u64) -> Result<(), DriveError> {
        self.check()?;
        if size > MAX_SIZE {
            return Err(DriveError::TooLarge(self.path.to_string()));
        }
        if size != self.size {
            self.truncate(size);
        }
        Ok(())
    }

    /// Makes what was written durable on this machine as a draft. False: it has too much for one, or there is no version
    /// yet for a draft to lie over.
    pub fn sync(&mut self, drive: &Drive) -> Result<bool, DriveError> {
        self.check()?;
        if !self.changed {
            return Ok(true);
        }
        let (Some(node), Some(version)) = (self.node, self.version) else {
            return Ok(false);
        };
        let floor = self.floor;
        let start = Start::Version {
            node,
            version,
            floor,
        };
        self.keep_if_small(drive, start, &[])
    }

    /// The same for a file that was never committed: `birth` brings it into being at the next start, and nothing will the
    /// files of the `dead` drafts. False: it has too much for a draft.
    pub fn sync_birth(
        &mut self,
        drive: &Drive,
        birth: Record,
        dead: &[DraftId],
    ) -> Result<bool, DriveError> {
        self.check()?;
        self.keep_if_small(drive, Start::Birth(Box::new(birth)), dead)
    }

    /// False: it has too much for a draft.
    fn keep_if_small(
        &mut self,
        drive: &Drive,
        start: Start,
        dead: &[DraftId],
    ) -> Result<bool, DriveError> {
        if self.staged.is_some() || self.dirty.bytes() > MAX_DRAFT {
            return Ok(false);
        }
        if self.draft.is_none() || self.draft_is_old {
            self.keep_draft(drive, start, dead)?;
        }
        Ok(true)
    }

    fn keep_draft(
        &mut self,
        drive: &Drive,
        start: Start,
        dead: &[DraftId],
    ) -> Result<(), DriveError> {
        let draft = Draft {
            start,
            size: self.size,
            mtime: self.mtime.unwrap_or_else(now),
            dirty: std::mem::take(&mut self.dirty),
        };
        let plaintext = draft::encode(&draft);
        self.dirty = draft.dirty;
        let sealed = draft::key(&drive.read_key).seal(&plaintext?);
        let id = self.draft.unwrap_or_else(|| NodeId::generate(Kind::File).0);
        drive.writer()?.keep_draft(id, sealed.into(), dead)?;
        (self.draft, self.draft_is_old) = (Some(id), false);
        Ok(())
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

    pub fn is_staged(&self, range: Range<u64>) -> bool {
        let overlaps =
            |(at, part): &Segment| *at < range.end && at + (part.end - part.start) > range.start;
        self.staged
            .as_ref()
            .is_some_and(|staged| staged.segments.iter().any(overlaps))
    }

    /// Base and unstored writes; the caller has made sure that nothing stored ahead is asked for.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), DriveError> {
        let kept = self.floor.saturating_sub(offset).min(out.len() as u64) as usize;
        let (base, gap) = out.split_at_mut(kept);
        self.reader.read_at(offset, base)?;
        gap.fill(0);
        self.dirty.overlay(offset, out);
        Ok(())
    }

    /// Is so much in memory that long writes should be stored ahead? Not each time while only short ones gather.
    pub fn wants_room(&self) -> bool {
        self.dirty.bytes() >= STAGE.max(self.scattered + STAGE / 8)
    }

    /// Stores long writes ahead of their record. The last chunk of each stays, since more may follow it.
    pub fn stage(&mut self, drive: &Drive) -> Result<(), DriveError> {
        let staged = self.stage_long(drive);
        staged.inspect_err(|error| self.note_failure(error))
    }

    fn stage_long(&mut self, drive: &Drive) -> Result<(), DriveError> {
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
            let mut cuts = chunks(&data).peekable();
            while let Some(chunk) = cuts.next() {
                if cuts.peek().is_none() {
                    self.dirty.write(at, chunk);
                    break;
                }
                staged.chunk(at, chunk);
                at += chunk.len() as u64;
            }
            drop(cuts);
            self.dirty.reuse(data);
            drive.writer()?.ahead(&mut staged.intake)?;
        }
        self.failed = false;
        self.staged = Some(staged);
        self.scattered = self.dirty.bytes();
        Ok(())
    }

    /// The new version's bytes, taken in. None: only details changed.
    pub fn form(&mut self, drive: &Drive, shared: &mut Intake) -> Result<Option<Form>, DriveError> {
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
            take_in(shared, data);
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
    pub fn unfold(&self, under: &mut Vec<(u64, Vec<u8>)>) -> Result<(), DriveError> {
        let mut read = |range: Range<u64>| -> Result<(), DriveError> {
            let mut data = vec![0; range.end.min(self.floor).saturating_sub(range.start) as usize];
            self.reader.read_at(range.start, &mut data)?;
            under.push((range.start, data));
            Ok(())
        };
        for extent in self.reader.extents() {
            if matches!(extent.run.codec, Codec::Lz4 { .. }) {
                read(extent.at..extent.at + extent.length)?;
            }
        }
        for number in self.worst_windows() {
            read(number * LARGE..(number + 1) * LARGE)?;
        }
        Ok(())
    }

    /// Windows with too many runs, those with the most first; what is read anew at once must fit into memory, so the
    /// others wait for their turn.
    fn worst_windows(&self) -> Vec<u64> {
        let mut runs: BTreeMap<u64, usize> = BTreeMap::new();
        for extent in self.reader.extents() {
            *runs.entry(extent.at / LARGE).or_default() += 1;
        }
        // A table holds so many and no more.
        let is_crowded = runs.values().sum::<usize>() > MAX_TABLE / 2;
        let (most, at_once) = match is_crowded {
            true => (1, 8 * WINDOWS_AT_ONCE),
            false => (WINDOW_RUNS, WINDOWS_AT_ONCE),
        };
        let mut worst: Vec<_> = runs.into_iter().filter(|(_, runs)| *runs > most).collect();
        worst.sort_by_key(|(number, runs)| (Reverse(*runs), *number));
        worst.truncate(at_once);
        worst.into_iter().map(|(number, _)| number).collect()
    }

    /// The record of a new version over the one that was opened; none for a file that has none.
    pub fn record(&self, work: &Work<'_>) -> Result<Option<Record>, DriveError> {
        let Some(node) = self.node else {
            return Ok(None);
        };
        let value = Content {
            mtime: self.mtime.unwrap_or_else(now),
            size: self.size,
            body: self.content.body.clone(),
        };
        let heads = work.tree().heads(node)?;
        let mut record = Record::new(node, Kind::File);
        let replaces = replaced(&heads.content, self.version, work.writer.tag());
        record.content = Some(Write { value, replaces });
        Ok(Some(record))
    }

    /// The commit is durable: the new version is what later writes are laid over.
    pub fn settled(&mut self, drive: &Drive, dot: Dot, record: &Record) -> Result<(), DriveError> {
        let Some(content) = record.content.as_ref().map(|write| write.value.clone()) else {
            return Ok(());
        };
        let extents = self.laid_out(drive, record.node, &content)?;
        self.reader = Arc::new(FileReader::new(
            drive.blocks.clone(),
            extents,
            content.size,
            self.path.to_string(),
        ));
        (self.node, self.version) = (Some(record.node), Some(dot));
        (self.floor, self.size) = (content.size, content.size);
        self.content = content;
        (self.mtime, self.draft) = (None, None);
        self.dirty.clear();
        self.scattered = 0;
        (self.changed, self.draft_is_old, self.failed) = (false, false, false);
        Ok(())
    }

    pub fn laid_out(
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
    fn chunk(&mut self, at: u64, chunk: &[u8]) {
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
fn take_in(intake: &mut Intake, data: &[u8]) {
    if (data.len() as u64) < LARGE {
        return intake.piece(data);
    }
    for chunk in chunks(data) {
        let hash = intake.hash_key().hash(chunk);
        intake.chunk(chunk, hash);
    }
}
