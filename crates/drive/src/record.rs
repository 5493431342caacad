//! Commits and records: what a writer says changed, and the bytes of metadata blocks.

use crate::path::Name;
use crate::version::{Dot, WriterTag};

/// Random 128-bit id of a file, folder or symlink; the root is all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub [u8; 16]);
/// What a node is; fixed at creation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind { /** bytes */ File, /** names */ Folder, /** a stored target, never followed */ Symlink }
/// Seconds and nanoseconds since 1970, UTC; may be negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Time { /** s */ pub seconds: i64, /** ns, < 1e9 */ pub nanos: u32 }
/// Where a node is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place { /** folder */ pub parent: NodeId, /** name in it */ pub name: Name }
/// How a run's bytes are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec { /** as they are */ Raw, /** zeros, stored nowhere */ Hole, /** LZ4 block; `stored` bytes in the feed */ Lz4 { /** bytes in the feed */ stored: u32 } }
/// A stretch of a file's bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run { /** whose content feed */ pub writer: WriterTag, /** first block */ pub block: u64, /** offset in its plaintext */ pub offset: u32, /** bytes of the file */ pub length: u64, /** how stored */ pub codec: Codec, /** keyed BLAKE3 of the file's bytes, for imported ones */ pub hash: Option<[u8; 16]> }
/// Replaces bytes `at .. at + run.length` of the base.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Splice { /** offset in the file */ pub at: u64, /** new bytes */ pub run: Run }
/// A file's bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Nothing (empty file, folder).
    None,
    /// Symlink target, at most 4 095 bytes.
    Target(Vec<u8>),
    /// At most 32 runs, in order, covering the size.
    Runs(Vec<Run>),
    /// Another version of the same node's content, then at most 64 splices. Shorter/longer size cuts/extends with zeros.
    Splices { /** version */ base: Dot, /** in order of `at`, not overlapping */ splices: Vec<Splice> },
    /// A table of runs stored as a run, then at most 64 splices.
    Table { /** CBOR array of runs */ table: Run, /** over it */ splices: Vec<Splice> },
}
/// Register: bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content { /** bytes */ pub size: u64, /** modification time */ pub mtime: Time, /** where they are */ pub body: Body }
/// Register: attributes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attrs { /** permission bits (07777) */ pub mode: u32, /** sorted by name; at most 64 KiB in all */ pub xattrs: Vec<(Vec<u8>, Vec<u8>)> }
/// Register: alive or deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life { /** there */ Alive, /** gone; for a folder with all below that the author had seen */ Deleted }
/// A written register: the value and the versions it replaces (all within the author's `seen`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write<T> { /** value */ pub value: T, /** replaced versions */ pub replaces: Vec<Dot> }
/// Changes to one node; at most one record per node in a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record { /** which */ pub node: NodeId, /** its kind (repeated in each record, fixed by the first) */ pub kind: Kind, /** register */ pub place: Option<Write<Place>>, /** register */ pub content: Option<Write<Content>>, /** register */ pub attrs: Option<Write<Attrs>>, /** register */ pub life: Option<Write<Life>>, /** continues the history of another node */ pub succeeds: Option<NodeId> }
/// One writer's newly seen head of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen { /** who */ pub writer: WriterTag, /** metadata blocks */ pub length: u64, /** first 16 bytes of the tree hash at that length */ pub tree_hash: [u8; 16] }
/// Header of a commit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CommitHeader { /** author's clock, ms since 1970 */ pub time_ms: u64, /** length of own content feed after this commit */ pub content_length: u64, /** how many of its newest blocks, since the last commit, are filler at the end */ pub filler: u64, /** every feed whose head changed since my last commit */ pub seen: Vec<Seen> }
/// A decoded commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit { /** header */ pub header: CommitHeader, /** changes */ pub records: Vec<Record> }
/// Why a metadata block was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not what the format says.
    #[error("malformed {0}")] Malformed(&'static str),
    /// Must be understood and is not: the space becomes read-only for this program.
    #[error("written by a newer program (format {0})")] TooNew(u64),
}
/// Encodes a commit into plaintext metadata blocks (compressed, padded to their classes), the last one marked. At least one.
pub fn encode_commit(commit: &Commit) -> Vec<Vec<u8>> { unimplemented!() }
/// One decoded metadata block.
pub struct MetadataBlock { /** only in a commit's first block */ pub header: Option<CommitHeader>, /** its records */ pub records: Vec<Record>, /** ends the commit */ pub last: bool }
/// Decodes one opened metadata block.
pub fn decode_block(plaintext: &[u8]) -> Result<MetadataBlock, RecordError> { unimplemented!() }
/// Plaintext of block 0 of each feed: the signed claim, padded.
pub fn encode_claim(claim: &[u8]) -> Vec<u8> { unimplemented!() }
/// The signed claim in an opened block 0.
pub fn decode_claim(plaintext: &[u8]) -> Result<Vec<u8>, RecordError> { unimplemented!() }
