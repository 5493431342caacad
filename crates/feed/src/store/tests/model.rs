//! Random loads against the plain model, with restarts, crashes and lost indexes in between.

use super::world::{ADDRESS, Act, FOREIGN_LENGTH, Foreign, Model, act, check_trees, open};
use crate::disk::Disk;
use crate::disk::memory::MemoryDisk;
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::Path;

#[derive(Clone, Debug)]
enum Step {
    Act(Act),
    /// Close and open.
    Restart,
    /// Lose what is not synced, and open.
    Crash,
    /// Crash, and lose the index too.
    LoseIndex,
}

fn step() -> impl Strategy<Value = Step> {
    let append = vec((1..4u8, vec(0..900usize, 0..4)), 1..4).prop_map(Act::Append);
    let draft =
        (0..3u8, vec(any::<u8>(), 0..40)).prop_map(|(id, bytes)| Act::Draft([id; 16], bytes));
    let certificate = (0..9u8).prop_map(|byte| Act::Certificate(vec![byte; 30]));
    let fetch = (0..FOREIGN_LENGTH).prop_map(Act::Fetch);
    prop_oneof![
        8 => append.prop_map(Step::Act),
        2 => draft.prop_map(Step::Act),
        1 => certificate.prop_map(Step::Act),
        4 => fetch.prop_map(Step::Act),
        1 => Just(Step::Act(Act::Checkpoint)),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
        1 => Just(Step::LoseIndex),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_store_is_the_model(steps in vec(step(), 1..60)) {
        let foreign = Foreign::new();
        let mut model = Model::default();
        let mut disk = MemoryDisk::default();
        let mut store = open(&disk).unwrap();
        for step in steps {
            match step {
                Step::Act(step) => {
                    let set = store.set(ADDRESS).unwrap();
                    if let Some(pending) = act(&store, &set, &foreign, &step).unwrap() {
                        pending.wait().unwrap();
                    }
                    model.act(&step);
                    continue;
                }
                Step::Restart => drop(store),
                Step::Crash => {
                    disk = disk.after_crash(&mut || false);
                    drop(store);
                }
                Step::LoseIndex => {
                    disk = disk.after_crash(&mut || false);
                    drop(store);
                    // There is none before the first checkpoint.
                    let _ = disk.remove(Path::new("index.redb"));
                }
            }
            store = open(&disk).unwrap();
            prop_assert_eq!(&Model::of(&store.set(ADDRESS).unwrap()), &model);
        }
        let set = store.set(ADDRESS).unwrap();
        prop_assert_eq!(&Model::of(&set), &model);
        check_trees(&set);
    }
}
