//! What was deleted and can come back.

use super::rows::*;
use super::{Trashed, Tree};
use crate::merge::{Node, Stamp, winner};
use crate::path::DrivePath;
use crate::record::{Kind, NodeId};
use cobox_view::kv::{ReadRows, ViewError};
use std::cmp::Reverse;

impl<R: ReadRows + ?Sized> Tree<'_, R> {
    /// What was deleted and is not there any more, the latest first, at most `most`. Of a deleted folder only the folder
    /// itself; nothing whose name is used again, since that is its successor's history.
    pub fn trash(&self, most: usize) -> Result<Vec<Trashed>, ViewError> {
        let mut gone: Vec<(Stamp, NodeId)> = Vec::new();
        scan(self.0, NODES, &[], |key, value| {
            let id = node_at(key, 0)?;
            gone.extend(end(&decode_node(value)?).map(|stamp| (stamp, id)));
            Ok(())
        })?;
        gone.sort_by_key(|(stamp, id)| Reverse((stamp.time_ms, stamp.rank(), *id)));
        let mut found = Vec::new();
        for (stamp, id) in gone {
            if found.len() == most {
                break;
            }
            found.extend(self.trashed(id, stamp)?);
        }
        Ok(found)
    }

    fn trashed(&self, id: NodeId, deleted: Stamp) -> Result<Option<Trashed>, ViewError> {
        let (Some(kind), Some(chain)) = (id.kind(), self.eyes()?.chain(id)?) else {
            return Ok(None);
        };
        let mut path = DrivePath::default();
        for (_, node) in chain.iter().skip(1) {
            let Some(home) = node.home() else {
                return Ok(None);
            };
            path = path.join(home.value.name.clone());
        }
        if self.lookup(&path)?.is_some() {
            return Ok(None);
        }
        let size = chain
            .last()
            .and_then(|(_, node)| winner(&node.content))
            .filter(|_| kind != Kind::Folder)
            .map_or(0, |head| head.value.size);
        Ok(Some(Trashed {
            path,
            kind,
            size,
            dot: deleted.dot,
            time_ms: deleted.time_ms,
            writer: deleted.dot.writer,
        }))
    }
}

/// The newest deletion of a node that everybody who said something about it deleted.
fn end(node: &Node) -> Option<Stamp> {
    let stamp = winner(&node.life).map(|head| head.stamp);
    stamp.filter(|_| node.is_deleted())
}
