//! What is not committed, and which files have numbers: bookkeeping without the tree.

use super::FileId;
use super::shared::Shared;
use crate::drive::commit::DraftId;
use crate::drive::gone::Gone;
use crate::path::Name;
use crate::record::{Attrs, Content, Kind, NodeId, Time};
use crate::version::Dot;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Numbers below are taken: 0 by nobody, 1 by the root.
const FIRST: u64 = 2;
/// Kept out of numbers, for those who have files of their own beside ours.
const TOP: u64 = 1 << 63;
/// Local times remembered.
const MANY_TIMES: usize = 100_000;

/// What a number stands for: a node, or a losing version of one shown beside the winner.
pub(super) type Key = (NodeId, Option<Dot>);

/// A name in a folder.
pub(super) type Place = (NodeId, Name);

/// A file, folder or symlink that somebody has a number of.
#[derive(Debug)]
pub(super) struct File {
    pub node: NodeId,
    pub copy: Option<Dot>,
    /// Somebody else wrote the node anew: who has this file open still sees this version, and writes beside the new one.
    pub outdated: Option<Dot>,
    pub kind: Kind,
    /// References that the kernel counts.
    pub refs: u64,
    /// Is it in the tree?
    pub born: bool,
    /// Has the node content that is not this file's? So it is until the first commit after a file was created, or
    /// took the place of another.
    pub fresh: bool,
    /// No name leads to it any more; it lives while it is open.
    pub orphan: bool,
    /// Folder and name as last told. None for the root.
    pub at: Option<Place>,
    /// Version of the content as last told.
    pub told: Option<Dot>,
    /// Details as last told.
    pub attrs: Attrs,
    pub pending: Pending,
    /// When `pending` last grew; compared with what a commit took along.
    pub stamp: u64,
    /// What programs that have it open share, and what they wrote.
    pub shared: Option<Arc<Shared>>,
}

/// Registers that the next commit writes.
#[derive(Debug, Default, Clone)]
pub(super) struct Pending {
    pub place: Option<Place>,
    pub attrs: Option<Attrs>,
    /// Content that is not in `shared`: a symlink's target, an empty file.
    pub content: Option<Content>,
    pub mtime: Option<Time>,
    /// The node whose bytes it takes over.
    pub bytes_of: Option<NodeId>,
    /// The node whose name a new one took over.
    pub succeeds: Option<NodeId>,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.place.is_none()
            && self.attrs.is_none()
            && self.content.is_none()
            && self.bytes_of.is_none()
            && self.mtime.is_none()
    }
}

impl File {
    pub fn new(node: NodeId, copy: Option<Dot>, kind: Kind) -> Self {
        Self {
            node,
            copy,
            outdated: None,
            kind,
            refs: 0,
            born: true,
            fresh: false,
            orphan: false,
            at: None,
            told: None,
            attrs: Attrs::default(),
            pending: Pending::default(),
            stamp: 0,
            shared: None,
        }
    }

    pub fn key(&self) -> Key {
        (self.node, self.copy)
    }

    /// The version that this number stands for, if it is not the newest.
    pub fn version(&self) -> Option<Dot> {
        self.copy.or(self.outdated)
    }

    /// Anything that a commit has to write?
    pub fn is_pending(&self) -> bool {
        !self.orphan
            && (!self.born
                || !self.pending.is_empty()
                || self
                    .shared
                    .as_ref()
                    .is_some_and(|shared| shared.is_changed()))
    }

    /// Must it be kept although the kernel has forgotten it?
    fn is_needed(&self) -> bool {
        self.refs > 0 || self.shared.is_some() || (!self.orphan && self.is_pending())
    }
}

/// What is under a name, where that differs from the tree.
#[derive(Debug)]
pub(super) struct Slot {
    pub file: Option<FileId>,
    pub stamp: u64,
}

/// A node to be deleted.
#[derive(Debug, Clone)]
pub(super) struct Doomed {
    pub node: NodeId,
    pub kind: Kind,
    pub stamp: u64,
}

/// The draft of a file that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeadDraft {
    pub id: DraftId,
    /// The node that it was of.
    pub node: NodeId,
    /// Was that in the tree?
    pub born: bool,
}

/// Times that are not recorded: when a folder's entries changed, when anything about a file changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub mtime: Option<Time>,
    pub ctime: Time,
    /// Of the root, whose details no record describes.
    pub mode: Option<u32>,
}

/// Everything above the tree.
pub(super) struct State {
    files: HashMap<FileId, File>,
    by_key: HashMap<Key, FileId>,
    names: HashMap<NodeId, BTreeMap<Name, Slot>>,
    pub doomed: Vec<Doomed>,
    pub dead_drafts: Vec<DeadDraft>,
    /// Files that were renamed, or given other details, before their first commit: what a draft says may be old.
    moved: BTreeSet<FileId>,
    pub freed: Gone,
    times: HashMap<NodeId, Times>,
    stamp: u64,
}

impl State {
    pub fn new() -> Self {
        let mut state = Self {
            files: HashMap::new(),
            by_key: HashMap::new(),
            names: HashMap::new(),
            doomed: Vec::new(),
            dead_drafts: Vec::new(),
            moved: BTreeSet::new(),
            freed: Gone::default(),
            times: HashMap::new(),
            stamp: 0,
        };
        let root = File {
            refs: 1,
            ..File::new(NodeId::ROOT, None, Kind::Folder)
        };
        state.by_key.insert(root.key(), FileId::ROOT);
        state.files.insert(FileId::ROOT, root);
        state
    }

    pub fn file(&self, id: FileId) -> Option<&File> {
        self.files.get(&id)
    }

    pub fn file_mut(&mut self, id: FileId) -> Option<&mut File> {
        self.files.get_mut(&id)
    }

    pub fn files(&self) -> impl Iterator<Item = (FileId, &File)> {
        self.files.iter().map(|(id, file)| (*id, file))
    }

    pub fn by_key(&self, key: &Key) -> Option<FileId> {
        self.by_key.get(key).copied()
    }

    /// The number that a key has, or would get.
    pub fn number(&self, key: &Key) -> FileId {
        if let Some(id) = self.by_key.get(key) {
            return *id;
        }
        let mut number = mix(key) & !TOP;
        while number < FIRST || self.files.contains_key(&FileId(number)) {
            number = (number + 1) & !TOP;
        }
        FileId(number)
    }

    /// Gives a file a number, unless its key has one.
    pub fn insert(&mut self, file: File) -> FileId {
        let id = self.number(&file.key());
        self.by_key.insert(file.key(), id);
        self.files.entry(id).or_insert(file);
        id
    }

    /// The file stands for another node from now on.
    pub fn rebind(&mut self, id: FileId, node: NodeId) {
        if let Some(file) = self.files.get_mut(&id) {
            let key = file.key();
            file.node = node;
            let new = file.key();
            self.unkey(id, &key);
            self.by_key.insert(new, id);
        }
    }

    /// No name leads to it any more.
    pub fn orphan(&mut self, id: FileId) {
        if let Some(file) = self.files.get_mut(&id) {
            file.orphan = true;
            file.pending = Pending::default();
            let key = file.key();
            self.unkey(id, &key);
        }
    }

    /// The node goes on without this file, which keeps the version that it was told.
    pub fn outdate(&mut self, id: FileId, version: Dot) {
        if let Some(file) = self.files.get_mut(&id) {
            file.outdated = Some(version);
            let key = file.key();
            self.unkey(id, &key);
        }
        self.drop_if_idle(id);
    }

    fn unkey(&mut self, id: FileId, key: &Key) {
        if self.by_key.get(key) == Some(&id) {
            self.by_key.remove(key);
        }
    }

    /// Forgets a number that nobody needs.
    pub fn drop_if_idle(&mut self, id: FileId) {
        if id == FileId::ROOT || self.files.get(&id).is_none_or(File::is_needed) {
            return;
        }
        if let Some(file) = self.files.remove(&id) {
            self.unkey(id, &file.key());
        }
    }

    /// What the overlay says about a name in folder nodes shown as one; none: ask the tree.
    pub fn slot(&self, group: &[NodeId], name: &Name) -> Option<Option<FileId>> {
        let mut folders = group.iter().filter_map(|node| self.names.get(node));
        folders
            .find_map(|names| names.get(name))
            .map(|slot| slot.file)
    }

    /// Everything the overlay says about folder nodes shown as one.
    pub fn slots(&self, group: &[NodeId]) -> impl Iterator<Item = (&Name, Option<FileId>)> {
        let folders = group.iter().filter_map(|node| self.names.get(node));
        folders.flatten().map(|(name, slot)| (name, slot.file))
    }

    /// From now on this is what is under a name.
    pub fn put(&mut self, folder: NodeId, name: Name, file: Option<FileId>) {
        let stamp = self.tick();
        let names = self.names.entry(folder).or_default();
        names.insert(name, Slot { file, stamp });
    }

    /// A stamp later than all others.
    pub fn tick(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    /// Changes what is pending about a file.
    pub fn change(&mut self, id: FileId, change: impl FnOnce(&mut File)) {
        let stamp = self.tick();
        if let Some(file) = self.files.get_mut(&id) {
            change(file);
            file.stamp = stamp;
            if let Some(shared) = &file.shared {
                shared.changed_birth.store(true, Ordering::Release);
                self.moved.extend(file.fresh.then_some(id));
            }
        }
    }

    /// Does the draft of another file than this one, which has moved since, say that it is there?
    pub fn is_anothers_draft_at(&mut self, place: &Place, id: FileId) -> bool {
        let files = &self.files;
        let fresh = |id: &FileId| files.get(id).filter(|file| file.fresh && !file.orphan);
        self.moved.retain(|id| fresh(id).is_some());
        let others = self.moved.iter().filter(|other| **other != id);
        let mut shared = others.filter_map(|id| fresh(id)?.shared.as_ref());
        shared.any(|shared| shared.is_kept_at(place))
    }

    /// A node of the tree is to be deleted.
    pub fn doom(&mut self, node: NodeId, kind: Kind) {
        let stamp = self.tick();
        self.doomed.push(Doomed { node, kind, stamp });
    }

    /// The newest stamp.
    pub fn newest(&self) -> u64 {
        self.stamp
    }

    /// Names, deletions and idle files that a commit up to `stamp` has made part of the tree.
    pub fn settle(&mut self, stamp: u64, kept: impl Fn(FileId) -> bool) {
        for names in self.names.values_mut() {
            names.retain(|_, slot| slot.stamp > stamp || slot.file.is_some_and(&kept));
        }
        self.names.retain(|_, names| !names.is_empty());
        self.doomed.retain(|doomed| doomed.stamp > stamp);
        let idle: Vec<FileId> = self.files.keys().copied().collect();
        idle.into_iter().for_each(|id| self.drop_if_idle(id));
    }

    /// Is anything waiting for a commit?
    pub fn is_pending(&self) -> bool {
        !self.doomed.is_empty()
            || !self.dead_drafts.is_empty()
            || self.files.values().any(File::is_pending)
    }

    pub fn times(&self, node: &NodeId) -> Option<Times> {
        self.times.get(node).copied()
    }

    /// Notes times that no record keeps.
    pub fn touch(&mut self, node: NodeId, change: impl FnOnce(&mut Times)) {
        if self.times.len() > MANY_TIMES {
            self.times.clear();
        }
        change(self.times.entry(node).or_default());
    }
}

/// Ids are random already; a copy's number differs from its node's.
fn mix(key: &Key) -> u64 {
    let bytes = |bytes: &[u8]| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[..8]);
        u64::from_be_bytes(eight)
    };
    let node = bytes(&key.0.0);
    match key.1 {
        None => node,
        Some(dot) => {
            node ^ bytes(&dot.writer.0).rotate_left(17)
                ^ dot.block.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }
    }
}
