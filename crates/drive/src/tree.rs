//! The folder tree as a view over everyone's metadata feeds, and everything one can ask of it.
//!
//! Rows are a pure function of the set of applied commits, whatever the order in which they came.
//! Not its job: files' bytes, writing feeds.

mod apply;
mod ask;
mod asof;
mod batch;
mod claims;
mod conflict;
mod eyes;
mod gate;
mod history;
mod loops;
mod marks;
mod places;
mod rows;
mod sums;
#[cfg(test)]
mod tests;
mod trash;
mod values;
mod view;

pub use asof::as_of;
pub use view::TreeView;

use crate::path::{DrivePath, Name};
use crate::record::{Attrs, Commit, Content, Kind, NodeId, Time};
use crate::version::{Dot, WriterTag};
use cobox_feed::manifest::FeedKey;
use cobox_keys::certificate::Claim;
use cobox_view::kv::{ReadRows, Rows, ViewError};

/// Longest way from a node to the root, and longest loop, that is followed. What hangs deeper is not shown.
const MAX_WALK: usize = 4096;
/// First byte of rows in the table of possible conflicts: a node, or a name in a folder.
const OPEN_NODE: u8 = 0;
const OPEN_NAME: u8 = 1;

/// One name as shown in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// node shown (for merged folders the lowest id)
    pub node: NodeId,
    /// shown name: exact, or with a conflict suffix; empty for the root
    pub name: Name,
    /// what it is
    pub kind: Kind,
    /// shown version of the content
    pub version: Option<Dot>,
    /// size, mtime, body
    pub content: Content,
    /// mode, xattrs
    pub attrs: Attrs,
    /// this entry is a losing version or colliding node shown beside the winner
    pub conflict: bool,
}

/// One version in a node's history, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// names it; text form `<16 hex>-<block>`
    pub dot: Dot,
    /// node
    pub node: NodeId,
    /// author's clock, ms
    pub time_ms: u64,
    /// who
    pub writer: WriterTag,
    /// content at that version, none for a deletion or a pure move
    pub content: Option<Content>,
    /// path at that version as the author placed it, if it changed
    pub place: Option<(NodeId, Name)>,
    /// deleted here
    pub deleted: bool,
    /// still a head
    pub head: bool,
}

/// Something that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trashed {
    /// where it was
    pub path: DrivePath,
    /// what it was
    pub kind: Kind,
    /// bytes it had; 0 for a folder
    pub size: u64,
    /// the version that deleted it: restoring it takes the deletion back
    pub dot: Dot,
    /// its author's clock, ms
    pub time_ms: u64,
    /// who
    pub writer: WriterTag,
}

/// Two or more heads of one register, two files of one name, or a loop of moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// where it is shown
    pub path: DrivePath,
    /// why
    pub cause: Cause,
    /// shown first, the others after it
    pub versions: Vec<Version>,
}

/// Why versions compete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// written at once
    Content,
    /// moved at once
    Place,
    /// attributes at once
    Attrs,
    /// deleted and changed at once (shown alive)
    Life,
    /// two nodes, one name
    Name,
    /// folders moved into each other
    Loop,
}

/// Told after rows are committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changed {
    /// something at or below this path may look different
    Path(DrivePath),
    /// these commits were applied; what they changed follows
    Applied(Vec<Dot>),
    /// a new writer's claim was accepted
    Writer(WriterTag),
    /// a commit or claim was refused, with the reason in words
    Refused {
        /// who
        writer: WriterTag,
        /// why
        reason: String,
    },
    /// conflicts appeared or went
    Conflicts,
}

/// A writer as known from its claim.
#[derive(Clone, Debug)]
pub struct WriterInfo {
    /// tag
    pub tag: WriterTag,
    /// the verified claim
    pub claim: Claim,
    /// metadata, content, log
    pub feeds: [FeedKey; 3],
}

/// Dots that are heads now, per register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// place
    pub place: Vec<Dot>,
    /// content
    pub content: Vec<Dot>,
    /// attrs
    pub attrs: Vec<Dot>,
    /// life
    pub life: Vec<Dot>,
}

/// Questions about the tree over one consistent picture of the rows.
pub struct Tree<'a, R: ReadRows + ?Sized>(pub &'a R);

/// Applies one commit to rows: the pure heart shared by `TreeView`, `as_of` and the tests. Everything that
/// the commit has seen must have been applied before. Answers the paths that may look different.
pub fn apply_commit(
    rows: &mut dyn Rows,
    dot: Dot,
    commit: &Commit,
) -> Result<Vec<DrivePath>, ViewError> {
    let mut batch = batch::Batch::new(rows)?;
    apply::apply(&mut batch, dot, commit)?;
    batch.finish()?;
    Ok(batch.outcome.paths())
}

/// Used by `Time` conversions.
pub fn time_from_ms(ms: u64) -> Time {
    Time {
        seconds: (ms / 1000) as i64,
        nanos: (ms % 1000) as u32 * 1_000_000,
    }
}
