//! Real directory trees in and out.

mod common;

use cobox_drive::drive::DriveError;
use cobox_drive::import::Outcome;
use cobox_drive::path::DrivePath;
use cobox_feed::set::Event;
use common::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn import(peer: &Peer, source: &Path, to: &str) -> Outcome {
    peer.drive
        .import(&[source.to_owned()], &path(to), &mut |_| {}, &GO_ON)
        .expect("imported")
}

fn export(peer: &Peer, from: &str, dir: &Path) -> Outcome {
    peer.drive
        .export(&path(from), dir, None, &mut |_| {}, &GO_ON)
        .expect("exported")
}

/// Everything about one entry that must survive.
#[derive(Debug, PartialEq)]
struct Seen {
    mode: u32,
    mtime: (i64, i64),
    what: What,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Does it take less room than it is long?
    sparse: bool,
}

#[derive(Debug, PartialEq)]
enum What {
    File(Vec<u8>),
    Folder,
    Symlink(PathBuf),
}

/// All entries below a folder, by relative path.
fn look(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut all = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).expect("a folder") {
            let local = entry.expect("an entry").path();
            let metadata = fs::symlink_metadata(&local).expect("metadata");
            let what = match metadata.file_type() {
                kind if kind.is_dir() => {
                    todo.push(local.clone());
                    What::Folder
                }
                kind if kind.is_symlink() => {
                    What::Symlink(fs::read_link(&local).expect("a target"))
                }
                _ => What::File(fs::read(&local).expect("bytes")),
            };
            let xattrs = xattr::list(&local).map(|names| {
                names.map(|name| {
                    (
                        name.as_bytes().to_vec(),
                        xattr::get(&local, &name).expect("value").expect("there"),
                    )
                })
            });
            let is_file = matches!(what, What::File(_));
            let seen = Seen {
                mode: metadata.mode() & 0o7777,
                mtime: (metadata.mtime(), metadata.mtime_nsec()),
                what,
                xattrs: xattrs.map(Iterator::collect).unwrap_or_default(),
                sparse: is_file
                    && metadata.len() > 1 << 20
                    && metadata.blocks() * 512 < metadata.len(),
            };
            all.insert(local.strip_prefix(root).expect("below").to_owned(), seen);
        }
    }
    all
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
}

fn set_mtime(path: &Path, seconds: u64, nanos: u32) {
    let file = fs::File::open(path).expect("open");
    file.set_modified(UNIX_EPOCH + Duration::new(seconds, nanos))
        .expect("mtime");
}

fn sparse_file(path: &Path) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::create(path).expect("create");
    file.write_all_at(&noise(70_000, 4), 3 << 20)
        .expect("write");
    file.write_all_at(b"end of data", 9 << 20).expect("write");
    file.set_len(12 << 20).expect("length");
}

/// A tree with every oddity a local folder may hold.
fn odd_tree(root: &Path) {
    let dir = |name: &str| fs::create_dir_all(root.join(name)).expect("folder");
    let file = |name: &[u8], data: &[u8]| {
        fs::write(root.join(OsStr::from_bytes(name)), data).expect("file")
    };
    dir("empty");
    dir("deep/er/and/deeper");
    file(b"deep/er/and/deeper/leaf", b"leaf");
    file(b"zero", b"");
    file(b"one", b"1");
    file(b"text", &b"so compressible ".repeat(5000));
    file(b"large", &noise(5_000_001, 1));
    file(b"exact", &noise(1 << 20, 2));
    file(b"xt_MARK.h", b"upper");
    file(b"xt_mark.h", b"lower");
    file(b"not utf-8: \xff\xfe", b"bytes");
    file(" spaces \n and newline".as_bytes(), b"odd");
    file("ümlaut-é-e\u{301}".as_bytes(), b"accents");
    file(&[b'n'; 255], b"longest name");
    for number in 0..200 {
        file(
            format!("deep/er/small{number}").as_bytes(),
            &noise(number * 37, number as u64 + 10),
        );
    }
    sparse_file(&root.join("sparse"));
    symlink("../outside", root.join("dangling")).expect("symlink");
    symlink("loop-b", root.join("loop-a")).expect("symlink");
    symlink("loop-a", root.join("loop-b")).expect("symlink");
    symlink("deep/er", root.join("to-folder")).expect("symlink");
    set_mode(&root.join("one"), 0o755);
    set_mode(&root.join("zero"), 0o4640);
    set_mode(&root.join("empty"), 0o1777);
    set_mtime(&root.join("one"), 1_000_000_000, 123_456_789);
    set_mtime(&root.join("exact"), 1, 1);
    // File systems without extended attributes refuse; the rest of the test stands.
    let _ = xattr::set(root.join("one"), "user.colour", b"blue");
    let _ = xattr::set(root.join("deep"), "user.folder", b"\0\xff");
    // Last: making entries in a folder changes its time.
    set_mtime(&root.join("deep/er"), 1_234_567_890, 5);
}

#[test]
fn a_tree_comes_back_as_it_went_in() {
    let peer = Peer::new(&Space::new(), 1);
    let (source, target) = (TempDir::new().expect("dir"), TempDir::new().expect("dir"));
    let root = source.path().join("tree");
    fs::create_dir(&root).expect("folder");
    odd_tree(&root);
    let before = look(&root);
    let outcome = import(&peer, &root, "");
    assert_eq!(outcome.problems, []);
    assert_eq!(outcome.done.entries, before.len() as u64 + 1);
    assert_eq!(outcome.done.entries, outcome.done.total_entries);
    let outcome = export(&peer, "tree", target.path());
    assert_eq!(outcome.problems, []);
    assert_eq!(outcome.done.entries, before.len() as u64);
    assert_eq!(outcome.done.bytes, outcome.done.total_bytes);
    compare(&before, &look(target.path()));
    // Again over itself: nothing to do, nothing wrong.
    assert_eq!(export(&peer, "tree", target.path()).problems, []);
    compare(&before, &look(target.path()));
}

fn compare(before: &BTreeMap<PathBuf, Seen>, after: &BTreeMap<PathBuf, Seen>) {
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (path, seen) in before {
        assert_eq!(seen, &after[path], "{path:?}");
    }
}

#[test]
fn unchanged_files_are_skipped_and_changed_ones_are_not() {
    let peer = Peer::new(&Space::new(), 1);
    let source = TempDir::new().expect("dir");
    let root = source.path().join("tree");
    fs::create_dir(&root).expect("folder");
    odd_tree(&root);
    import(&peer, &root, "to/here");
    let (metadata, content) = (peer.feeds[0].length(), peer.feeds[1].length());
    let outcome = import(&peer, &root, "to/here");
    assert_eq!(outcome.problems, []);
    assert_eq!(
        (peer.feeds[0].length(), peer.feeds[1].length()),
        (metadata, content)
    );
    fs::write(root.join("text"), b"changed").expect("write");
    set_mode(&root.join("large"), 0o600);
    fs::write(root.join("deep/another"), b"new").expect("write");
    import(&peer, &root, "to/here");
    assert_eq!(read(&peer.drive, &path("to/here/tree/text")), b"changed");
    assert_eq!(
        read(&peer.drive, &path("to/here/tree/deep/another")),
        b"new"
    );
    assert_eq!(
        peer.drive
            .stat(&path("to/here/tree/large"))
            .expect("entry")
            .attrs
            .mode,
        0o600
    );
    assert_eq!(
        peer.drive
            .history(&path("to/here/tree/text"))
            .expect("history")
            .len(),
        2
    );
    assert!(peer.feeds[1].length() <= content + 1);
    fs::create_dir(source.path().join("other")).expect("folder");
    fs::create_dir(source.path().join("other/text")).expect("folder");
    fs::rename(source.path().join("other/text"), root.join("one.d")).expect("rename");
    fs::remove_file(root.join("one")).expect("remove");
    fs::rename(root.join("one.d"), root.join("one")).expect("rename");
    let outcome = import(&peer, &root, "to/here");
    assert_eq!(outcome.problems.len(), 1, "{:?}", outcome.problems);
    assert_eq!(read(&peer.drive, &path("to/here/tree/one")), b"1");
}

#[test]
fn what_cannot_be_kept_is_told() {
    let peer = Peer::new(&Space::new(), 1);
    let source = TempDir::new().expect("dir");
    let root = source.path().join("tree");
    fs::create_dir(&root).expect("folder");
    fs::write(root.join("a"), b"linked").expect("write");
    fs::hard_link(root.join("a"), root.join("b")).expect("link");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("pipe"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .expect("fifo");
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).expect("socket");
    let outcome = import(&peer, &root, "");
    let told: Vec<_> = outcome
        .problems
        .iter()
        .map(|(path, why)| (path.file_name().expect("name"), why))
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told.iter()
            .any(|(name, why)| *name == "b" && why.contains("hard link"))
    );
    assert!(
        told.iter()
            .any(|(name, why)| *name == "pipe" && why.contains("named pipe"))
    );
    assert!(
        told.iter()
            .any(|(name, why)| *name == "socket" && why.contains("socket"))
    );
    assert_eq!(names(&peer.drive, "tree"), ["a", "b"]);
    assert_eq!(read(&peer.drive, &path("tree/b")), b"linked");
}

#[test]
fn a_source_that_is_not_there_stops_the_import_before_it_begins() {
    let peer = Peer::new(&Space::new(), 1);
    let source = TempDir::new().expect("dir");
    fs::write(source.path().join("here"), b"1").expect("write");
    let sources = [source.path().join("here"), source.path().join("missing")];
    let length = peer.feeds[0].length();
    let done = peer
        .drive
        .import(&sources, &path("to"), &mut |_| {}, &GO_ON);
    assert!(matches!(done, Err(DriveError::Local { path, .. }) if path.ends_with("missing")));
    assert_eq!(peer.feeds[0].length(), length);
}

#[test]
fn two_sources_of_one_name_do_not_collide() {
    let peer = Peer::new(&Space::new(), 1);
    let source = TempDir::new().expect("dir");
    for dir in ["x", "y"] {
        fs::create_dir(source.path().join(dir)).expect("folder");
        fs::write(source.path().join(dir).join("same"), dir).expect("write");
    }
    let sources = [source.path().join("x/same"), source.path().join("y/same")];
    let outcome = peer
        .drive
        .import(&sources, &DrivePath::default(), &mut |_| {}, &GO_ON)
        .expect("imported");
    assert_eq!(outcome.problems.len(), 1);
    assert_eq!(read(&peer.drive, &path("same")), b"x");
}

#[test]
fn cancelling_stops_in_the_middle_and_harms_nothing() {
    let peer = Peer::new(&Space::new(), 1);
    let source = TempDir::new().expect("dir");
    fs::write(source.path().join("huge"), noise(40 << 20, 1)).expect("write");
    let cancel = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            cancel.store(true, Ordering::Relaxed);
        });
        let sources = [source.path().join("huge")];
        // On a fast machine it may be done before.
        let done = peer
            .drive
            .import(&sources, &path("to"), &mut |_| {}, &cancel);
        assert!(
            matches!(done, Err(DriveError::Cancelled) | Ok(_)),
            "{done:?}"
        );
    });
    cancel.store(true, Ordering::Relaxed);
    let done = peer.drive.export(
        &path(""),
        &source.path().join("out"),
        None,
        &mut |_| {},
        &cancel,
    );
    assert!(matches!(done, Err(DriveError::Cancelled)));
    write(&peer.drive, "after", b"still works");
    assert_eq!(read(&peer.drive, &path("after")), b"still works");
}

#[test]
fn export_never_leaves_its_folder_and_never_overwrites() {
    let peer = Peer::new(&Space::new(), 1);
    peer.drive
        .create_folder(&path("folder"), false)
        .expect("folder");
    write(&peer.drive, "folder/file", b"secret");
    write(&peer.drive, "mine", b"from the space");
    write(&peer.drive, "link", b"a file here, a symlink there");
    let outside = TempDir::new().expect("dir");
    let target = TempDir::new().expect("dir");
    symlink(outside.path(), target.path().join("folder")).expect("symlink");
    symlink(outside.path().join("planted"), target.path().join("link")).expect("symlink");
    fs::write(target.path().join("mine"), b"was here before").expect("write");
    let outcome = export(&peer, "", target.path());
    assert_eq!(outcome.problems.len(), 3, "{:?}", outcome.problems);
    assert_eq!(fs::read_dir(outside.path()).expect("dir").count(), 0);
    assert_eq!(
        fs::read(target.path().join("mine")).expect("bytes"),
        b"was here before"
    );
    // Nothing half-written is left behind.
    assert_eq!(fs::read_dir(target.path()).expect("dir").count(), 3);
}

#[test]
fn what_is_still_coming_is_exported_as_it_comes_and_asked_for_by_nobody() {
    let space = Space::new();
    let (alice, bob) = (Peer::new(&space, 1), Peer::new(&space, 2));
    let (large, small) = (noise(12 << 20, 1), noise(5000, 2));
    write(&alice.drive, "large", &large);
    write(&alice.drive, "a small one that was written later", &small);
    bob.pull(&alice, false);
    assert!(bob.drive.has_whole_tree());
    let mut events = bob.set.subscribe();
    let out = TempDir::new().expect("a folder");
    let outcome = std::thread::scope(|scope| {
        let exporting = scope.spawn(|| export(&bob, "", out.path()));
        bob.pull(&alice, true);
        exporting.join().expect("no panic")
    });
    assert!(outcome.problems.is_empty(), "{outcome:?}");
    assert_eq!(fs::read(out.path().join("large")).expect("a file"), large);
    assert_eq!(outcome.done.bytes, (large.len() + small.len()) as u64);
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::Wanted), "it would have come anyway");
    }
}

#[test]
fn one_file_is_exported_under_its_name() {
    let peer = Peer::new(&Space::new(), 1);
    peer.drive.create_folder(&path("a"), false).expect("folder");
    write(&peer.drive, "a/file", b"bytes");
    let target = TempDir::new().expect("dir");
    export(&peer, "a/file", &target.path().join("new/folder"));
    assert_eq!(
        fs::read(target.path().join("new/folder/file")).expect("bytes"),
        b"bytes"
    );
    let missing = peer
        .drive
        .export(&path("nope"), target.path(), None, &mut |_| {}, &GO_ON);
    assert!(matches!(missing, Err(DriveError::NotFound(_))));
}

#[test]
fn the_past_can_be_exported() {
    let peer = Peer::new(&Space::new(), 1);
    write(&peer.drive, "file", b"before");
    std::thread::sleep(Duration::from_millis(5));
    let then = UNIX_EPOCH.elapsed().expect("a clock").as_millis() as u64;
    std::thread::sleep(Duration::from_millis(5));
    write(&peer.drive, "file", b"after");
    write(&peer.drive, "later", b"1");
    let target = TempDir::new().expect("dir");
    peer.drive
        .export(&path(""), target.path(), Some(then), &mut |_| {}, &GO_ON)
        .expect("exported");
    assert_eq!(
        fs::read(target.path().join("file")).expect("bytes"),
        b"before"
    );
    assert!(!target.path().join("later").exists());
    assert_eq!(peer.drive.list_at(&path(""), then).expect("list").len(), 1);
}

#[test]
fn many_small_files_share_blocks() {
    let peer = Peer::new(&Space::new(), 1);
    let source = TempDir::new().expect("dir");
    let mut bytes = 0;
    for number in 0..2000u64 {
        let data = noise(1024 + (number as usize * 37) % 7000, number);
        bytes += data.len();
        fs::write(source.path().join(format!("f{number}")), data).expect("write");
    }
    let mut told = 0;
    let sources = [source.path().to_owned()];
    let outcome = peer
        .drive
        .import(&sources, &path("all"), &mut |_| told += 1, &GO_ON)
        .expect("imported");
    assert_eq!(outcome.done.entries, 2001);
    assert!(told > 0);
    let stored = peer.set.disk_size() as f64;
    assert!(stored < 1.3 * bytes as f64, "{stored} for {bytes}");
    let target = TempDir::new().expect("dir");
    let folder = format!(
        "all/{}",
        source.path().file_name().expect("name").to_string_lossy()
    );
    export(&peer, &folder, target.path());
    compare(&look(source.path()), &look(target.path()));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    use std::io::Write;
    let peer = Peer::new(&Space::new(), 1);
    let source = TempDir::new().expect("dir");
    let local = source.path().join("growing");
    fs::write(&local, noise(24 << 20, 1)).expect("write");
    let done = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::OpenOptions::new()
                .append(true)
                .open(&local)
                .expect("open");
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"more").expect("write");
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let outcome = import(&peer, &local, "");
        done.store(true, Ordering::Relaxed);
        outcome
    });
    assert_eq!(outcome.problems.len(), 1, "{:?}", outcome.problems);
    assert!(outcome.problems[0].1.contains("changed while it was read"));
    // What was kept is what the file began with.
    let kept = read(&peer.drive, &path("growing"));
    assert!(kept.len() >= 24 << 20);
    assert_eq!(kept, fs::read(&local).expect("bytes")[..kept.len()]);
}
