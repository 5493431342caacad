//! Versions of what is or was at a path.

use super::rows::*;
use super::{Tree, Version};
use crate::merge::{Head, Node, Stamp};
use crate::path::{DrivePath, Name};
use crate::record::NodeId;
use crate::version::{Dot, Rank};
use cobox_view::kv::{ReadRows, Table, ViewError};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes that are followed for one path.
const MAX_NODES: usize = 65_536;

/// One version under construction.
struct Line {
    rank: Rank,
    version: Version,
}

impl<'a, R: ReadRows + ?Sized> Tree<'a, R> {
    /// Versions of what is or was at a path, newest first, through `succeeds`; works for deleted paths.
    pub fn history(&self, path: &DrivePath) -> Result<Vec<Version>, ViewError> {
        let Some((parent, name)) = path.split() else {
            return Ok(Vec::new());
        };
        let mut folders = BTreeSet::from([NodeId::ROOT]);
        for name in parent.names() {
            folders = self.ever_at(&folders, name)?;
        }
        let mut nodes = self.ever_at(&folders, &name)?;
        if nodes.is_empty() {
            // A conflict copy's history is its node's.
            nodes.extend(self.lookup(path)?.map(|entry| entry.node));
        }
        let mut lines = Vec::new();
        for node in &nodes {
            lines.extend(self.lines(*node, Some((&folders, &name)))?);
        }
        for node in self.succeeded(&nodes)? {
            lines.extend(self.lines(node, None)?);
        }
        lines.sort_by_key(|line| {
            std::cmp::Reverse((line.rank, line.version.dot, line.version.node))
        });
        Ok(lines.into_iter().map(|line| line.version).collect())
    }

    /// All versions of one node, newest first.
    pub fn node_history(&self, node: NodeId) -> Result<Vec<Version>, ViewError> {
        let mut lines = self.lines(node, None)?;
        lines.sort_by_key(|line| std::cmp::Reverse((line.rank, line.version.dot)));
        Ok(lines.into_iter().map(|line| line.version).collect())
    }

    /// Nodes that are or were placed under a name in any of these folders.
    fn ever_at(
        &self,
        folders: &BTreeSet<NodeId>,
        name: &Name,
    ) -> Result<BTreeSet<NodeId>, ViewError> {
        let eyes = self.eyes()?;
        let mut found = BTreeSet::new();
        let mut add = |table: Table, folder: &NodeId| {
            scan_keys(self.0, table, &eyes.name_key(folder, name), |key| {
                if found.len() < MAX_NODES {
                    found.insert(node_at(key, 32)?);
                }
                Ok(())
            })
        };
        for folder in folders {
            add(CHILDREN, folder)?;
            add(WAS, folder)?;
        }
        // What was taken out of a loop is shown in the root under its own name.
        if folders.contains(&NodeId::ROOT) {
            for id in &eyes.loops {
                let home = eyes
                    .node(*id)?
                    .and_then(|node| node.home().map(|home| home.value.name.clone()));
                if home.as_ref() == Some(name) {
                    found.insert(*id);
                }
            }
        }
        Ok(found)
    }

    /// Older nodes whose history these continue.
    fn succeeded(&self, nodes: &BTreeSet<NodeId>) -> Result<BTreeSet<NodeId>, ViewError> {
        let mut all = nodes.clone();
        let mut stack: Vec<NodeId> = nodes.iter().copied().collect();
        while let Some(node) = stack.pop() {
            scan_keys(self.0, SUCCEEDS, &node.0, |key| {
                let older = node_at(key, 16)?;
                if all.len() < MAX_NODES && all.insert(older) {
                    stack.push(older);
                }
                Ok(())
            })?;
        }
        Ok(all.difference(nodes).copied().collect())
    }

    /// A node's versions; with `here` only those written while it was at that name in one of those folders.
    fn lines(
        &self,
        id: NodeId,
        here: Option<(&BTreeSet<NodeId>, &Name)>,
    ) -> Result<Vec<Line>, ViewError> {
        let node = self.eyes()?.node(id)?.unwrap_or_default();
        let mut former = Vec::new();
        scan(self.0, VERSIONS, &id.0, |_, value| {
            former.push(Former::decode(value)?);
            Ok(())
        })?;
        let mut lines: BTreeMap<Dot, Line> = BTreeMap::new();
        for head in former {
            add(&mut lines, id, &head, false);
        }
        heads(node)
            .iter()
            .for_each(|head| add(&mut lines, id, head, true));
        let lines: Vec<Line> = lines.into_values().collect();
        let Some((folders, name)) = here else {
            return Ok(lines);
        };
        let mut places: Vec<(Rank, bool)> = Vec::new();
        for line in &lines {
            if let Some((parent, at)) = &line.version.place {
                places.push((line.rank, folders.contains(parent) && at == name));
            }
        }
        // Written while it was here: the last placing at or before it says so. Versions before any placing count.
        let was_here = |line: &Line| {
            let last = places
                .iter()
                .filter(|(rank, _)| *rank <= line.rank)
                .max_by_key(|(rank, _)| *rank);
            last.is_none_or(|(_, here)| *here)
        };
        Ok(lines.into_iter().filter(was_here).collect())
    }
}

fn heads(node: Node) -> Vec<Former> {
    (node.place.into_iter().map(Former::Place))
        .chain(node.content.into_iter().map(Former::Content))
        .chain(node.attrs.into_iter().map(Former::Attrs))
        .chain(node.life.into_iter().map(Former::Life))
        .collect()
}

fn line(id: NodeId, stamp: Stamp) -> Line {
    let version = Version {
        dot: stamp.dot,
        node: id,
        time_ms: stamp.time_ms,
        writer: stamp.dot.writer,
        content: None,
        place: None,
        deleted: false,
        head: false,
    };
    Line {
        rank: stamp.rank(),
        version,
    }
}

/// Adds a register's version to the line of its commit.
fn add(lines: &mut BTreeMap<Dot, Line>, id: NodeId, head: &Former, is_head: bool) {
    let stamp = head.stamp();
    let version = &mut lines
        .entry(stamp.dot)
        .or_insert_with(|| line(id, stamp))
        .version;
    match head {
        Former::Place(Head { value, .. }) => {
            version.place = Some((value.parent, value.name.clone()))
        }
        Former::Content(Head { value, .. }) => version.content = Some(value.clone()),
        Former::Attrs(_) => {}
        Former::Life(Head { value, .. }) => version.deleted = value.is_some(),
    }
    version.head |= is_head;
}
