//! Marks on deleted folders: where below them something may have survived.

use super::MAX_WALK;
use super::OPEN_NODE;
use super::batch::Batch;
use super::places::{list_again, listed};
use super::rows::*;
use crate::merge::Node;
use crate::record::{Kind, Life, NodeId, Record};
use crate::version::{Clock, Dot};
use cobox_view::kv::{Table, ViewError};
use std::collections::{BTreeSet, HashSet};

/// Keeps the marks that say where a deleted folder may still show something.
///
/// `up_to_date`: the record's commit has seen everything that is applied here.
pub(super) fn survive(
    batch: &mut Batch<'_>,
    record: &Record,
    chain: &[NodeId],
    up_to_date: bool,
) -> Result<(), ViewError> {
    let written = record.place.is_some() || record.content.is_some() || record.attrs.is_some();
    let revived = record
        .life
        .as_ref()
        .is_some_and(|write| write.value == Life::Alive);
    if written || revived {
        mark_above(batch, chain)?;
    }
    if record.kind == Kind::Folder
        && record.life.is_some()
        && batch.node(record.node)?.is_some_and(Node::is_deleted)
    {
        // Nothing applied so far is beyond this deletion. It may be beyond one of a folder above, which
        // matters again when this one is taken back.
        if up_to_date && !any_deleted(batch, chain)? {
            set_mark(batch, record.node, false)?;
        } else {
            mark_below(batch, record.node)?;
        }
    }
    Ok(())
}

fn any_deleted(batch: &mut Batch<'_>, chain: &[NodeId]) -> Result<bool, ViewError> {
    for folder in chain {
        if batch.node(*folder)?.is_some_and(Node::is_deleted) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn set_mark(batch: &mut Batch<'_>, folder: NodeId, marked: bool) -> Result<(), ViewError> {
    let node = batch.node(folder)?;
    if node.is_some_and(|node| node.marked == marked) {
        return Ok(());
    }
    let before = listed(node);
    batch.node_mut(folder)?.marked = marked;
    list_again(batch, folder, &before)
}

/// Something was written that no deletion above has seen: marks the way up to the highest of them.
fn mark_above(batch: &mut Batch<'_>, chain: &[NodeId]) -> Result<(), ViewError> {
    let mut highest = None;
    for (level, folder) in chain.iter().enumerate() {
        if batch.node(*folder)?.is_some_and(Node::is_deleted) {
            highest = Some(level);
        }
    }
    for folder in chain.iter().take(highest.map_or(0, |level| level + 1)) {
        set_mark(batch, *folder, true)?;
    }
    Ok(())
}

/// A deletion arrived that has not seen all: looks through everything below for what it does not cover.
pub(super) fn mark_below(batch: &mut Batch<'_>, top: NodeId) -> Result<(), ViewError> {
    let clocks: Vec<Clock> = batch.node(top)?.map_or(Vec::new(), |node| {
        node.life
            .iter()
            .filter_map(|head| head.value.clone())
            .collect()
    });
    let mut stack = vec![vec![top]];
    let mut visited = HashSet::new();
    while let Some(way) = stack.pop() {
        let Some(folder) = way.last().copied().filter(|folder| visited.insert(*folder)) else {
            continue;
        };
        for child in everyone(batch, folder)? {
            let Some(node) = batch.node(child)? else {
                continue;
            };
            let unseen = |dot: &Dot| !clocks.iter().all(|clock| clock.covers(dot));
            let stamps = (node.place.iter().map(|head| head.stamp.dot))
                .chain(node.content.iter().map(|head| head.stamp.dot))
                .chain(node.attrs.iter().map(|head| head.stamp.dot))
                .chain(
                    node.life
                        .iter()
                        .filter(|head| head.value.is_none())
                        .map(|head| head.stamp.dot),
                );
            if stamps.into_iter().any(|dot| unseen(&dot)) {
                for folder in &way {
                    set_mark(batch, *folder, true)?;
                }
                batch
                    .rows
                    .put(OPEN, &[&[OPEN_NODE][..], &child.0].concat(), &[])?;
                batch.outcome.conflicts = true;
            }
            if child.kind() == Some(Kind::Folder) && way.len() < MAX_WALK {
                stack.push(way.iter().copied().chain([child]).collect());
            }
        }
    }
    Ok(())
}

/// Nodes whose winning place is in this folder and that may be shown.
pub(super) fn children(batch: &mut Batch<'_>, folder: NodeId) -> Result<Vec<NodeId>, ViewError> {
    at_home(batch, folder, &[CHILDREN])
}

/// Nodes whose winning place is in this folder, whatever their life: deleted ones may be restored.
fn everyone(batch: &mut Batch<'_>, folder: NodeId) -> Result<Vec<NodeId>, ViewError> {
    at_home(batch, folder, &[CHILDREN, WAS])
}

fn at_home(
    batch: &mut Batch<'_>,
    folder: NodeId,
    tables: &[Table],
) -> Result<Vec<NodeId>, ViewError> {
    let mut found = BTreeSet::new();
    for table in tables {
        scan_keys(&*batch.rows, *table, &folder.0, |key| {
            found.insert(node_at(key, 32)?);
            Ok(())
        })?;
    }
    let mut here = Vec::new();
    for child in found {
        if batch.parent(child)? == Some(folder) && !batch.loops.contains(&child) {
            here.push(child);
        }
    }
    Ok(here)
}
