//! Rows while commits are being applied: nodes read once and written once, and what there is to tell.

use super::rows::*;
use super::sums::Unsettled;
use super::{DrivePath, MAX_WALK};
use crate::merge::Node;
use crate::record::NodeId;
use crate::version::{Clock, Dot, WriterTag};
use cobox_view::kv::{Rows, ViewError};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Above this many paths, folders are told instead.
const MAX_PATHS: usize = 128;
/// Above this many paths at hand, they are drawn together early.
const MANY_PATHS: usize = 4096;
/// So many more nodes are kept at hand before those that did not change are read again when needed.
const MANY_NODES: usize = 65_536;
/// Refusals kept for people to read.
const MAX_REFUSALS: u64 = 100;

/// What applying led to.
#[derive(Default, Debug)]
pub(super) struct Outcome {
    pub paths: BTreeSet<DrivePath>,
    pub refused: Vec<(WriterTag, String)>,
    pub conflicts: bool,
    /// commits applied
    pub applied: Vec<Dot>,
    /// content blocks that nothing names, per writer
    pub filler: Vec<(WriterTag, std::ops::Range<u64>)>,
}

impl Outcome {
    /// Something at or below this path may look different.
    pub fn path(&mut self, path: DrivePath) {
        self.paths.insert(path);
        if self.paths.len() > MANY_PATHS {
            self.paths = self.paths().into_iter().collect();
        }
    }

    /// The paths, or if they are many their folders, or what these have in common.
    pub fn paths(&mut self) -> Vec<DrivePath> {
        let mut paths = std::mem::take(&mut self.paths);
        if paths.len() > MAX_PATHS {
            paths = paths
                .iter()
                .map(|path| {
                    path.split()
                        .map_or(DrivePath::default(), |(parent, _)| parent)
                })
                .collect();
        }
        if paths.len() > MAX_PATHS {
            return vec![common(&paths)];
        }
        paths.into_iter().collect()
    }
}

fn common(paths: &BTreeSet<DrivePath>) -> DrivePath {
    // In a sorted set the first and the last differ the most.
    let (Some(first), Some(last)) = (paths.first(), paths.last()) else {
        return DrivePath::default();
    };
    let same = first
        .names()
        .iter()
        .zip(last.names())
        .take_while(|(a, b)| a == b);
    DrivePath::from_names(same.map(|(name, _)| name.clone()).collect())
}

struct Cached {
    node: Node,
    dirty: bool,
}

/// All changes of one call. `flush` writes them to the rows.
pub(super) struct Batch<'a> {
    pub rows: &'a mut dyn Rows,
    pub hash_key: [u8; 32],
    pub writers: BTreeMap<WriterTag, WriterRow>,
    dirty_writers: BTreeSet<WriterTag>,
    nodes: HashMap<NodeId, Option<Cached>>,
    pub loops: BTreeSet<NodeId>,
    pub outcome: Outcome,
    pub unsettled: Unsettled,
    /// nodes at hand before unchanged ones are dropped
    room: usize,
}

impl<'a> Batch<'a> {
    pub fn new(rows: &'a mut dyn Rows) -> Result<Self, ViewError> {
        let hash_key = super::eyes::hash_key(&*rows)?;
        let loops = super::eyes::loops(&*rows)?;
        let writers = super::eyes::writer_rows(&*rows)?;
        Ok(Self {
            rows,
            hash_key,
            writers,
            dirty_writers: BTreeSet::new(),
            nodes: HashMap::new(),
            loops,
            outcome: Outcome::default(),
            unsettled: Unsettled::default(),
            room: MANY_NODES,
        })
    }

    /// A node's registers; none if no record named it. The root always is.
    pub fn node(&mut self, id: NodeId) -> Result<Option<&Node>, ViewError> {
        Ok(self.cached(id)?.as_ref().map(|cached| &cached.node))
    }

    /// A node to be changed; new ones begin empty.
    pub fn node_mut(&mut self, id: NodeId) -> Result<&mut Node, ViewError> {
        let cached = self.cached(id)?.get_or_insert_with(|| Cached {
            node: Node::default(),
            dirty: true,
        });
        cached.dirty = true;
        Ok(&mut cached.node)
    }

    fn cached(&mut self, id: NodeId) -> Result<&mut Option<Cached>, ViewError> {
        use std::collections::hash_map::Entry;
        if self.nodes.len() > self.room {
            self.nodes
                .retain(|_, cached| cached.as_ref().is_some_and(|cached| cached.dirty));
            self.room = self.nodes.len() + MANY_NODES;
        }
        match self.nodes.entry(id) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let row = self.rows.get(NODES, &id.0)?;
                let node = row.map(|row| decode_node(&row)).transpose()?;
                let node = node.or_else(|| (id == NodeId::ROOT).then(Node::default));
                Ok(entry.insert(node.map(|node| Cached { node, dirty: false })))
            }
        }
    }

    /// The folder a node is shown in: that of its winning place, or the root for one taken out of a loop.
    pub fn parent(&mut self, id: NodeId) -> Result<Option<NodeId>, ViewError> {
        if self.loops.contains(&id) {
            return Ok(Some(NodeId::ROOT));
        }
        Ok(self
            .node(id)?
            .and_then(|node| node.home().map(|home| home.value.parent)))
    }

    /// Folders above a node, nearest first; ends with the root if the node hangs on it.
    pub fn ancestors(&mut self, id: NodeId) -> Result<Vec<NodeId>, ViewError> {
        let (mut chain, mut at) = (Vec::new(), id);
        while at != NodeId::ROOT && chain.len() < MAX_WALK {
            let Some(parent) = self.parent(at)? else {
                break;
            };
            chain.push(parent);
            at = parent;
        }
        Ok(chain)
    }

    /// Tells that something at a node's path may look different.
    pub fn tell(&mut self, id: NodeId, chain: &[NodeId]) -> Result<(), ViewError> {
        if id != NodeId::ROOT && chain.last() != Some(&NodeId::ROOT) {
            return Ok(());
        }
        let below: Vec<NodeId> = chain
            .iter()
            .rev()
            .skip(1)
            .copied()
            .chain([id])
            .filter(|id| *id != NodeId::ROOT)
            .collect();
        let mut names = Vec::with_capacity(below.len());
        for id in below {
            if self.loops.contains(&id) {
                // Shown in the root under a name of its own making.
                break;
            }
            names.extend(
                self.node(id)?
                    .and_then(|node| node.home().map(|home| home.value.name.clone())),
            );
        }
        self.outcome.path(DrivePath::from_names(names));
        Ok(())
    }

    pub fn writer_mut(&mut self, tag: WriterTag) -> &mut WriterRow {
        self.dirty_writers.insert(tag);
        self.writers.entry(tag).or_default()
    }

    /// Everything applied so far.
    pub fn clock(&self) -> Clock {
        Clock(
            self.writers
                .iter()
                .filter(|(_, row)| row.applied > 0)
                .map(|(tag, row)| (*tag, row.applied))
                .collect(),
        )
    }

    /// Notes a refusal for people, and tells it.
    pub fn refuse(&mut self, writer: WriterTag, reason: String) -> Result<(), ViewError> {
        let count = self
            .rows
            .get(META, b"refused")?
            .map_or(Ok((0, 0)), |row| decode_pair(&row))?
            .0;
        self.rows
            .put(META, b"refused", &encode_pair(count + 1, 0))?;
        let value = [&writer.0[..], reason.as_bytes()].concat();
        self.rows.put(REFUSED, &count.to_be_bytes(), &value)?;
        if count >= MAX_REFUSALS {
            self.rows
                .delete(REFUSED, &(count - MAX_REFUSALS).to_be_bytes())?;
        }
        self.outcome.refused.push((writer, reason));
        Ok(())
    }

    /// Writes what changed to the rows; the cache stays good.
    pub fn flush(&mut self) -> Result<(), ViewError> {
        for (id, cached) in &mut self.nodes {
            if let Some(cached) = cached.as_mut().filter(|cached| cached.dirty) {
                self.rows.put(NODES, &id.0, &encode_node(&cached.node))?;
                cached.dirty = false;
            }
        }
        for tag in std::mem::take(&mut self.dirty_writers) {
            if let Some(row) = self.writers.get(&tag) {
                self.rows.put(WRITERS, &tag.0, &row.encode())?;
            }
        }
        Ok(())
    }

    /// Between commits: writes everything when much has gathered.
    pub fn relieve(&mut self) -> Result<(), ViewError> {
        match self.nodes.len() > MANY_NODES / 2 {
            true => {
                self.finish()?;
                self.nodes.clear();
                self.unsettled = Unsettled::default();
                Ok(())
            }
            false => Ok(()),
        }
    }

    /// Writes everything, when no more commits follow.
    pub fn finish(&mut self) -> Result<(), ViewError> {
        self.settle_sums()?;
        self.flush()
    }

    /// The rows were changed behind the cache.
    pub fn forget(&mut self) -> Result<(), ViewError> {
        self.nodes.clear();
        self.unsettled = Unsettled::default();
        self.dirty_writers.clear();
        self.loops = super::eyes::loops(&*self.rows)?;
        self.writers = super::eyes::writer_rows(&*self.rows)?;
        Ok(())
    }
}
