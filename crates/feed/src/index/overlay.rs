//! What the table file does not hold yet: a layer of rows in memory over it.

use super::extent::Extent;
use super::rows::{DraftPlace, FeedRow};
use crate::manifest::FeedKey;
use crate::segment::Position;
use crate::tree::Node;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};

/// Rows of one space that are newer than the table's.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// By feed id and first block. An empty extent removes the table's row.
    pub extents: BTreeMap<(u32, u64), Extent>,
    /// By feed id and node index.
    pub nodes: HashMap<(u32, u64), Node>,
    /// Whole rows of feeds that changed; filled in when the layer is frozen.
    pub feeds: HashMap<FeedKey, FeedRow>,
    /// By digest, with their order of arrival.
    pub certificates: BTreeMap<[u8; 16], (u64, Bytes)>,
    /// By id; `None` removes the table's row.
    pub drafts: BTreeMap<[u8; 16], Option<DraftPlace>>,
    /// Where the space's log had got to.
    pub position: Option<Position>,
}

impl Overlay {
    /// Rows held: what memory it costs, roughly, in units of a hundred bytes.
    pub(crate) fn weight(&self) -> usize {
        self.extents.len() * 2 + self.nodes.len() + self.certificates.len() * 4 + self.drafts.len()
    }

    /// The row with the largest first block that is not beyond `block`, also if it removes one.
    pub(crate) fn extent_before(&self, feed: u32, block: u64) -> Option<(u64, &Extent)> {
        self.extents
            .range((feed, 0)..=(feed, block))
            .next_back()
            .map(|((_, first), extent)| (*first, extent))
    }
}
