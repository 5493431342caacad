//! An open file: reading ranges (waiting for blocks that are not here yet), writing new versions.

use crate::content::intake::Older;
use crate::content::read::Blocks;
use crate::content::run::{self, Extent};
use crate::content::{MAX_TABLE, MAX_TABLE_BYTES};
use crate::error::DriveError;
use crate::record::{Body, Codec, Content, Run, Splice, Time, decode_runs};
use crate::version::Dot;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Versions laid over each other at most: our own program stays far below, a stranger's chain ends here.
const MAX_CHAIN: usize = 256;

/// An open file version. Reads wait (bounded) for blocks that are not here.
pub struct FileReader {
    blocks: Arc<Blocks>,
    extents: Vec<Extent>,
    size: u64,
    what: String,
    /// The compressed run read last, so that reading it in pieces unpacks it once.
    unpacked: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
}

impl FileReader {
    pub(crate) fn new(blocks: Arc<Blocks>, extents: Vec<Extent>, size: u64, what: String) -> Self {
        Self {
            blocks,
            extents,
            size,
            what,
            unpacked: Mutex::default(),
        }
    }

    /// Bytes in this version.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DriveError> {
        let length = self.size.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let mut done = 0;
        let mut at = self
            .extents
            .partition_point(|extent| extent.at + extent.length <= offset);
        while done < length {
            let extent = self.extents.get(at).ok_or_else(|| self.damaged())?;
            let within = offset + done as u64 - extent.at;
            let part = ((extent.length - within) as usize).min(length - done);
            self.read_extent(at, extent.skip + within, &mut buffer[done..done + part])?;
            done += part;
            at += 1;
        }
        Ok(done)
    }

    /// Holes in `offset..`: the next stretch of data as a range, for sparse copies; none when the rest is a hole.
    pub fn next_data(&self, offset: u64) -> Option<Range<u64>> {
        let is_data = |extent: &&Extent| extent.run.codec != Codec::Hole;
        let from = self
            .extents
            .partition_point(|extent| extent.at + extent.length <= offset);
        let rest = &self.extents[from.min(self.extents.len())..];
        let first = rest.iter().position(|extent| is_data(&extent))?;
        let last = rest[first..].iter().take_while(is_data).last()?;
        Some(rest[first].at.max(offset)..last.at + last.length)
    }

    /// Are all bytes of a range on this machine?
    pub fn holds(&self, range: Range<u64>) -> bool {
        self.runs_in(range).all(|run| self.blocks.holds(&run))
    }

    /// Waits while bytes come by themselves, in whatever order peers send them; see [`Blocks::await_arrival`].
    pub(crate) fn await_arrival(&self, part: Range<u64>) {
        self.runs_in(part)
            .for_each(|run| self.blocks.await_arrival(&run));
    }

    /// What is stored of a range, as far as the file goes.
    fn runs_in(&self, range: Range<u64>) -> impl Iterator<Item = Run> + '_ {
        let end = range.end.min(self.size);
        let first = self
            .extents
            .partition_point(|extent| extent.at + extent.length <= range.start);
        self.extents[first..]
            .iter()
            .take_while(move |extent| extent.at < end)
            .map(move |extent| asked(extent, &range))
    }

    /// Where this version's bytes are.
    pub(crate) fn extents(&self) -> &[Extent] {
        &self.extents
    }

    fn read_extent(&self, at: usize, skip: u64, out: &mut [u8]) -> Result<(), DriveError> {
        let run = &self.extents[at].run;
        if !matches!(run.codec, Codec::Lz4 { .. }) || (skip == 0 && out.len() as u64 == run.length)
        {
            return self.blocks.read(run, skip, out, &self.what);
        }
        let data = self.unpack(at, run)?;
        let part = usize::try_from(skip)
            .ok()
            .and_then(|skip| data.get(skip..)?.get(..out.len()));
        out.copy_from_slice(part.ok_or_else(|| self.damaged())?);
        Ok(())
    }

    fn unpack(&self, at: usize, run: &Run) -> Result<Arc<Vec<u8>>, DriveError> {
        let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, data)) = unpacked.as_ref().filter(|(index, _)| *index == at) {
            return Ok(data.clone());
        }
        let data = Arc::new(self.blocks.unpack(run, &self.what)?);
        *unpacked = Some((at, data.clone()));
        Ok(data)
    }

    fn damaged(&self) -> DriveError {
        DriveError::Damaged(format!("the content of {}", self.what))
    }
}

/// The run that part of an extent lies in: of raw ones just that part.
fn asked(extent: &Extent, part: &Range<u64>) -> Run {
    let from = part.start.max(extent.at);
    let to = part.end.min(extent.at + extent.length);
    match extent.run.codec {
        Codec::Raw => {
            let within = extent.skip + (from - extent.at)..extent.skip + (to - extent.at);
            run::slice(&extent.run, within)
        }
        _ => extent.run.clone(),
    }
}

impl Older for FileReader {
    fn read(&self, at: u64, out: &mut [u8]) -> bool {
        let end = at.saturating_add(out.len() as u64);
        end <= self.size
            && self.runs_in(at..end).all(|run| self.blocks.may_name(&run))
            && self
                .read_at(at, out)
                .is_ok_and(|length| length == out.len())
    }

    fn runs(&self, part: Range<u64>) -> Option<Vec<Run>> {
        run::part(&self.extents, part)
    }
}

/// A reader as a stream from the start.
pub(crate) struct Stream<'a> {
    reader: &'a FileReader,
    at: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(reader: &'a FileReader) -> Self {
        Self { reader, at: 0 }
    }
}

impl std::io::Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self
            .reader
            .read_at(self.at, buffer)
            .map_err(std::io::Error::other)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// Lays a content register out: table or base version first, then the splices over it. `base` finds another version
/// of the same node.
pub(crate) fn layout(
    blocks: &Blocks,
    content: &Content,
    base: &dyn Fn(Dot) -> Result<Option<Content>, DriveError>,
    what: &str,
) -> Result<Vec<Extent>, DriveError> {
    let mut over: Vec<(u64, Vec<Splice>)> = Vec::new();
    let mut below = content.clone();
    let mut extents = loop {
        match below.body {
            Body::None | Body::Target(_) => break run::extents(Vec::new(), below.size),
            Body::Runs(runs) => break run::extents(runs, below.size),
            Body::Table { table, splices } => {
                over.push((below.size, splices));
                break run::extents(read_table(blocks, &table, what)?, below.size);
            }
            Body::Splices { base: dot, splices } => {
                over.push((below.size, splices));
                if over.len() > MAX_CHAIN {
                    return Err(DriveError::Damaged(format!(
                        "too many versions of {what} lean on each other"
                    )));
                }
                below = base(dot)?.ok_or_else(|| DriveError::NoVersion(dot.to_string()))?;
            }
        }
    };
    for (size, splices) in over.into_iter().rev() {
        run::resize(&mut extents, size);
        splices
            .iter()
            .for_each(|splice| run::lay(&mut extents, splice));
    }
    Ok(extents)
}

fn read_table(blocks: &Blocks, table: &Run, what: &str) -> Result<Vec<Run>, DriveError> {
    if table.length > MAX_TABLE_BYTES {
        return Err(DriveError::Damaged(format!("the content of {what}")));
    }
    let mut bytes = vec![0; table.length as usize];
    blocks.read(table, 0, &mut bytes, what)?;
    Ok(decode_runs(&bytes, MAX_TABLE)?)
}

/// Details of a written version.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// else now
    pub mtime: Option<Time>,
    /// permission bits; else kept, or 0644
    pub mode: Option<u32>,
    /// create missing folders
    pub parents: bool,
    /// refuse if it exists
    pub create_new: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::WriterTag;
    use cobox_feed::manifest::FeedKeyPair;
    use cobox_feed::set::Batch;
    use cobox_feed::store::{Options, Store};
    use cobox_keys::access::EncryptionKey;
    use proptest::prelude::*;
    use std::time::Duration;

    /// One writer with a few blocks of different sizes, the last ones short.
    fn blocks(store: &Store) -> Arc<Blocks> {
        let read_key = EncryptionKey::from_bytes(&[1; 32]).read_key();
        let set = store.set([2; 32]).expect("set");
        let feed = set.own(FeedKeyPair::from_seed(&[3; 32]), 1);
        let key = read_key.block_key(&feed.key().0);
        let sizes = [100, 65_536, 65_536, 1024, 65_536, 2048];
        let sealed = sizes.map(|size| key.seal(&vec![7; size]).into()).to_vec();
        let mut batch = Batch::new();
        batch.append(&feed, sealed);
        set.commit(batch).expect("commit").wait().expect("durable");
        let blocks = Blocks::new(
            set,
            read_key,
            Box::new(move |tag| (tag.0[0] < 3).then_some(feed.key())),
        );
        blocks.set_wait(Duration::ZERO);
        Arc::new(blocks)
    }

    fn number() -> impl Strategy<Value = u64> + Clone {
        prop_oneof![4 => 0u64..8, 4 => 0u64..300_000, 1 => any::<u64>(), 1 => Just(u64::MAX)]
    }

    fn a_run() -> impl Strategy<Value = Run> + Clone {
        let codec = prop_oneof![
            3 => Just(Codec::Raw),
            1 => Just(Codec::Hole),
            1 => any::<u32>().prop_map(|stored| Codec::Lz4 { stored }),
            1 => (0u32..200_000).prop_map(|stored| Codec::Lz4 { stored }),
        ];
        (0u8..4, number(), any::<u32>(), number(), codec).prop_map(
            |(tag, block, offset, length, codec)| Run {
                writer: WriterTag([tag; 8]),
                block,
                offset: offset % 70_000,
                length,
                codec,
                hash: None,
            },
        )
    }

    fn a_body() -> impl Strategy<Value = Body> {
        let splice = (number(), a_run()).prop_map(|(at, run)| Splice { at, run });
        let splices = prop::collection::vec(splice, 0..6);
        let dot = Dot {
            writer: WriterTag([0; 8]),
            block: 1,
        };
        prop_oneof![
            prop::collection::vec(a_run(), 0..6).prop_map(Body::Runs),
            splices
                .clone()
                .prop_map(move |splices| Body::Splices { base: dot, splices }),
            (a_run(), splices).prop_map(|(table, splices)| Body::Table { table, splices }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_a_record_says_reading_ends_and_does_not_panic(
            bodies in prop::collection::vec((number(), a_body()), 1..4),
            reads in prop::collection::vec((number(), 0usize..300_000), 1..6),
        ) {
            let dir = tempfile::tempdir().expect("dir");
            let store = Store::open(dir.path(), Options::default()).expect("store");
            let blocks = blocks(&store);
            let mut all = bodies.into_iter().map(|(size, body)| Content { size, mtime: Time::default(), body });
            let content = all.next().expect("one at least");
            let older = Mutex::new(all);
            let base = |_| Ok(older.lock().expect("no panic").next());
            let Ok(extents) = layout(&blocks, &content, &base, "evil") else { return Ok(()) };
            let reader = FileReader::new(blocks, extents, content.size, "evil".into());
            for (at, length) in reads {
                let mut buffer = vec![0; length];
                if let Ok(got) = reader.read_at(at, &mut buffer) {
                    prop_assert_eq!(got as u64, content.size.saturating_sub(at).min(length as u64));
                }
                if let Some(data) = reader.next_data(at) {
                    prop_assert!(data.start >= at && data.start < data.end && data.end <= content.size);
                }
                let mut buffer = vec![0; length];
                Older::read(&reader, at, &mut buffer);
                Older::runs(&reader, at..at.saturating_add(length as u64));
            }
        }
    }
}
