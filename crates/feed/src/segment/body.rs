//! Bodies of records.

use super::fields::{Fields, PutFields};
use crate::manifest::{FeedKey, Manifest};
use crate::tree::{Head, Node};

/// Bytes of a stored node.
pub(crate) const NODE_LEN: usize = 48;
/// Most blocks in one record, and so in one extent: bounds a row of the index.
pub(crate) const MAX_BLOCKS: usize = 1024;
/// Block bytes after which a record is full (a single larger block still goes into one).
pub(crate) const MAX_BYTES: usize = 8 << 20;
/// Most nodes in one record.
pub(crate) const MAX_NODES: usize = 4096;

/// The leading part of a blocks record; the block bytes follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlocksMeta {
    /// Which feed.
    pub feed: FeedKey,
    /// Number of the first block.
    pub first: u64,
    /// Length and CRC-32 of each block.
    pub table: Vec<(u32, u32)>,
    /// Tree nodes learnt with them.
    pub nodes: Vec<Node>,
}

impl BlocksMeta {
    /// Encodes all but the block bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48 + self.table.len() * 8 + self.nodes.len() * NODE_LEN);
        out.put(&self.feed.0);
        out.put_u64(self.first);
        out.put_u32(self.table.len() as u32);
        out.put_u32(self.nodes.len() as u32);
        for (length, crc) in &self.table {
            out.put_u32(*length);
            out.put_u32(*crc);
        }
        put_nodes(&mut out, &self.nodes);
        out
    }

    /// Decodes what [`Self::encode`] made.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let feed = FeedKey(fields.array()?);
        let first = fields.u64()?;
        let blocks = fields.count(8)?;
        let nodes = fields.u32()? as usize;
        // Its node indices must fit 64 bits too.
        first.checked_add(blocks as u64)?.checked_mul(2)?;
        let mut table = Vec::with_capacity(blocks);
        for _ in 0..blocks {
            table.push((fields.u32()?, fields.u32()?));
        }
        let nodes = take_nodes(&mut fields, nodes)?;
        fields.0.is_empty().then_some(Self {
            feed,
            first,
            table,
            nodes,
        })
    }
}

/// A signed head with what is needed to show the feed again at open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeadBody {
    /// Which feed.
    pub feed: FeedKey,
    /// Tag of its admission.
    pub kind: u8,
    /// The head.
    pub head: Head,
    /// The manifest, in the first head of a feed.
    pub manifest: Option<Manifest>,
}

impl HeadBody {
    /// Encodes the body.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let manifest = self
            .manifest
            .as_ref()
            .map(Manifest::encode)
            .unwrap_or_default();
        let head = &self.head;
        let mut out = Vec::with_capacity(
            112 + head.roots.len() * NODE_LEN + head.signature.len() + manifest.len(),
        );
        out.put(&self.feed.0);
        out.put_u8(self.kind);
        out.put_u64(head.fork);
        out.put_u64(head.length);
        out.put_u64(head.byte_length);
        out.put(&head.tree_hash);
        out.put_u32(head.roots.len() as u32);
        out.put_u32(head.signature.len() as u32);
        out.put_u32(manifest.len() as u32);
        put_nodes(&mut out, &head.roots);
        out.put(&head.signature);
        out.put(&manifest);
        out
    }

    /// Decodes what [`Self::encode`] made.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let feed = FeedKey(fields.array()?);
        let kind = fields.u8()?;
        let (fork, length, byte_length) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let tree_hash = fields.array()?;
        let (roots, signature, manifest) = (
            fields.u32()? as usize,
            fields.u32()? as usize,
            fields.u32()? as usize,
        );
        let roots = take_nodes(&mut fields, roots)?;
        let signature = fields.bytes(signature)?.to_vec();
        let manifest = match fields.bytes(manifest)? {
            [] => None,
            bytes => Some(Manifest::decode(bytes).ok()?),
        };
        let head = Head {
            length,
            byte_length,
            fork,
            tree_hash,
            roots,
            signature,
        };
        fields.0.is_empty().then_some(Self {
            feed,
            kind,
            head,
            manifest,
        })
    }
}

/// A sealed draft under its id.
pub(crate) fn encode_draft(id: &[u8; 16], bytes: &[u8]) -> Vec<u8> {
    [id, bytes].concat()
}

/// Id and bytes of a draft.
pub(crate) fn decode_draft(body: &[u8]) -> Option<([u8; 16], &[u8])> {
    let (id, bytes) = body.split_first_chunk()?;
    Some((*id, bytes))
}

/// Offsets of all records of a segment, then the footer's own offset, by which it is found from the end of the file.
pub(crate) fn encode_footer(records: &[u64], own: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + records.len() * 8);
    out.put_u32(records.len() as u32);
    records.iter().for_each(|offset| out.put_u64(*offset));
    out.put_u64(own);
    out
}

/// Offsets in a footer.
pub(crate) fn decode_footer(body: &[u8]) -> Option<Vec<u64>> {
    let mut fields = Fields(body);
    let count = fields.count(8)?;
    (0..count).map(|_| fields.u64()).collect()
}

/// Appends nodes, 48 bytes each.
pub(crate) fn put_nodes(out: &mut Vec<u8>, nodes: &[Node]) {
    for node in nodes {
        out.put_u64(node.index);
        out.put_u64(node.size);
        out.put(&node.hash);
    }
}

fn take_nodes(fields: &mut Fields<'_>, count: usize) -> Option<Vec<Node>> {
    if count.checked_mul(NODE_LEN)? > fields.0.len() {
        return None;
    }
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(Node {
            index: fields.u64()?,
            size: fields.u64()?,
            hash: fields.array()?,
        });
    }
    Some(nodes)
}
