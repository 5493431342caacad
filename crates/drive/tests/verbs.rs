//! The verbs of one member's drive.

mod common;

use cobox_drive::drive::{Details, DriveError, Restore};
use cobox_drive::handle::WriteOptions;
use cobox_drive::record::{Kind, Time};
use common::*;
use proptest::prelude::*;
use std::io::Read as _;

#[test]
fn files_are_written_and_read_back() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    for size in [
        0,
        1,
        100,
        65_535,
        65_536,
        65_537,
        1 << 20,
        (1 << 20) + 1,
        5_000_000,
    ] {
        let name = format!("f{size}");
        let data = noise(size, size as u64);
        write(drive, &name, &data);
        assert_eq!(
            drive.stat(&path(&name)).expect("entry").content.size,
            size as u64
        );
        assert_eq!(read(drive, &path(&name)), data, "{size}");
    }
    assert_eq!(names(drive, "").len(), 9);
    let text = b"the same words again and again ".repeat(3000);
    write(drive, "text", &text);
    assert_eq!(read(drive, &path("text")), text);
    let reader = drive.open_file(&path("text"), None).expect("open");
    let mut middle = [0; 50];
    assert_eq!(reader.read_at(1000, &mut middle).expect("bytes"), 50);
    assert_eq!(middle, text[1000..1050]);
    assert_eq!(
        reader.read_at(text.len() as u64, &mut middle).expect("end"),
        0
    );
}

#[test]
fn a_source_that_breaks_in_the_middle_writes_nothing() {
    let peer = Peer::new(&Space::new(), 1);
    let kept = noise(3 << 20, 1);
    write(&peer.drive, "file", &kept);
    for length in [10, 40 << 20] {
        let mut source = std::io::repeat(7).take(length).chain(Broken);
        let written = peer
            .drive
            .write_file(&path("file"), &mut source, WriteOptions::default());
        assert!(matches!(written, Err(DriveError::Source(_))), "{written:?}");
    }
    assert_eq!(read(&peer.drive, &path("file")), kept);
}

struct Broken;

impl std::io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn refusals_are_precise() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    write(drive, "file", b"1");
    drive.create_folder(&path("folder"), false).expect("folder");
    drive
        .symlink(&path("link"), b"../outside")
        .expect("symlink");
    let put = |at: &str, options| {
        drive
            .write_file(&path(at), &mut &b"2"[..], options)
            .map(drop)
    };
    let new = WriteOptions {
        create_new: true,
        ..WriteOptions::default()
    };
    assert!(matches!(put("file", new), Err(DriveError::Exists(_))));
    assert!(matches!(
        put("folder", WriteOptions::default()),
        Err(DriveError::IsAFolder(_))
    ));
    assert!(matches!(
        put("link", WriteOptions::default()),
        Err(DriveError::NotAFile(_))
    ));
    assert!(matches!(
        put("file/x", WriteOptions::default()),
        Err(DriveError::NotAFolder(_))
    ));
    assert!(matches!(
        put("no/x", WriteOptions::default()),
        Err(DriveError::NotFound(_))
    ));
    assert!(matches!(
        put("", WriteOptions::default()),
        Err(DriveError::Root)
    ));
    assert!(matches!(
        drive.create_folder(&path("folder"), false),
        Err(DriveError::Exists(_))
    ));
    assert!(drive.create_folder(&path("folder"), true).is_ok());
    assert!(matches!(
        drive.create_folder(&path("file"), true),
        Err(DriveError::Exists(_))
    ));
    assert!(matches!(
        drive.list(&path("file")),
        Err(DriveError::NotAFolder(_))
    ));
    assert!(matches!(
        drive.stat(&path("nothing")),
        Err(DriveError::NotFound(_))
    ));
    assert!(matches!(
        drive.open_file(&path("folder"), None),
        Err(DriveError::IsAFolder(_))
    ));
    put(
        "folder/a/b/c",
        WriteOptions {
            parents: true,
            ..WriteOptions::default()
        },
    )
    .expect("parents");
    assert!(matches!(
        drive.remove(&path("folder"), false),
        Err(DriveError::NotEmpty(_))
    ));
    assert!(matches!(
        drive.rename(&path("folder"), &path("folder/a/x")),
        Err(DriveError::IntoItself(_))
    ));
    assert!(matches!(
        drive.rename(&path("folder"), &path("file")),
        Err(DriveError::NotAFolder(_))
    ));
    assert!(matches!(
        drive.rename(&path("file"), &path("folder")),
        Err(DriveError::IsAFolder(_))
    ));
    drive.remove(&path("folder"), true).expect("removed");
    assert_eq!(names(drive, ""), ["file", "link"]);
}

#[test]
fn editors_keep_history() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    write(drive, "notes.txt", b"one");
    // Save by renaming a new file over the old one.
    write(drive, "notes.tmp", b"two");
    drive
        .rename(&path("notes.tmp"), &path("notes.txt"))
        .expect("renamed");
    assert_eq!(read(drive, &path("notes.txt")), b"two");
    assert_eq!(names(drive, ""), ["notes.txt"]);
    // Save by moving the old one away and creating anew.
    drive
        .rename(&path("notes.txt"), &path("notes.txt~"))
        .expect("renamed");
    write(drive, "notes.txt", b"three");
    drive.remove(&path("notes.txt~"), false).expect("removed");
    let history = drive.history(&path("notes.txt")).expect("history");
    let contents: Vec<_> = history
        .iter()
        .filter(|version| version.content.is_some())
        .collect();
    assert_eq!(contents.len(), 3, "{history:#?}");
    let oldest = contents.last().expect("a version").dot;
    let reader = drive
        .open_file(&path("notes.txt"), Some(oldest))
        .expect("open");
    let mut data = [0; 3];
    reader.read_at(0, &mut data).expect("bytes");
    assert_eq!(&data, b"one");
    drive
        .restore(&path("notes.txt"), Restore::Version(oldest))
        .expect("restored");
    assert_eq!(read(drive, &path("notes.txt")), b"one");
}

#[test]
fn what_was_removed_comes_back() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    drive.create_folder(&path("a/b"), true).expect("folders");
    write(drive, "a/b/one", b"1");
    write(drive, "a/b/two", b"2");
    let then = now_ms();
    std::thread::sleep(std::time::Duration::from_millis(5));
    write(drive, "a/b/two", b"changed");
    write(drive, "a/new", b"new");
    drive.remove(&path("a/b/one"), false).expect("removed");
    let last = drive.history(&path("a/b/one")).expect("history");
    let dot = last
        .iter()
        .find(|version| version.content.is_some())
        .expect("version")
        .dot;
    drive
        .restore(&path("a/b/one"), Restore::Version(dot))
        .expect("restored");
    assert_eq!(read(drive, &path("a/b/one")), b"1");
    drive.remove(&path("a"), true).expect("removed");
    assert!(names(drive, "").is_empty());
    // One file out of a removed folder: the folder shows again, its other children do not.
    drive
        .restore(&path("a/b/one"), Restore::Version(dot))
        .expect("restored");
    assert_eq!(names(drive, "a/b"), ["one"]);
    drive
        .restore(&path("a"), Restore::Time(then))
        .expect("restored");
    assert_eq!(names(drive, "a/b"), ["one", "two"]);
    assert_eq!(read(drive, &path("a/b/two")), b"2");
    assert_eq!(names(drive, "a"), ["b"]);
}

fn now_ms() -> u64 {
    std::time::UNIX_EPOCH
        .elapsed()
        .expect("a clock")
        .as_millis() as u64
}

#[test]
fn details_change_without_new_content() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    write(drive, "run.sh", b"#!/bin/sh");
    let mtime = Time {
        seconds: -5,
        nanos: 7,
    };
    let xattrs = vec![
        (b"user.b".to_vec(), b"2".to_vec()),
        (b"user.a".to_vec(), b"1".to_vec()),
    ];
    let details = Details {
        mode: Some(0o755),
        mtime: Some(mtime),
        xattrs: Some(xattrs),
    };
    let length = peer.feeds[1].length();
    let entry = drive.set_details(&path("run.sh"), details).expect("set");
    assert_eq!((entry.attrs.mode, entry.content.mtime), (0o755, mtime));
    assert_eq!(entry.attrs.xattrs[0].0, b"user.a");
    assert_eq!(peer.feeds[1].length(), length);
    assert_eq!(read(drive, &path("run.sh")), b"#!/bin/sh");
}

#[test]
fn a_reopened_drive_goes_on() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    write(&peer.drive, "a", &noise(300_000, 1));
    let peer = peer.reopen(&space);
    write(&peer.drive, "b", &noise(300_000, 2));
    assert_eq!(read(&peer.drive, &path("a")), noise(300_000, 1));
    assert_eq!(read(&peer.drive, &path("b")), noise(300_000, 2));
    assert_eq!(peer.drive.stat(&path("a")).expect("entry").kind, Kind::File);
    assert_eq!(peer.drive.writers().expect("writers").len(), 1);
}

#[test]
fn the_same_bytes_are_stored_once() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    let data = noise(8 << 20, 1);
    write(drive, "a", &data);
    let before = peer.feeds[1].length();
    write(drive, "b", &data);
    assert_eq!(peer.feeds[1].length(), before);
    write(drive, "c", &data[..600_000]);
    write(drive, "d", &data[..600_000]);
    assert_eq!(read(drive, &path("b")), data);
    assert_eq!(read(drive, &path("d")), data[..600_000]);
    assert_eq!(peer.feeds[1].length(), before + 10);
}

#[test]
fn a_small_change_in_a_large_file_stores_little() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    let mut data = noise(32 << 20, 1);
    write(drive, "disk.img", &data);
    let before = peer.feeds[1].length();
    let at = 13 << 20;
    data[at..at + (1 << 20)].copy_from_slice(&noise(1 << 20, 2));
    write(drive, "disk.img", &data);
    let stored = (peer.feeds[1].length() - before) * 65_576;
    assert!(stored <= 1_200_000, "{stored}");
    assert_eq!(read(drive, &path("disk.img")), data);
    // A few bytes: one small block, not the chunk around them.
    let before = peer.set.disk_size();
    data[5 << 20] ^= 1;
    data[20 << 20] ^= 1;
    write(drive, "disk.img", &data);
    assert!(peer.set.disk_size() - before < 10_000);
    assert_eq!(read(drive, &path("disk.img")), data);
    // The chunks are known by what they have become.
    let before = peer.feeds[1].length();
    write(drive, "copy.img", &data);
    assert_eq!(peer.feeds[1].length(), before);
    assert_eq!(read(drive, &path("copy.img")), data);
}

#[test]
fn many_runs_go_into_a_table() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    let old = noise(48 << 20, 1);
    write(drive, "old", &old);
    // Every second half megabyte is new: far more than 32 runs.
    let mut data = old.clone();
    for (number, part) in data
        .chunks_mut(1 << 19)
        .enumerate()
        .filter(|(number, _)| number % 2 == 0)
    {
        part[200_000..200_016].copy_from_slice(&noise(16, number as u64 + 5));
    }
    write(drive, "mixed", &data);
    let body = drive.stat(&path("mixed")).expect("entry").content.body;
    assert!(
        matches!(body, cobox_drive::record::Body::Table { .. }),
        "{body:?}"
    );
    assert_eq!(read(drive, &path("mixed")), data);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn edits_read_back_as_plain_bytes_would(
        start in 0usize..3_000_000,
        edits in prop::collection::vec((0usize..3_000_000, 0usize..400_000, any::<bool>(), any::<u64>()), 1..5),
    ) {
        let peer = Peer::new(&Space::new(), 1);
        let mut model = noise(start, 99);
        write(&peer.drive, "file", &model);
        for (at, length, insert, seed) in edits {
            let at = at.min(model.len());
            let end = if insert { at } else { (at + length).min(model.len()) };
            model.splice(at..end, noise(length, seed));
            write(&peer.drive, "file", &model);
            prop_assert_eq!(&read(&peer.drive, &path("file")), &model);
        }
        let reader = peer.drive.open_file(&path("file"), None).expect("open");
        for at in (0..model.len()).step_by(97_001) {
            let mut part = vec![0; 70_000];
            let length = reader.read_at(at as u64, &mut part).expect("bytes");
            prop_assert_eq!(&part[..length], &model[at..(at + 70_000).min(model.len())]);
        }
    }
}

#[test]
fn what_was_deleted_is_listed_and_comes_back_as_it_was() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    drive.create_folder(&path("a/b"), true).expect("folders");
    write(drive, "a/one", b"1");
    write(drive, "a/b/two", b"22");
    write(drive, "three", b"333");
    drive
        .rename(&path("three"), &path("a/three"))
        .expect("moved");
    drive.remove(&path("a/three"), false).expect("removed");
    drive.remove(&path("a"), true).expect("removed");
    let trash = drive.trash(10).expect("trash");
    let paths: Vec<String> = trash.iter().map(|one| one.path.to_string()).collect();
    assert_eq!(paths, ["/a", "/a/three"]);
    assert_eq!((trash[0].size, trash[1].size), (0, 3));
    assert_eq!(drive.trash(1).expect("trash").len(), 1);
    // First what was in the folder: it comes back into a folder of that name.
    let back = |at: usize| drive.restore(&trash[at].path, Restore::Version(trash[at].dot));
    back(1).expect("restored");
    assert_eq!(names(drive, "a"), ["three"]);
    assert!(matches!(back(0), Err(DriveError::Exists(_))));
    drive
        .rename(&path("a"), &path("new"))
        .expect("out of the way");
    back(0).expect("restored");
    assert_eq!(names(drive, "a"), ["b", "one"]);
    assert_eq!(read(drive, &path("a/b/two")), b"22");
    assert!(drive.trash(10).expect("trash").is_empty());
    assert!(
        matches!(back(0), Err(DriveError::NoVersion(_))),
        "it is taken back already"
    );
}

#[test]
fn a_name_that_is_used_again_is_no_trash() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    write(drive, "notes", b"old");
    drive.remove(&path("notes"), false).expect("removed");
    write(drive, "notes", b"new");
    assert!(drive.trash(10).expect("trash").is_empty());
}

#[test]
fn a_version_comes_back_beside_the_file() {
    let peer = Peer::new(&Space::new(), 1);
    let drive = &peer.drive;
    write(drive, "notes", b"old");
    let old = drive.stat(&path("notes")).expect("entry").version;
    let old = old.expect("version");
    write(drive, "notes", b"new");
    let copied = drive.restore_as(&path("notes"), old, &path("kept/notes 2"));
    assert_eq!(copied.expect("copied").content.size, 3);
    assert_eq!(read(drive, &path("kept/notes 2")), b"old");
    assert_eq!(read(drive, &path("notes")), b"new");
    let again = drive.restore_as(&path("notes"), old, &path("notes"));
    assert!(matches!(again, Err(DriveError::Exists(_))));
}
