//! What goes wrong when the kernel holds something back, or holds on to something.

mod common;

use common::*;
use rustix::fs::{Mode, OFlags, SeekFrom, open, seek};
use rustix::io::Errno;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// `cp` looks for data before it reads. The kernel asks us where some is, though it has not written to us what a
/// program wrote a moment ago: the copy was empty.
#[test]
fn data_that_the_kernel_still_holds_is_found() {
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    let writing = File::create(m.path("growing")).unwrap();
    writing.write_all_at(&noise(100_000, 1), 0).unwrap();
    let reading = File::open(m.path("growing")).unwrap();
    assert_eq!(seek(&reading, SeekFrom::Data(0)), Ok(0));
    assert_eq!(seek(&reading, SeekFrom::Hole(0)), Ok(100_000));
    writing.write_all_at(b"more", 100_000).unwrap();
    let done = std::process::Command::new("cp")
        .args([m.path("growing"), m.path("copy")])
        .status();
    assert!(done.unwrap().success());
    let copy = fs::read(m.path("copy")).unwrap();
    assert_eq!(copy.len(), 100_004);
    assert_eq!(copy[..100_000], noise(100_000, 1));
}

/// Programs that ask for a file without a name from the beginning take "not supported" for what it is, and make one with
/// a name that they remove.
#[test]
fn a_file_that_never_had_a_name_is_refused_by_the_number_that_programs_know() {
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    let flags = OFlags::TMPFILE | OFlags::RDWR;
    let refused = open(m.path(""), flags, Mode::RUSR | Mode::WUSR);
    assert_eq!(refused.err(), Some(Errno::OPNOTSUPP));
}

#[test]
fn times_before_1970_come_back_as_they_were_set() {
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    let then = SystemTime::UNIX_EPOCH - Duration::from_millis(1_200);
    fs::create_dir(m.path("folder")).unwrap();
    fs::write(m.path("file"), b"x").unwrap();
    for name in ["folder", "file"] {
        let times = fs::FileTimes::new().set_modified(then).set_accessed(then);
        File::open(m.path(name)).unwrap().set_times(times).unwrap();
        let found = fs::metadata(m.path(name)).unwrap();
        assert_eq!(found.modified().unwrap(), then, "{name}");
        assert_eq!(found.accessed().unwrap(), then, "{name}");
    }
    let peer = m.stop().unwrap();
    let mtime = peer.drive.stat(&path("file")).unwrap().content.mtime;
    assert_eq!((mtime.seconds, mtime.nanos), (-2, 800_000_000));
}

#[test]
fn a_name_that_was_looked_for_in_vain_is_found_once_somebody_gives_it() {
    if !can_mount() {
        return;
    }
    let space = Space::new();
    let (alice, bob) = (Peer::new(&space, 1), Mounted::new(&space, 2));
    assert!(!bob.path("news").exists());
    write(&alice.drive, "news", b"x");
    bob.peer.pull(&alice, true);
    soon("the news", || bob.path("news").exists());
}

#[test]
fn a_space_may_be_called_anything() {
    if !can_mount() {
        return;
    }
    let peer = Peer::new(&Space::new(), 1);
    let m = Mounted::with(peer, |options| options.name = "a,b\\ c\nö".into());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let at = m.at.to_string_lossy().into_owned();
    assert!(
        mounts
            .lines()
            .any(|line| line.starts_with("a_b_\\040c_ö ") && line.contains(&at)),
        "{mounts}"
    );
}

/// Programs that lock a file and then look whether it is still the one with the name count its links.
#[test]
fn an_open_file_that_lost_its_name_has_no_links() {
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    let lock = File::create(m.path("lock")).unwrap();
    let old = File::create(m.path("old")).unwrap();
    fs::write(m.path("new"), b"x").unwrap();
    assert_eq!(lock.metadata().unwrap().nlink(), 1);
    fs::remove_file(m.path("lock")).unwrap();
    fs::rename(m.path("new"), m.path("old")).unwrap();
    assert_eq!(lock.metadata().unwrap().nlink(), 0);
    assert_eq!(old.metadata().unwrap().nlink(), 0);
    assert_eq!(fs::metadata(m.path("old")).unwrap().nlink(), 1);
}

/// More programs wait for their disk than there are threads that answer the kernel.
#[test]
fn many_syncs_at_once_keep_nobody_waiting_for_long() {
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    let syncing: Vec<_> = (0..16)
        .map(|number| {
            let file = File::create(m.path(&number.to_string())).unwrap();
            std::thread::spawn(move || {
                file.write_all_at(&noise(10_000, number), 0).unwrap();
                file.sync_all().unwrap();
            })
        })
        .collect();
    assert_eq!(fs::metadata(&m.at).unwrap().nlink(), 1);
    for one in syncing {
        one.join().unwrap();
    }
    let peer = m.stop().unwrap();
    assert_eq!(read(&peer.drive, &path("7")), noise(10_000, 7));
}

/// The kernel asks again for each page and each program, and each of them waited for itself, one after the other.
#[test]
fn what_does_not_come_is_waited_for_once() {
    if !can_mount() {
        return;
    }
    let space = Space::new();
    let (alice, bob) = (Peer::new(&space, 1), Mounted::new(&space, 2));
    write(&alice.drive, "far", &noise(300_000, 1));
    bob.peer.pull(&alice, false);
    bob.peer.drive.set_wait(Duration::from_secs(1));
    let far = bob.path("far");
    soon("the name", || far.exists());
    let begin = Instant::now();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let far = far.clone();
            std::thread::spawn(move || fs::read(far).unwrap_err().raw_os_error())
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.join().unwrap(), Some(libc::EIO));
    }
    assert!(begin.elapsed() < Duration::from_secs(3));
    bob.peer.pull(&alice, true);
    assert_eq!(fs::read(&far).unwrap(), noise(300_000, 1));
}

/// The kernel is given what lies around small reads. It must not come over what a program wrote meanwhile.
#[test]
fn what_lies_around_a_read_never_covers_what_was_written() {
    const PAGE: usize = 4096;
    const PAGES: u64 = 128;
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    let at = m.path("pages");
    let mut model = vec![[0u8; PAGE]; PAGES as usize];
    fs::write(&at, model.concat()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3u64)
        .map(|seed| {
            let (at, stop) = (at.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut turn = seed;
                while !stop.load(Ordering::Relaxed) {
                    let file = File::open(&at).unwrap();
                    for _ in 0..20 {
                        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let mut page = [0; PAGE];
                        let page_at = (turn >> 33) % PAGES * PAGE as u64;
                        file.read_at(&mut page, page_at).unwrap();
                    }
                }
            })
        })
        .collect();
    for round in 1..150u8 {
        // Nothing is in the kernel any more, so that small reads come to us.
        rustix::fs::fadvise(
            File::open(&at).unwrap(),
            0,
            None,
            rustix::fs::Advice::DontNeed,
        )
        .unwrap();
        let file = fs::OpenOptions::new().write(true).open(&at).unwrap();
        for step in 0..5u64 {
            let number = (u64::from(round) * 37 + step * 11) % PAGES;
            model[number as usize] = [round; PAGE];
            file.write_all_at(&[round; PAGE], number * PAGE as u64)
                .unwrap();
        }
        drop(file);
        if round % 30 == 0 {
            let keep = PAGES / 2;
            let file = fs::OpenOptions::new().write(true).open(&at).unwrap();
            file.set_len(keep * PAGE as u64).unwrap();
            file.set_len(PAGES * PAGE as u64).unwrap();
            model[keep as usize..].fill([0; PAGE]);
        }
        assert!(fs::read(&at).unwrap() == model.concat(), "round {round}");
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    let peer = m.stop().unwrap();
    assert!(read(&peer.drive, &path("pages")) == model.concat());
}

/// Then the end of the mount waited for the program that had the file open.
#[test]
fn somebody_else_unmounted_the_folder_while_a_file_was_open() {
    if !can_mount() || !rustix::process::geteuid().is_root() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    let file = File::create(m.path("open")).unwrap();
    rustix::mount::unmount(&m.at, rustix::mount::UnmountFlags::DETACH).unwrap();
    file.write_all_at(b"written later", 0).unwrap();
    let begin = Instant::now();
    let peer = m.stop().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(8));
    drop(file);
    soon("it is kept", || {
        peer.drive
            .stat(&path("open"))
            .is_ok_and(|entry| entry.content.size == 13)
    });
}
