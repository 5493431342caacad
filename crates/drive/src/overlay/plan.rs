//! What a commit takes along, and the records it becomes.

use super::shared::Shared;
use super::state::{DeadDraft, Doomed, File, Pending, State};
use super::{FileId, Overlay, gone};
use crate::content::intake::Intake;
use crate::drive::Work;
use crate::drive::commit::Change;
use crate::drive::compose::Form;
use crate::drive::edit::Edit;
use crate::drive::now;
use crate::drive::records::{deleted, replaced};
use crate::error::DriveError;
use crate::path::DrivePath;
use crate::record::{Body, Content, Kind, Life, NodeId, Place, Record, Write};
use crate::version::Dot;
use std::sync::Arc;

/// Which files a commit is for. Names and details that are pending always come along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Which {
    /// Bytes of those whose time has come.
    Due,
    /// Bytes of those only whose names need them: of files that are new, or took the place of another, unless a draft
    /// holds them.
    New,
    /// Bytes of those, and of this one.
    File(FileId),
    /// All bytes.
    All,
}

impl Which {
    /// Does it take a file's bytes along? Those of a file that is being written wait, unless they are asked for, or a draft
    /// has them under another name than they have now.
    fn takes(self, id: FileId, file: &File, shared: &Shared) -> bool {
        match self {
            Self::All => true,
            Self::File(asked) if asked == id => true,
            Self::New if !file.fresh => false,
            Self::New if file.born => true,
            Self::New if shared.is_kept() => false,
            _ => shared.is_due() || file.fresh && shared.has_moved(),
        }
    }
}

/// Everything one commit, or several in a row, will write.
#[derive(Default)]
pub(super) struct Plan {
    pub files: Vec<Planned>,
    pub doomed: Vec<Doomed>,
    pub dead_drafts: Vec<DeadDraft>,
    /// What changed later is not part of it.
    pub stamp: u64,
    /// Files that stay as they are, with their names.
    pub left: Vec<FileId>,
}

/// A file as it was when the plan was made.
pub(super) struct Planned {
    pub id: FileId,
    pub node: NodeId,
    pub kind: Kind,
    pub born: bool,
    pub fresh: bool,
    told: Option<Dot>,
    pub outdated: bool,
    pub pending: Pending,
    pub stamp: u64,
    /// Its bytes, if they are to be written.
    pub shared: Option<Arc<Shared>>,
}

impl Plan {
    pub fn of(state: &State, which: Which) -> Self {
        let mut plan = Self {
            doomed: state.doomed.clone(),
            dead_drafts: state.dead_drafts.clone(),
            stamp: state.newest(),
            ..Self::default()
        };
        for (id, file) in state.files().filter(|(_, file)| file.is_pending()) {
            let changed = file.shared.as_ref().filter(|shared| shared.is_changed());
            let bytes = changed.filter(|shared| which.takes(id, file, shared));
            if changed.is_some() && bytes.is_none() && (file.fresh || file.pending.is_empty()) {
                plan.left.push(id);
            } else {
                plan.files.push(Planned::of(id, file, bytes.cloned()));
            }
        }
        // Folders before what is in them: new ones in the order in which they came.
        plan.files
            .sort_by_key(|file| (file.born, file.kind != Kind::Folder, file.stamp));
        plan
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.doomed.is_empty() && self.dead_drafts.is_empty()
    }
}

impl Planned {
    fn of(id: FileId, file: &File, shared: Option<Arc<Shared>>) -> Self {
        Self {
            id,
            node: file.node,
            kind: file.kind,
            born: file.born,
            fresh: file.fresh,
            told: file.told,
            outdated: file.outdated.is_some(),
            pending: file.pending.clone(),
            stamp: file.stamp,
            shared,
        }
    }
}

/// The record that brings a new file into being, without its content.
pub(super) fn birth(file: &File) -> Record {
    let mut record = Record::new(file.node, file.kind);
    let place = file.pending.place.clone();
    record.place = place.map(|(parent, name)| fresh(Place { parent, name }));
    record.attrs = file.pending.attrs.clone().map(fresh);
    record.life = Some(fresh(Life::Alive));
    record.succeeds = file.pending.succeeds;
    record
}

/// A register that nothing was in before.
fn fresh<T>(value: T) -> Write<T> {
    Write {
        value,
        replaces: Vec::new(),
    }
}

impl Overlay {
    /// The records of one file: several for a folder that is shown as one with others.
    pub(super) fn records(
        &self,
        file: &Planned,
        edit: Option<&Edit>,
        form: Option<Form>,
        work: &mut Work<'_>,
        intake: &mut Intake,
        changes: &mut Vec<Change>,
    ) -> Result<(), DriveError> {
        let mut record = Record::new(file.node, file.kind);
        let heads = work.tree().heads(file.node)?;
        if let Some((parent, name)) = file.pending.place.clone() {
            let value = Place { parent, name };
            let replaces = heads.place.clone();
            record.place = Some(Write { value, replaces });
        }
        if let Some(value) = file.pending.attrs.clone() {
            let replaces = heads.attrs.clone();
            record.attrs = Some(Write { value, replaces });
        }
        if !file.born {
            record.life = Some(fresh(Life::Alive));
        }
        record.succeeds = file.pending.succeeds.filter(|old| *old != file.node);
        let mut layout = None;
        if let Some((value, opened)) = self.content_of(file, edit, work, intake, &mut layout)? {
            let replaces = replaced(&heads.content, opened, work.writer.tag());
            record.content = Some(Write { value, replaces });
        }
        let place = record
            .place
            .clone()
            .filter(|_| file.born && file.kind == Kind::Folder);
        changes.push(match (form, layout) {
            (Some(form), _) => Change {
                record,
                form: Some(form),
            },
            (None, layout) => Change::whole(record, layout),
        });
        if let Some(place) = place {
            let group = work.tree().group(file.node)?;
            for other in group.into_iter().filter(|node| *node != file.node) {
                let mut record = Record::new(other, file.kind);
                let replaces = work.tree().heads(other)?.place;
                record.place = Some(Write {
                    value: place.value.clone(),
                    replaces,
                });
                changes.push(record.into());
            }
        }
        Ok(())
    }

    /// The content register, if it is to be written, and the version that was opened.
    fn content_of(
        &self,
        file: &Planned,
        edit: Option<&Edit>,
        work: &mut Work<'_>,
        intake: &mut Intake,
        layout: &mut Option<crate::content::intake::Layout>,
    ) -> Result<Option<(Content, Option<Dot>)>, DriveError> {
        if let Some(edit) = edit {
            let content = Content {
                mtime: edit.mtime.unwrap_or_else(now),
                size: edit.size,
                body: if file.fresh {
                    Body::None
                } else {
                    edit.content.body.clone()
                },
            };
            return Ok(Some((content, edit.version.or(file.told))));
        }
        if let Some(content) = file.pending.content.clone() {
            return Ok(Some((content, file.told)));
        }
        let node = file.pending.bytes_of.unwrap_or(file.node);
        let takes_over = file.pending.bytes_of.is_some();
        if !takes_over && file.pending.mtime.is_none() {
            return Ok(None);
        }
        let tree = work.tree();
        let entry = tree.entry(node)?.ok_or_else(|| gone(file.id))?;
        let mut content = entry.content;
        if takes_over {
            let path = DrivePath::from_names(vec![entry.name]);
            (content, *layout) = self.drive.portable(intake, &tree, node, content, &path)?;
        }
        content.mtime = file.pending.mtime.unwrap_or(content.mtime);
        let opened = if takes_over { file.told } else { entry.version };
        Ok(Some((content, opened)))
    }

    pub(super) fn deletion(&self, doomed: &Doomed, work: &Work<'_>) -> Result<Change, DriveError> {
        Ok(deleted(&work.tree(), doomed.node, doomed.kind)?.into())
    }
}
