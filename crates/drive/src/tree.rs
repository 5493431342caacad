//! The folder tree as a view over everyone's metadata feeds, and everything one can ask of it.

use crate::path::{DrivePath, Name};
use crate::record::{Attrs, Commit, Content, Kind, NodeId, Time};
use crate::version::{Clock, Dot, WriterTag};
use cobox_keys::access::{Address, ReadKey};
use cobox_keys::certificate::Claim;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use cobox_view::indexer::View;
use cobox_view::kv::{Database, ReadRows, ViewError};
use std::sync::Arc;

/// One name as shown in a folder.
#[derive(Clone, Debug)]
pub struct Entry {
    /** node shown (for merged folders the lowest id) */ pub node: NodeId,
    /** shown name: exact, or with a conflict suffix */ pub name: Name,
    /** what it is */ pub kind: Kind,
    /** shown version of the content */ pub version: Option<Dot>,
    /** size, mtime, body */ pub content: Content,
    /** mode, xattrs */ pub attrs: Attrs,
    /** this entry is a losing version or colliding node shown beside the winner */ pub conflict: bool,
}
/// One version in a node's history, newest first.
#[derive(Clone, Debug)]
pub struct Version { /** names it; text form `<16 hex>-<block>` */ pub dot: Dot, /** node */ pub node: NodeId, /** author's clock, ms */ pub time_ms: u64, /** who */ pub writer: WriterTag, /** content at that version, none for a deletion or a pure move */ pub content: Option<Content>, /** path at that version as the author placed it, if it changed */ pub place: Option<(NodeId, Name)>, /** deleted here */ pub deleted: bool, /** still a head */ pub head: bool }
/// Two or more heads of one register, two files of one name, or a loop of moves.
#[derive(Clone, Debug)]
pub struct Conflict { /** where it is shown */ pub path: DrivePath, /** why */ pub cause: Cause, /** shown first, the others after it */ pub versions: Vec<Version> }
/// Why versions compete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause { /** written at once */ Content, /** moved at once */ Place, /** attributes at once */ Attrs, /** deleted and changed at once (shown alive) */ Life, /** two nodes, one name */ Name, /** folders moved into each other */ Loop }
/// Told after rows are committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changed { /** something at or below this path may look different */ Path(DrivePath), /** a new writer's claim was accepted */ Writer(WriterTag), /** a commit or claim was refused, with the reason in words */ Refused { /** who */ writer: WriterTag, /** why */ reason: String }, /** conflicts appeared or went */ Conflicts }
/// A writer as known from its claim.
#[derive(Clone, Debug)]
pub struct WriterInfo { /** tag */ pub tag: WriterTag, /** the verified claim */ pub claim: Claim, /** metadata, content, log */ pub feeds: [FeedKey; 3] }

/// The view that the indexer feeds.
pub struct TreeView;
impl TreeView {
    /// `set` is used to check claims across a writer's three feeds and `seen` against signed trees.
    pub fn new(address: Address, read_key: ReadKey, set: Arc<FeedSet>, changed: tokio::sync::broadcast::Sender<Changed>) -> TreeView { unimplemented!() }
}
impl View for TreeView {
    fn name(&self) -> &'static str { "tree" }
    fn version(&self) -> u32 { 1 }
    fn tables(&self) -> Vec<cobox_view::kv::Table> { unimplemented!() }
    fn apply(&mut self, rows: &mut dyn cobox_view::kv::Rows, entries: &[cobox_view::journal::Entry]) -> Result<(), ViewError> { unimplemented!() }
    fn committed(&mut self) {}
    fn reset(&mut self) {}
}
/// Questions about the tree over one consistent picture of the rows.
pub struct Tree<'a, R: ReadRows + ?Sized>(pub &'a R);
impl<'a, R: ReadRows + ?Sized> Tree<'a, R> {
    /// What is at a path (conflict copies by their shown names too).
    pub fn lookup(&self, path: &DrivePath) -> Result<Option<Entry>, ViewError> { unimplemented!() }
    /// All folder nodes that are shown as one at this path (usually one); the first is where new children go.
    pub fn folders(&self, path: &DrivePath) -> Result<Vec<NodeId>, ViewError> { unimplemented!() }
    /// Children in name order, conflict copies included.
    pub fn list(&self, path: &DrivePath) -> Result<Vec<Entry>, ViewError> { unimplemented!() }
    /// One child by exact name.
    pub fn child(&self, folders: &[NodeId], name: &Name) -> Result<Option<Entry>, ViewError> { unimplemented!() }
    /// Current heads of each register of a node: what a new version of it must replace.
    pub fn heads(&self, node: NodeId) -> Result<Heads, ViewError> { unimplemented!() }
    /// Content at a given version of a node (for splices and history).
    pub fn content_at(&self, node: NodeId, version: Dot) -> Result<Option<Content>, ViewError> { unimplemented!() }
    /// Versions of what is or was at a path, newest first, through `succeeds`; works for deleted paths.
    pub fn history(&self, path: &DrivePath) -> Result<Vec<Version>, ViewError> { unimplemented!() }
    /// Open conflicts.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, ViewError> { unimplemented!() }
    /// What the indexer has applied, per writer: the `seen` basis of the next commit.
    pub fn clock(&self) -> Result<Clock, ViewError> { unimplemented!() }
    /// Writers with accepted claims.
    pub fn writers(&self) -> Result<Vec<WriterInfo>, ViewError> { unimplemented!() }
    /// Totals: files, folders, bytes (logical), kept up to date by the view.
    pub fn totals(&self) -> Result<(u64, u64, u64), ViewError> { unimplemented!() }
}
/// Dots that are heads now, per register.
#[derive(Clone, Debug, Default)]
pub struct Heads { /** place */ pub place: Vec<Dot>, /** content */ pub content: Vec<Dot>, /** attrs */ pub attrs: Vec<Dot>, /** life */ pub life: Vec<Dot> }
/// The space as of a time: rows in memory built from the commits within the cut (per writer the last commit at or before `time_ms`, closed under `seen`).
pub fn as_of(db: &Database, set: &FeedSet, read_key: &ReadKey, time_ms: u64) -> Result<cobox_view::kv::MemoryRows, ViewError> { unimplemented!() }
/// Applies one commit to rows: the pure heart shared by `TreeView`, `as_of` and the tests.
pub fn apply_commit(rows: &mut dyn cobox_view::kv::Rows, dot: Dot, commit: &Commit) -> Result<Vec<DrivePath>, ViewError> { unimplemented!() }
/// Used by `Time` conversions.
pub fn time_from_ms(ms: u64) -> Time { Time { seconds: (ms / 1000) as i64, nanos: (ms % 1000) as u32 * 1_000_000 } }
