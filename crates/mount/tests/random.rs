//! Random operations on a mounted file and on a file of the local file system: both must always say the same.
//!
//! What `fsx` does, within the minutes of a gate. `COBOX_OPERATIONS` makes it longer.

mod common;

use common::*;
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Operations of each run.
const OPERATIONS: u64 = 1500;
/// Files stay about as long: more than what is stored ahead of its record at a time.
const LONGEST: u64 = 12 << 20;
const LONGEST_PIECE: u64 = 300_000;

/// Small, and the same everywhere (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end.max(1)
    }
}

/// One file twice.
struct Twins {
    paths: [PathBuf; 2],
    files: [File; 2],
}

impl Twins {
    fn new(paths: [PathBuf; 2]) -> Self {
        let files = paths.each_ref().map(|path| opened(path));
        Self { paths, files }
    }

    fn both(&self, mut work: impl FnMut(&File)) {
        self.files.iter().for_each(&mut work);
    }

    fn size(&self) -> u64 {
        let sizes = self
            .files
            .each_ref()
            .map(|file| file.metadata().unwrap().len());
        assert_eq!(sizes[0], sizes[1], "sizes");
        sizes[0]
    }

    fn compare(&self, what: &str) {
        let [ours, local] = self.paths.each_ref().map(|path| fs::read(path).unwrap());
        let differs = ours.iter().zip(&local).position(|(a, b)| a != b);
        assert!(
            ours == local,
            "{what}: {} and {} bytes, first other at {differs:?}",
            ours.len(),
            local.len()
        );
    }
}

fn opened(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    options.open(path).unwrap()
}

/// Does one thing to both; what it was.
fn one(twins: &mut Twins, dice: &mut Dice) -> String {
    let size = twins.size();
    let offset = dice.below(size + LONGEST_PIECE).min(LONGEST);
    let length = dice.below(LONGEST_PIECE);
    match dice.below(16) {
        0..=5 => {
            let data = noise(length as usize, dice.below(1 << 32));
            twins.both(|file| file.write_all_at(&data, offset).unwrap());
            format!("write {length} at {offset}")
        }
        6..=9 => {
            let [ours, local] = twins.files.each_ref().map(|file| {
                let mut buffer = vec![0; length as usize];
                let read = file.read_at(&mut buffer, offset).unwrap();
                buffer.truncate(read);
                buffer
            });
            assert!(ours == local, "read {length} at {offset} of {size}");
            format!("read {length} at {offset}")
        }
        10 | 11 => {
            twins.both(|file| file.set_len(offset).unwrap());
            format!("cut to {offset}")
        }
        12 => {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            twins.both(|file| fallocate(file, hole, offset, length + 1).unwrap());
            format!("hole of {length} at {offset}")
        }
        13 => {
            twins.both(|file| file.sync_all().unwrap());
            "sync".into()
        }
        14 => {
            let paths = twins.paths.clone();
            *twins = Twins::new(paths);
            "close and open".into()
        }
        _ => {
            // Open files go on under their new name.
            for path in &mut twins.paths {
                let to = path.with_extension(format!("{}", dice.0 % 1000));
                fs::rename(&*path, &to).unwrap();
                *path = to;
            }
            "rename".into()
        }
    }
}

fn operations() -> u64 {
    let given = std::env::var("COBOX_OPERATIONS").ok();
    given
        .and_then(|number| number.parse().ok())
        .unwrap_or(OPERATIONS)
}

#[test]
fn whatever_is_done_to_a_file_it_is_as_on_a_local_disk() {
    if !can_mount() {
        return;
    }
    let space = Space::new();
    let local = tempfile::tempdir().unwrap();
    let mut mounted = Mounted::new(&space, 1);
    for seed in 1..=3 {
        let mut dice = Dice(seed);
        let paths = [mounted.path("file"), local.path().join("file")];
        let mut twins = Twins::new(paths);
        let mut done = Vec::new();
        for number in 0..operations() {
            done.push(one(&mut twins, &mut dice));
            if number % 100 == 99 {
                let last = &done[done.len().saturating_sub(20)..];
                twins.compare(&format!("seed {seed}, {number}: {last:?}"));
            }
        }
        // And what is stored is the same: seen through another mount.
        let inside = twins.paths[0].file_name().unwrap().to_owned();
        let expected = fs::read(&twins.paths[1]).unwrap();
        drop(twins);
        let peer = mounted.stop().unwrap();
        mounted = Mounted::with(peer, |_| {});
        assert!(
            fs::read(mounted.at.join(inside)).unwrap() == expected,
            "seed {seed}: after it was mounted again"
        );
        for entry in fs::read_dir(&mounted.at).unwrap().flatten() {
            fs::remove_file(entry.path()).ok();
        }
    }
    mounted.stop().unwrap();
}
