//! Loops of moves: in each, the place of highest rank is ignored.

use super::MAX_WALK;
use super::batch::Batch;
use super::marks::mark_below;
use super::rows::*;
use crate::merge::Node;
use crate::record::NodeId;
use cobox_view::kv::ViewError;
use std::collections::BTreeSet;

/// A folder moved: loops may have appeared or gone. In each, the place of highest rank is ignored.
pub(super) fn relink(batch: &mut Batch<'_>, moved: NodeId) -> Result<(), ViewError> {
    let before = batch.loops.clone();
    let mut now = BTreeSet::new();
    let mut circles = Vec::new();
    for start in before.iter().copied().chain([moved]) {
        let circle = circle(batch, start)?;
        if let Some(ignored) = highest(batch, &circle)? {
            now.insert(ignored);
            circles.push(circle);
        }
    }
    if now == before {
        return Ok(());
    }
    for id in before.symmetric_difference(&now) {
        batch.unsettled.folder(*id);
        match now.contains(id) {
            true => batch.rows.put(LOOPS, &id.0, &[])?,
            false => batch.rows.delete(LOOPS, &id.0)?,
        }
    }
    batch.loops = now;
    batch.outcome.conflicts = true;
    batch.outcome.paths.insert(super::DrivePath::default());
    remark(batch, before, moved)
}

/// After loops changed, folders hang elsewhere: the deleted ones above them are looked through anew.
fn remark(batch: &mut Batch<'_>, before: BTreeSet<NodeId>, moved: NodeId) -> Result<(), ViewError> {
    for start in before.into_iter().chain(batch.loops.clone()).chain([moved]) {
        for folder in batch.ancestors(start)?.into_iter().chain([start]) {
            batch.unsettled.folder(folder);
            if batch.node(folder)?.is_some_and(Node::is_deleted) {
                mark_below(batch, folder)?;
            }
        }
    }
    Ok(())
}

/// The nodes of the loop that begins and ends at `start`, by winning places; empty if there is none.
fn circle(batch: &mut Batch<'_>, start: NodeId) -> Result<Vec<NodeId>, ViewError> {
    let (mut circle, mut at) = (vec![start], start);
    while circle.len() <= MAX_WALK {
        let parent = batch
            .node(at)?
            .and_then(|node| node.home().map(|home| home.value.parent));
        match parent {
            None | Some(NodeId::ROOT) => break,
            Some(parent) if parent == start => return Ok(circle),
            Some(parent) => circle.push(parent),
        }
        at = circle[circle.len() - 1];
    }
    Ok(Vec::new())
}

fn highest(batch: &mut Batch<'_>, circle: &[NodeId]) -> Result<Option<NodeId>, ViewError> {
    let mut best = None;
    for id in circle {
        let rank = batch
            .node(*id)?
            .and_then(|node| node.home().map(|home| home.stamp.rank()));
        best = best.max(Some((rank, *id)));
    }
    Ok(best.map(|(_, id)| id))
}
