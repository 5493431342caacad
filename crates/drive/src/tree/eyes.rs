//! What is visible, and under which names: one picture of the rows, looked at from the root down.

use super::Entry;
use super::MAX_WALK;
use super::rows::*;
use crate::merge::{Deletion, Head, Node, Stamp, base_name, conflict_name, losers, winner};
use crate::path::{DrivePath, Name};
use crate::record::{Content, Kind, NodeId};
use crate::version::WriterTag;
use cobox_view::kv::{ReadRows, ViewError};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The key that hides names in rows' keys; all zero where nobody set one (in memory).
pub(super) fn hash_key<R: ReadRows + ?Sized>(rows: &R) -> Result<[u8; 32], ViewError> {
    let row = rows.get(META, b"names")?;
    row.map_or(Ok([0; 32]), |row| {
        row.try_into().map_err(|_| ViewError::Damaged("tree"))
    })
}

/// Nodes whose place is ignored because of a loop.
pub(super) fn loops<R: ReadRows + ?Sized>(rows: &R) -> Result<BTreeSet<NodeId>, ViewError> {
    let mut found = BTreeSet::new();
    scan_keys(rows, LOOPS, &[], |key| {
        found.insert(node_at(key, 0)?);
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn writer_rows<R: ReadRows + ?Sized>(
    rows: &R,
) -> Result<BTreeMap<WriterTag, WriterRow>, ViewError> {
    let mut found = BTreeMap::new();
    scan(rows, WRITERS, &[], |key, value| {
        let tag = key.try_into().map_err(|_| ViewError::Damaged("tree"))?;
        found.insert(WriterTag(tag), WriterRow::decode(value)?);
        Ok(())
    })?;
    Ok(found)
}

/// A folder node of those shown as one, with the deletions that bear on it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub id: NodeId,
    pub deletions: Vec<Deletion>,
}

impl Member {
    fn root() -> Self {
        Self {
            id: NodeId::ROOT,
            deletions: Vec::new(),
        }
    }
}

/// A visible node in a folder, before names are settled.
#[derive(Debug)]
pub(super) struct Candidate {
    pub id: NodeId,
    pub node: Node,
    pub deletions: Vec<Deletion>,
    /// taken out of a loop
    pub detached: bool,
}

impl Candidate {
    fn kind(&self) -> Kind {
        self.id.kind().unwrap_or(Kind::File)
    }

    fn member(&self) -> Member {
        Member {
            id: self.id,
            deletions: self.deletions.clone(),
        }
    }

    fn members(&self) -> Vec<Member> {
        if self.kind() == Kind::Folder {
            vec![self.member()]
        } else {
            Vec::new()
        }
    }

    pub fn entry(&self, name: Name, content: Option<&Head<Content>>, conflict: bool) -> Entry {
        Entry {
            node: self.id,
            name,
            kind: self.kind(),
            version: content.map(|head| head.stamp.dot),
            content: content.map(|head| head.value.clone()).unwrap_or_default(),
            attrs: winner(&self.node.attrs)
                .map(|head| head.value.clone())
                .unwrap_or_default(),
            conflict,
        }
    }
}

/// An entry and, for a folder, the nodes shown as it.
#[derive(Debug)]
pub(super) struct Shown {
    pub entry: Entry,
    pub members: Vec<Member>,
}

/// One picture of the rows with what every question needs.
pub(super) struct Eyes<'a, R: ReadRows + ?Sized> {
    pub rows: &'a R,
    hash_key: [u8; 32],
    pub loops: BTreeSet<NodeId>,
}

impl<'a, R: ReadRows + ?Sized> Eyes<'a, R> {
    pub fn new(rows: &'a R) -> Result<Self, ViewError> {
        Ok(Self {
            rows,
            hash_key: hash_key(rows)?,
            loops: loops(rows)?,
        })
    }

    pub fn node(&self, id: NodeId) -> Result<Option<Node>, ViewError> {
        let row = self.rows.get(NODES, &id.0)?;
        let node = row.map(|row| decode_node(&row)).transpose()?;
        Ok(node.or_else(|| (id == NodeId::ROOT).then(Node::default)))
    }

    pub fn name_key(&self, folder: &NodeId, name: &Name) -> [u8; 32] {
        name_key(&self.hash_key, folder, name)
    }

    /// Nodes whose winning place is in `folder`, those named in the rows that `prefix` selects.
    fn at_home(&self, folder: NodeId, prefix: &[u8]) -> Result<Vec<(NodeId, Node)>, ViewError> {
        let mut ids = BTreeSet::new();
        scan_keys(self.rows, CHILDREN, prefix, |key| {
            ids.insert(node_at(key, 32)?);
            Ok(())
        })?;
        let mut found = Vec::new();
        for id in ids {
            let node = self
                .node(id)?
                .filter(|node| node.home().is_some_and(|home| home.value.parent == folder));
            found.extend(
                node.filter(|_| !self.loops.contains(&id))
                    .map(|node| (id, node)),
            );
        }
        Ok(found)
    }

    /// All nodes that live in a folder, visible or not.
    pub fn children(&self, folder: NodeId) -> Result<Vec<(NodeId, Node)>, ViewError> {
        self.at_home(folder, &folder.0)
    }

    /// Is the node, or something below it, beyond all deletions that bear on it?
    pub fn visible(
        &self,
        id: NodeId,
        node: &Node,
        deletions: &[Deletion],
    ) -> Result<bool, ViewError> {
        let mut stack = vec![(id, node.clone(), deletions.to_vec())];
        let mut visited = HashSet::new();
        while let Some((id, node, deletions)) = stack.pop() {
            if deletions.is_empty() || node.survives(&deletions) {
                return Ok(true);
            }
            if id.kind() != Some(Kind::Folder) || !node.marked || !visited.insert(id) {
                continue;
            }
            for (child, node) in self.children(id)? {
                let deletions = node.deletions(&deletions);
                stack.push((child, node, deletions));
            }
        }
        Ok(false)
    }

    fn candidate(
        &self,
        id: NodeId,
        node: Node,
        above: &[Deletion],
    ) -> Result<Option<Candidate>, ViewError> {
        let detached = self.loops.contains(&id);
        let deletions = node.deletions(above);
        let visible = self.visible(id, &node, &deletions)?;
        Ok(visible.then_some(Candidate {
            id,
            node,
            deletions,
            detached,
        }))
    }

    /// Visible nodes of a name in a group of folders shown as one.
    fn named(&self, group: &[Member], name: &Name) -> Result<Vec<Candidate>, ViewError> {
        let mut found = Vec::new();
        for member in group {
            for (id, node) in self.at_home(member.id, &self.name_key(&member.id, name))? {
                if node.home().is_some_and(|home| home.value.name == *name) {
                    found.extend(self.candidate(id, node, &member.deletions)?);
                }
            }
        }
        Ok(found)
    }

    /// Visible nodes taken out of loops: the root shows them.
    fn detached(&self, group: &[Member]) -> Result<Vec<Candidate>, ViewError> {
        let mut found = Vec::new();
        if group.iter().any(|member| member.id == NodeId::ROOT) {
            for id in &self.loops {
                if let Some(node) = self.node(*id)? {
                    found.extend(self.candidate(*id, node, &[])?);
                }
            }
        }
        Ok(found)
    }

    /// Everything shown in a group of folders, in name order.
    pub fn list(&self, group: &[Member]) -> Result<Vec<Shown>, ViewError> {
        let mut by_name: BTreeMap<Name, Vec<Candidate>> = BTreeMap::new();
        let mut all = self.detached(group)?;
        for member in group {
            for (id, node) in self.children(member.id)? {
                all.extend(self.candidate(id, node, &member.deletions)?);
            }
        }
        for candidate in all {
            if let Some(home) = candidate.node.home() {
                by_name
                    .entry(home.value.name.clone())
                    .or_default()
                    .push(candidate);
            }
        }
        let plain: HashSet<Name> = by_name
            .iter()
            .filter(|(_, all)| all.iter().any(|one| !one.detached))
            .map(|(name, _)| name.clone())
            .collect();
        let mut shown = Vec::new();
        for (name, candidates) in by_name {
            shown.extend(self.settle(&name, candidates, |name| Ok(plain.contains(name)))?);
        }
        shown.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
        Ok(shown)
    }

    /// One entry by the name it is shown under.
    pub fn child(&self, group: &[Member], name: &Name) -> Result<Option<Shown>, ViewError> {
        if let Some(shown) = self.among(group, name, name)? {
            return Ok(Some(shown));
        }
        let Some(base) = base_name(name) else {
            return Ok(None);
        };
        if let Some(shown) = self.among(group, &base, name)? {
            return Ok(Some(shown));
        }
        // The name may have been cut, so that its base cannot be read from it.
        Ok(self
            .list(group)?
            .into_iter()
            .find(|shown| shown.entry.name == *name))
    }

    /// The entry shown as `name` among those whose own name is `base`.
    fn among(
        &self,
        group: &[Member],
        base: &Name,
        name: &Name,
    ) -> Result<Option<Shown>, ViewError> {
        Ok(self
            .base(group, base)?
            .into_iter()
            .find(|shown| shown.entry.name == *name))
    }

    /// Everything shown because of one name.
    pub fn base(&self, group: &[Member], base: &Name) -> Result<Vec<Shown>, ViewError> {
        let mut candidates = self.named(group, base)?;
        let same = |one: &Candidate| one.node.home().is_some_and(|home| home.value.name == *base);
        candidates.extend(self.detached(group)?.into_iter().filter(same));
        self.settle(base, candidates, |name| {
            Ok(!self.named(group, name)?.is_empty())
        })
    }

    /// Gives the plain name to the folders or the newest file, and conflict names to all others.
    fn settle(
        &self,
        base: &Name,
        candidates: Vec<Candidate>,
        taken: impl Fn(&Name) -> Result<bool, ViewError>,
    ) -> Result<Vec<Shown>, ViewError> {
        let (detached, here): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|one| one.detached);
        let (mut folders, mut files): (Vec<_>, Vec<_>) =
            here.into_iter().partition(|one| one.kind() == Kind::Folder);
        folders.sort_by_key(|one| one.id);
        files.sort_by_key(|one| {
            std::cmp::Reverse((one.node.home().map(|home| home.stamp.rank()), one.id))
        });
        let mut shown = Vec::new();
        if let Some(lowest) = folders.first() {
            let entry = lowest.entry(base.clone(), winner(&lowest.node.content), false);
            shown.push(Shown {
                entry,
                members: folders.iter().map(Candidate::member).collect(),
            });
        } else if let Some(newest) = files.first() {
            let entry = newest.entry(base.clone(), winner(&newest.node.content), false);
            shown.push(Shown {
                entry,
                members: Vec::new(),
            });
        }
        let losing = if folders.is_empty() { 1 } else { 0 };
        let mut others: Vec<(Stamp, &Candidate, Option<&Head<Content>>)> = Vec::new();
        for one in files.iter().skip(losing).chain(&detached) {
            others.extend(
                one.node
                    .stamp()
                    .map(|stamp| (stamp, one, winner(&one.node.content))),
            );
        }
        for one in files
            .iter()
            .chain(detached.iter().filter(|one| one.kind() != Kind::Folder))
        {
            others.extend(
                losers(&one.node.content)
                    .into_iter()
                    .map(|head| (head.stamp, one, Some(head))),
            );
        }
        others.sort_by_key(|(stamp, one, _)| std::cmp::Reverse((stamp.rank(), one.id, stamp.dot)));
        // Where to go on counting for copies that would be called alike.
        let mut turns: HashMap<Name, u32> = HashMap::new();
        for (stamp, one, content) in others {
            let who = self.who(&stamp.dot.writer)?;
            let folder = one.kind() == Kind::Folder;
            let call = |turn| conflict_name(base, folder, &who, &stamp, turn, &one.id);
            let turn = turns.entry(call(0)).or_default();
            while taken(&call(*turn))? {
                *turn += 1;
            }
            let entry = one.entry(call(*turn), content, true);
            *turn += 1;
            shown.push(Shown {
                entry,
                members: one.members(),
            });
        }
        Ok(shown)
    }

    fn who(&self, tag: &WriterTag) -> Result<String, ViewError> {
        let row = self
            .rows
            .get(WRITERS, &tag.0)?
            .map(|row| WriterRow::decode(&row))
            .transpose()?;
        Ok(row.map(|row| row.who().to_owned()).unwrap_or_default())
    }

    /// The folder nodes shown as one at a path; empty when there is no folder.
    pub fn group(&self, path: &DrivePath) -> Result<Vec<Member>, ViewError> {
        let mut group = vec![Member::root()];
        for name in path.names() {
            group = self
                .child(&group, name)?
                .map_or(Vec::new(), |shown| shown.members);
            if group.is_empty() {
                break;
            }
        }
        Ok(group)
    }

    /// Folder and everything above it, root first; none if it does not hang on the root.
    pub fn chain(&self, id: NodeId) -> Result<Option<Vec<(NodeId, Node)>>, ViewError> {
        let (mut chain, mut at) = (Vec::new(), id);
        loop {
            let Some(node) = self.node(at)? else {
                return Ok(None);
            };
            let home = node.home().map(|home| home.value.parent);
            chain.push((at, node));
            if at == NodeId::ROOT {
                chain.reverse();
                return Ok(Some(chain));
            }
            let parent = if self.loops.contains(&at) {
                Some(NodeId::ROOT)
            } else {
                home
            };
            match parent {
                Some(parent) if chain.len() < MAX_WALK => at = parent,
                _ => return Ok(None),
            }
        }
    }

    /// A folder with the deletions that bear on it; none if it does not hang on the root.
    pub fn member(&self, id: NodeId) -> Result<Option<Member>, ViewError> {
        let Some(chain) = self.chain(id)? else {
            return Ok(None);
        };
        let mut deletions = Vec::new();
        for (at, node) in &chain {
            // The place of a node taken out of a loop is ignored, and what is above it.
            let above = if self.loops.contains(at) {
                &[]
            } else {
                deletions.as_slice()
            };
            deletions = node.deletions(above);
        }
        Ok(Some(Member { id, deletions }))
    }

    pub fn members(&self, folders: &[NodeId]) -> Result<Vec<Member>, ViewError> {
        let mut members = Vec::new();
        for id in folders {
            members.extend(self.member(*id)?);
        }
        Ok(members)
    }
}
