//! The disk fills up, or a sync fails, while the program goes on.

use super::crash::{script, states};
use super::world::{ADDRESS, Act, Foreign, Model, act, check_trees, open};
use crate::disk::memory::{Fault, MemoryDisk};
use crate::error::StoreError;

#[test]
fn a_full_disk_loses_nothing_acknowledged_and_heals() {
    let (script, foreign) = (script(), Foreign::new());
    for room in (0..24_000).step_by(300) {
        let disk = MemoryDisk::default();
        let store = open(&disk).unwrap();
        let set = store.set(ADDRESS).unwrap();
        disk.fail(Some(Fault::Full(room)));
        let mut model = Model::default();
        let mut full = false;
        for acts in script.chunks(3) {
            let pending: Vec<_> = acts
                .iter()
                .map(|step| (step, act(&store, &set, &foreign, step)))
                .collect();
            for (step, pending) in pending {
                match pending.and_then(|pending| pending.map_or(Ok(()), |pending| pending.wait())) {
                    Ok(()) => model.act(step),
                    Err(StoreError::DiskFull) => full = true,
                    // The index waits until there is room.
                    Err(StoreError::Index(_)) if matches!(step, Act::Checkpoint) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(Model::of(&set), model, "with room for {room}");
        }
        assert!(full || room > 10_000);
        disk.fail(None);
        for step in [
            Act::Append(vec![(1, vec![50; 3]), (2, vec![4000])]),
            Act::Checkpoint,
            Act::Draft([5; 16], vec![5]),
        ] {
            if let Some(pending) = act(&store, &set, &foreign, &step).unwrap() {
                pending.wait().unwrap();
            }
            model.act(&step);
        }
        assert_eq!(Model::of(&set), model);
        check_trees(&set);
        let left = disk.after_crash(&mut || false);
        let store = open(&left).unwrap();
        assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), model);
    }
}

#[test]
fn after_a_failed_sync_nothing_more_is_written() {
    let (script, foreign) = (script(), Foreign::new());
    let states = states(&script);
    let disk = MemoryDisk::default();
    super::crash::run(&disk, &script, &foreign, 1);
    for bad in 1..=disk.syncs() {
        let disk = MemoryDisk::default();
        let store = open(&disk).unwrap();
        let set = store.set(ADDRESS).unwrap();
        disk.fail(Some(Fault::Sync(bad)));
        let acknowledged = script
            .iter()
            .take_while(|step| {
                act(&store, &set, &foreign, step)
                    .and_then(|pending| pending.map_or(Ok(()), |pending| pending.wait()))
                    .is_ok()
            })
            .count();
        assert!(acknowledged < script.len());
        assert_eq!(Model::of(&set), states[acknowledged], "reading goes on");
        let again = act(&store, &set, &foreign, &Act::Certificate(b"late".to_vec()));
        assert!(matches!(again, Err(StoreError::Poisoned)));
        drop((set, store));
        let store = open(&disk.copy()).unwrap();
        assert!(
            states[acknowledged..=acknowledged + 1]
                .contains(&Model::of(&store.set(ADDRESS).unwrap()))
        );
    }
}

/// After a failed sync Linux shows what was written until the memory is needed, though the disk does not have it. A new
/// start that believes that would tell peers of blocks that are not there.
#[test]
fn a_start_after_a_failed_sync_shows_what_the_disk_has() {
    let (script, foreign) = (script(), Foreign::new());
    let disk = MemoryDisk::default();
    super::crash::run(&disk, &script, &foreign, 1);
    for bad in 1..=disk.syncs() {
        let disk = MemoryDisk::default();
        disk.fail(Some(Fault::Sync(bad)));
        super::crash::run(&disk, &script, &foreign, 1);
        disk.fail(None);
        let store = open(&disk).unwrap();
        let shown = Model::of(&store.set(ADDRESS).unwrap());
        let left = disk.after_crash(&mut || false);
        let store = open(&left).unwrap();
        assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), shown, "sync {bad}");
    }
}

#[test]
fn a_disk_tells_how_much_room_it_has() {
    let disk = MemoryDisk::default();
    let set = open(&disk).unwrap().set(ADDRESS).unwrap();
    assert_eq!(set.room(), u64::MAX);
    disk.fail(Some(Fault::Full(4711)));
    assert_eq!(set.room(), 4711);
}

/// Several threads append to shared feeds while the disk fills up again and again: what a thread was told is there is
/// there, what it was told failed is not, and every tree verifies.
#[test]
fn threads_that_share_feeds_survive_a_disk_that_fills_up() {
    use super::world::pair;
    use crate::set::Batch;
    use std::sync::atomic::{AtomicU64, Ordering};
    let disk = MemoryDisk::default();
    let store = open(&disk).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let feeds = [set.own(pair(1), 1), set.own(pair(2), 2)];
    let told = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..3u8 {
            let (feeds, set, told) = (&feeds, &set, &told);
            scope.spawn(move || {
                let mut flying = std::collections::VecDeque::new();
                for round in 0..150u8 {
                    let mut batch = Batch::new();
                    let text = [thread, round, 7];
                    batch.append(&feeds[0], vec![bytes::Bytes::copy_from_slice(&text)]);
                    batch.append(
                        &feeds[1],
                        vec![vec![round; 50].into(), vec![thread; 9].into()],
                    );
                    flying.push_back(set.commit(batch).unwrap());
                    if flying.len() > 3 {
                        let done = flying.pop_front().unwrap().wait();
                        told.fetch_add(u64::from(done.is_ok()), Ordering::Relaxed);
                    }
                }
                let done = flying
                    .into_iter()
                    .filter_map(|pending| pending.wait().ok())
                    .count();
                told.fetch_add(done as u64, Ordering::Relaxed);
            });
        }
        scope.spawn(|| {
            for room in 0..40 {
                disk.fail(Some(Fault::Full(room * 97)));
                std::thread::sleep(std::time::Duration::from_millis(2));
                disk.fail(None);
                store.0.checkpointer.checkpoint().unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
    });
    let told = told.into_inner();
    assert_eq!((feeds[0].length(), feeds[1].length()), (told, 2 * told));
    assert!(
        feeds
            .iter()
            .all(|feed| feed.missing(0..feed.length()).is_empty())
    );
    check_trees(&set);
    let found = Model::of(&set);
    let store = open(&disk.after_crash(&mut || false)).unwrap();
    assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), found);
}
