//! Bits flip in what was synced long ago: only what they hit is lost, and it can be fetched again.

use super::crash::{run, script, states};
use super::world::{ADDRESS, Foreign, Model, open};
use crate::disk::Disk;
use crate::disk::memory::MemoryDisk;
use crate::segment::body::BlocksMeta;
use crate::segment::record::{Kind, RECORD_LEN, RecordHeader};
use crate::segment::{HeaderCheck, SegmentHeader, scan};
use crate::set::Event;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A disk after the whole script, as a power cut leaves it, without the index.
fn written() -> MemoryDisk {
    let disk = MemoryDisk::default();
    assert_eq!(run(&disk, &script(), &Foreign::new(), 1), script().len());
    let disk = disk.copy();
    disk.remove(Path::new("index.redb")).unwrap();
    disk
}

/// Segments of a disk.
pub(super) fn segments(disk: &MemoryDisk) -> Vec<PathBuf> {
    disk.files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "seg"))
        .collect()
}

/// A record of a segment.
struct Found {
    path: PathBuf,
    offset: u64,
    header: RecordHeader,
    meta: Vec<u8>,
    last_commit: bool,
    /// A later head of the same feed follows.
    healed: bool,
}

fn records(disk: &MemoryDisk) -> Vec<Found> {
    let mut found = Vec::new();
    for path in segments(disk) {
        let file = disk.open(&path).unwrap();
        let HeaderCheck::Good(segment) = SegmentHeader::read(&*file).unwrap() else {
            panic!("bad header")
        };
        let offsets = scan::offsets(&*file, &segment).unwrap().unwrap();
        let mut add = |offset, record: Option<scan::Record>| {
            let scan::Record { header, meta, .. } = record.unwrap();
            found.push(Found {
                path: path.clone(),
                offset,
                header,
                meta,
                last_commit: false,
                healed: false,
            });
        };
        scan::metas(&*file, &segment, &offsets, &mut add).unwrap();
    }
    let last = found.last().unwrap().header.commit();
    found
        .iter_mut()
        .for_each(|record| record.last_commit = record.header.commit() == last);
    let mut later = BTreeSet::new();
    for record in found
        .iter_mut()
        .rev()
        .filter(|record| record.header.kind == Kind::Head)
    {
        record.healed = !later.insert(record.meta[..32].to_vec());
    }
    found
}

fn flip(disk: &MemoryDisk, path: &Path, offset: u64) {
    let mut bytes = disk.bytes(path);
    bytes[offset as usize] ^= 0x10;
    disk.set_bytes(path, bytes);
}

/// Blocks that `found` lacks.
fn missing(found: &Model, whole: &Model) -> usize {
    let mut missing = 0;
    for (feed, blocks) in &whole.feeds {
        let held = found.feeds.get(feed).cloned().unwrap_or_default();
        assert!(
            held.iter()
                .all(|(number, block)| blocks.get(number) == Some(block)),
            "wrong bytes"
        );
        missing += blocks.len() - held.len();
    }
    missing
}

#[test]
fn a_flipped_bit_costs_only_what_it_hits() {
    let disk = written();
    let states = states(&script());
    let (whole, before_last) = (&states[states.len() - 1], &states[states.len() - 2]);
    let mut kinds = BTreeSet::new();
    for record in records(&disk) {
        kinds.insert(format!("{:?}", record.header.kind));
        let places = [
            12,
            RECORD_LEN as u64 + u64::from(record.header.meta) / 2,
            record.header.total() - 1,
        ];
        for place in places
            .into_iter()
            .filter(|place| *place < record.header.total())
        {
            let disk = disk.copy();
            flip(&disk, &record.path, record.offset + place);
            let store = open(&disk).unwrap();
            let found = Model::of(&store.set(ADDRESS).unwrap());
            if record.last_commit {
                assert_eq!(&found, before_last, "a torn last commit");
                continue;
            }
            let hit = blocks_hit(&disk, &record, place);
            match record.header.kind {
                Kind::Blocks => assert_eq!(
                    missing(&found, whole),
                    hit,
                    "{:?} at {place}",
                    record.header
                ),
                Kind::Head if record.healed => assert_eq!(missing(&found, whole), 0),
                Kind::Head => {}
                _ => assert_eq!(missing(&found, whole), 0),
            }
            assert_eq!(
                found.certificates.last(),
                whole.certificates.last(),
                "later commits are intact"
            );
        }
    }
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["Blocks", "Certificate", "Draft", "Footer", "Head"]
    );
}

/// Most disks do not flip bits, they refuse to read a sector: that costs what it hits, not the whole space.
#[test]
fn a_sector_that_cannot_be_read_costs_only_what_it_hits() {
    let written = written();
    let whole = states(&script()).pop().unwrap();
    let blocks: usize = whole.feeds.values().map(|feed| feed.len()).sum();
    let last = records(&written).pop().unwrap();
    for path in segments(&written) {
        for offset in (0..written.bytes(&path).len() as u64).step_by(512) {
            let in_last = path == last.path && offset + 512 > last.offset - 2048;
            let disk = written.copy();
            disk.spoil(&path, offset);
            let store = open(&disk).unwrap();
            let found = Model::of(&store.set(ADDRESS).unwrap());
            let lost = missing(&found, &whole);
            // Without the index, the sector of a header costs its segment.
            assert!(
                offset == 0 || in_last || lost < blocks / 3,
                "{offset}: {lost} of {blocks}"
            );
        }
    }
}

/// How many blocks a flip in this record costs: one, if it is in the bytes of one; else all of them. Full segments are
/// listed from their footers, where block bytes are not looked at before they are read.
fn blocks_hit(disk: &MemoryDisk, record: &Found, place: u64) -> usize {
    if record.header.kind != Kind::Blocks {
        return 0;
    }
    let from = (record.offset as usize) + RECORD_LEN;
    let meta = &disk.bytes(&record.path)[from..from + record.header.meta as usize];
    if place >= RECORD_LEN as u64 + u64::from(record.header.meta) {
        return 1;
    }
    let mut meta = meta.to_vec();
    if place >= RECORD_LEN as u64 {
        meta[place as usize - RECORD_LEN] ^= 0x10;
    }
    BlocksMeta::decode(&meta).unwrap().table.len()
}

#[test]
fn a_block_that_rots_is_told_and_fetched_again() {
    let (disk, foreign) = (MemoryDisk::default(), Foreign::new());
    let store = open(&disk).unwrap();
    let set = store.set(ADDRESS).unwrap();
    for number in 0..20 {
        set.commit(foreign.fetch(&set, number))
            .unwrap()
            .wait()
            .unwrap();
    }
    let copy = set.feed(&foreign.0.key()).unwrap();
    let whole = Model::of(&set);
    let record = records(&disk)
        .into_iter()
        .rfind(|record| {
            record.header.kind == Kind::Blocks && record.header.body > record.header.meta
        })
        .unwrap();
    let mut events = set.subscribe();
    flip(
        &disk,
        &record.path,
        record.offset + record.header.total() - 1,
    );
    assert_eq!(copy.get(19).unwrap(), None);
    assert_eq!(
        events.try_recv().unwrap(),
        Event::Rot {
            feed: copy.key(),
            blocks: 19..20
        }
    );
    assert_eq!(copy.held().missing(0..20).first(), Some(&(19..20)));
    assert!(!copy.has(19));
    assert_eq!(copy.get(18).unwrap(), foreign.0.get(18).unwrap());
    set.commit(foreign.fetch(&set, 19)).unwrap().wait().unwrap();
    assert_eq!(Model::of(&set), whole);
    drop((set, copy, store));
    let store = open(&disk).unwrap();
    assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), whole);
    drop(store);
    disk.remove(Path::new("index.redb")).unwrap();
    let store = open(&disk).unwrap();
    assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), whole);
}

#[test]
fn blocks_rot_in_every_place_of_an_extent() {
    let (disk, foreign) = (MemoryDisk::default(), Foreign::new());
    let store = open(&disk).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let copy = set.admit(foreign.0.key(), 3);
    set.commit(foreign.fetch(&set, 0)).unwrap().wait().unwrap();
    // One commit, one extent.
    let mut batch = crate::set::Batch::new();
    for number in 1..20 {
        let request = crate::tree::Request {
            block: Some((number, copy.levels_missing(number))),
            ..Default::default()
        };
        batch.ingest(
            &copy,
            copy.verify(foreign.0.prove(&request).unwrap().unwrap())
                .unwrap(),
        );
    }
    set.commit(batch).unwrap().wait().unwrap();
    let record = records(&disk)
        .into_iter()
        .rfind(|record| record.header.kind == Kind::Blocks)
        .unwrap();
    let data = record.offset + RECORD_LEN as u64 + u64::from(record.header.meta);
    for bad in [vec![1], vec![19], vec![5, 6, 7], vec![6], (1..20).collect()] {
        for number in &bad {
            // Fetched again, a block lies elsewhere: only its first place can be hit from here.
            flip(&disk, &record.path, data + (number - 1) * 100);
            copy.get(*number).unwrap();
        }
        for number in 0..20 {
            assert_eq!(copy.get(number).unwrap().is_some(), copy.has(number));
        }
        for number in copy.missing(0..20).into_iter().flatten() {
            set.commit(foreign.fetch(&set, number))
                .unwrap()
                .wait()
                .unwrap();
        }
        assert_eq!(
            copy.get_range(0..20).unwrap(),
            foreign.0.get_range(0..20).unwrap()
        );
        store.0.checkpointer.checkpoint().unwrap();
        assert_eq!(
            copy.get_range(0..20).unwrap(),
            foreign.0.get_range(0..20).unwrap()
        );
    }
}

#[test]
fn a_segment_cut_short_or_gone_costs_only_its_blocks() {
    let disk = written();
    let whole = states(&script()).pop().unwrap();
    let first = segments(&disk).remove(0);
    drop(open(&disk).unwrap().set(ADDRESS).unwrap());
    for cut in [true, false] {
        let disk = disk.copy();
        match cut {
            true => disk.open(&first).unwrap().truncate(100).unwrap(),
            false => disk.remove(&first).unwrap(),
        }
        let store = open(&disk).unwrap();
        let set = store.set(ADDRESS).unwrap();
        for feed in set.feeds() {
            for number in 0..feed.length() {
                let block = feed.get(number).unwrap();
                assert!(block.is_none() || whole.feeds[&feed.key()].get(&number) == block.as_ref());
            }
        }
        assert!(missing(&Model::of(&set), &whole) > 0);
    }
}

#[test]
fn a_stored_block_that_looks_like_a_record_is_not_taken_for_one() {
    let disk = written();
    let path = segments(&disk).pop().unwrap();
    // A commit of a certificate, as another segment of another space would hold it.
    let other = MemoryDisk::default();
    let store = open(&other).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let mut batch = crate::set::Batch::new();
    batch.certificate(b"forged");
    set.commit(batch).unwrap().wait().unwrap();
    let record = &other.bytes(&segments(&other)[0])[80..];
    let mut bytes = disk.bytes(&path);
    bytes.extend_from_slice(record);
    disk.set_bytes(&path, bytes);
    let store = open(&disk).unwrap();
    assert_eq!(
        Model::of(&store.set(ADDRESS).unwrap()),
        states(&script()).pop().unwrap()
    );
}

#[test]
fn a_rotten_segment_header_costs_nothing_while_the_index_is_there() {
    let written = written();
    let whole = states(&script()).pop().unwrap();
    drop(open(&written).unwrap().set(ADDRESS).unwrap());
    for path in segments(&written) {
        let disk = written.copy();
        flip(&disk, &path, 50);
        {
            let store = open(&disk).unwrap();
            let set = store.set(ADDRESS).unwrap();
            assert_eq!(Model::of(&set), whole);
            let mut batch = crate::set::Batch::new();
            batch.draft([9; 16], bytes::Bytes::from_static(b"goes on"));
            set.commit(batch).unwrap().wait().unwrap();
        }
        // Without the index, only what that segment held.
        disk.remove(Path::new("index.redb")).unwrap();
        let store = open(&disk).unwrap();
        missing(&Model::of(&store.set(ADDRESS).unwrap()), &whole);
    }
}
