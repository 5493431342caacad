//! Editing a file in place: writes at any offset, kept in memory, stored as splices over the version that was opened.
//!
//! Long writes are cut, sealed and committed ahead as they come, so that a file of any size passes through bounded
//! memory; the record, and with it the new version, is written by the commit of whoever edits (`overlay`), or at the next
//! start from a draft.

mod dirty;
mod draft;
mod state;

use super::commit::{Change, DraftId};
use super::{Drive, DriveError, now};
use crate::path::DrivePath;
use crate::record::{Body, Content, Record, Write};
use crate::tree::Tree;
use draft::{Draft, Start};
pub(crate) use state::Edit;

/// Bytes in memory above which long writes are stored ahead.
const STAGE: usize = 8 << 20;
/// Larger edits are committed rather than kept as a draft.
const MAX_DRAFT: usize = 1 << 20;
/// Largest file.
const MAX_SIZE: u64 = i64::MAX as u64;

impl Drive {
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
            // A first commit ends its file's draft with it. One that is there all the same says nothing that is not in
            // the tree, and would be the file anew without its bytes, or one that was deleted since.
            Start::Birth(record) if Tree(&self.rows()?).entry(record.node)?.is_some() => {
                let work = self.work()?;
                return self.finish(work, None, Vec::new(), &[id]).map(drop);
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
            None => self.give_version(&mut edit, id),
        }
    }

    /// A synced edit of a version that is in the tree becomes the next one.
    fn give_version(&self, edit: &mut Edit, id: DraftId) -> Result<(), DriveError> {
        let mut intake = self.intake()?;
        let form = edit.form(self, &mut intake)?;
        let work = self.work()?;
        let Some(record) = edit.record(&work)? else {
            return Ok(());
        };
        let changes = vec![Change { record, form }];
        self.finish(work, Some(intake), changes, &[id]).map(drop)
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
