//! What is synced at the very moment at which it is committed.

mod common;

use cobox_drive::overlay::{FileId, OpenFile, Overlay, Replace};
use cobox_drive::path::Name;
use common::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ROOT: FileId = FileId::ROOT;
const WRITERS: u64 = 4;
const FILES: u64 = 160;
/// Files that are written before the first of them is synced: while that waits for the disk, a commit takes the others.
const AT_ONCE: u64 = 8;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).expect("a good name")
}

fn over(peer: &Peer) -> Arc<Overlay> {
    Overlay::open(peer.drive.clone()).expect("an overlay")
}

/// The commit had the bytes; the sync that had waited for it kept a draft of a new file without any, and the next start
/// made that the newest version: as long as the file, and all zeros.
#[test]
fn a_sync_that_waited_for_the_first_commit_does_not_leave_zeros_for_the_next_start() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let committing = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                overlay.sync().expect("durable");
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let overlay = &overlay;
                scope.spawn(move || {
                    for first in (0..FILES).step_by(AT_ONCE as usize) {
                        let open: Vec<_> = (first..first + AT_ONCE)
                            .map(|file| {
                                let at = name(&format!("{writer}-{file}"));
                                let (_, open) = overlay.create(ROOT, &at, 0o644).expect("created");
                                open.write_at(0, &noise(100, writer * FILES + file))
                                    .expect("written");
                                open
                            })
                            .collect();
                        open.iter().for_each(|file| file.sync().expect("durable"));
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|one| one.join().unwrap());
        done.store(true, Ordering::Relaxed);
        committing.join().unwrap();
    });
    overlay.close().expect("durable");
    let peer = peer.after_a_crash(&space);
    for number in 0..WRITERS * FILES {
        let at = format!("{}-{}", number / FILES, number % FILES);
        assert_eq!(read(&peer.drive, &path(&at)), noise(100, number), "{at}");
    }
}

/// An editor that keeps a file open while it syncs, renames and syncs the folder.
fn save_beside(overlay: &Arc<Overlay>, data: &[u8]) -> Arc<OpenFile> {
    let file = synced(overlay, "saved.new", data);
    let (from, to) = ((ROOT, &name("saved.new")), (ROOT, &name("saved")));
    overlay.rename(from, to, Replace::Allowed).expect("renamed");
    file
}

/// Open, so that it is not yet committed as one that is at rest.
fn synced(overlay: &Arc<Overlay>, at: &str, data: &[u8]) -> Arc<OpenFile> {
    let (_, file) = overlay.create(ROOT, &name(at), 0o644).expect("created");
    file.write_at(0, data).expect("written");
    file.sync().expect("durable");
    file
}

/// What makes a commit at once, too large for a draft.
fn commit_of_another(overlay: &Arc<Overlay>) {
    synced(overlay, "another", &noise(3 << 20, 9));
}

/// With more new files than are kept as drafts one by one the folder's sync left out what was still open: a power cut
/// found neither the new save nor the one before it.
#[test]
fn a_folder_sync_keeps_a_save_of_a_file_that_is_still_open_however_many_are_new() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let mut open: Vec<_> = (0..12)
        .map(|number| synced(&overlay, &format!("new-{number}"), b"small"))
        .collect();
    for save in [b"first ", b"second", b"third "] {
        open.push(save_beside(&overlay, save));
        overlay.sync_names().expect("durable");
        let peer = peer.after_a_crash(&space);
        assert_eq!(read(&peer.drive, &path("saved")), save);
        assert!(peer.drive.stat(&path("saved.new")).is_err());
    }
}

#[test]
fn a_power_cut_after_a_rename_over_a_synced_file_finds_one_of_both() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let _first = synced(&overlay, "saved", b"first ");
    let _second = save_beside(&overlay, b"second");
    commit_of_another(&overlay);
    let crashed = peer.after_a_crash(&space);
    let found = read(&crashed.drive, &path("saved"));
    assert!(found == b"first " || found == b"second", "{found:?}");
}

/// The edit that was synced ended with the name; what took it was not in the tree yet.
#[test]
fn a_power_cut_after_a_rename_over_a_synced_edit_does_not_bring_an_older_version_back() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let first = synced(&overlay, "saved", b"first ");
    overlay.sync().expect("durable");
    first.write_at(0, b"second").expect("written");
    first.sync().expect("durable");
    let _third = save_beside(&overlay, b"third ");
    commit_of_another(&overlay);
    let crashed = peer.after_a_crash(&space);
    let found = read(&crashed.drive, &path("saved"));
    assert!(found == b"second" || found == b"third ", "{found:?}");
}

#[test]
fn a_power_cut_after_two_synced_files_changed_places_finds_both() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let _open = [synced(&overlay, "a", b"one"), synced(&overlay, "b", b"two")];
    let (a, b) = ((ROOT, &name("a")), (ROOT, &name("b")));
    overlay.rename(a, b, Replace::Exchange).expect("exchanged");
    overlay.sync_names().expect("durable");
    let peer = peer.after_a_crash(&space);
    assert_eq!(read(&peer.drive, &path("a")), b"two");
    assert_eq!(read(&peer.drive, &path("b")), b"one");
}

/// The draft of a file said where it had been; its new folder, which no draft can be in, made that be believed.
#[test]
fn a_synced_file_that_is_moved_into_a_new_folder_is_there_once_the_folder_is_synced() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let _open = synced(&overlay, "file", b"bytes");
    let folder = overlay.create_folder(ROOT, &name("new"), 0o755);
    let folder = folder.expect("created").id;
    let (from, to) = ((ROOT, &name("file")), (folder, &name("file")));
    overlay.rename(from, to, Replace::Allowed).expect("renamed");
    overlay.sync_names().expect("durable");
    let peer = peer.after_a_crash(&space);
    assert_eq!(read(&peer.drive, &path("new/file")), b"bytes");
    assert!(peer.drive.stat(&path("file")).is_err());
}

/// A database's journal is removed and written anew all the time. The next start found the removed one too, and it might
/// have had the name: the database would have been rolled back with pages of long ago.
#[test]
fn a_synced_file_takes_the_name_of_one_that_was_synced_and_removed_for_good() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    for round in 0..4 {
        let at = format!("journal-{round}");
        let (of_old, of_new) = (noise(3000, 1), noise(3000, 2));
        drop(synced(&overlay, &at, &of_old));
        overlay.remove_file(ROOT, &name(&at)).expect("removed");
        let _open = synced(&overlay, &at, &of_new);
        let peer = peer.after_a_crash(&space);
        assert_eq!(read(&peer.drive, &path(&at)), of_new);
        assert_eq!(peer.drive.list(&path("")).expect("a list").len(), round + 1);
    }
}

/// The same where the first file was moved away, or was in the tree already.
#[test]
fn a_synced_file_takes_the_name_of_one_that_was_moved_away_before() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    for in_tree in [false, true] {
        let [old, moved] = ["name", "moved"].map(|at| name(&format!("{at}-{in_tree}")));
        let _first = synced(&overlay, &old.to_string(), b"first");
        if in_tree {
            overlay.sync().expect("durable");
        }
        let (from, to) = ((ROOT, &old), (ROOT, &moved));
        overlay.rename(from, to, Replace::Allowed).expect("renamed");
        let _second = synced(&overlay, &old.to_string(), b"second");
        let crashed = peer.after_a_crash(&space);
        let found = |at: &Name| read(&crashed.drive, &path(&at.to_string()));
        assert_eq!(
            (found(&old), found(&moved)),
            (b"second".to_vec(), b"first".to_vec())
        );
    }
}

/// What had taken the place of a file in the tree was moved on before its first commit: its name showed that file again.
#[test]
fn a_name_that_was_taken_over_and_moved_on_is_free() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    drop(synced(&overlay, "saved", b"first"));
    overlay.sync().expect("durable");
    let _open = save_beside(&overlay, b"second");
    let (from, to) = ((ROOT, &name("saved")), (ROOT, &name("moved")));
    overlay.rename(from, to, Replace::Allowed).expect("renamed");
    commit_of_another(&overlay);
    assert!(overlay.lookup(ROOT, &name("saved")).is_err());
    let crashed = peer.after_a_crash(&space);
    assert!(crashed.drive.stat(&path("saved")).is_err());
    assert_eq!(read(&crashed.drive, &path("moved")), b"second");
}

/// However often: the name that the tree still has is freed there first, rather than that each journal becomes a version.
#[test]
fn a_journal_that_was_in_the_tree_once_makes_no_more_versions() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let journal = name("journal");
    drop(synced(&overlay, "journal", b"in the tree"));
    overlay.sync().expect("durable");
    let before = peer.drive.history(&path("journal")).expect("history").len();
    for _ in 0..10 {
        overlay.remove_file(ROOT, &journal).expect("removed");
        drop(synced(&overlay, "journal", b"for a moment"));
    }
    overlay.remove_file(ROOT, &journal).expect("removed");
    overlay.close().expect("durable");
    let after = peer.drive.history(&path("journal")).expect("history").len();
    assert!(after <= before + 1, "{before} versions became {after}");
}

/// A program that locks a file by writing its next version beside it, under a name that is used again at once.
#[test]
fn a_lock_that_is_renamed_over_its_file_again_and_again_makes_versions_of_the_file_only() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    for number in 0..10 {
        drop(save_beside(&overlay, format!("save {number}").as_bytes()));
    }
    overlay.close().expect("durable");
    assert_eq!(read(&peer.drive, &path("saved")), b"save 9");
    let history = |at| peer.drive.history(&path(at)).map_or(0, |found| found.len());
    assert_eq!(history("saved.new"), 0);
    assert!(history("saved") >= 1);
}

/// Between what a commit had told of a file's bytes and of the file itself, whoever closed it made it look new and empty, and
/// whoever opened it then wrote that as its next version.
#[test]
fn a_file_that_is_closed_and_opened_while_it_is_committed_keeps_its_bytes() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let done = AtomicBool::new(false);
    let at = |writer: u64, file: u64| name(&format!("{writer}-{file}"));
    std::thread::scope(|scope| {
        let committing = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                overlay.sync().expect("durable");
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let overlay = &overlay;
                scope.spawn(move || {
                    for file in 0..FILES {
                        let (stat, open) = overlay
                            .create(ROOT, &at(writer, file), 0o644)
                            .expect("created");
                        open.write_at(0, &noise(100, file)).expect("written");
                        drop(open);
                        for _ in 0..2000 {
                            let again = overlay.open_file(stat.id, false).expect("open");
                            assert_eq!(again.size(), 100);
                        }
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(|one| one.join()).collect();
        done.store(true, Ordering::Relaxed);
        committing.join().unwrap();
        ended.into_iter().for_each(|one| one.unwrap());
    });
    overlay.close().expect("durable");
    for number in 0..WRITERS * FILES {
        let at = format!("{}-{}", number / FILES, number % FILES);
        assert_eq!(
            read(&peer.drive, &path(&at)),
            noise(100, number % FILES),
            "{at}"
        );
    }
}
