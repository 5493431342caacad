//! Rows of the table file. Each ends in a checksum: a table file that rotted is rebuilt, never believed.

use crate::bitfield::RangeSet;
use crate::manifest::{FeedKey, Manifest};
use crate::segment::Position;
use crate::segment::body::HeadBody;
use crate::segment::fields::{Fields, PutFields};
use crate::tree::{Head, Node};
use std::collections::HashMap;

/// Nodes per page.
pub(crate) const PAGE: u64 = 256;
/// Bytes of one node in a page.
const PAGE_NODE: usize = 40;

/// What is known of a feed. Only those with a head or blocks have a row in the table file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedRow {
    /// Short name within the table file.
    pub id: u32,
    /// Tag of its admission.
    pub kind: u8,
    /// Signed head.
    pub head: Option<Head>,
    /// Manifest, once known.
    pub manifest: Option<Manifest>,
    /// Blocks held.
    pub held: RangeSet,
}

/// Where the bytes of a draft lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DraftPlace {
    /// Segment number.
    pub segment: u32,
    /// Offset of the sealed bytes.
    pub offset: u64,
    /// Bytes.
    pub length: u32,
    /// CRC-32 of them.
    pub crc: u32,
}

/// Appends the checksum that [`open_row`] checks.
pub(crate) fn seal_row(mut row: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&row);
    row.put_u32(crc);
    row
}

/// The row without its checksum; `None` if it does not fit.
pub(crate) fn open_row(row: &[u8]) -> Option<&[u8]> {
    let (row, crc) = row.split_last_chunk::<4>()?;
    (crc32fast::hash(row) == u32::from_le_bytes(*crc)).then_some(row)
}

impl FeedRow {
    /// Row bytes.
    pub(crate) fn encode(&self, key: &FeedKey) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u32(self.id);
        out.put_u8(self.kind);
        let ranges: Vec<_> = self.held.iter().collect();
        out.put_u32(ranges.len() as u32);
        for range in ranges {
            out.put_u64(range.start);
            out.put_u64(range.end);
        }
        if let Some(head) = &self.head {
            let body = HeadBody {
                feed: *key,
                kind: self.kind,
                head: head.clone(),
                manifest: self.manifest.clone(),
            };
            out.put(&body.encode());
        }
        out
    }

    /// Decodes row bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let (id, kind) = (fields.u32()?, fields.u8()?);
        let mut held = RangeSet::default();
        for _ in 0..fields.count(16)? {
            held.insert(fields.u64()?..fields.u64()?);
        }
        if fields.0.is_empty() {
            return Some(Self {
                id,
                kind,
                held,
                ..Self::default()
            });
        }
        let body = HeadBody::decode(fields.0)?;
        Some(Self {
            id,
            kind,
            head: Some(body.head),
            manifest: body.manifest,
            held,
        })
    }
}

/// Row of a space.
pub(crate) fn encode_position(position: &Position) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u32(position.segment);
    out.put(&position.salt);
    out.put_u64(position.offset);
    out.put_u64(position.sequence);
    out
}

/// Decodes the row of a space.
pub(crate) fn decode_position(bytes: &[u8]) -> Option<Position> {
    let mut fields = Fields(bytes);
    Some(Position {
        segment: fields.u32()?,
        salt: fields.array()?,
        offset: fields.u64()?,
        sequence: fields.u64()?,
    })
}

impl DraftPlace {
    /// Row bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u32(self.segment);
        out.put_u64(self.offset);
        out.put_u32(self.length);
        out.put_u32(self.crc);
        out
    }

    /// Decodes row bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            segment: fields.u32()?,
            offset: fields.u64()?,
            length: fields.u32()?,
            crc: fields.u32()?,
        })
    }
}

/// One page of nodes: which of its 256 places are taken (32 bytes), then size and hash of those that are.
pub(crate) fn encode_page(nodes: &HashMap<u64, Node>) -> Vec<u8> {
    let mut taken = [0u8; PAGE as usize / 8];
    let mut sorted: Vec<&Node> = nodes.values().collect();
    sorted.sort_unstable_by_key(|node| node.index);
    for node in &sorted {
        let place = (node.index % PAGE) as usize;
        taken[place / 8] |= 1 << (place % 8);
    }
    let mut out = Vec::with_capacity(taken.len() + sorted.len() * PAGE_NODE);
    out.put(&taken);
    for node in sorted {
        out.put_u64(node.size);
        out.put(&node.hash);
    }
    out
}

/// All nodes of a page.
pub(crate) fn decode_page(page: u64, bytes: &[u8]) -> Option<HashMap<u64, Node>> {
    let mut nodes = HashMap::new();
    for index in page * PAGE..(page + 1) * PAGE {
        if let Some(node) = node_in_page(bytes, index)? {
            nodes.insert(index, node);
        }
    }
    Some(nodes)
}

/// One node of its page: the outer `None` is a malformed page.
pub(crate) fn node_in_page(bytes: &[u8], index: u64) -> Option<Option<Node>> {
    let (taken, nodes) = bytes.split_at_checked(PAGE as usize / 8)?;
    let place = (index % PAGE) as usize;
    if taken[place / 8] & (1 << (place % 8)) == 0 {
        return Some(None);
    }
    let before: u32 = taken[..place / 8]
        .iter()
        .map(|byte| byte.count_ones())
        .sum::<u32>()
        + (taken[place / 8] & ((1 << (place % 8)) - 1)).count_ones();
    let mut fields = Fields(nodes.get(before as usize * PAGE_NODE..)?);
    Some(Some(Node {
        index,
        size: fields.u64()?,
        hash: fields.array()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_exactly_its_nodes() {
        let node = |index: u64| Node {
            index,
            size: index * 3,
            hash: [index as u8; 32],
        };
        let nodes: HashMap<u64, Node> = [512, 513, 519, 520, 700, 767]
            .map(|index| (index, node(index)))
            .into();
        let page = encode_page(&nodes);
        for index in 512..768 {
            assert_eq!(node_in_page(&page, index), Some(nodes.get(&index).copied()));
        }
        assert_eq!(decode_page(2, &page), Some(nodes));
        assert_eq!(node_in_page(&page[..page.len() - 1], 767), None);
    }
}
