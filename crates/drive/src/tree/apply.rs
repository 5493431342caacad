//! Applies one commit to the rows. The heart: everything else only asks, or decides when to apply.

use super::batch::Batch;
use super::rows::*;
use super::{MAX_WALK, OPEN_NAME, OPEN_NODE};
use crate::merge::{Node, Replaced, Stamp, losers};
use crate::record::{Commit, Kind, NodeId, Place, Record, Write};
use crate::version::{Clock, Dot, WriterTag};
use cobox_view::kv::ViewError;
use std::collections::{BTreeSet, HashSet};

/// What all records of a commit have in common.
struct Context {
    stamp: Stamp,
    clock: Clock,
    /// The commit has seen everything that is applied here.
    up_to_date: bool,
}

/// Applies a commit whose `seen` are all applied.
pub(super) fn apply(batch: &mut Batch<'_>, dot: Dot, commit: &Commit) -> Result<(), ViewError> {
    let context = enter(batch, dot, commit)?;
    let mut done = HashSet::new();
    for record in &commit.records {
        if !done.insert(record.node) {
            batch.refuse(
                dot.writer,
                format!("commit {dot} changes one node twice; the first counts"),
            )?;
        } else if !replaces_only_seen(record, &context) {
            batch.refuse(
                dot.writer,
                format!("a change in commit {dot} replaces a version that its author had not seen"),
            )?;
        } else {
            apply_record(batch, record, &context)?;
        }
    }
    Ok(())
}

/// Notes the commit itself and works out its clock.
fn enter(batch: &mut Batch<'_>, dot: Dot, commit: &Commit) -> Result<Context, ViewError> {
    let writer = dot.writer;
    let before = batch.writers.get(&writer).cloned().unwrap_or_default();
    let (mut clock, mut lamport) = (before.clock.clone(), before.lamport);
    for seen in commit
        .header
        .seen
        .iter()
        .filter(|seen| seen.writer != writer)
    {
        if seen.length <= clock.length(&seen.writer) {
            continue;
        }
        clock.raise(seen.writer, seen.length);
        lamport = lamport.max(lamport_at(batch, seen.writer, seen.length)?);
        let key = falling(&[&writer.0, &seen.writer.0], dot.block);
        batch.rows.put(SEEN, &key, &encode_pair(seen.length, 0))?;
    }
    clock.raise(writer, dot.block + 1);
    let stamp = Stamp {
        dot,
        lamport: lamport + 1,
        time_ms: commit.header.time_ms,
    };
    batch.rows.put(
        COMMITS,
        &falling(&[&writer.0], dot.block),
        &encode_pair(stamp.lamport, stamp.time_ms),
    )?;
    note_filler(batch, writer, &before, commit)?;
    let row = batch.writer_mut(writer);
    row.applied = dot.block + 1;
    row.lamport = stamp.lamport;
    row.time_ms = stamp.time_ms;
    row.content_length = row.content_length.max(commit.header.content_length);
    row.clock = clock.clone();
    let up_to_date = clock.includes(&batch.clock());
    Ok(Context {
        stamp,
        clock,
        up_to_date,
    })
}

/// Blocks of content since the last commit that no record will name.
fn note_filler(
    batch: &mut Batch<'_>,
    writer: WriterTag,
    before: &WriterRow,
    commit: &Commit,
) -> Result<(), ViewError> {
    let end = commit.header.content_length;
    let begin = end
        .saturating_sub(commit.header.filler)
        .max(before.content_length);
    if begin < end && commit.header.filler > 0 {
        batch.rows.put(
            FILLER,
            &[writer.0, begin.to_be_bytes()].concat(),
            &encode_pair(end - begin, 0),
        )?;
        batch.outcome.filler.push((writer, begin..end));
    }
    Ok(())
}

/// Lamport time of a writer's last commit within its first `length` blocks.
fn lamport_at(batch: &Batch<'_>, writer: WriterTag, length: u64) -> Result<u64, ViewError> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(0);
    };
    let row = first_at(&*batch.rows, COMMITS, &falling(&[&writer.0], last), 8)?;
    row.map_or(Ok(0), |(_, value)| {
        decode_pair(&value).map(|(lamport, _)| lamport)
    })
}

fn replaces_only_seen(record: &Record, context: &Context) -> bool {
    fn dots<T>(write: &Option<Write<T>>) -> &[Dot] {
        write.as_ref().map_or(&[], |write| &write.replaces)
    }
    let own = context.stamp.dot;
    let seen = |dot: &Dot| context.clock.covers(dot) && *dot != own;
    let all = [
        dots(&record.place),
        dots(&record.content),
        dots(&record.attrs),
        dots(&record.life),
    ];
    all.into_iter().flatten().all(seen)
}

fn apply_record(
    batch: &mut Batch<'_>,
    record: &Record,
    context: &Context,
) -> Result<(), ViewError> {
    let id = record.node;
    let new = batch.node(id)?.is_none();
    if !new {
        // Where it was may look different too.
        let chain = batch.ancestors(id)?;
        batch.tell(id, &chain)?;
    }
    batch.count_again(id)?;
    let replaced = batch
        .node_mut(id)?
        .apply(record, context.stamp, &context.clock);
    if let Some(older) = record.succeeds {
        batch.rows.put(SUCCEEDS, &[id.0, older.0].concat(), &[])?;
    }
    place_rows(batch, record, &replaced)?;
    keep_replaced(batch, id, replaced)?;
    // Placing a folder anew where it is changes its rank, and so which place of a loop is ignored.
    if record.kind == Kind::Folder && record.place.is_some() {
        relink(batch, id)?;
    }
    let chain = batch.ancestors(id)?;
    batch.tell(id, &chain)?;
    batch.count_above(&chain)?;
    survive(batch, record, &chain, context)?;
    review(batch, id, &chain)
}

/// Children's rows follow the heads of the place.
fn place_rows(
    batch: &mut Batch<'_>,
    record: &Record,
    replaced: &Replaced,
) -> Result<(), ViewError> {
    let Some(Write { value: now, .. }) = &record.place else {
        return Ok(());
    };
    let id = record.node;
    let kept: Vec<Place> = batch.node(id)?.map_or(Vec::new(), |node| {
        node.place.iter().map(|head| head.value.clone()).collect()
    });
    for gone in replaced
        .place
        .iter()
        .map(|head| &head.value)
        .filter(|gone| !kept.contains(gone))
    {
        let key = child_key(&batch.hash_key, &gone.parent, &gone.name, &id);
        batch.rows.delete(CHILDREN, &key)?;
        batch.rows.put(WAS, &key, &[])?;
    }
    let key = child_key(&batch.hash_key, &now.parent, &now.name, &id);
    batch.rows.put(CHILDREN, &key, now.name.as_bytes())?;
    // Two nodes under one name in one folder may be a conflict.
    if batch.rows.prefix(CHILDREN, &key[..32], 2)?.len() > 1 {
        batch
            .rows
            .put(OPEN, &[&[OPEN_NAME][..], &key[..32]].concat(), &[])?;
        batch.outcome.conflicts = true;
    }
    Ok(())
}

fn keep_replaced(batch: &mut Batch<'_>, id: NodeId, replaced: Replaced) -> Result<(), ViewError> {
    let former = (replaced.place.into_iter().map(Former::Place))
        .chain(replaced.content.into_iter().map(Former::Content))
        .chain(replaced.attrs.into_iter().map(Former::Attrs))
        .chain(replaced.life.into_iter().map(Former::Life));
    for head in former {
        let key = version_key(&id, &head.stamp().dot, head.register());
        batch.rows.put(VERSIONS, &key, &head.encode())?;
    }
    Ok(())
}

/// Keeps the marks that say where a deleted folder may still show something.
fn survive(
    batch: &mut Batch<'_>,
    record: &Record,
    chain: &[NodeId],
    context: &Context,
) -> Result<(), ViewError> {
    let written = record.place.is_some() || record.content.is_some() || record.attrs.is_some();
    let revived = record
        .life
        .as_ref()
        .is_some_and(|write| write.value == crate::record::Life::Alive);
    if written || revived {
        mark_above(batch, chain)?;
    }
    if record.kind == Kind::Folder
        && record.life.is_some()
        && batch.node(record.node)?.is_some_and(Node::is_deleted)
    {
        if context.up_to_date {
            // Nothing applied so far is beyond this deletion.
            batch.node_mut(record.node)?.marked = false;
        } else {
            mark_below(batch, record.node)?;
        }
    }
    Ok(())
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
        if !batch.node(*folder)?.is_some_and(|node| node.marked) {
            batch.node_mut(*folder)?.marked = true;
        }
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
        for child in children(batch, folder)? {
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
                    batch.node_mut(*folder)?.marked = true;
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

/// Nodes whose winning place is in this folder, whatever their life.
pub(super) fn children(batch: &mut Batch<'_>, folder: NodeId) -> Result<Vec<NodeId>, ViewError> {
    let mut found = BTreeSet::new();
    scan(&*batch.rows, CHILDREN, &folder.0, |key, _| {
        found.insert(node_at(key, 32)?);
        Ok(())
    })?;
    let mut here = Vec::new();
    for child in found {
        if batch.parent(child)? == Some(folder) && !batch.loops.contains(&child) {
            here.push(child);
        }
    }
    Ok(here)
}

/// A folder moved: loops may have appeared or gone. In each, the place of highest rank is ignored.
fn relink(batch: &mut Batch<'_>, moved: NodeId) -> Result<(), ViewError> {
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

/// Notes or drops the node as one that may be in conflict.
fn review(batch: &mut Batch<'_>, id: NodeId, chain: &[NodeId]) -> Result<(), ViewError> {
    let mut below_deleted = false;
    for folder in chain {
        below_deleted |= batch.node(*folder)?.is_some_and(Node::is_deleted);
    }
    let competing = |node: &Node| {
        !losers(&node.place).is_empty()
            || !losers(&node.content).is_empty()
            || !losers(&node.attrs).is_empty()
    };
    // Content beyond some deletion of the node itself, or written where a folder above is deleted.
    let contested = |node: &Node| {
        let clocks = node.life.iter().filter_map(|head| head.value.as_ref());
        let beyond = |clock: &Clock| {
            node.content
                .iter()
                .any(|head| !clock.covers(&head.stamp.dot))
        };
        (below_deleted && !node.content.is_empty()) || clocks.into_iter().any(beyond)
    };
    let open = batch
        .node(id)?
        .is_some_and(|node| competing(node) || contested(node));
    let key = [&[OPEN_NODE][..], &id.0].concat();
    if open {
        batch.outcome.conflicts = true;
        return batch.rows.put(OPEN, &key, &[]);
    }
    if batch.rows.get(OPEN, &key)?.is_some() {
        batch.outcome.conflicts = true;
        batch.rows.delete(OPEN, &key)?;
    }
    Ok(())
}
