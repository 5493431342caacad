//! Commits and records: what a writer says changed, and the bytes of metadata blocks.
//!
//! Not its job: sealing, and what the records mean together (`merge`, `tree`). The bytes are
//! described in `docs/format.md`.

mod block;
mod check;
mod reader;
mod writer;

pub use block::{
    MAX_MESSAGE, MetadataBlock, decode_block, decode_claim, decode_message, encode_claim,
    encode_commit, encode_message,
};
pub(crate) use block::{decode_record, encode_record};
pub(crate) use reader::Reader;
pub use reader::decode_runs;
pub(crate) use writer::Writer;
pub use writer::encode_runs;

use crate::path::Name;
use crate::version::{Dot, WriterTag};
use std::fmt;

/// Most blocks in a commit.
pub const MAX_COMMIT_BLOCKS: usize = 256;
/// Most records in a commit.
pub const MAX_RECORDS: usize = 65_536;
/// Longest record in bytes of CBOR.
pub const MAX_RECORD: usize = 60 * 1024;
/// Most entries in a commit's `seen`.
pub const MAX_SEEN: usize = 1_024;
/// Most versions that one written register replaces.
pub const MAX_REPLACES: usize = 1_024;
/// Most runs in a register.
pub const MAX_RUNS: usize = 32;
/// Most splices in a register.
pub const MAX_SPLICES: usize = 64;
/// Longest symlink target in bytes.
pub const MAX_TARGET: usize = 4_095;

/// Id of a file, folder or symlink: 126 random bits and, in the low two bits of the last byte, its
/// kind, so that nobody can disagree about what a node is. The root is all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 16]);

/// 32 hex digits.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl NodeId {
    /// The root folder: it exists in every space, no record describes it.
    pub const ROOT: NodeId = NodeId([0; 16]);

    /// A fresh id for a node of this kind.
    pub fn generate(kind: Kind) -> Self {
        let mut id = [0; 16];
        getrandom::fill(&mut id).expect("the operating system gives random bytes");
        Self(id).with_kind(kind)
    }

    /// The same id with another kind's bits.
    pub fn with_kind(self, kind: Kind) -> Self {
        let mut id = self.0;
        id[15] = (id[15] & !0b11) | kind as u8;
        Self(id)
    }

    /// What the id says the node is; none for kinds of a newer program.
    pub fn kind(&self) -> Option<Kind> {
        match self.0[15] & 0b11 {
            0 => Some(Kind::Folder),
            1 => Some(Kind::File),
            2 => Some(Kind::Symlink),
            _ => None,
        }
    }
}

/// What a node is; part of its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// bytes
    File = 1,
    /// names
    Folder = 0,
    /// a stored target, never followed
    Symlink = 2,
}

/// Seconds and nanoseconds since 1970, UTC; may be negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Time {
    /// s
    pub seconds: i64,
    /// ns, < 1e9
    pub nanos: u32,
}

/// Where a node is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// folder
    pub parent: NodeId,
    /// name in it
    pub name: Name,
}

/// How a run's bytes are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// as they are
    Raw,
    /// zeros, stored nowhere
    Hole,
    /// LZ4 block; `stored` bytes in the feed
    Lz4 {
        /// bytes in the feed
        stored: u32,
    },
}

/// A stretch of a file's bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// whose content feed
    pub writer: WriterTag,
    /// first block
    pub block: u64,
    /// offset in its plaintext
    pub offset: u32,
    /// bytes of the file
    pub length: u64,
    /// how stored
    pub codec: Codec,
    /// keyed BLAKE3 of the file's bytes, for imported ones
    pub hash: Option<[u8; 16]>,
}

/// Replaces bytes `at .. at + run.length` of the base.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Splice {
    /// offset in the file
    pub at: u64,
    /// new bytes
    pub run: Run,
}

/// A file's bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Body {
    /// Nothing (empty file, folder).
    #[default]
    None,
    /// Symlink target, at most 4 095 bytes.
    Target(Vec<u8>),
    /// At most 32 runs, in order, covering the size.
    Runs(Vec<Run>),
    /// Another version of the same node's content, then at most 64 splices. Shorter/longer size cuts/extends with zeros.
    Splices {
        /// version
        base: Dot,
        /// in order of `at`, not overlapping
        splices: Vec<Splice>,
    },
    /// A table of runs stored as a run, then at most 64 splices.
    Table {
        /// CBOR array of runs
        table: Run,
        /// over it
        splices: Vec<Splice>,
    },
}

/// Register: bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Content {
    /// bytes
    pub size: u64,
    /// modification time
    pub mtime: Time,
    /// where they are
    pub body: Body,
}

/// Extended attributes: names and values.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// Register: attributes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attrs {
    /// permission bits (07777)
    pub mode: u32,
    /// sorted by name; at most 60 KiB with everything else in the record
    pub xattrs: Xattrs,
}

/// Register: alive or deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// there
    Alive,
    /// gone; for a folder with all below that the author had seen
    Deleted,
}

/// A written register: the value and the versions it replaces (all within the author's `seen`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write<T> {
    /// value
    pub value: T,
    /// replaced versions
    pub replaces: Vec<Dot>,
}

/// Changes to one node; at most one record per node in a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// which
    pub node: NodeId,
    /// its kind, as in its id
    pub kind: Kind,
    /// register
    pub place: Option<Write<Place>>,
    /// register
    pub content: Option<Write<Content>>,
    /// register
    pub attrs: Option<Write<Attrs>>,
    /// register
    pub life: Option<Write<Life>>,
    /// continues the history of another node
    pub succeeds: Option<NodeId>,
}

impl Record {
    /// A record that changes nothing yet.
    pub fn new(node: NodeId, kind: Kind) -> Self {
        Self {
            node,
            kind,
            place: None,
            content: None,
            attrs: None,
            life: None,
            succeeds: None,
        }
    }
}

/// One writer's newly seen head of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// who
    pub writer: WriterTag,
    /// metadata blocks
    pub length: u64,
    /// first 16 bytes of the tree hash at that length
    pub tree_hash: [u8; 16],
}

/// Header of a commit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CommitHeader {
    /// author's clock, ms since 1970
    pub time_ms: u64,
    /// length of own content feed after this commit
    pub content_length: u64,
    /// how many of its newest blocks, since the last commit, are filler at the end
    pub filler: u64,
    /// every feed whose head changed since my last commit, sorted by writer; at most 1 024
    pub seen: Vec<Seen>,
}

/// A decoded commit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Commit {
    /// header
    pub header: CommitHeader,
    /// changes
    pub records: Vec<Record>,
}

/// Why a metadata block was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not what the format says.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Must be understood and is not: the space becomes read-only for this program.
    #[error("written by a newer program (format {0})")]
    TooNew(u64),
    /// Too much for one record, block or commit; only when encoding.
    #[error("{0} is too large")]
    TooLarge(&'static str),
}
