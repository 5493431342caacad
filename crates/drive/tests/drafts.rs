//! What is synced at the very moment at which it is committed.

mod common;

use cobox_drive::overlay::{FileId, Overlay};
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
