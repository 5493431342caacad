//! What a program that syncs is promised: its bytes and names are there after a power cut.
//!
//! Where a draft is enough no commit is made, so that locks and journals that are gone in a moment leave nothing behind. What
//! the next start makes of drafts must be what programs saw: one file under each name. Not its job: what a rename has in
//! the tree first (`rename`), and what a commit takes along (`plan`).

use super::plan::{Which, birth};
use super::shared::{Body, Shared};
use super::state::{DeadDraft, File, State};
use super::{FileId, Overlay};
use crate::drive::commit::DraftId;
use crate::drive::edit::Edit;
use crate::error::DriveError;
use crate::record::{NodeId, Record};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// More new files than this are committed rather than kept as drafts: each of those takes a sync of its own.
const MANY_DRAFTS: usize = 8;

impl Overlay {
    /// Makes what was written durable: where that is enough as a draft, else as a version.
    pub(super) fn sync_file(&self, shared: &Shared) -> Result<(), DriveError> {
        if shared.nameless.load(Ordering::Acquire) {
            return Ok(());
        }
        if self.is_recorded(shared.id) {
            let mut body = shared.body();
            match &mut *body {
                Body::Reading(_) => return Ok(()),
                Body::Writing(edit) => {
                    let kept = edit.sync(&self.drive);
                    self.note_draft(shared, edit);
                    if kept? {
                        return Ok(());
                    }
                }
            }
        } else {
            // Rather the names of others are committed than this file, which may be a lock that is gone in a moment.
            if !self.is_name_free(shared.id)? {
                self.commit(Which::New)?;
            }
            if self.sync_unborn(shared)? {
                return Ok(());
            }
        }
        self.commit(Which::File(shared.id))
    }

    /// Makes everything durable.
    pub fn sync(&self) -> Result<(), DriveError> {
        self.commit(Which::All)
    }

    /// Makes the names in all folders durable. Bytes of files that are being written are not waited for; new files are
    /// left to drafts while there are few, since many of them are locks and journals that are gone in a moment.
    pub fn sync_names(&self) -> Result<(), DriveError> {
        let unborn = self.unborn();
        if unborn.len() <= MANY_DRAFTS {
            for shared in unborn {
                self.sync_unborn(&shared)?;
            }
        }
        self.commit(Which::New)
    }

    /// Is everything about a file but its bytes in the tree?
    fn is_recorded(&self, id: FileId) -> bool {
        let state = self.state();
        let recorded = |file: &File| file.born && !file.fresh && file.pending.is_empty();
        state.file(id).is_some_and(recorded)
    }

    /// Keeps a new file as a draft until its first commit. False where that is not enough: its folder is new too, its name
    /// is not free, it is large, or its first commit is under way.
    pub(super) fn sync_unborn(&self, shared: &Shared) -> Result<bool, DriveError> {
        // Locked from here on, so that no commit comes between what the draft says and its being kept.
        let mut body = shared.body();
        let Body::Writing(edit) = &mut *body else {
            return Ok(false);
        };
        // Its bytes are in a version, though `born` is not set yet: this draft would be the file anew, without them.
        if edit.node.is_some() {
            return Ok(false);
        }
        // Taken before the birth is formed: who renames later makes the draft old once more.
        let has_moved = shared.changed_birth.swap(false, Ordering::AcqRel);
        let birth = self.birth_of(shared.id);
        let Ok(Some((birth, dead))) = birth else {
            shared.changed_birth.fetch_or(has_moved, Ordering::AcqRel);
            return birth.map(|_| false);
        };
        edit.draft_is_old |= has_moved || !dead.is_empty();
        let place = birth.place.clone();
        let place = place.map(|write| (write.value.parent, write.value.name));
        let ids: Vec<DraftId> = dead.iter().map(|one| one.id).collect();
        let kept = edit.sync_birth(&self.drive, birth, &ids);
        if matches!(kept, Ok(true)) {
            shared.note_place(place);
            let mut state = self.state();
            state.dead_drafts.retain(|one| !dead.contains(one));
        }
        self.note_draft(shared, edit);
        kept
    }

    /// What brings a new file into being, and the drafts of removed files that end with this, since one of them may have
    /// the name. None where no draft can say it: its folder is new too, or its name is not free.
    fn birth_of(&self, id: FileId) -> Result<Option<(Record, Vec<DeadDraft>)>, DriveError> {
        let mut state = self.state();
        if !self.is_free(&mut state, id)? {
            return Ok(None);
        }
        let is_unborn = |file: &&File| !file.born && !file.orphan;
        let Some(file) = state.file(id).filter(is_unborn) else {
            return Ok(None);
        };
        let folder = file.pending.place.as_ref().map(|(folder, _)| *folder);
        let folder = folder.and_then(|node| state.file(state.by_key(&(node, None))?));
        if folder.is_some_and(|folder| !folder.born) {
            return Ok(None);
        }
        let never_born = state.dead_drafts.iter().filter(|one| !one.born);
        Ok(Some((birth(file), never_born.copied().collect())))
    }

    /// Would the next start find nothing else under the name of a new file? It would, where the name is freed in memory
    /// only, or the draft of another file that moved may still have it.
    fn is_name_free(&self, id: FileId) -> Result<bool, DriveError> {
        self.is_free(&mut self.state(), id)
    }

    fn is_free(&self, state: &mut State, id: FileId) -> Result<bool, DriveError> {
        let place = state.file(id).and_then(|file| file.pending.place.clone());
        let Some(place) = place else {
            return Ok(true);
        };
        let picture = self.picture()?;
        let group = self.nodes_of(&picture, place.0)?;
        let is_taken = picture.tree().child(&group, &place.1)?.is_some();
        Ok(!is_taken && !state.is_anothers_draft_at(&place, id))
    }

    /// After a draft was kept. Whoever removed the file meanwhile did not see it: at the next start it would come back.
    fn note_draft(&self, shared: &Shared, edit: &Edit) {
        shared.note(edit);
        if shared.nameless.load(Ordering::Acquire) {
            let mut state = self.state();
            let file = state.file(shared.id).map(|file| (file.node, file.born));
            // Of a file that is forgotten by now no deletion will come: its draft goes with whatever comes last.
            let (node, born) = file.unwrap_or((NodeId::ROOT, edit.node.is_some()));
            let dead = edit.draft.map(|id| DeadDraft { id, node, born });
            state.dead_drafts.extend(dead);
            drop(state);
            self.wake();
        }
    }

    /// New files with bytes.
    pub(super) fn unborn(&self) -> Vec<Arc<Shared>> {
        let state = self.state();
        let unborn = state.files().filter(|(_, file)| !file.born && !file.orphan);
        unborn.filter_map(|(_, file)| file.shared.clone()).collect()
    }
}
