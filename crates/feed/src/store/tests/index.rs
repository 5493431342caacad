//! The index is a view: lost, torn, garbage or of other segments, it is grown again.

use super::crash::{run, script, states};
use super::world::{ADDRESS, Dice, Foreign, Model, open};
use crate::disk::Disk;
use crate::disk::memory::MemoryDisk;
use std::path::Path;

const INDEX: &str = "index.redb";

fn closed() -> MemoryDisk {
    let disk = MemoryDisk::default();
    assert_eq!(run(&disk, &script(), &Foreign::new(), 1), script().len());
    disk
}

fn whole() -> Model {
    states(&script()).pop().unwrap()
}

#[test]
fn a_lost_index_is_grown_again() {
    let disk = closed();
    disk.remove(Path::new(INDEX)).unwrap();
    for _ in 0..2 {
        let store = open(&disk).unwrap();
        assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), whole());
    }
}

#[test]
fn a_cut_index_is_grown_again() {
    let disk = closed();
    let bytes = disk.bytes(Path::new(INDEX));
    for length in [0, 1, 100, 4096, 5000, bytes.len() / 2, bytes.len() - 1] {
        disk.set_bytes(Path::new(INDEX), bytes[..length].to_vec());
        let store = open(&disk).unwrap();
        assert_eq!(
            Model::of(&store.set(ADDRESS).unwrap()),
            whole(),
            "cut to {length}"
        );
    }
}

#[test]
fn garbage_for_an_index_is_grown_again() {
    let disk = closed();
    let mut dice = Dice(5);
    for length in [10, 4096, 100_000] {
        disk.set_bytes(
            Path::new(INDEX),
            (0..length).map(|_| dice.roll(256) as u8).collect(),
        );
        let store = open(&disk).unwrap();
        assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), whole());
    }
}

#[test]
fn the_index_of_another_folder_is_grown_again() {
    let (disk, other) = (closed(), MemoryDisk::default());
    run(&other, &script()[..3], &Foreign::new(), 1);
    disk.set_bytes(Path::new(INDEX), other.bytes(Path::new(INDEX)));
    let store = open(&disk).unwrap();
    assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), whole());
}

#[test]
fn an_older_index_is_caught_up() {
    let disk = MemoryDisk::default();
    run(&disk, &script()[..9], &Foreign::new(), 1);
    let old = disk.bytes(Path::new(INDEX));
    let store = open(&disk).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let foreign = Foreign::new();
    for step in &script()[9..] {
        if let Some(pending) = super::world::act(&store, &set, &foreign, step).unwrap() {
            pending.wait().unwrap();
        }
    }
    drop((set, store));
    disk.set_bytes(Path::new(INDEX), old);
    let store = open(&disk).unwrap();
    assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), whole());
}

/// A flipped bit may go unnoticed where nothing is stored; it may cost a restart; it never shows anything wrong.
#[test]
fn flipped_bits_in_the_index_show_nothing_wrong() {
    let disk = closed();
    let bytes = disk.bytes(Path::new(INDEX));
    let mut dice = Dice(77);
    for _ in 0..60 {
        let disk = disk.copy();
        let mut bad = bytes.clone();
        let place = dice.roll(bad.len() as u64) as usize;
        bad[place] ^= 1 << dice.roll(8);
        disk.set_bytes(Path::new(INDEX), bad);
        for start in 0..3 {
            assert!(start < 2, "two starts must do, byte {place}");
            let Ok(store) = open(&disk) else { continue };
            let Ok(set) = store.set(ADDRESS) else {
                continue;
            };
            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Model::of(&set)));
            if found.is_ok_and(|found| found == whole()) {
                break;
            }
        }
    }
}
