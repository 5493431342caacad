//! What programs do with a folder, done on a mounted one.

mod common;

use common::*;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

fn mounted() -> Option<Mounted> {
    can_mount().then(|| Mounted::new(&Space::new(), 1))
}

fn code(done: io::Result<impl Sized>) -> i32 {
    let error = done.err().expect("refused");
    error.raw_os_error().expect("a number")
}

fn versions(peer: &Peer, at: &str) -> usize {
    let history = peer.drive.history(&path(at)).expect("a history");
    history
        .iter()
        .filter(|version| version.content.is_some())
        .count()
}

#[test]
fn everyday_verbs() {
    let Some(m) = mounted() else { return };
    fs::create_dir_all(m.path("a/b/c")).unwrap();
    fs::write(m.path("a/b/c/file"), b"hello").unwrap();
    fs::copy(m.path("a/b/c/file"), m.path("copy")).unwrap();
    fs::rename(m.path("copy"), m.path("a/moved")).unwrap();
    symlink("b/c/file", m.path("a/link")).unwrap();
    assert_eq!(fs::read(m.path("a/link")).unwrap(), b"hello");
    fs::set_permissions(m.path("a/moved"), PermissionsExt::from_mode(0o750)).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    File::open(m.path("a/moved"))
        .unwrap()
        .set_modified(then)
        .unwrap();
    let found = fs::metadata(m.path("a/moved")).unwrap();
    assert_eq!(
        (found.mode() & 0o7777, found.modified().unwrap()),
        (0o750, then)
    );
    assert_eq!(code(fs::remove_dir(m.path("a"))), libc::ENOTEMPTY);
    fs::remove_file(m.path("a/b/c/file")).unwrap();
    fs::remove_dir(m.path("a/b/c")).unwrap();
    let mut names: Vec<_> = fs::read_dir(m.path("a"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["b", "link", "moved"]);
    // Everything is in the space when the folder is gone.
    let peer = m.stop().unwrap();
    assert_eq!(common::names(&peer.drive, "a"), ["b", "link", "moved"]);
    let entry = peer.drive.stat(&path("a/moved")).unwrap();
    assert_eq!(
        (entry.attrs.mode, entry.content.mtime.nanos),
        (0o750, 123_456_789)
    );
}

#[test]
fn writes_anywhere_and_sizes() {
    let Some(m) = mounted() else { return };
    let file = File::create_new(m.path("f")).unwrap();
    let data = noise(3_000_000, 4);
    file.write_all_at(&data, 0).unwrap();
    file.write_all_at(b"middle", 1_500_000).unwrap();
    file.set_len(2_000_000).unwrap();
    file.write_all_at(b"end", 2_500_000).unwrap();
    file.sync_all().unwrap();
    let mut expected = data;
    expected[1_500_000..1_500_006].copy_from_slice(b"middle");
    expected.truncate(2_000_000);
    expected.resize(2_500_000, 0);
    expected.extend(b"end");
    assert_eq!(fs::read(m.path("f")).unwrap(), expected);
    drop(file);
    let mut more = OpenOptions::new().append(true).open(m.path("f")).unwrap();
    more.write_all(b" and more").unwrap();
    drop(more);
    expected.extend(b" and more");
    let peer = m.stop().unwrap();
    assert_eq!(read(&peer.drive, &path("f")), expected);
}

#[test]
fn renames_with_flags() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let Some(m) = mounted() else { return };
    for name in ["a", "b"] {
        fs::write(m.path(name), name).unwrap();
    }
    let rename = |flags| renameat_with(CWD, m.path("a"), CWD, m.path("b"), flags);
    assert_eq!(
        rename(RenameFlags::NOREPLACE),
        Err(rustix::io::Errno::EXIST)
    );
    rename(RenameFlags::EXCHANGE).unwrap();
    assert_eq!(fs::read(m.path("a")).unwrap(), b"b");
    assert_eq!(fs::read(m.path("b")).unwrap(), b"a");
    fs::create_dir(m.path("d")).unwrap();
    assert_eq!(
        code(fs::rename(m.path("d"), m.path("d/inside"))),
        libc::EINVAL
    );
    assert_eq!(code(fs::rename(m.path("a"), m.path("d"))), libc::EISDIR);
    assert_eq!(code(fs::rename(m.path("d"), m.path("a"))), libc::ENOTDIR);
    fs::rename(m.path("a"), m.path("b")).unwrap();
    assert_eq!(fs::read(m.path("b")).unwrap(), b"b");
}

#[test]
fn what_is_not_kept_is_refused_by_name() {
    let Some(m) = mounted() else { return };
    fs::write(m.path("a"), b"x").unwrap();
    assert_eq!(code(fs::hard_link(m.path("a"), m.path("b"))), libc::EPERM);
    assert_eq!(
        code(xattr::set(m.path("a"), "trusted.x", b"1")),
        libc::EOPNOTSUPP
    );
    let long = "x".repeat(256);
    assert_eq!(code(fs::write(m.path(&long), b"x")), libc::ENAMETOOLONG);
    assert_eq!(code(fs::create_dir(m.path(".cobox"))), libc::EEXIST);
    assert_eq!(code(fs::write(m.path(".cobox/x"), b"x")), libc::EROFS);
}

#[test]
fn extended_attributes() {
    let Some(m) = mounted() else { return };
    fs::write(m.path("a"), b"x").unwrap();
    xattr::set(m.path("a"), "user.one", b"1").unwrap();
    xattr::set(m.path("a"), "user.two", &noise(10_000, 1)).unwrap();
    assert_eq!(
        xattr::get(m.path("a"), "user.two").unwrap(),
        Some(noise(10_000, 1))
    );
    assert_eq!(xattr::list(m.path("a")).unwrap().count(), 2);
    assert_eq!(
        code(xattr::set(m.path("a"), "user.big", &noise(60_000, 1))),
        libc::ENOSPC
    );
    xattr::remove(m.path("a"), "user.one").unwrap();
    let peer = m.stop().unwrap();
    assert_eq!(peer.drive.stat(&path("a")).unwrap().attrs.xattrs.len(), 1);
}

#[test]
fn an_open_file_outlives_its_name() {
    let Some(m) = mounted() else { return };
    let mut file = File::create_new(m.path("temp")).unwrap();
    file.write_all(&noise(200_000, 1)).unwrap();
    fs::remove_file(m.path("temp")).unwrap();
    file.write_all(b"more").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut data = Vec::new();
    file.read_to_end(&mut data).unwrap();
    assert_eq!(data.len(), 200_004);
    assert!(data.ends_with(b"more"));
    fs::write(m.path("temp"), b"another").unwrap();
    assert_eq!(fs::read(m.path("temp")).unwrap(), b"another");
}

#[test]
fn holes_are_found_and_made() {
    use rustix::fs::{FallocateFlags, fallocate, seek};
    let Some(m) = mounted() else { return };
    let file = File::create_new(m.path("sparse")).unwrap();
    file.set_len(1 << 30).unwrap();
    file.write_all_at(b"island", 1 << 29).unwrap();
    file.sync_all().unwrap();
    soon("the hole is known", || {
        seek(&file, rustix::fs::SeekFrom::Data(0)).is_ok_and(|at| at == 1 << 29)
    });
    // `cp` and `tar` look for holes where less room is taken than there are bytes.
    soon("holes take no room", || {
        fs::metadata(m.path("sparse")).unwrap().blocks() * 512 < 1 << 20
    });
    fallocate(
        &file,
        FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        1 << 29,
        3,
    )
    .unwrap();
    let mut data = [1; 6];
    file.read_exact_at(&mut data, 1 << 29).unwrap();
    assert_eq!(&data, b"\0\0\0and");
    fallocate(&file, FallocateFlags::empty(), 1 << 30, 10).unwrap();
    assert_eq!(file.metadata().unwrap().len(), (1 << 30) + 10);
}

#[test]
fn an_editor_saves_one_version_at_a_time() {
    let Some(m) = mounted() else { return };
    for round in 0..3 {
        fs::write(m.path(".notes.lock"), b"me").unwrap();
        let mut file = File::create(m.path("notes.new")).unwrap();
        file.write_all(format!("round {round}").as_bytes()).unwrap();
        file.sync_all().unwrap();
        drop(file);
        fs::rename(m.path("notes.new"), m.path("notes")).unwrap();
        File::open(&m.at).unwrap().sync_all().unwrap();
        fs::remove_file(m.path(".notes.lock")).unwrap();
        // Saves in one moment would become one version.
        soon("it is committed", || {
            versions(&m.peer, "notes") == round + 1
        });
    }
    let peer = m.stop().unwrap();
    assert_eq!(versions(&peer, "notes"), 3);
    assert!(peer.drive.history(&path(".notes.lock")).unwrap().is_empty());
    assert!(peer.drive.history(&path("notes.new")).unwrap().is_empty());
}

#[test]
fn names_of_all_kinds_and_many_of_them() {
    use std::os::unix::ffi::OsStrExt;
    let Some(m) = mounted() else { return };
    let odd: &[&[u8]] = &[
        b"\xff\xfe",
        b"new\nline",
        "\u{1f4f7} \u{5d0}".as_bytes(),
        b"xt_MARK.h",
        b"xt_mark.h",
        &[b'x'; 255],
    ];
    for name in odd {
        fs::write(m.at.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    fs::create_dir(m.path("many")).unwrap();
    for number in 0..5_000 {
        File::create(m.path(&format!("many/{number}"))).unwrap();
    }
    assert_eq!(fs::read_dir(m.path("many")).unwrap().count(), 5_000);
    fs::rename(m.path("many"), m.path("renamed")).unwrap();
    assert_eq!(fs::read_dir(m.path("renamed")).unwrap().count(), 5_000);
    let mut deep = m.at.clone();
    (0..100).for_each(|_| deep.push("deep"));
    fs::create_dir_all(&deep).unwrap();
    let peer = m.stop().unwrap();
    assert_eq!(peer.drive.list(&path("renamed")).unwrap().len(), 5_000);
    assert_eq!(peer.drive.list(&path("")).unwrap().len(), odd.len() + 2);
}

#[test]
fn what_a_member_changes_is_seen_on_the_others_folder() {
    if !can_mount() {
        return;
    }
    let space = Space::new();
    let (alice, bob) = (Mounted::new(&space, 1), Mounted::new(&space, 2));
    fs::write(alice.path("shared"), b"alice").unwrap();
    soon("it is committed", || {
        alice.peer.drive.stat(&path("shared")).is_ok()
    });
    bob.peer.pull(&alice.peer, true);
    soon("the file", || {
        fs::read(bob.path("shared")).is_ok_and(|data| data == b"alice")
    });
    let reading = File::open(bob.path("shared")).unwrap();
    fs::write(alice.path("shared"), b"alice once more").unwrap();
    fs::write(alice.path("second"), b"new").unwrap();
    rustix::fs::syncfs(File::open(&alice.at).unwrap()).unwrap();
    soon("it is committed", || {
        read(&alice.peer.drive, &path("shared")).len() == 15
    });
    bob.peer.pull(&alice.peer, true);
    soon("the new bytes", || {
        fs::read(bob.path("shared")).is_ok_and(|data| data == b"alice once more")
    });
    // Whoever had it open goes on with what was opened, as after a rename over it.
    let mut data = [0; 5];
    reading.read_exact_at(&mut data, 0).unwrap();
    assert_eq!(&data, b"alice");
    soon("the new file", || bob.path("second").exists());
    // And the other way: a removal, and a folder that moves.
    fs::create_dir(bob.path("folder")).unwrap();
    fs::write(bob.path("folder/inside"), b"x").unwrap();
    fs::remove_file(bob.path("second")).unwrap();
    soon("it is committed", || {
        bob.peer.drive.stat(&path("folder/inside")).is_ok()
    });
    alice.peer.pull(&bob.peer, true);
    soon("the removal", || !alice.path("second").exists());
    assert_eq!(fs::read(alice.path("folder/inside")).unwrap(), b"x");
    fs::rename(bob.path("folder"), bob.path("moved")).unwrap();
    soon("it is committed", || {
        bob.peer.drive.stat(&path("moved/inside")).is_ok()
    });
    alice.peer.pull(&bob.peer, true);
    soon("the move", || {
        alice.path("moved/inside").exists() && !alice.path("folder").exists()
    });
}

#[test]
fn content_that_is_nowhere_fails_in_time_and_keeps_nobody_waiting() {
    if !can_mount() {
        return;
    }
    let space = Space::new();
    let (alice, bob) = (Mounted::new(&space, 1), Mounted::new(&space, 2));
    fs::write(alice.path("far"), noise(300_000, 1)).unwrap();
    File::open(&alice.at).unwrap().sync_all().unwrap();
    soon("it is committed", || {
        alice.peer.drive.stat(&path("far")).is_ok()
    });
    bob.peer.pull(&alice.peer, false);
    bob.peer.drive.set_wait(Duration::from_secs(2));
    let far = bob.path("far");
    soon("the name", || far.exists());
    assert!(fs::metadata(&far).unwrap().blocks() < 300_000 / 512);
    let readers: Vec<_> = (0..12)
        .map(|_| {
            let far = far.clone();
            std::thread::spawn(move || code(fs::read(far)))
        })
        .collect();
    let begin = std::time::Instant::now();
    std::thread::sleep(Duration::from_millis(100));
    fs::write(bob.path("near"), b"here").unwrap();
    assert_eq!(fs::read(bob.path("near")).unwrap(), b"here");
    assert!(
        begin.elapsed() < Duration::from_millis(1500),
        "others had to wait"
    );
    for reader in readers {
        assert_eq!(reader.join().unwrap(), libc::EIO);
    }
    // When the content comes, the same file can be read.
    bob.peer.pull(&alice.peer, true);
    assert_eq!(fs::read(&far).unwrap(), noise(300_000, 1));
}

#[test]
fn the_space_as_it_was() {
    if !can_mount() {
        return;
    }
    let peer = Peer::new(&Space::new(), 1);
    write(&peer.drive, "file", b"then");
    let then = peer.drive.commit_times(1).unwrap()[0];
    std::thread::sleep(Duration::from_millis(1100));
    write(&peer.drive, "file", b"now, and longer");
    write(&peer.drive, "new", b"x");
    let m = Mounted::with(peer, |options| options.as_of_ms = Some(then));
    assert_eq!(fs::read(m.path("file")).unwrap(), b"then");
    assert!(!m.path("new").exists());
    assert_eq!(code(fs::write(m.path("file"), b"x")), libc::EROFS);
    let peer = m.stop().unwrap();
    let m = Mounted::with(peer, |_| {});
    let times: Vec<_> = fs::read_dir(m.path(".cobox/history"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(times.len(), 2);
    let oldest = times.iter().min().unwrap();
    assert_eq!(fs::read(oldest.join("file")).unwrap(), b"then");
    assert_eq!(fs::read(m.path("file")).unwrap(), b"now, and longer");
    let status = fs::read_to_string(m.path(".cobox/status/file.txt")).unwrap();
    assert!(status.contains("size     15 bytes"), "{status}");
    assert!(
        !fs::read_dir(&m.at)
            .unwrap()
            .any(|e| e.unwrap().file_name() == ".cobox")
    );
}

#[test]
fn a_conflict_is_there_to_be_opened_and_removed() {
    if !can_mount() {
        return;
    }
    let space = Space::new();
    let (alice, bob) = (Mounted::new(&space, 1), Mounted::new(&space, 2));
    for one in [&alice, &bob] {
        fs::write(one.path("plan.txt"), format!("by {:?}", one.at)).unwrap();
        soon("it is committed", || {
            one.peer.drive.stat(&path("plan.txt")).is_ok()
        });
    }
    alice.peer.pull(&bob.peer, true);
    let copies = || -> Vec<_> {
        let names = fs::read_dir(&alice.at).unwrap().map(|e| e.unwrap().path());
        names
            .filter(|at| at.to_string_lossy().contains("conflict"))
            .collect()
    };
    soon("the copy", || copies().len() == 1);
    assert!(fs::read_to_string(&copies()[0]).unwrap().starts_with("by "));
    assert_eq!(
        fs::read_dir(alice.path(".cobox/conflicts"))
            .unwrap()
            .count(),
        1
    );
    fs::remove_file(&copies()[0]).unwrap();
    soon("it is settled", || {
        alice.peer.drive.conflicts().unwrap().is_empty()
    });
    assert_eq!(fs::read_dir(&alice.at).unwrap().count(), 1);
}

#[test]
fn a_folder_that_is_in_use_or_not_empty() {
    if !can_mount() {
        return;
    }
    let peer = Peer::new(&Space::new(), 1);
    let dir = tempfile::tempdir().unwrap();
    let start = || cobox_mount::Mount::start(peer.drive.clone(), options(&peer, dir.path()));
    let mount = start().unwrap();
    let mut open = File::create(dir.path().join("open")).unwrap();
    open.write_all(b"written").unwrap();
    assert!(mount.is_alive());
    assert!(matches!(
        start().err(),
        Some(cobox_mount::MountError::Busy(_))
    ));
    mount.stop().unwrap();
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    assert_eq!(read(&peer.drive, &path("open")), b"written");
    drop(open);
    fs::write(dir.path().join("mine"), b"x").unwrap();
    assert!(matches!(
        start().err(),
        Some(cobox_mount::MountError::NotEmpty(_))
    ));
}

#[test]
fn memory_maps_are_written_back() {
    let Some(m) = mounted() else { return };
    fs::write(m.path("map"), noise(100_000, 1)).unwrap();
    // A program that maps files for writing; doing it here would need unsafe code.
    let script = "import mmap,sys\nf=open(sys.argv[1],'r+b')\nm=mmap.mmap(f.fileno(),0)\nm[5000:5005]=b'hello'\nm.flush()\n";
    let done = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(m.path("map"))
        .status()
        .unwrap();
    assert!(done.success());
    let mut expected = noise(100_000, 1);
    expected[5000..5005].copy_from_slice(b"hello");
    let peer = m.stop().unwrap();
    assert_eq!(read(&peer.drive, &path("map")), expected);
}
