//! Applies one commit to the rows. The heart: everything else only asks, or decides when to apply.

use super::OPEN_NODE;
use super::batch::Batch;
use super::loops::relink;
use super::marks::survive;
use super::places::{list_again, listed};
use super::rows::*;
use crate::merge::{Node, Replaced, Stamp, losers};
use crate::record::{Commit, Kind, NodeId, Record, Write};
use crate::version::{Clock, Dot, WriterTag};
use cobox_view::kv::ViewError;
use std::collections::HashSet;

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
    batch.outcome.applied.push(dot);
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
    let before = listed(batch.node(id)?);
    let replaced = batch
        .node_mut(id)?
        .apply(record, context.stamp, &context.clock);
    if let Some(older) = record.succeeds {
        batch.rows.put(SUCCEEDS, &[id.0, older.0].concat(), &[])?;
    }
    list_again(batch, id, &before)?;
    keep_replaced(batch, id, replaced)?;
    // Placing a folder anew where it is changes its rank, and so which place of a loop is ignored.
    if record.kind == Kind::Folder && record.place.is_some() {
        relink(batch, id)?;
    }
    let chain = batch.ancestors(id)?;
    batch.tell(id, &chain)?;
    batch.count_above(&chain)?;
    survive(batch, record, &chain, context.up_to_date)?;
    review(batch, id, &chain)
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
