//! The rows of the tree: their tables, keys and values. Keys name nothing (they lie in clear on disk).
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `tree.nodes` | node | all heads of its registers |
//! | `tree.children` | folder, keyed hash of name, node | the name, for every head of a place of a node that may be shown |
//! | `tree.was` | same | empty, for former places and those of nodes that are gone |
//! | `tree.versions` | node, writer, block, register | a replaced head |
//! | `tree.succeeds` | node, older node | empty |
//! | `tree.commits` | writer, block counted downwards | Lamport time, author's clock |
//! | `tree.seen` | writer, other writer, block counted downwards | how much of the other was seen |
//! | `tree.writers` | writer | how far applied, claim |
//! | `tree.feeds` | metadata feed | blocks delivered |
//! | `tree.sums` | folder | what is shown below it |
//! | `tree.open` | kind of conflict, where | empty: may be in conflict |
//! | `tree.loops` | node | empty: its place is ignored |
//! | `tree.filler` | writer, first block | blocks of content that nothing names |
//! | `tree.refused` | number | who, why |
//! | `tree.meta` | word | settings of these rows |

pub(super) use super::values::*;

use crate::path::Name;
use crate::record::{NodeId, RecordError};
use crate::version::Dot;
use cobox_view::kv::{ReadRows, Row, Table, ViewError};
use std::ops::Bound;

pub(super) const NODES: Table = Table("tree.nodes");
pub(super) const CHILDREN: Table = Table("tree.children");
pub(super) const WAS: Table = Table("tree.was");
pub(super) const VERSIONS: Table = Table("tree.versions");
pub(super) const SUCCEEDS: Table = Table("tree.succeeds");
pub(super) const COMMITS: Table = Table("tree.commits");
pub(super) const SEEN: Table = Table("tree.seen");
pub(super) const WRITERS: Table = Table("tree.writers");
pub(super) const FEEDS: Table = Table("tree.feeds");
pub(super) const SUMS: Table = Table("tree.sums");
pub(super) const OPEN: Table = Table("tree.open");
pub(super) const LOOPS: Table = Table("tree.loops");
pub(super) const FILLER: Table = Table("tree.filler");
pub(super) const REFUSED: Table = Table("tree.refused");
pub(super) const META: Table = Table("tree.meta");

pub(super) const ALL: [Table; 15] = [
    NODES, CHILDREN, WAS, VERSIONS, SUCCEEDS, COMMITS, SEEN, WRITERS, FEEDS, SUMS, OPEN, LOOPS,
    FILLER, REFUSED, META,
];

/// Rows read at a time when a whole table or folder is walked.
const PAGE: usize = 1024;
const DAMAGED: ViewError = ViewError::Damaged("tree");

pub(super) fn damaged(_: RecordError) -> ViewError {
    DAMAGED
}

/// Calls `each` for all rows under a prefix, a page at a time.
pub(super) fn scan<R: ReadRows + ?Sized>(
    rows: &R,
    table: Table,
    prefix: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    in_pages(
        prefix,
        |from, to| rows.range(table, from, to, PAGE),
        |(key, value)| each(&key, &value).map(|()| key),
    )
}

/// The same for keys alone, which is cheaper: values need not be opened.
pub(super) fn scan_keys<R: ReadRows + ?Sized>(
    rows: &R,
    table: Table,
    prefix: &[u8],
    mut each: impl FnMut(&[u8]) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    in_pages(
        prefix,
        |from, to| rows.keys(table, from, to, PAGE),
        |key| each(&key).map(|()| key),
    )
}

/// Reads page after page of what begins with `prefix`; `each` gives the key back.
fn in_pages<T>(
    prefix: &[u8],
    page: impl Fn(Bound<&[u8]>, Bound<&[u8]>) -> Result<Vec<T>, ViewError>,
    mut each: impl FnMut(T) -> Result<Vec<u8>, ViewError>,
) -> Result<(), ViewError> {
    let end = after(prefix);
    let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut from = Bound::Included(prefix.to_vec());
    loop {
        let found = page(from.as_ref().map(Vec::as_slice), to)?;
        let full = found.len() == PAGE;
        let mut last = None;
        for row in found {
            last = Some(each(row)?);
        }
        match last {
            Some(last) if full => from = Bound::Excluded(last),
            _ => return Ok(()),
        }
    }
}

/// The first key after all that begin with `prefix`.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != 0xff)? + 1;
    let mut end = prefix[..kept].to_vec();
    end[kept - 1] += 1;
    Some(end)
}

/// The bytes of a key after its prefix, as a node.
pub(super) fn node_at(key: &[u8], at: usize) -> Result<NodeId, ViewError> {
    let bytes = key.get(at..at + 16).and_then(|bytes| bytes.try_into().ok());
    bytes.map(NodeId).ok_or(DAMAGED)
}

/// Folder and keyed hash of a name in it; children's keys go on with the node.
pub(super) fn name_key(hash_key: &[u8; 32], folder: &NodeId, name: &Name) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(hash_key);
    hasher.update(&folder.0).update(name.as_bytes());
    let mut key = [0; 32];
    key[..16].copy_from_slice(&folder.0);
    key[16..].copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

pub(super) fn child_key(
    hash_key: &[u8; 32],
    folder: &NodeId,
    name: &Name,
    node: &NodeId,
) -> [u8; 48] {
    let mut key = [0; 48];
    key[..32].copy_from_slice(&name_key(hash_key, folder, name));
    key[32..].copy_from_slice(&node.0);
    key
}

pub(super) fn version_key(node: &NodeId, dot: &Dot, register: u8) -> Vec<u8> {
    [
        &node.0[..],
        &dot.writer.0,
        &dot.block.to_be_bytes(),
        &[register],
    ]
    .concat()
}

/// A writer's blocks in falling order, so that "the last at or before" is a forward look-up.
pub(super) fn falling(prefix: &[&[u8]], block: u64) -> Vec<u8> {
    [
        prefix.concat().as_slice(),
        &(u64::MAX - block).to_be_bytes(),
    ]
    .concat()
}

/// The first row at or after `key` that still begins with its first `prefix` bytes.
pub(super) fn first_at<R: ReadRows + ?Sized>(
    rows: &R,
    table: Table,
    key: &[u8],
    prefix: usize,
) -> Result<Option<Row>, ViewError> {
    let found = rows
        .range(table, Bound::Included(key), Bound::Unbounded, 1)?
        .pop();
    Ok(found.filter(|(found, _)| found.get(..prefix) == key.get(..prefix)))
}
