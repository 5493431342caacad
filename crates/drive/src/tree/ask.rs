//! Questions about the tree that one look answers.

use super::eyes::{Candidate, Eyes, writer_rows};
use super::rows::*;
use super::{Entry, Heads, Tree, WriterInfo};
use crate::merge::{Head, winner};
use crate::path::{DrivePath, Name};
use crate::record::{Attrs, Content, NodeId};
use crate::version::{Clock, Dot, WriterTag};
use cobox_feed::manifest::FeedKey;
use cobox_view::kv::{ReadRows, ViewError};
use std::ops::Bound;

impl<'a, R: ReadRows + ?Sized> Tree<'a, R> {
    pub(super) fn eyes(&self) -> Result<Eyes<'a, R>, ViewError> {
        Eyes::new(self.0)
    }

    /// What is at a path (conflict copies by their shown names too).
    pub fn lookup(&self, path: &DrivePath) -> Result<Option<Entry>, ViewError> {
        let eyes = self.eyes()?;
        let Some((parent, name)) = path.split() else {
            let node = eyes.node(NodeId::ROOT)?.unwrap_or_default();
            let root = Candidate {
                id: NodeId::ROOT,
                node,
                deletions: Vec::new(),
                detached: false,
            };
            let content = winner(&root.node.content);
            return Ok(Some(root.entry(
                Name::known_good(Vec::new()),
                content,
                false,
            )));
        };
        let group = eyes.group(&parent)?;
        Ok(eyes.child(&group, &name)?.map(|shown| shown.entry))
    }

    /// All folder nodes that are shown as one at this path (usually one); the first is where new children go.
    /// Empty when there is no folder.
    pub fn folders(&self, path: &DrivePath) -> Result<Vec<NodeId>, ViewError> {
        Ok(self
            .eyes()?
            .group(path)?
            .into_iter()
            .map(|member| member.id)
            .collect())
    }

    /// Children in name order, conflict copies included. Empty when there is no folder.
    pub fn list(&self, path: &DrivePath) -> Result<Vec<Entry>, ViewError> {
        let eyes = self.eyes()?;
        let group = eyes.group(path)?;
        Ok(eyes
            .list(&group)?
            .into_iter()
            .map(|shown| shown.entry)
            .collect())
    }

    /// Children of folder nodes that are shown as one, in name order.
    pub fn list_nodes(&self, folders: &[NodeId]) -> Result<Vec<Entry>, ViewError> {
        let eyes = self.eyes()?;
        let group = eyes.members(folders)?;
        Ok(eyes
            .list(&group)?
            .into_iter()
            .map(|shown| shown.entry)
            .collect())
    }

    /// One child by exact name.
    pub fn child(&self, folders: &[NodeId], name: &Name) -> Result<Option<Entry>, ViewError> {
        let eyes = self.eyes()?;
        let group = eyes.members(folders)?;
        Ok(eyes.child(&group, name)?.map(|shown| shown.entry))
    }

    /// The folder nodes shown as one under a name in folder nodes shown as one.
    pub fn child_folders(&self, folders: &[NodeId], name: &Name) -> Result<Vec<NodeId>, ViewError> {
        let eyes = self.eyes()?;
        let group = eyes.members(folders)?;
        let members = eyes
            .child(&group, name)?
            .map_or(Vec::new(), |shown| shown.members);
        Ok(members.into_iter().map(|member| member.id).collect())
    }

    /// The folder nodes that are shown as one with this one, lowest first; empty when it is not shown.
    pub fn group(&self, folder: NodeId) -> Result<Vec<NodeId>, ViewError> {
        match self.path(folder)? {
            Some(path) => self.folders(&path),
            None => Ok(Vec::new()),
        }
    }

    /// A node under its own name, whether it is shown or not; none if no record named it.
    pub fn entry(&self, node: NodeId) -> Result<Option<Entry>, ViewError> {
        let Some(found) = self.eyes()?.node(node)? else {
            return Ok(None);
        };
        let name = found.home().map(|home| home.value.name.clone());
        let content = winner(&found.content).cloned();
        let candidate = Candidate {
            id: node,
            node: found,
            deletions: Vec::new(),
            detached: false,
        };
        let name = name.unwrap_or_else(|| Name::known_good(Vec::new()));
        Ok(Some(candidate.entry(name, content.as_ref(), false)))
    }

    /// A version of a node that competes with the shown one.
    pub fn copy(&self, node: NodeId, version: Dot) -> Result<Option<Entry>, ViewError> {
        let (Some(entry), Some(content)) = (self.entry(node)?, self.content_at(node, version)?)
        else {
            return Ok(None);
        };
        Ok(Some(Entry {
            version: Some(version),
            content,
            conflict: true,
            ..entry
        }))
    }

    /// Current heads of each register of a node: what a new version of it must replace.
    pub fn heads(&self, node: NodeId) -> Result<Heads, ViewError> {
        fn dots<T>(heads: &[Head<T>]) -> Vec<Dot> {
            heads.iter().map(|head| head.stamp.dot).collect()
        }
        let node = self.eyes()?.node(node)?.unwrap_or_default();
        Ok(Heads {
            place: dots(&node.place),
            content: dots(&node.content),
            attrs: dots(&node.attrs),
            life: dots(&node.life),
        })
    }

    /// The version of its content that is shown first.
    pub fn shown_version(&self, node: NodeId) -> Result<Option<Dot>, ViewError> {
        let node = self.eyes()?.node(node)?.unwrap_or_default();
        Ok(winner(&node.content).map(|head| head.stamp.dot))
    }

    /// Where a node is: folder and own name. None for the root and for unknown nodes.
    pub fn place(&self, node: NodeId) -> Result<Option<(NodeId, Name)>, ViewError> {
        let node = self.eyes()?.node(node)?.unwrap_or_default();
        Ok(node
            .home()
            .map(|home| (home.value.parent, home.value.name.clone())))
    }

    /// Is the node deleted by its own register (whatever is above it)?
    pub fn is_deleted(&self, node: NodeId) -> Result<bool, ViewError> {
        Ok(self
            .eyes()?
            .node(node)?
            .is_some_and(|node| node.is_deleted()))
    }

    /// Content at a given version of a node (for splices and history).
    pub fn content_at(&self, node: NodeId, version: Dot) -> Result<Option<Content>, ViewError> {
        let heads = self.eyes()?.node(node)?.unwrap_or_default().content;
        if let Some(head) = heads.into_iter().find(|head| head.stamp.dot == version) {
            return Ok(Some(head.value));
        }
        match self
            .0
            .get(VERSIONS, &version_key(&node, &version, 1))?
            .map(|row| Former::decode(&row))
            .transpose()?
        {
            Some(Former::Content(head)) => Ok(Some(head.value)),
            _ => Ok(None),
        }
    }

    /// Attributes of a node as they are shown.
    pub fn attrs(&self, node: NodeId) -> Result<Option<Attrs>, ViewError> {
        let node = self.eyes()?.node(node)?.unwrap_or_default();
        Ok(winner(&node.attrs).map(|head| head.value.clone()))
    }

    /// Attributes written by one of the versions that compete.
    pub fn attrs_at(&self, node: NodeId, version: Dot) -> Result<Option<Attrs>, ViewError> {
        let heads = self.eyes()?.node(node)?.unwrap_or_default().attrs;
        let head = heads.into_iter().find(|head| head.stamp.dot == version);
        Ok(head.map(|head| head.value))
    }

    /// What the indexer has applied, per writer: the `seen` basis of the next commit.
    pub fn clock(&self) -> Result<Clock, ViewError> {
        let mut clock = Clock::default();
        writer_rows(self.0)?
            .into_iter()
            .for_each(|(tag, row)| clock.raise(tag, row.applied));
        Ok(clock)
    }

    /// What a writer had seen at the last of his commits applied here: the next names only what changed since.
    pub fn seen_by(&self, writer: WriterTag) -> Result<Clock, ViewError> {
        let row = self
            .0
            .get(WRITERS, &writer.0)?
            .map(|row| WriterRow::decode(&row))
            .transpose()?;
        Ok(row.map(|row| row.clock).unwrap_or_default())
    }

    /// The author's clock (ms since 1970) at the last of a writer's commits applied here.
    pub fn last_time(&self, writer: WriterTag) -> Result<u64, ViewError> {
        let row = self
            .0
            .get(WRITERS, &writer.0)?
            .map(|row| WriterRow::decode(&row))
            .transpose()?;
        Ok(row.map_or(0, |row| row.time_ms))
    }

    /// When commits were made by their authors' clocks, newest first: at most `most` of each writer.
    pub fn commit_times(&self, most: usize) -> Result<Vec<u64>, ViewError> {
        let mut times = Vec::new();
        for (writer, _) in writer_rows(self.0)? {
            let from = Bound::Included(&writer.0[..]);
            for (key, value) in self.0.range(COMMITS, from, Bound::Unbounded, most)? {
                if key.starts_with(&writer.0) {
                    times.push(decode_pair(&value)?.1);
                }
            }
        }
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.dedup();
        Ok(times)
    }

    /// Writers with accepted claims.
    pub fn writers(&self) -> Result<Vec<WriterInfo>, ViewError> {
        let info = |(tag, row): (WriterTag, WriterRow)| {
            row.claim.map(|claim| WriterInfo {
                tag,
                feeds: claim.feeds.map(FeedKey),
                claim,
            })
        };
        Ok(writer_rows(self.0)?.into_iter().filter_map(info).collect())
    }

    /// Content blocks that nothing names, per writer: nobody needs to fetch them.
    pub fn fillers(&self) -> Result<Vec<(WriterTag, std::ops::Range<u64>)>, ViewError> {
        let mut found = Vec::new();
        scan(self.0, FILLER, &[], |key, value| {
            let (writer, begin) = key.split_at_checked(8).ok_or(ViewError::Damaged("tree"))?;
            let damaged = |_| ViewError::Damaged("tree");
            let begin = u64::from_be_bytes(begin.try_into().map_err(damaged)?);
            let length = decode_pair(value)?.0;
            found.push((
                WriterTag(writer.try_into().map_err(damaged)?),
                begin..begin.saturating_add(length),
            ));
            Ok(())
        })?;
        Ok(found)
    }

    /// The last refusals, oldest first: who, and why in words.
    pub fn refusals(&self) -> Result<Vec<(WriterTag, String)>, ViewError> {
        let mut found = Vec::new();
        scan(self.0, REFUSED, &[], |_, value| {
            let (writer, reason) = value
                .split_first_chunk()
                .ok_or(ViewError::Damaged("tree"))?;
            found.push((
                WriterTag(*writer),
                String::from_utf8_lossy(reason).into_owned(),
            ));
            Ok(())
        })?;
        Ok(found)
    }

    /// The format number of something that must be understood and is not: this program must not write here.
    pub fn too_new(&self) -> Result<Option<u64>, ViewError> {
        self.0
            .get(META, b"too new")?
            .map(|row| decode_pair(&row).map(|(format, _)| format))
            .transpose()
    }
}
