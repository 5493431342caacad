//! The journal against a plain list of entries.

use super::*;
use crate::kv::MemoryRows;
use proptest::prelude::*;

/// (feed, block) of every entry, by local number.
type Model = Vec<(FeedKey, u64)>;

fn feed(number: u8) -> FeedKey {
    FeedKey([number; 32])
}

fn entries(runs: &[Run]) -> Model {
    let blocks = |run: &Run| {
        (0..run.count)
            .map(|n| (run.feed, run.first + n))
            .collect::<Vec<_>>()
    };
    runs.iter().flat_map(blocks).collect()
}

fn lengths(model: &[(FeedKey, u64)]) -> BTreeMap<FeedKey, u64> {
    model
        .iter()
        .map(|(feed, block)| (*feed, block + 1))
        .collect()
}

proptest! {
    #[test]
    fn every_block_has_one_number_and_keeps_it(
        appends in prop::collection::vec((0..3u8, 1..5u64, any::<bool>()), 0..40)
    ) {
        let (mut rows, mut journal) = (MemoryRows::default(), Journal::default());
        let mut model = Model::new();
        for (number, count, restart) in appends {
            let run = journal.append(&mut rows, feed(number), number, count).unwrap();
            prop_assert_eq!(run.seq, model.len() as u64);
            model.extend(entries(&[run]));
            if restart {
                journal = Journal::load(&rows).unwrap();
            }
            prop_assert_eq!(journal.next(), model.len() as u64);
            prop_assert_eq!(journal.lengths(), &lengths(&model));
        }
        for seq in 0..model.len() {
            let runs = runs_from(&rows, seq as u64, usize::MAX).unwrap();
            prop_assert_eq!(entries(&runs), &model[seq..]);
            let before = lengths_before(&rows, &journal, seq as u64).unwrap();
            let before: BTreeMap<_, _> = before.into_iter().filter(|(_, length)| *length > 0).collect();
            prop_assert_eq!(before, lengths(&model[..seq]));
        }
    }
}

#[test]
fn a_lone_writer_costs_one_row() {
    let (mut rows, mut journal) = (MemoryRows::default(), Journal::default());
    for _ in 0..100 {
        journal.append(&mut rows, feed(1), 0, 1).unwrap();
    }
    assert_eq!(rows.prefix(RUNS, b"", usize::MAX).unwrap().len(), 1);
}

#[test]
fn many_feeds_load_page_by_page() {
    let (mut rows, mut journal) = (MemoryRows::default(), Journal::default());
    for number in 0..2 * PAGE as u32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        journal.append(&mut rows, FeedKey(key), 0, 2).unwrap();
    }
    assert_eq!(Journal::load(&rows).unwrap().lengths(), journal.lengths());
}

#[test]
fn rows_that_contradict_each_other_are_damaged() {
    let (mut rows, mut journal) = (MemoryRows::default(), Journal::default());
    journal.append(&mut rows, feed(1), 0, 3).unwrap();
    for row in [&2u64.to_le_bytes()[..], &u64::MAX.to_le_bytes(), b"short"] {
        let mut rows = rows.clone();
        rows.put(FEEDS, &feed(2).0, row).unwrap();
        assert!(matches!(Journal::load(&rows), Err(ViewError::Damaged(_))));
    }
    rows.put(RUNS, &2u64.to_be_bytes(), &[0; 49]).unwrap();
    assert!(matches!(Journal::load(&rows), Err(ViewError::Damaged(_))));
}
