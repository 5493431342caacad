//! Requests and proofs as they are sent: hypercore's vocabulary, and its bytes.

use super::flat;
use super::head::Head;
use super::node::Node;
use crate::codec::{DecodeError, Reader, Writer};
use crate::manifest::Manifest;
use bytes::Bytes;

/// Flags of the parts that a request or proof has, as on the wire.
pub mod flags {
    /// A block.
    pub const BLOCK: u64 = 1;
    /// A node.
    pub const HASH: u64 = 2;
    /// The block at a byte offset.
    pub const SEEK: u64 = 4;
    /// A longer head.
    pub const UPGRADE: u64 = 8;
    /// The manifest.
    pub const MANIFEST: u64 = 16;
}

/// Largest block, as stored. JavaScript refuses to append larger ones; with its proof it fits one frame.
pub const MAX_BLOCK: usize = 15 << 20;
/// More nodes than any single list of a proof can need: a path up the deepest tree and all its roots.
const MAX_NODES: usize = 2 * (flat::MAX_DEPTH as usize + 1);
/// Least encoded size of a node.
pub(crate) const NODE_SIZE: usize = 34;

/// What a peer asks for, in hypercore's terms (message type 1 without id, fork and priority).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Block index, tree levels the asker lacks.
    pub block: Option<(u64, u64)>,
    /// Tree index, levels.
    pub hash: Option<(u64, u64)>,
    /// Byte offset, padding (bytes of every block that do not count).
    pub seek: Option<(u64, u64)>,
    /// Start, length.
    pub upgrade: Option<(u64, u64)>,
    /// Send the manifest too.
    pub manifest: bool,
}

impl Request {
    /// Flags, then the parts in hypercore's order; the caller has already read flags, id and fork.
    pub fn decode(flags: u64, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut pair = |flag| match flags & flag {
            0 => Ok(None),
            _ => Ok(Some((reader.uint()?, reader.uint()?))),
        };
        Ok(Self {
            block: pair(flags::BLOCK)?,
            hash: pair(flags::HASH)?,
            seek: pair(flags::SEEK)?,
            upgrade: pair(flags::UPGRADE)?,
            manifest: flags & flags::MANIFEST != 0,
        })
    }

    /// Appends the parts (not the flags, id, fork).
    pub fn encode(&self, out: &mut Vec<u8>) {
        for (first, second) in [self.block, self.hash, self.seek, self.upgrade]
            .into_iter()
            .flatten()
        {
            out.put_uint(first);
            out.put_uint(second);
        }
    }

    /// Wire flags of the parts present.
    pub fn flags(&self) -> u64 {
        let seek = self.seek.is_some();
        part_flags(
            self.block.is_some(),
            self.hash.is_some(),
            seek,
            self.upgrade.is_some(),
            self.manifest,
        )
    }
}

fn part_flags(block: bool, hash: bool, seek: bool, upgrade: bool, manifest: bool) -> u64 {
    let parts = [
        (block, flags::BLOCK),
        (hash, flags::HASH),
        (seek, flags::SEEK),
        (upgrade, flags::UPGRADE),
        (manifest, flags::MANIFEST),
    ];
    parts
        .iter()
        .filter(|(present, _)| *present)
        .map(|(_, flag)| flag)
        .sum()
}

/// A block and the siblings on its way up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockProof {
    /// Block number.
    pub index: u64,
    /// The block as stored.
    pub value: Bytes,
    /// Siblings, bottom up.
    pub nodes: Vec<Node>,
}

/// A node and the siblings on its way up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashProof {
    /// Tree index.
    pub index: u64,
    /// The node itself, then siblings, bottom up.
    pub nodes: Vec<Node>,
}

/// The node in which a byte offset lies, and the siblings on its way up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeekProof {
    /// Byte offset.
    pub bytes: u64,
    /// The node, then siblings, bottom up.
    pub nodes: Vec<Node>,
}

/// How a tree of `start` blocks becomes the signed one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpgradeProof {
    /// Blocks before.
    pub start: u64,
    /// Blocks added, as asked for.
    pub length: u64,
    /// Subtrees that add them, without the one that the rest of the proof leads up to.
    pub nodes: Vec<Node>,
    /// Subtrees beyond what was asked for, up to the signed length.
    pub additional_nodes: Vec<Node>,
    /// Signature of the whole.
    pub signature: Vec<u8>,
}

/// What arrived and is not yet checked (message type 3 without its request id).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UntrustedProof {
    /// Fork that all of it is about.
    pub fork: u64,
    /// A block.
    pub block: Option<BlockProof>,
    /// A node.
    pub hash: Option<HashProof>,
    /// The node at a byte offset.
    pub seek: Option<SeekProof>,
    /// A longer head.
    pub upgrade: Option<UpgradeProof>,
    /// The manifest.
    pub manifest: Option<Manifest>,
}

impl UntrustedProof {
    /// The parts in hypercore's order; the caller has already read flags, id and fork. Block bytes are
    /// not copied when the reader was made with [`Reader::shared`].
    pub fn decode(flags: u64, fork: u64, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let has = |flag| flags & flag != 0;
        Ok(Self {
            fork,
            block: if has(flags::BLOCK) {
                Some(read_block(reader)?)
            } else {
                None
            },
            hash: if has(flags::HASH) {
                Some(read_hash(reader)?)
            } else {
                None
            },
            seek: if has(flags::SEEK) {
                Some(read_seek(reader)?)
            } else {
                None
            },
            upgrade: if has(flags::UPGRADE) {
                Some(read_upgrade(reader)?)
            } else {
                None
            },
            manifest: if has(flags::MANIFEST) {
                Some(Manifest::read(reader)?)
            } else {
                None
            },
        })
    }

    /// Appends the parts (not the flags, id, fork).
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(block) = &self.block {
            out.put_uint(block.index);
            out.put_buffer(&block.value);
            put_nodes(out, &block.nodes);
        }
        if let Some(hash) = &self.hash {
            out.put_uint(hash.index);
            put_nodes(out, &hash.nodes);
        }
        if let Some(seek) = &self.seek {
            out.put_uint(seek.bytes);
            put_nodes(out, &seek.nodes);
        }
        if let Some(upgrade) = &self.upgrade {
            out.put_uint(upgrade.start);
            out.put_uint(upgrade.length);
            put_nodes(out, &upgrade.nodes);
            put_nodes(out, &upgrade.additional_nodes);
            out.put_buffer(&upgrade.signature);
        }
        if let Some(manifest) = &self.manifest {
            out.extend_from_slice(&manifest.encode());
        }
    }

    /// Wire flags of the parts present.
    pub fn flags(&self) -> u64 {
        let (block, hash, seek) = (
            self.block.is_some(),
            self.hash.is_some(),
            self.seek.is_some(),
        );
        part_flags(
            block,
            hash,
            seek,
            self.upgrade.is_some(),
            self.manifest.is_some(),
        )
    }
}

fn read_block(reader: &mut Reader<'_>) -> Result<BlockProof, DecodeError> {
    Ok(BlockProof {
        index: reader.uint()?,
        value: reader.shared_buffer()?,
        nodes: read_nodes(reader)?,
    })
}

fn read_hash(reader: &mut Reader<'_>) -> Result<HashProof, DecodeError> {
    Ok(HashProof {
        index: reader.uint()?,
        nodes: read_nodes(reader)?,
    })
}

fn read_seek(reader: &mut Reader<'_>) -> Result<SeekProof, DecodeError> {
    Ok(SeekProof {
        bytes: reader.uint()?,
        nodes: read_nodes(reader)?,
    })
}

fn read_upgrade(reader: &mut Reader<'_>) -> Result<UpgradeProof, DecodeError> {
    Ok(UpgradeProof {
        start: reader.uint()?,
        length: reader.uint()?,
        nodes: read_nodes(reader)?,
        additional_nodes: read_nodes(reader)?,
        signature: reader.buffer()?.to_vec(),
    })
}

pub(crate) fn read_nodes(reader: &mut Reader<'_>) -> Result<Vec<Node>, DecodeError> {
    let count = reader.count(NODE_SIZE)?;
    if count > MAX_NODES {
        return Err(DecodeError("node count"));
    }
    (0..count).map(|_| read_node(reader)).collect()
}

fn read_node(reader: &mut Reader<'_>) -> Result<Node, DecodeError> {
    Ok(Node {
        index: reader.uint()?,
        size: reader.uint()?,
        hash: reader.fixed32()?,
    })
}

pub(crate) fn put_nodes(out: &mut Vec<u8>, nodes: &[Node]) {
    out.put_uint(nodes.len() as u64);
    for node in nodes {
        out.put_uint(node.index);
        out.put_uint(node.size);
        out.extend_from_slice(&node.hash);
    }
}

/// A checked proof: what may be stored. Only verification makes one.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Blocks and their numbers, all below the length of the head held or of the new one.
    pub(crate) blocks: Vec<(u64, Bytes)>,
    /// Nodes whose hash and size are both fixed by what is signed.
    pub(crate) nodes: Vec<Node>,
    /// A head longer than the one held.
    pub(crate) head: Option<Head>,
    /// The manifest, where none was known.
    pub(crate) manifest: Option<Manifest>,
    /// Length and tree hash of the head that was held when it was checked.
    pub(crate) base: Option<(u64, [u8; 32])>,
}

impl Proof {
    /// Blocks and their numbers.
    pub fn blocks(&self) -> &[(u64, Bytes)] {
        &self.blocks
    }

    /// Nodes to store.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A head longer than the one held.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The manifest, where none was known.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Length and tree hash of the head that was held when it was checked: a new head is known to
    /// continue that one, and no other that came meanwhile.
    pub(crate) fn base(&self) -> Option<(u64, [u8; 32])> {
        self.base
    }
}

/// Why a proof was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Hashes do not add up to what is signed or held.
    #[error("the proof does not match the signed tree")]
    WrongProof,
    /// Signature does not verify under the manifest.
    #[error("the head's signature is not valid")]
    BadSignature,
    /// Another fork than the feed's: kept as evidence by the caller.
    #[error("the head is of fork {0}; certified feeds have fork 0 for ever")]
    OtherFork(u64),
    /// A validly signed head that is shorter than the one held and cannot be compared with it, because
    /// the nodes for that are not held.
    #[error("the head has {offered} blocks, {held} are held")]
    Shorter {
        /// Theirs.
        offered: u64,
        /// Ours.
        held: u64,
    },
    /// Two validly signed heads that contradict each other.
    #[error("two signed heads contradict each other: the feed was forked")]
    Forked,
    /// The proof begins or ends at nodes that are not held: it was made for an older state of ours (or
    /// somebody else's). Nothing is proven or disproven; ask again.
    #[error("the proof does not connect to what is held")]
    NotConnected,
    /// The manifest does not hash to the feed key, or none is known yet.
    #[error("the manifest does not belong to this feed")]
    WrongManifest,
    /// Beyond limits: empty upgrade, block larger than 15 MiB, nodes that no tree has there.
    #[error("the proof is malformed: {0}")]
    Malformed(&'static str),
}
