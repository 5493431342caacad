//! Open conflicts, from rows that say where to look.

use super::eyes::{Eyes, Member, Shown};
use super::rows::*;
use super::{Cause, Conflict, OPEN_NAME, OPEN_NODE, Tree, Version};
use crate::merge::{Deletion, Head, Node, losers, winner};
use crate::path::{DrivePath, Name};
use crate::record::{Kind, NodeId};
use crate::version::Dot;
use cobox_view::kv::{ReadRows, ViewError};
use std::collections::BTreeSet;

impl<'a, R: ReadRows + ?Sized> Tree<'a, R> {
    /// Open conflicts, by path.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, ViewError> {
        let eyes = self.eyes()?;
        let mut found = Vec::new();
        let (mut nodes, mut names) = (Vec::new(), BTreeSet::new());
        scan_keys(self.0, OPEN, &[], |key| {
            match key.first() {
                Some(&OPEN_NODE) => nodes.push(node_at(key, 1)?),
                Some(&OPEN_NAME) => {
                    names.insert(key[1..].to_vec());
                }
                _ => {}
            }
            Ok(())
        })?;
        for id in nodes {
            self.of_node(&eyes, id, &mut found)?;
        }
        for key in names {
            self.of_name(&eyes, &key, &mut found)?;
        }
        for id in &eyes.loops {
            self.of_loop(&eyes, *id, &mut found)?;
        }
        found.sort_by(|a, b| (&a.path, a.cause).cmp(&(&b.path, b.cause)));
        found.dedup();
        Ok(found)
    }

    /// Registers with several heads, and a deletion that met a change.
    fn of_node(
        &self,
        eyes: &Eyes<'a, R>,
        id: NodeId,
        found: &mut Vec<Conflict>,
    ) -> Result<(), ViewError> {
        let Some(node) = eyes.node(id)? else {
            return Ok(());
        };
        let Some(Member { deletions, .. }) = eyes.member(id)? else {
            return Ok(());
        };
        if !eyes.visible(id, &node, &deletions)? {
            return Ok(());
        }
        let Some(path) = self.shown_path(eyes, id)? else {
            return Ok(());
        };
        let versions = self.node_history(id)?;
        let mut add = |cause: Cause, dots: Vec<Dot>| {
            if dots.len() > 1 {
                found.push(Conflict {
                    path: path.clone(),
                    cause,
                    versions: pick(&versions, &dots),
                });
            }
        };
        add(Cause::Content, competing(&node.content));
        add(Cause::Place, competing(&node.place));
        add(Cause::Attrs, competing(&node.attrs));
        let alive = node.life.iter().any(|head| head.value.is_none());
        let unseen = self.unseen(&node, &deletions)?;
        if !unseen.is_empty() {
            // Deletions of folders above are versions of those folders.
            let own = |dot: &Dot| node.life.iter().any(|head| head.stamp.dot == *dot);
            let ends = deletions.iter().map(|deletion| deletion.dot).filter(own);
            let dots: Vec<Dot> = unseen.into_iter().chain(ends).collect();
            let versions = pick(&versions, &dots);
            found.push(Conflict {
                path,
                cause: Cause::Life,
                versions,
            });
        } else if alive && competing_lives(&node) {
            let dots: Vec<Dot> = node.life.iter().map(|head| head.stamp.dot).collect();
            found.push(Conflict {
                path,
                cause: Cause::Life,
                versions: pick(&versions, &dots),
            });
        }
        Ok(())
    }

    /// Content written by somebody who did not know of a deletion that did not know of it.
    fn unseen(&self, node: &Node, deletions: &[Deletion]) -> Result<Vec<Dot>, ViewError> {
        let mut found = Vec::new();
        for dot in node.surviving_content(deletions) {
            for deletion in deletions {
                if !self.had_seen(&dot, &deletion.dot)? {
                    found.push(dot);
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Had the author of `dot` seen `other` when writing?
    fn had_seen(&self, dot: &Dot, other: &Dot) -> Result<bool, ViewError> {
        if dot.writer == other.writer {
            return Ok(other.block < dot.block);
        }
        let key = falling(&[&dot.writer.0, &other.writer.0], dot.block);
        let row = first_at(self.0, SEEN, &key, 16)?;
        let length = row.map_or(Ok(0), |(_, value)| {
            decode_pair(&value).map(|(length, _)| length)
        })?;
        Ok(other.block < length)
    }

    /// Several nodes under one name in a folder, and below folders that are shown as one.
    fn of_name(
        &self,
        eyes: &Eyes<'a, R>,
        key: &[u8],
        found: &mut Vec<Conflict>,
    ) -> Result<(), ViewError> {
        let Some((_, name)) = self.0.prefix(CHILDREN, key, 1)?.pop() else {
            return Ok(());
        };
        let Ok(name) = Name::new(name) else {
            return Ok(());
        };
        let folder = node_at(key, 0)?;
        let Some(path) = self.folder_path(eyes, folder)? else {
            return Ok(());
        };
        let group = eyes.group(&path)?;
        self.of_group_name(eyes, &path, &group, &name, found)
    }

    fn of_group_name(
        &self,
        eyes: &Eyes<'a, R>,
        path: &DrivePath,
        group: &[Member],
        name: &Name,
        found: &mut Vec<Conflict>,
    ) -> Result<(), ViewError> {
        let shown = eyes.base(group, name)?;
        // Losing versions of a node are another conflict, and so is a loop.
        let ids: Vec<NodeId> = shown.iter().map(|one| one.entry.node).collect();
        let mut versions = Vec::new();
        for (at, id) in ids.iter().enumerate() {
            if ids[..at].contains(id) || eyes.loops.contains(id) {
                continue;
            }
            if let Some(stamp) = eyes.node(*id)?.and_then(|node| node.stamp()) {
                versions.extend(pick(&self.node_history(*id)?, &[stamp.dot]));
            }
        }
        if versions.len() > 1 {
            found.push(Conflict {
                path: path.join(name.clone()),
                cause: Cause::Name,
                versions,
            });
        }
        // Folders shown as one have children of both: their names may meet as well.
        for one in shown.iter().filter(|one| one.members.len() > 1) {
            let path = path.join(one.entry.name.clone());
            let mut names = BTreeSet::new();
            for member in &one.members {
                for (_, node) in eyes.children(member.id)? {
                    names.extend(node.home().map(|home| home.value.name.clone()));
                }
            }
            for name in names {
                self.of_group_name(eyes, &path, &one.members, &name, found)?;
            }
        }
        Ok(())
    }

    fn of_loop(
        &self,
        eyes: &Eyes<'a, R>,
        id: NodeId,
        found: &mut Vec<Conflict>,
    ) -> Result<(), ViewError> {
        let Some(node) = eyes.node(id)? else {
            return Ok(());
        };
        let deletions = node.deletions(&[]);
        let Some(home) = node.home() else {
            return Ok(());
        };
        if !eyes.visible(id, &node, &deletions)? {
            return Ok(());
        }
        let Some(path) = self.shown_path(eyes, id)? else {
            return Ok(());
        };
        let versions = pick(&self.node_history(id)?, &[home.stamp.dot]);
        found.push(Conflict {
            path,
            cause: Cause::Loop,
            versions,
        });
        Ok(())
    }

    /// The path under which a node is shown now.
    pub(super) fn shown_path(
        &self,
        eyes: &Eyes<'a, R>,
        id: NodeId,
    ) -> Result<Option<DrivePath>, ViewError> {
        let Some(chain) = eyes.chain(id)? else {
            return Ok(None);
        };
        let mut path = DrivePath::default();
        let mut group = eyes.group(&path)?;
        for (id, node) in chain.iter().skip(1) {
            let Some(home) = node.home() else {
                return Ok(None);
            };
            let shown = eyes.base(&group, &home.value.name)?;
            let folder = id.kind() == Some(Kind::Folder);
            let this = |one: &Shown| match folder {
                true => one.members.iter().any(|member| member.id == *id),
                false => one.entry.node == *id,
            };
            let Some(one) = shown.into_iter().find(this) else {
                return Ok(None);
            };
            path = path.join(one.entry.name);
            group = one.members;
        }
        Ok(Some(path))
    }

    fn folder_path(&self, eyes: &Eyes<'a, R>, id: NodeId) -> Result<Option<DrivePath>, ViewError> {
        match id == NodeId::ROOT {
            true => Ok(Some(DrivePath::default())),
            false => self.shown_path(eyes, id),
        }
    }

    /// The path under which a node is shown now; none when it is not.
    pub fn path(&self, node: NodeId) -> Result<Option<DrivePath>, ViewError> {
        self.folder_path(&self.eyes()?, node)
    }
}

/// Dots of heads that say different things, the shown one first.
fn competing<T: PartialEq>(heads: &[Head<T>]) -> Vec<Dot> {
    let losers = losers(heads).into_iter().map(|head| head.stamp.dot);
    winner(heads)
        .map(|head| head.stamp.dot)
        .into_iter()
        .chain(losers)
        .collect()
}

/// Someone deleted what someone else keeps; only where content was changed meanwhile is it worth telling.
fn competing_lives(node: &Node) -> bool {
    let ends = node.life.iter().filter_map(|head| head.value.as_ref());
    ends.into_iter().any(|clock| {
        node.content
            .iter()
            .any(|head| !clock.covers(&head.stamp.dot))
    })
}

/// The versions of these dots, in their order.
fn pick(versions: &[Version], dots: &[Dot]) -> Vec<Version> {
    dots.iter()
        .filter_map(|dot| versions.iter().find(|version| version.dot == *dot))
        .cloned()
        .collect()
}
