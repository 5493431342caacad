//! How much is shown: files, folders and bytes below each folder, kept up to date as commits are applied.
//!
//! A folder's row holds what is shown below it as long as no deletion above it bears on it. What a
//! node adds to its folder follows from that alone, so a change travels up one path. Only a deleted
//! folder in which something survived is counted anew.

use super::batch::Batch;
use super::marks::children;
use super::rows::*;
use super::{MAX_WALK, Tree};
use crate::merge::{Deletion, Node, winner};
use crate::record::{Kind, NodeId};
use cobox_view::kv::{ReadRows, ViewError};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Deepest nesting inside a deleted folder that is counted.
const MAX_COUNTED: usize = 512;

/// Files (and symlinks), folder nodes, logical bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub files: u64,
    pub folders: u64,
    pub bytes: u64,
}

impl Sum {
    const FOLDER: Sum = Sum {
        files: 0,
        folders: 1,
        bytes: 0,
    };

    fn plus(self, other: Sum) -> Sum {
        Sum {
            files: self.files.wrapping_add(other.files),
            folders: self.folders.wrapping_add(other.folders),
            // Sizes are what writers say: sums go round and come back, they do not fail.
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }

    fn minus(self, other: Sum) -> Sum {
        Sum {
            files: self.files.wrapping_sub(other.files),
            folders: self.folders.wrapping_sub(other.folders),
            bytes: self.bytes.wrapping_sub(other.bytes),
        }
    }
}

/// A folder's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SumRow {
    /// what is shown below it
    pub below: Sum,
    /// what it adds to the folder it was last counted in
    pub shown: Sum,
    /// that folder; none while it was never counted
    pub counted_in: Option<NodeId>,
}

/// What has to be settled when a call ends.
#[derive(Default)]
pub(super) struct Unsettled {
    rows: HashMap<NodeId, (SumRow, bool)>,
    /// files that changed: what they added before, and where
    files: BTreeMap<NodeId, Option<(NodeId, Sum)>>,
    /// folders to be looked at again
    folders: BTreeSet<NodeId>,
}

impl Unsettled {
    pub fn folder(&mut self, id: NodeId) {
        self.folders.insert(id);
    }
}

impl Batch<'_> {
    /// To be called before a node changes.
    pub fn count_again(&mut self, id: NodeId) -> Result<(), ViewError> {
        if id.kind() == Some(Kind::Folder) {
            self.unsettled.folder(id);
        } else if !self.unsettled.files.contains_key(&id) {
            let before = self
                .node(id)?
                .and_then(|node| Some((node.home()?.value.parent, file(node))));
            self.unsettled.files.insert(id, before);
        }
        Ok(())
    }

    /// To be called when a node changed: below a deleted folder everything above is counted again.
    pub fn count_above(&mut self, chain: &[NodeId]) -> Result<(), ViewError> {
        for folder in chain {
            if self.node(*folder)?.is_some_and(Node::is_deleted) {
                self.unsettled.folders.extend(chain);
                break;
            }
        }
        Ok(())
    }

    fn sum(&mut self, id: NodeId) -> Result<&mut SumRow, ViewError> {
        use std::collections::hash_map::Entry;
        match self.unsettled.rows.entry(id) {
            Entry::Occupied(entry) => Ok(&mut entry.into_mut().0),
            Entry::Vacant(entry) => {
                let row = self
                    .rows
                    .get(SUMS, &id.0)?
                    .map(|row| decode_sum(&row))
                    .transpose()?;
                Ok(&mut entry.insert((row.unwrap_or_default(), false)).0)
            }
        }
    }

    fn change_sum(
        &mut self,
        id: NodeId,
        change: impl FnOnce(&mut SumRow),
    ) -> Result<(), ViewError> {
        change(self.sum(id)?);
        if let Some((_, dirty)) = self.unsettled.rows.get_mut(&id) {
            *dirty = true;
        }
        Ok(())
    }

    fn add(&mut self, folder: NodeId, sum: Sum) -> Result<(), ViewError> {
        if sum != Sum::default() {
            self.change_sum(folder, |row| row.below = row.below.plus(sum))?;
            self.unsettled.folder(folder);
        }
        Ok(())
    }

    /// Brings all rows of sums up to date.
    pub fn settle_sums(&mut self) -> Result<(), ViewError> {
        for (id, before) in std::mem::take(&mut self.unsettled.files) {
            let after = self
                .node(id)?
                .and_then(|node| Some((node.home()?.value.parent, file(node))));
            if before != after {
                if let Some((parent, sum)) = before {
                    self.add(parent, Sum::default().minus(sum))?;
                }
                if let Some((parent, sum)) = after {
                    self.add(parent, sum)?;
                }
            }
        }
        self.settle_folders()?;
        for (id, (row, dirty)) in &mut self.unsettled.rows {
            if std::mem::take(dirty) {
                self.rows.put(SUMS, &id.0, &encode_sum(row))?;
            }
        }
        Ok(())
    }

    /// Deepest first, so that each folder is mostly looked at once.
    fn settle_folders(&mut self) -> Result<(), ViewError> {
        let mut queue = BTreeSet::new();
        loop {
            for id in std::mem::take(&mut self.unsettled.folders) {
                let depth = self.ancestors(id)?.len();
                // What hangs too deep is not shown; in a circle too long to be seen this would not end.
                if id != NodeId::ROOT && depth < MAX_WALK {
                    queue.insert((Reverse(depth), id));
                }
            }
            let Some((_, id)) = queue.pop_first() else {
                return Ok(());
            };
            self.settle_folder(id)?;
        }
    }

    fn settle_folder(&mut self, id: NodeId) -> Result<(), ViewError> {
        let Some(node) = self.node(id)?.cloned() else {
            return Ok(());
        };
        let parent = self.parent(id)?;
        let deletions = node.deletions(&[]);
        let after = self.count(id, &node, &deletions, 0)?.unwrap_or_default();
        let SumRow {
            shown: before,
            counted_in,
            ..
        } = *self.sum(id)?;
        if (before, counted_in) == (after, parent) {
            return Ok(());
        }
        self.change_sum(id, |row| (row.shown, row.counted_in) = (after, parent))?;
        match (counted_in, parent) {
            (Some(old), Some(new)) if old == new => self.add(new, after.minus(before)),
            (old, new) => {
                old.map_or(Ok(()), |old| self.add(old, Sum::default().minus(before)))?;
                new.map_or(Ok(()), |new| self.add(new, after))
            }
        }
    }

    /// What a node adds under these deletions; none when it is not shown.
    fn count(
        &mut self,
        id: NodeId,
        node: &Node,
        deletions: &[Deletion],
        depth: usize,
    ) -> Result<Option<Sum>, ViewError> {
        let survives = deletions.is_empty() || node.survives(deletions);
        if id.kind() != Some(Kind::Folder) {
            return Ok(survives.then(|| shown_file(node)));
        }
        if deletions.is_empty() {
            return Ok(Some(self.sum(id)?.below.plus(Sum::FOLDER)));
        }
        let (mut shown, mut total) = (survives, Sum::FOLDER);
        if node.marked && depth < MAX_COUNTED {
            for child in children(self, id)? {
                let Some(node) = self.node(child)?.cloned() else {
                    continue;
                };
                if let Some(sum) =
                    self.count(child, &node, &node.deletions(deletions), depth + 1)?
                {
                    (shown, total) = (true, total.plus(sum));
                }
            }
        }
        Ok(shown.then_some(total))
    }
}

/// What a file adds to its folder as long as no deletion above bears on it.
fn file(node: &Node) -> Sum {
    let deletions = node.deletions(&[]);
    let shown = deletions.is_empty() || node.survives(&deletions);
    if shown {
        shown_file(node)
    } else {
        Sum::default()
    }
}

fn shown_file(node: &Node) -> Sum {
    Sum {
        files: 1,
        folders: 0,
        bytes: winner(&node.content).map_or(0, |head| head.value.size),
    }
}

impl<'a, R: ReadRows + ?Sized> Tree<'a, R> {
    /// Totals: files (symlinks too), folders, bytes (logical), kept up to date by the view. Folders shown
    /// as one count as they are; a file with several versions counts once.
    pub fn totals(&self) -> Result<(u64, u64, u64), ViewError> {
        let row = self
            .0
            .get(SUMS, &NodeId::ROOT.0)?
            .map(|row| decode_sum(&row))
            .transpose()?;
        let below = row.unwrap_or_default().below;
        Ok((below.files, below.folders, below.bytes))
    }
}
