use super::chunk::{AVERAGE, Chunker, MAX, MIN};
use super::pack::{Packer, StretchId, class, padme};
use super::run::{self, Extent};
use super::*;
use crate::record::{Codec, Run, Splice};
use crate::version::WriterTag;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;

const WRITER: WriterTag = WriterTag([7; 8]);

/// Bytes that do not repeat: a mistake of place cannot hide.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

fn plain_packer() -> Packer {
    Packer::new(Box::new(Bytes::copy_from_slice))
}

/// A feed in memory: what a packer hands out, by block number.
#[derive(Default)]
struct Log {
    blocks: BTreeMap<u64, Bytes>,
    next: u64,
}

impl Log {
    fn append(&mut self, blocks: Vec<Bytes>) {
        for block in blocks {
            self.blocks.insert(self.next, block);
            self.next += 1;
        }
    }

    /// The definition: offsets are arithmetic over full blocks, and only the last block of a run may be short.
    fn read(&self, run: &Run) -> Vec<u8> {
        let (mut block, mut offset, mut left) =
            (run.block, run.offset as usize, run.length as usize);
        let mut out = Vec::new();
        while left > 0 {
            let plaintext = &self.blocks[&block];
            let part = left.min(BLOCK - offset);
            assert!(part < left || offset + part <= plaintext.len());
            assert!(
                part == left || plaintext.len() == BLOCK,
                "a run crosses a short block"
            );
            out.extend_from_slice(&plaintext[offset..offset + part]);
            (block, offset, left) = (block + 1, 0, left - part);
        }
        out
    }

    fn read_all(&self, runs: &[Run]) -> Vec<u8> {
        runs.iter().flat_map(|run| self.read(run)).collect()
    }
}

#[test]
fn classes_are_the_powers_of_two_from_one_to_sixty_four_kib() {
    let pairs = [
        (0, 1),
        (1, 1),
        (1024, 1),
        (1025, 2),
        (2048, 2),
        (5000, 8),
        (32 << 10, 32),
        (32769, 64),
        (BLOCK, 64),
    ];
    for (length, kib) in pairs {
        assert_eq!(class(length), kib << 10, "{length}");
    }
}

#[test]
fn padme_keeps_few_significant_bits_and_costs_at_most_an_eighth() {
    let pairs = [
        (0, 0),
        (1, 1),
        (15, 15),
        (16, 16),
        (17, 18),
        (18, 18),
        (33, 36),
        (65, 72),
        (100, 104),
        (129, 144),
        (1025, 1088),
        (16_384, 16_384),
        (16_385, 17_408),
    ];
    for (blocks, rounded) in pairs {
        assert_eq!(padme(blocks), rounded, "{blocks}");
    }
    for blocks in 1..100_000u64 {
        let rounded = padme(blocks);
        assert!(
            rounded >= blocks && (rounded - blocks) * 8 <= blocks,
            "{blocks}"
        );
        assert_eq!(padme(rounded), rounded);
    }
    assert_eq!(padme(u64::MAX) & 0xff, 0);
}

#[derive(Clone, Debug)]
enum Act {
    Store(usize, bool),
    Aligned(Vec<usize>),
    Take(u64),
    Settle,
    Finish,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let sizes = prop_oneof![
        0usize..3000,
        0usize..200_000,
        Just(BLOCK),
        Just(BLOCK - 1),
        Just(2 * BLOCK)
    ];
    let act = prop_oneof![
        6 => (sizes.clone(), any::<bool>()).prop_map(|(size, whole)| Act::Store(size, whole)),
        2 => prop::collection::vec(sizes, 0..5).prop_map(Act::Aligned),
        // Blocks of another commit in between.
        2 => (0u64..3).prop_map(Act::Take),
        1 => Just(Act::Settle),
        1 => Just(Act::Finish),
    ];
    prop::collection::vec(act, 1..25)
}

/// Packs, takes, finishes; checks that every stretch reads back from its runs.
#[derive(Default)]
struct Checker {
    log: Log,
    expected: Vec<(StretchId, Vec<u8>, bool)>,
    count: u64,
    seed: u64,
}

impl Checker {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        self.seed += 1;
        noise(length, self.seed)
    }

    fn run(&mut self, packer: &mut Packer, act: &Act) {
        match act {
            Act::Store(size, whole) => {
                let data = self.bytes(*size);
                let id = packer.store(&data, *whole);
                self.expected.push((id, data, *whole));
            }
            Act::Aligned(sizes) => {
                let id = packer.begin();
                let mut all = Vec::new();
                for size in sizes {
                    let data = self.bytes(*size);
                    packer.extend(id, &data);
                    all.extend(data);
                }
                packer.end(id);
                self.expected.push((id, all, false));
            }
            Act::Take(gap) => {
                let blocks = packer.take(self.log.next);
                self.count += blocks.len() as u64;
                assert!(
                    blocks.iter().all(|block| block.len() == BLOCK),
                    "only a commit's end may be short"
                );
                self.log.append(blocks);
                self.log.next += gap;
            }
            Act::Settle => packer.settle(self.log.next),
            Act::Finish => self.finish(packer),
        }
    }

    fn finish(&mut self, packer: &mut Packer) {
        let (blocks, filler) = packer.finish(self.log.next);
        self.count += blocks.len() as u64;
        let short = blocks.iter().rposition(|block| block.len() < BLOCK);
        assert!(short.is_none_or(|at| at + 1 == blocks.len() && filler == 0));
        assert!(blocks.iter().all(|block| block.len() == class(block.len())));
        self.log.append(blocks);
        assert_eq!(self.count + filler, padme(self.count));
        let filler = packer.filler(filler);
        assert!(filler.iter().all(|block| block.len() == BLOCK));
        self.log.append(filler);
        for (id, data, whole) in self.expected.drain(..) {
            let runs = packer
                .runs(id, 0..data.len() as u64, WRITER)
                .expect("all is placed");
            assert_eq!(self.log.read_all(&runs), data);
            assert!(runs.len() <= packer.runs_bound(id));
            assert!(!whole || runs.len() <= 1);
            let part = data.len() as u64 / 3..data.len() as u64 / 2;
            let cut = packer
                .runs(id, part.clone(), WRITER)
                .expect("all is placed");
            assert_eq!(
                self.log.read_all(&cut),
                data[part.start as usize..part.end as usize]
            );
        }
        packer.clear();
        assert!(packer.is_empty());
        self.count = 0;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_packed_reads_back_wherever_its_blocks_were_placed(acts in acts()) {
        let mut packer = plain_packer();
        let mut checker = Checker { log: Log { next: 1, ..Log::default() }, ..Checker::default() };
        for act in acts.iter().chain([&Act::Finish]) {
            checker.run(&mut packer, act);
        }
    }

    #[test]
    fn splices_over_a_layout_are_what_they_are_over_bytes(
        sizes in prop::collection::vec(1u64..5000, 0..6),
        size in 0u64..20_000,
        laid in prop::collection::vec((0u64..25_000, 1u64..4000), 0..12),
    ) {
        // Every run is of its own block, so a byte is known by (block, offset).
        let runs: Vec<Run> = (1..).zip(&sizes).map(|(block, length)| raw(block * 100, *length)).collect();
        let mut plain: Vec<Option<u64>> = runs.iter().flat_map(|r| (0..r.length).map(|i| Some(run::position(r) + i))).collect();
        plain.resize(size as usize, None);
        let mut all = run::extents(runs, size);
        for (number, (at, length)) in (1000..).zip(laid) {
            let splice = Splice { at, run: raw(number * 100, length) };
            run::lay(&mut all, &splice);
            for i in 0..length {
                if let Some(byte) = plain.get_mut((at + i) as usize) {
                    *byte = Some(run::position(&splice.run) + i);
                }
            }
        }
        prop_assert_eq!(places(&all), plain.clone());
        prop_assert!(all.windows(2).all(|w| w[0].at + w[0].length == w[1].at));
        let joined = run::runs(&all).expect("nothing is compressed");
        prop_assert_eq!(places(&run::extents(joined, size)), plain.clone());
        let half = size / 2;
        run::resize(&mut all, half);
        plain.truncate(half as usize);
        prop_assert_eq!(places(&all), plain.clone());
        run::resize(&mut all, size);
        plain.resize(size as usize, None);
        prop_assert_eq!(places(&all), plain);
    }
}

fn raw(block: u64, length: u64) -> Run {
    Run {
        writer: WRITER,
        block,
        offset: 0,
        length,
        codec: Codec::Raw,
        hash: None,
    }
}

fn places(all: &[Extent]) -> Vec<Option<u64>> {
    let byte = |e: &Extent, i: u64| {
        (e.run.codec != Codec::Hole).then(|| run::position(&e.run) + e.skip + i)
    };
    all.iter()
        .flat_map(|e| (0..e.length).map(move |i| byte(e, i)))
        .collect()
}

#[test]
fn one_large_file_is_one_run_on_a_block_boundary() {
    let mut packer = plain_packer();
    let data = noise(3 * LARGE as usize + 5, 1);
    let id = packer.begin();
    packer.extend(id, &data);
    packer.end(id);
    packer.finish(1);
    let runs = packer
        .runs(id, 0..data.len() as u64, WRITER)
        .expect("placed");
    assert_eq!(runs, [raw(1, data.len() as u64)]);
}

#[test]
fn small_files_share_a_block_even_around_a_large_one() {
    let mut packer = plain_packer();
    let before = packer.store(&[1; 1000], false);
    let large = packer.begin();
    packer.extend(large, &noise(LARGE as usize, 2));
    packer.end(large);
    let after = packer.store(&[2; 1000], false);
    packer.finish(1);
    let run = |id| packer.runs(id, 0..1000, WRITER).expect("placed");
    assert_eq!((run(before)[0].block, run(before)[0].offset), (17, 0));
    assert_eq!((run(after)[0].block, run(after)[0].offset), (17, 1000));
}

#[test]
fn runs_side_by_side_join_and_others_do_not() {
    let mut runs = vec![raw(4, 2 * BLOCK as u64)];
    run::push(&mut runs, raw(6, 10));
    assert_eq!(runs, [raw(4, 2 * BLOCK as u64 + 10)]);
    run::push(&mut runs, raw(7, 10));
    run::push(&mut runs, run::hole(5));
    run::push(&mut runs, run::hole(6));
    assert_eq!(runs.len(), 3);
    assert_eq!(runs[2], run::hole(11));
}

#[test]
fn cut_points_are_for_ever() {
    let data = noise(6 << 20, 42);
    let mut chunker = Chunker::new(data.as_slice());
    let mut lengths = Vec::new();
    while let Some(chunk) = chunker.next_chunk().expect("memory does not fail") {
        assert_eq!(
            &chunk[..],
            &data[lengths.iter().sum::<usize>()..][..chunk.len()]
        );
        lengths.push(chunk.len());
    }
    assert!(
        lengths[..lengths.len() - 1]
            .iter()
            .all(|length| (MIN..=MAX).contains(length))
    );
    assert!(data.len() / lengths.len() < 2 * AVERAGE);
    assert_eq!(lengths, GOLDEN);
}

/// Cut points of `noise(6 MiB, 42)`. If this fails, a new version of the chunker would store every file a second time.
const GOLDEN: [usize; 18] = [
    89029, 838459, 156758, 400800, 290402, 178753, 412464, 288609, 158573, 519501, 316165, 291563,
    744415, 288034, 487124, 273879, 213505, 343423,
];

/// A source that gives a few bytes at a time.
struct Dribble<'a>(&'a [u8], usize);
impl std::io::Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len()).min(self.0.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

#[test]
fn cut_points_do_not_depend_on_how_the_bytes_arrive() {
    let data = noise(5 << 20, 9);
    let cut = |mut chunker: Chunker<Dribble<'_>>| {
        let mut lengths = Vec::new();
        while let Some(chunk) = chunker.next_chunk().expect("memory does not fail") {
            lengths.push(chunk.len());
        }
        lengths
    };
    assert_eq!(
        cut(Chunker::new(Dribble(&data, 1 << 20))),
        cut(Chunker::new(Dribble(&data, 7001)))
    );
}

#[test]
fn chunks_that_somebody_holds_are_not_overwritten_by_the_next_ones() {
    let data = noise(24 << 20, 5);
    let mut chunker = Chunker::new(data.as_slice());
    let (mut held, mut at, mut number) = (Vec::new(), 0, 0);
    while let Some(chunk) = chunker.next_chunk().expect("memory does not fail") {
        number += 1;
        at += chunk.len();
        if number % 7 == 0 {
            held.push((at - chunk.len(), chunk));
        }
    }
    assert_eq!(at, data.len());
    for (at, chunk) in held {
        assert_eq!(chunk, data[at..at + chunk.len()]);
    }
}

#[test]
fn compression_is_used_where_it_saves_an_eighth() {
    let text = b"all work and no play ".repeat(400);
    let packed = compress::compress(&text).expect("text shrinks");
    assert_eq!(
        compress::decompress(&packed, text.len() as u64).expect("own bytes"),
        text
    );
    assert!(compress::compress(&noise(10_000, 3)).is_none());
    assert!(compress::compress(b"short").is_none());
    assert!(compress::decompress(&packed, text.len() as u64 + 1).is_err());
    assert!(compress::decompress(&packed, u64::MAX).is_err());
    assert!(compress::decompress(&packed[..packed.len() / 2], text.len() as u64).is_err());
}
