//! The disk that keeps the space is full: whoever writes is told so, nobody else is, and it goes on once there is room.

mod common;

use common::*;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

const ROOM: usize = 64 << 20;
const FILLER: usize = 24 << 20;

/// A small disk of its own; only root can have one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        if !can_mount() || !rustix::process::geteuid().is_root() {
            return None;
        }
        let at = tempfile::tempdir().unwrap();
        let size = std::ffi::CString::new(format!("size={ROOM}")).unwrap();
        mount(
            "tmpfs",
            at.path(),
            "tmpfs",
            MountFlags::empty(),
            size.as_c_str(),
        )
        .unwrap();
        Some(Self(at))
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.0.path(), UnmountFlags::DETACH).unwrap();
    }
}

/// Until it fails: the number of the first failure, and of the next one.
fn write_on(file: &mut File) -> Vec<Option<i32>> {
    let block = noise(1 << 20, 9);
    let mut failures = Vec::new();
    for _ in 0..ROOM >> 19 {
        let written = file.write_all(&block).and_then(|()| file.sync_all());
        failures.extend(written.err().map(|error| error.raw_os_error()));
    }
    failures
}

/// The first failure was "no space left", further ones were I/O errors, and the next program that closed some other file
/// was told of one, too.
#[test]
fn a_full_disk_is_told_to_the_writer_and_to_nobody_else() {
    let Some(disk) = SmallDisk::new() else { return };
    fs::write(disk.filler(), noise(FILLER, 1)).unwrap();
    let m = Mounted::with(Peer::new_in(&Space::new(), 1, disk.0.path()), |_| {});
    fs::write(m.path("before"), noise(3_000_000, 2)).unwrap();
    let mut big = File::create(m.path("big")).unwrap();
    let failures = write_on(&mut big);
    assert!(failures.len() > 2, "{failures:?}");
    assert!(
        failures.iter().all(|found| *found == Some(libc::ENOSPC)),
        "{failures:?}"
    );
    drop(big);
    fs::remove_file(disk.filler()).unwrap();
    fs::write(disk.filler(), b"small").unwrap();
    let copied = Command::new("cp") // looks at what closing says
        .args([disk.filler(), m.path("small")])
        .status();
    assert!(copied.unwrap().success());
    soon("there is room again", || {
        fs::write(m.path("after"), noise(3_000_000, 3)).is_ok()
    });
    let peer = m.stop().unwrap();
    assert_eq!(read(&peer.drive, &path("before")), noise(3_000_000, 2));
    assert_eq!(read(&peer.drive, &path("small")), b"small");
    assert_eq!(read(&peer.drive, &path("after")), noise(3_000_000, 3));
}
