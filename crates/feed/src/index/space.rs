//! The committed, visible state of one space: its feeds, and where their blocks, nodes, certificates and drafts are.
//!
//! Three layers, newest first: the top overlay, an overlay that is being written to the table file, the table file.
//! A whole commit becomes visible in one step.

use super::change::Change;
use super::extent::Extent;
use super::overlay::Overlay;
use super::rows::{DraftPlace, FeedRow};
use super::table::Table;
use crate::error::StoreError;
use crate::manifest::{FeedKey, Manifest};
use crate::segment::Position;
use crate::sync::{read, write};
use crate::tree::{Head, Node};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, RwLock};

/// State of one space.
#[derive(Debug)]
pub(crate) struct SpaceIndex {
    address: [u8; 32],
    table: Arc<Table>,
    layers: RwLock<Layers>,
}

#[derive(Debug, Default)]
struct Layers {
    feeds: HashMap<FeedKey, FeedRow>,
    /// Feeds whose rows in the table are old.
    changed: HashSet<FeedKey>,
    top: Overlay,
    frozen: Option<Arc<Overlay>>,
    position: Option<Position>,
}

impl SpaceIndex {
    /// Empty but for the rows that the table has.
    pub(crate) fn new(
        address: [u8; 32],
        table: Arc<Table>,
        feeds: HashMap<FeedKey, FeedRow>,
        position: Option<Position>,
    ) -> Self {
        let layers = Layers {
            feeds,
            position,
            ..Layers::default()
        };
        Self {
            address,
            table,
            layers: RwLock::new(layers),
        }
    }

    /// The address.
    pub(crate) fn address(&self) -> [u8; 32] {
        self.address
    }

    /// Makes changes of whole commits visible at once; returns by how much the newest layer grew.
    pub(crate) fn apply(
        &self,
        changes: Vec<Change>,
        position: Option<Position>,
    ) -> Result<usize, StoreError> {
        let mut layers = write(&self.layers);
        let before = layers.top.weight();
        for change in changes {
            match change {
                Change::Blocks {
                    feed,
                    first,
                    extent,
                    nodes,
                } => self.apply_blocks(&mut layers, feed, first, extent, nodes)?,
                Change::Head {
                    feed,
                    kind,
                    head,
                    manifest,
                } => layers.feed(&self.table, feed, kind).advance(head, manifest),
                Change::Certificate(digest, order, bytes) => drop(
                    layers
                        .top
                        .certificates
                        .entry(digest)
                        .or_insert((order, bytes)),
                ),
                Change::Draft(id, place) => drop(layers.top.drafts.insert(id, place)),
            }
        }
        layers.position = position.or(layers.position);
        Ok(layers.top.weight().saturating_sub(before))
    }

    fn apply_blocks(
        &self,
        layers: &mut Layers,
        feed: FeedKey,
        first: u64,
        extent: Extent,
        nodes: Vec<Node>,
    ) -> Result<(), StoreError> {
        let row = layers.feed(&self.table, feed, 0);
        let id = row.id;
        let blocks = first..first + extent.count();
        let overlaps = row.held.missing(blocks.clone()) != [blocks.clone()];
        row.held.insert(blocks.clone());
        if overlaps && !blocks.is_empty() {
            self.carve(layers, id, blocks)?;
        }
        if extent.count() > 0 {
            layers.top.extents.insert((id, first), extent);
        }
        layers
            .top
            .nodes
            .extend(nodes.into_iter().map(|node| ((id, node.index), node)));
        Ok(())
    }

    /// Takes blocks out of whatever extents hold them, so that extents never overlap.
    fn carve(&self, layers: &mut Layers, id: u32, blocks: Range<u64>) -> Result<(), StoreError> {
        let mut from = blocks.end;
        while let Some(below) = from.checked_sub(1) {
            let Some((first, extent)) =
                self.extent_before(&layers.top, layers.frozen.as_deref(), id, below)?
            else {
                break;
            };
            let end = first + extent.count();
            if end <= blocks.start {
                break;
            }
            if end > blocks.end {
                layers.top.extents.insert(
                    (id, blocks.end),
                    extent.slice(blocks.end - first..extent.count()),
                );
            }
            let kept = blocks.start.saturating_sub(first);
            layers
                .top
                .extents
                .insert((id, first), extent.slice(0..kept));
            from = first;
        }
        Ok(())
    }

    /// The extent with the largest first block that is not beyond `block`.
    fn extent_before(
        &self,
        top: &Overlay,
        frozen: Option<&Overlay>,
        id: u32,
        mut block: u64,
    ) -> Result<Option<(u64, Extent)>, StoreError> {
        loop {
            let newer = [Some(top), frozen]
                .into_iter()
                .flatten()
                .filter_map(|layer| layer.extent_before(id, block));
            // Of equal rows the newest layer's counts: `max_by_key` would keep the last of them.
            let newer = newer.reduce(|a, b| if b.0 > a.0 { b } else { a });
            let older = self.table.extent_before(id, block)?;
            let found = match (newer, older) {
                (None, older) => older,
                (Some(newer), Some(older)) if older.0 > newer.0 => Some(older),
                (Some((first, extent)), _) => Some((first, extent.clone())),
            };
            match found {
                Some((first, extent)) if extent.count() == 0 => match first.checked_sub(1) {
                    None => return Ok(None),
                    Some(before) => block = before,
                },
                found => return Ok(found),
            }
        }
    }

    /// The extent that holds a block.
    pub(crate) fn extent(&self, id: u32, block: u64) -> Result<Option<(u64, Extent)>, StoreError> {
        let layers = read(&self.layers);
        // The common case, without a look at the table: the newest layer knows.
        if let Some((first, extent)) = layers
            .top
            .extent_before(id, block)
            .filter(|(first, extent)| first + extent.count() > block)
        {
            return Ok(Some((first, extent.clone())));
        }
        let found = self.extent_before(&layers.top, layers.frozen.as_deref(), id, block)?;
        Ok(found.filter(|(first, extent)| first + extent.count() > block))
    }

    /// A stored node.
    pub(crate) fn node(&self, id: u32, index: u64) -> Result<Option<Node>, StoreError> {
        {
            let layers = read(&self.layers);
            let frozen = layers
                .frozen
                .as_ref()
                .and_then(|frozen| frozen.nodes.get(&(id, index)));
            if let Some(node) = layers.top.nodes.get(&(id, index)).or(frozen) {
                return Ok(Some(*node));
            }
        }
        // Rows move down only: what was in no layer a moment ago is in the table or nowhere.
        self.table.node(id, index)
    }

    /// Takes blocks whose bytes rotted out of what is held; false if they were not.
    pub(crate) fn quarantine(
        &self,
        feed: &FeedKey,
        blocks: Range<u64>,
    ) -> Result<bool, StoreError> {
        let mut layers = write(&self.layers);
        let Some(row) = layers
            .feeds
            .get_mut(feed)
            .filter(|row| row.held.missing(blocks.clone()) != [blocks.clone()])
        else {
            return Ok(false);
        };
        row.held.remove(blocks.clone());
        let id = row.id;
        layers.changed.insert(*feed);
        self.carve(&mut layers, id, blocks)?;
        Ok(true)
    }

    /// The id of a feed, given now if it is new. Costs memory only until there is a head.
    pub(crate) fn admit(&self, feed: FeedKey, kind: u8) -> u32 {
        let new = || FeedRow {
            id: self.table.new_feed_id(),
            kind,
            ..FeedRow::default()
        };
        write(&self.layers).feeds.entry(feed).or_insert_with(new).id
    }

    /// Looks at a feed's row.
    pub(crate) fn with_feed<T>(
        &self,
        feed: &FeedKey,
        look: impl FnOnce(&FeedRow) -> T,
    ) -> Option<T> {
        read(&self.layers).feeds.get(feed).map(look)
    }

    /// Feeds with a head, and their kinds.
    pub(crate) fn signed_feeds(&self) -> Vec<(FeedKey, u8)> {
        let layers = read(&self.layers);
        layers
            .feeds
            .iter()
            .filter(|(_, row)| row.head.is_some())
            .map(|(key, row)| (*key, row.kind))
            .collect()
    }

    /// All certificates in their order of arrival.
    pub(crate) fn certificates(&self) -> Result<Vec<Bytes>, StoreError> {
        let layers = read(&self.layers);
        let mut all: BTreeMap<[u8; 16], (u64, Bytes)> = layers.top.certificates.clone();
        let frozen = layers
            .frozen
            .iter()
            .flat_map(|frozen| frozen.certificates.clone());
        for (digest, certificate) in frozen.chain(self.table.certificates(&self.address)?) {
            all.insert(digest, certificate);
        }
        let mut all: Vec<_> = all.into_values().collect();
        all.sort_by_key(|(order, _)| *order);
        Ok(all.into_iter().map(|(_, bytes)| bytes).collect())
    }

    /// Is this certificate here?
    pub(crate) fn has_certificate(&self, digest: &[u8; 16]) -> Result<bool, StoreError> {
        let layers = read(&self.layers);
        let newer = [Some(&layers.top), layers.frozen.as_deref()]
            .into_iter()
            .flatten()
            .any(|layer| layer.certificates.contains_key(digest));
        Ok(newer || self.table.has_certificate(&self.address, digest)?)
    }

    /// All drafts.
    pub(crate) fn drafts(&self) -> Result<Vec<([u8; 16], DraftPlace)>, StoreError> {
        let layers = read(&self.layers);
        let mut all: BTreeMap<[u8; 16], Option<DraftPlace>> = self
            .table
            .drafts(&self.address)?
            .into_iter()
            .map(|(id, place)| (id, Some(place)))
            .collect();
        for layer in layers.frozen.as_deref().into_iter().chain([&layers.top]) {
            all.extend(layer.drafts.iter());
        }
        Ok(all
            .into_iter()
            .filter_map(|(id, place)| Some((id, place?)))
            .collect())
    }

    /// What the newest layer costs, see [`Overlay::weight`].
    pub(crate) fn weight(&self) -> usize {
        read(&self.layers).top.weight()
    }

    /// The layer to be written to the table next: the one that an earlier, failed checkpoint left, or the top.
    pub(crate) fn freeze(&self) -> Arc<Overlay> {
        let mut layers = write(&self.layers);
        if let Some(frozen) = &layers.frozen {
            return frozen.clone();
        }
        let mut layer = std::mem::take(&mut layers.top);
        for key in std::mem::take(&mut layers.changed) {
            layer
                .feeds
                .extend(layers.feeds.get(&key).map(|row| (key, row.clone())));
        }
        layer.position = layers.position;
        let layer = Arc::new(layer);
        layers.frozen = Some(layer.clone());
        layer
    }

    /// The frozen layer is in the table now. True if there is something newer already.
    pub(crate) fn thaw(&self) -> bool {
        let mut layers = write(&self.layers);
        let written = layers.frozen.take().and_then(|frozen| frozen.position);
        layers.position != written || !layers.changed.is_empty()
    }
}

impl Layers {
    /// The row of a feed that is about to change.
    fn feed(&mut self, table: &Table, key: FeedKey, kind: u8) -> &mut FeedRow {
        self.changed.insert(key);
        let row = self.feeds.entry(key).or_insert_with(|| FeedRow {
            id: table.new_feed_id(),
            ..FeedRow::default()
        });
        if row.head.is_none() && kind != 0 {
            row.kind = kind;
        }
        row
    }
}

impl FeedRow {
    /// Takes a head unless a longer one is held: heads never go back.
    fn advance(&mut self, head: Head, manifest: Option<Manifest>) {
        if self.manifest.is_none() {
            self.manifest = manifest;
        }
        if self
            .head
            .as_ref()
            .is_none_or(|held| held.length < head.length)
        {
            self.head = Some(head);
        }
    }
}
