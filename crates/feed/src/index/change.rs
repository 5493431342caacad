//! From records to changes: one road for what was just committed and for what a replay finds.

use super::extent::Extent;
use super::rows::DraftPlace;
use crate::manifest::{FeedKey, Manifest};
use crate::segment::body::{BlocksMeta, HeadBody, decode_draft};
use crate::segment::log::Place;
use crate::segment::record::{Kind, RECORD_LEN};
use crate::tree::{Head, Node};
use bytes::Bytes;
use std::ops::Range;

/// What a committed record changes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Blocks and nodes became readable.
    Blocks {
        /// Which feed.
        feed: FeedKey,
        /// Number of the first block.
        first: u64,
        /// Where they are; may be empty when only nodes were learnt.
        extent: Extent,
        /// Nodes.
        nodes: Vec<Node>,
    },
    /// A longer head.
    Head {
        /// Which feed.
        feed: FeedKey,
        /// Tag of its admission.
        kind: u8,
        /// The head.
        head: Head,
        /// The manifest, if new.
        manifest: Option<Manifest>,
    },
    /// A certificate, with its digest and order of arrival.
    Certificate([u8; 16], u64, Bytes),
    /// A draft, or none under this id any more.
    Draft([u8; 16], Option<DraftPlace>),
}

/// Name of a certificate: a short hash of its bytes.
pub(crate) fn digest(certificate: &[u8]) -> [u8; 16] {
    let hash = blake2b_simd::Params::new()
        .hash_length(16)
        .hash(certificate);
    let mut digest = [0; 16];
    digest.copy_from_slice(hash.as_bytes());
    digest
}

/// What a record changes. `rotten`: blocks of it that cannot be read, counted from its first.
/// A body whose checksum fits and that still makes no sense is skipped: it was written by a program with a fault.
pub(crate) fn changes(place: Place, kind: Kind, meta: &[u8], rotten: &[usize]) -> Vec<Change> {
    match kind {
        Kind::Blocks => BlocksMeta::decode(meta)
            .map(|body| blocks(place, meta.len(), body, rotten))
            .unwrap_or_default(),
        Kind::Head => HeadBody::decode(meta).map(head).into_iter().collect(),
        Kind::Certificate => vec![Change::Certificate(
            digest(meta),
            order(place),
            Bytes::copy_from_slice(meta),
        )],
        Kind::Draft => draft(place, meta).into_iter().collect(),
        Kind::Clear | Kind::Footer => Vec::new(),
    }
}

fn blocks(place: Place, meta: usize, body: BlocksMeta, rotten: &[usize]) -> Vec<Change> {
    let extent = Extent::new(
        place.segment,
        place.offset + (RECORD_LEN + meta) as u64,
        &body.table,
    );
    let mut nodes = body.nodes;
    let mut changes: Vec<Change> = runs(body.table.len(), rotten)
        .map(|run| Change::Blocks {
            feed: body.feed,
            first: body.first + run.start,
            extent: extent.slice(run),
            nodes: std::mem::take(&mut nodes),
        })
        .collect();
    if !nodes.is_empty() {
        changes.push(Change::Blocks {
            feed: body.feed,
            first: body.first,
            extent: Extent::default(),
            nodes,
        });
    }
    changes
}

/// The runs of blocks between rotten ones.
fn runs(count: usize, rotten: &[usize]) -> impl Iterator<Item = Range<u64>> {
    let starts = std::iter::once(0).chain(rotten.iter().map(|bad| bad + 1));
    let ends = rotten.iter().copied().chain([count]);
    starts
        .zip(ends)
        .filter(|(start, end)| start < end)
        .map(|(start, end)| start as u64..end as u64)
}

fn head(body: HeadBody) -> Change {
    Change::Head {
        feed: body.feed,
        kind: body.kind,
        head: body.head,
        manifest: body.manifest,
    }
}

fn draft(place: Place, body: &[u8]) -> Option<Change> {
    let (id, bytes) = decode_draft(body)?;
    let at = DraftPlace {
        segment: place.segment,
        offset: place.offset + (RECORD_LEN + id.len()) as u64,
        length: bytes.len() as u32,
        crc: crc32fast::hash(bytes),
    };
    Some(Change::Draft(id, (!bytes.is_empty()).then_some(at)))
}

/// Places grow with time.
fn order(place: Place) -> u64 {
    (u64::from(place.segment) << 40) | place.offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_leave_out_exactly_the_rotten() {
        assert_eq!(runs(5, &[]).next(), Some(0..5));
        assert_eq!(runs(5, &[0, 2, 3]).collect::<Vec<_>>(), [1..2, 4..5]);
        assert_eq!(runs(2, &[0, 1]).count(), 0);
        assert_eq!(runs(0, &[]).count(), 0);
    }
}
