//! The overlay against a plain model, and what becomes of its changes in the tree and in the history.

mod common;

use cobox_drive::drive::DriveError;
use cobox_drive::overlay::{FileId, Must, OpenFile, Overlay, Replace, Set, Stale, Stat};
use cobox_drive::path::Name;
use cobox_drive::record::{Kind, Time};
use cobox_feed::store::StoreError;
use common::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const ROOT: FileId = FileId::ROOT;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).expect("a good name")
}

fn over(peer: &Peer) -> Arc<Overlay> {
    Overlay::open(peer.drive.clone()).expect("an overlay")
}

fn look(overlay: &Overlay, at: &str) -> Option<Stat> {
    let mut found = overlay.stat(ROOT).ok();
    for part in at.split('/').filter(|part| !part.is_empty()) {
        found = overlay.lookup(found?.id, &name(part)).ok();
    }
    found
}

fn contents(overlay: &Arc<Overlay>, at: &str) -> Option<Vec<u8>> {
    let stat = look(overlay, at)?;
    let file = overlay.open_file(stat.id, false).ok()?;
    Some(all(&file))
}

fn all(file: &OpenFile) -> Vec<u8> {
    let mut data = vec![0; file.size() as usize];
    assert_eq!(file.read_at(0, &mut data).expect("bytes"), data.len());
    data
}

fn save(overlay: &Arc<Overlay>, at: &str, data: &[u8]) {
    let (_, file) = overlay.create(ROOT, &name(at), 0o644).expect("created");
    file.write_at(0, data).expect("written");
    file.flush().expect("closed");
}

fn versions(peer: &Peer, at: &str) -> usize {
    let history = peer.drive.history(&path(at)).expect("a history");
    history
        .iter()
        .filter(|version| version.content.is_some())
        .count()
}

#[test]
fn what_is_created_is_there_at_once_and_in_the_tree_after_a_sync() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    let folder = overlay
        .create_folder(ROOT, &name("a"), 0o750)
        .expect("a folder");
    let (stat, file) = overlay
        .create(folder.id, &name("b.txt"), 0o640)
        .expect("a file");
    file.write_at(0, b"hello").expect("written");
    overlay
        .symlink(folder.id, &name("link"), b"b.txt")
        .expect("a link");
    assert_eq!(overlay.stat(stat.id).expect("details").size, 5);
    assert_eq!(
        contents(&overlay, "a/b.txt").as_deref(),
        Some(&b"hello"[..])
    );
    overlay.sync().expect("durable");
    assert_eq!(read(&peer.drive, &path("a/b.txt")), b"hello");
    let entry = peer.drive.stat(&path("a/b.txt")).expect("an entry");
    assert_eq!(entry.attrs.mode, 0o640);
    assert_eq!(names(&peer.drive, "a"), ["b.txt", "link"]);
    let link = look(&overlay, "a/link").expect("a link");
    assert_eq!(overlay.target(link.id).expect("a target"), b"b.txt");
    drop(file);
    overlay.close().expect("closed");
}

#[test]
fn changes_reach_the_tree_by_themselves_within_a_second() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    save(&overlay, "soon", b"here");
    let mut tries = 0;
    while peer.drive.stat(&path("soon")).is_err() {
        tries += 1;
        assert!(tries < 200, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(read(&peer.drive, &path("soon")), b"here");
}

#[test]
fn an_editors_way_of_saving_makes_one_version_of_the_same_file() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    save(&overlay, "notes", b"one");
    overlay.sync().expect("durable");
    for text in ["two", "three"] {
        save(&overlay, "notes.tmp", text.as_bytes());
        let done = overlay.rename(
            (ROOT, &name("notes.tmp")),
            (ROOT, &name("notes")),
            Replace::Allowed,
        );
        done.expect("renamed");
        assert_eq!(
            contents(&overlay, "notes").as_deref(),
            Some(text.as_bytes())
        );
        overlay.sync().expect("durable");
        assert_eq!(
            contents(&overlay, "notes").as_deref(),
            Some(text.as_bytes())
        );
    }
    assert_eq!(names(&peer.drive, ""), ["notes"]);
    assert_eq!(versions(&peer, "notes"), 3);
    assert!(
        peer.drive
            .history(&path("notes.tmp"))
            .expect("a history")
            .is_empty()
    );
}

#[test]
fn a_rename_over_a_file_continues_its_history_also_when_both_are_in_the_tree() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    save(&overlay, "target", b"old");
    let large = noise(3 << 20, 7);
    save(&overlay, "source", &large);
    overlay.sync().expect("durable");
    let done = overlay.rename(
        (ROOT, &name("source")),
        (ROOT, &name("target")),
        Replace::Allowed,
    );
    done.expect("renamed");
    assert_eq!(contents(&overlay, "target"), Some(large.clone()));
    let id = look(&overlay, "target").expect("there").id;
    let file = overlay.open_file(id, true).expect("open");
    file.write_at(10, b"more").expect("written");
    drop(file);
    overlay.sync().expect("durable");
    let mut expected = large;
    expected[10..14].copy_from_slice(b"more");
    assert_eq!(read(&peer.drive, &path("target")), expected);
    assert_eq!(versions(&peer, "target"), 3);
    assert_eq!(names(&peer.drive, ""), ["target"]);
}

#[test]
fn what_came_and_went_leaves_no_trace() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    let before = peer.feeds[0].length();
    save(&overlay, ".lock", b"pid");
    overlay.remove_file(ROOT, &name(".lock")).expect("removed");
    overlay.sync().expect("durable");
    assert_eq!(peer.feeds[0].length(), before);
    assert!(look(&overlay, ".lock").is_none());
}

#[test]
fn an_open_file_lives_without_a_name_and_is_never_committed() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    let (_, file) = overlay.create(ROOT, &name("temp"), 0o600).expect("created");
    file.write_at(0, &noise(20 << 20, 3)).expect("written");
    overlay.remove_file(ROOT, &name("temp")).expect("removed");
    file.write_at(5, b"after").expect("written");
    file.sync().expect("nothing to do");
    let mut expected = noise(20 << 20, 3);
    expected[5..10].copy_from_slice(b"after");
    assert_eq!(all(&file), expected);
    overlay.sync().expect("durable");
    assert_eq!(all(&file), expected);
    assert!(peer.drive.stat(&path("temp")).is_err());
}

#[test]
fn files_without_names_keep_no_writer_waiting() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    let nameless: Vec<_> = (0..3)
        .map(|number| {
            let at = name(&format!("temp-{number}"));
            let (_, file) = overlay.create(ROOT, &at, 0o600).expect("created");
            overlay.remove_file(ROOT, &at).expect("removed");
            file
        })
        .collect();
    let piece = noise(8 << 20, 1);
    for file in &nameless {
        (0..5).for_each(|at| file.write_at(at * (8 << 20), &piece).expect("written"));
    }
    save(&overlay, "other", b"goes on");
    overlay.sync().expect("durable");
    assert_eq!(read(&peer.drive, &path("other")), b"goes on");
}

#[test]
fn files_without_names_have_a_bound_all_together_and_give_their_room_back() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    let nameless = |number: usize| {
        let at = name(&format!("temp-{number}"));
        let (_, file) = overlay.create(ROOT, &at, 0o600).expect("created");
        overlay.remove_file(ROOT, &at).expect("removed");
        file
    };
    let piece = noise(16 << 20, 1);
    let fill = |file: &OpenFile, pieces: u64| {
        (0..pieces).try_for_each(|at| file.write_at(at * (16 << 20), &piece))
    };
    let (first, second, third) = (nameless(1), nameless(2), nameless(3));
    fill(&first, 16).expect("256 MiB");
    fill(&second, 15).expect("240 MiB");
    let refused = fill(&third, 2).expect_err("no room for the second piece");
    assert!(matches!(refused, DriveError::NamelessFull), "{refused}");
    drop(first);
    fill(&third, 2).expect("its room is free again");
    assert_eq!(all(&third), [piece.clone(), piece.clone()].concat());
}

/// `mv` of a film that just does not fit: every write and the close succeeded, the commit behind them failed, nobody was
/// told, and the file was gone. Whoever writes has to be told while there is still room for the commit.
#[test]
fn a_long_file_is_refused_while_its_commit_still_fits_on_the_disk() {
    let peer = Peer::on_a_full_disk(&Space::new(), 1);
    let overlay = over(&peer);
    save(
        &overlay,
        "small",
        b"small files are written as long as they fit",
    );
    let (_, file) = overlay.create(ROOT, &name("film"), 0o644).expect("created");
    let piece = noise(1 << 20, 1);
    let told = (0..64).find_map(|at| file.write_at(at << 20, &piece).err());
    let told = told.expect("told while it writes");
    let is_full = matches!(told, DriveError::Store(StoreError::DiskFull));
    assert!(is_full, "{told}");
    let taken = file.size();
    drop(file);
    overlay.close().expect("what was taken is kept");
    let kept = peer.drive.stat(&path("film")).expect("there").content.size;
    assert!(kept == taken && kept >= 1 << 20, "{kept} of {taken}");
}

#[test]
fn a_synced_file_survives_a_crash_and_a_removed_one_does_not_come_back() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    save(&overlay, "kept", b"first");
    save(&overlay, "gone", b"first");
    overlay.sync().expect("durable");
    let mut open = Vec::new();
    for at in ["kept", "gone"] {
        let id = look(&overlay, at).expect("there").id;
        let file = overlay.open_file(id, true).expect("open");
        file.write_at(0, b"draft").expect("written");
        file.sync().expect("durable");
        open.push(file);
    }
    overlay.remove_file(ROOT, &name("gone")).expect("removed");
    overlay.sync_names().expect("durable");
    let peer = peer.after_a_crash(&space);
    assert_eq!(read(&peer.drive, &path("kept")), b"draft");
    assert!(peer.drive.stat(&path("gone")).is_err());
}

#[test]
fn a_power_cut_while_a_synced_file_is_removed_does_not_bring_it_back() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    save(&overlay, "gone", b"first");
    overlay.sync().expect("durable");
    let id = look(&overlay, "gone").expect("there").id;
    let file = overlay.open_file(id, true).expect("open");
    file.write_at(0, b"draft").expect("written");
    file.sync().expect("durable");
    drop(file);
    let (before, (segment, start)) = (peer.feeds[0].length(), peer.newest_segment());
    overlay.remove_file(ROOT, &name("gone")).expect("removed");
    overlay.sync().expect("durable");
    let (same, end) = peer.newest_segment();
    assert_eq!(same, segment, "the test sees one file only");
    let (mut kept, mut gone) = (0, 0);
    for cut in (start..end).step_by(97).chain([end]) {
        let (found, peer) = peer.after_a_cut(&space, &segment, cut);
        if found == before {
            assert_eq!(read(&peer.drive, &path("gone")), b"draft", "cut at {cut}");
            kept += 1;
        } else {
            assert!(peer.drive.stat(&path("gone")).is_err(), "cut at {cut}");
            gone += 1;
        }
    }
    assert!(kept > 1 && gone > 0, "{kept} {gone}");
}

#[test]
fn a_new_file_that_is_synced_and_removed_again_makes_no_commit_and_survives_a_crash() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let overlay = over(&peer);
    let before = peer.feeds[0].length();
    for round in 0..3 {
        let (_, file) = overlay
            .create(ROOT, &name("db-journal"), 0o600)
            .expect("created");
        file.write_at(0, format!("round {round}").as_bytes())
            .expect("written");
        file.sync().expect("durable");
        overlay.sync_names().expect("durable");
        drop(file);
        if round < 2 {
            overlay
                .remove_file(ROOT, &name("db-journal"))
                .expect("removed");
            overlay.sync_names().expect("durable");
        }
    }
    assert_eq!(peer.feeds[0].length(), before);
    let (_, file) = overlay.create(ROOT, &name("open"), 0o640).expect("created");
    file.write_at(0, b"not closed").expect("written");
    overlay.sync_names().expect("durable");
    let (from, to) = ((ROOT, &name("open")), (ROOT, &name("renamed")));
    overlay.rename(from, to, Replace::Allowed).expect("renamed");
    overlay.sync_names().expect("durable");
    let peer = peer.after_a_crash(&space);
    assert_eq!(read(&peer.drive, &path("db-journal")), b"round 2");
    assert_eq!(read(&peer.drive, &path("renamed")), b"not closed");
    assert!(peer.drive.stat(&path("open")).is_err());
    assert_eq!(
        peer.drive
            .stat(&path("renamed"))
            .expect("an entry")
            .attrs
            .mode,
        0o640
    );
}

#[test]
fn what_others_change_is_told() {
    let space = Space::new();
    let (alice, bob) = (Peer::new(&space, 1), Peer::new(&space, 2));
    let overlay = over(&alice);
    save(&overlay, "file", b"alice");
    overlay.sync().expect("durable");
    let id = look(&overlay, "file").expect("there").id;
    let reading = overlay.open_file(id, false).expect("open");
    let mut stale = overlay.subscribe();
    bob.pull(&alice, true);
    write(&bob.drive, "file", b"bob was here");
    write(&bob.drive, "new", b"bob");
    alice.pull(&bob, true);
    let mut told = Vec::new();
    let entry = |at| Stale::Entry {
        folder: ROOT,
        name: name(at),
    };
    while !told.contains(&entry("file")) || !told.contains(&entry("new")) {
        told.push(stale.blocking_recv().expect("told"));
    }
    // Whoever has it open goes on with what was opened; who looks again sees the new version.
    assert_eq!(all(&reading), b"alice");
    assert_eq!(
        contents(&overlay, "file").as_deref(),
        Some(&b"bob was here"[..])
    );
    assert_ne!(look(&overlay, "file").expect("there").id, id);
    // What the overlay commits itself is not told.
    save(&overlay, "own", b"alice");
    overlay.sync().expect("durable");
    std::thread::sleep(Duration::from_millis(50));
    while let Ok(stale) = stale.try_recv() {
        assert_ne!(stale, entry("own"));
    }
}

/// `tar -S` takes what has no room at all for one hole: it would archive zeros, and fetch nothing.
#[test]
fn what_is_not_here_takes_next_to_no_room_and_yet_some() {
    let space = Space::new();
    let (alice, bob) = (Peer::new(&space, 1), Peer::new(&space, 2));
    write(&alice.drive, "far", &noise(300_000, 1));
    let stored = |peer: &Peer| look(&over(peer), "far").expect("there").stored;
    bob.pull(&alice, false);
    assert_eq!((stored(&alice), stored(&bob)), (300_000, 1));
    let before = bob.drive.disk_size();
    bob.pull(&alice, true);
    assert_eq!(stored(&bob), 300_000);
    assert!(bob.drive.disk_size() >= before + 300_000);
}

#[test]
fn a_program_that_had_a_file_open_writes_beside_what_came_meanwhile() {
    let space = Space::new();
    let (alice, bob) = (Peer::new(&space, 1), Peer::new(&space, 2));
    let overlay = over(&alice);
    save(&overlay, "file", b"start");
    overlay.sync().expect("durable");
    bob.pull(&alice, true);
    let id = look(&overlay, "file").expect("there").id;
    let file = overlay.open_file(id, true).expect("open");
    let mut stale = overlay.subscribe();
    write(&bob.drive, "file", b"bob was here");
    alice.pull(&bob, true);
    stale.blocking_recv().expect("told");
    file.write_at(5, b" alice").expect("written");
    drop(file);
    overlay.sync().expect("durable");
    let mut found: Vec<_> = overlay
        .list(ROOT)
        .expect("a list")
        .iter()
        .map(|stat| {
            overlay.keep(stat);
            all(&overlay.open_file(stat.id, false).expect("open"))
        })
        .collect();
    found.sort();
    assert_eq!(found, [&b"bob was here"[..], b"start alice"]);
    assert_eq!(alice.drive.conflicts().expect("conflicts").len(), 1);
}

#[test]
fn a_save_over_a_change_by_another_is_a_conflict_and_its_copy_can_be_removed() {
    let space = Space::new();
    let (alice, bob) = (Peer::new(&space, 1), Peer::new(&space, 2));
    let overlay = over(&alice);
    save(&overlay, "file", b"start");
    overlay.sync().expect("durable");
    bob.pull(&alice, true);
    let id = look(&overlay, "file").expect("there").id;
    let file = overlay.open_file(id, true).expect("open");
    file.write_at(0, b"alice").expect("written");
    write(&bob.drive, "file", b"bob was here");
    alice.pull(&bob, true);
    drop(file);
    overlay.sync().expect("durable");
    let list = overlay.list(ROOT).expect("a list");
    assert_eq!(list.len(), 2, "{list:?}");
    let copy = list.iter().find(|stat| stat.conflict).expect("a copy");
    overlay.keep(copy);
    let refused = overlay.open_file(copy.id, true);
    assert!(matches!(refused.err(), Some(DriveError::ConflictCopy(_))));
    assert!(overlay.open_file(copy.id, false).is_ok());
    overlay.remove_file(ROOT, &copy.name).expect("dismissed");
    assert!(alice.drive.conflicts().expect("conflicts").is_empty());
    assert_eq!(overlay.list(ROOT).expect("a list").len(), 1);
}

#[test]
fn a_folder_of_any_size_is_renamed_by_one_record() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    let folder = overlay
        .create_folder(ROOT, &name("old"), 0o755)
        .expect("a folder");
    for number in 0..300 {
        overlay
            .create(folder.id, &name(&format!("{number}")), 0o644)
            .expect("a file");
    }
    overlay.sync().expect("durable");
    let before = peer.feeds[0].length();
    overlay
        .rename((ROOT, &name("old")), (ROOT, &name("new")), Replace::Allowed)
        .expect("renamed");
    overlay.sync().expect("durable");
    assert_eq!(peer.feeds[0].length(), before + 1);
    assert_eq!(names(&peer.drive, "new").len(), 300);
    let inside = overlay.rename(
        (ROOT, &name("new")),
        (folder.id, &name("x")),
        Replace::Allowed,
    );
    assert!(matches!(inside, Err(DriveError::IntoItself(_))));
}

#[derive(Clone, Debug)]
enum Act {
    Create(u8),
    Folder(u8),
    Write(u8, u32, u16),
    Truncate(u8, u32),
    Remove(u8),
    Rename(u8, u8, bool),
    Exchange(u8, u8),
    Mode(u8, u8),
    Xattr(u8, u8),
    Sync,
    Fsync(u8),
    Pause,
}

#[derive(Clone, Debug, PartialEq)]
struct Thing {
    data: Option<Vec<u8>>,
    mode: u32,
    xattr: Option<u8>,
}

fn act() -> impl Strategy<Value = Act> {
    let at = 0u8..12;
    prop_oneof![
        4 => at.clone().prop_map(Act::Create),
        2 => at.clone().prop_map(Act::Folder),
        6 => (at.clone(), 0u32..3_000_000, 1u16..40_000).prop_map(|(a, o, l)| Act::Write(a, o, l)),
        1 => (at.clone(), 0u32..3_000_000).prop_map(|(a, s)| Act::Truncate(a, s)),
        3 => at.clone().prop_map(Act::Remove),
        6 => (at.clone(), at.clone(), any::<bool>()).prop_map(|(a, b, r)| Act::Rename(a, b, r)),
        1 => (at.clone(), at.clone()).prop_map(|(a, b)| Act::Exchange(a, b)),
        1 => (at.clone(), any::<u8>()).prop_map(|(a, m)| Act::Mode(a, m)),
        1 => (at.clone(), any::<u8>()).prop_map(|(a, m)| Act::Xattr(a, m)),
        2 => Just(Act::Sync),
        4 => at.prop_map(Act::Fsync),
        1 => Just(Act::Pause),
    ]
}

/// Twelve places: six names in the root, six in the folder `0` of it.
fn place(at: u8) -> (&'static str, String) {
    (if at < 6 { "" } else { "0" }, format!("{}", at % 6))
}

fn key(at: u8) -> String {
    let (folder, leaf) = place(at);
    format!("{folder}/{leaf}")
        .trim_start_matches('/')
        .to_owned()
}

struct World {
    overlay: Arc<Overlay>,
    model: BTreeMap<String, Thing>,
    /// Files that were synced and not touched since.
    durable: BTreeMap<String, Vec<u8>>,
    salt: u64,
}

impl World {
    fn new(peer: &Peer) -> Self {
        Self {
            overlay: over(peer),
            model: BTreeMap::new(),
            durable: BTreeMap::new(),
            salt: 0,
        }
    }

    /// Something at or below these places changed: what a crash leaves there is open.
    fn touched(&mut self, places: &[u8]) {
        for at in places {
            let key = key(*at);
            let below = format!("{key}/");
            self.durable
                .retain(|one, _| *one != key && !one.starts_with(&below));
        }
    }

    fn folder(&self, at: u8) -> Option<FileId> {
        look(&self.overlay, place(at).0)
            .filter(|stat| stat.kind == Kind::Folder)
            .map(|stat| stat.id)
    }

    fn is_folder(&self, key: &str) -> bool {
        key.is_empty()
            || self
                .model
                .get(key)
                .is_some_and(|thing| thing.data.is_none())
    }

    fn below(&self, key: &str) -> Vec<String> {
        let start = format!("{key}/");
        self.model
            .keys()
            .filter(|one| one.starts_with(&start))
            .cloned()
            .collect()
    }

    fn act(&mut self, act: &Act) {
        self.salt += 1;
        match act {
            Act::Create(at) | Act::Folder(at) | Act::Remove(at) => self.touched(&[*at]),
            Act::Write(at, ..) | Act::Truncate(at, _) => self.touched(&[*at]),
            Act::Rename(from, to, _) | Act::Exchange(from, to) => self.touched(&[*from, *to]),
            _ => {}
        }
        match act {
            Act::Create(at) | Act::Folder(at) => {
                let is_file = matches!(act, Act::Create(_));
                let Some(folder) = self.folder(*at) else {
                    return;
                };
                let leaf = name(&place(*at).1);
                let done = match is_file {
                    true => self.overlay.create(folder, &leaf, 0o644).map(drop),
                    false => self.overlay.create_folder(folder, &leaf, 0o644).map(drop),
                };
                assert_eq!(
                    done.is_ok(),
                    !self.model.contains_key(&key(*at)),
                    "{act:?} {done:?}"
                );
                if done.is_ok() {
                    let data = is_file.then(Vec::new);
                    self.model.insert(
                        key(*at),
                        Thing {
                            data,
                            mode: 0o644,
                            xattr: None,
                        },
                    );
                }
            }
            Act::Write(at, offset, length) => {
                let Some(Thing {
                    data: Some(data), ..
                }) = self.model.get_mut(&key(*at))
                else {
                    return;
                };
                let bytes = noise(*length as usize, self.salt);
                let end = *offset as usize + bytes.len();
                data.resize(data.len().max(end), 0);
                data[*offset as usize..end].copy_from_slice(&bytes);
                let id = look(&self.overlay, &key(*at)).expect("there").id;
                let file = self.overlay.open_file(id, true).expect("open");
                file.write_at(u64::from(*offset), &bytes).expect("written");
            }
            Act::Truncate(at, size) => {
                let Some(Thing {
                    data: Some(data), ..
                }) = self.model.get_mut(&key(*at))
                else {
                    return;
                };
                data.resize(*size as usize, 0);
                let id = look(&self.overlay, &key(*at)).expect("there").id;
                let size = Some(u64::from(*size));
                self.overlay
                    .set(
                        id,
                        Set {
                            size,
                            ..Set::default()
                        },
                    )
                    .expect("cut");
            }
            Act::Remove(at) => {
                let Some(folder) = self.folder(*at) else {
                    return;
                };
                let leaf = name(&place(*at).1);
                let is_folder = self.is_folder(&key(*at));
                let done = match is_folder {
                    true => self.overlay.remove_folder(folder, &leaf),
                    false => self.overlay.remove_file(folder, &leaf),
                };
                let may = self.model.contains_key(&key(*at)) && self.below(&key(*at)).is_empty();
                assert_eq!(done.is_ok(), may, "{act:?} {done:?}");
                if may {
                    self.model.remove(&key(*at));
                }
            }
            Act::Rename(from, to, replace) => self.rename(*from, *to, *replace),
            Act::Exchange(from, to) => self.exchange(*from, *to),
            Act::Mode(at, mode) => {
                let Some(thing) = self.model.get_mut(&key(*at)) else {
                    return;
                };
                thing.mode = 0o400 | u32::from(*mode & 0o77);
                let id = look(&self.overlay, &key(*at)).expect("there").id;
                let mode = Some(thing.mode);
                self.overlay
                    .set(
                        id,
                        Set {
                            mode,
                            ..Set::default()
                        },
                    )
                    .expect("set");
            }
            Act::Xattr(at, value) => {
                let Some(thing) = self.model.get_mut(&key(*at)) else {
                    return;
                };
                thing.xattr = Some(*value);
                let id = look(&self.overlay, &key(*at)).expect("there").id;
                self.overlay
                    .change_xattr(id, b"user.x", Some(&[*value]), Must::Any)
                    .expect("set");
            }
            Act::Sync => {
                self.overlay.sync().expect("durable");
                let files = self.model.iter();
                let files =
                    files.filter_map(|(key, thing)| Some((key.clone(), thing.data.clone()?)));
                self.durable = files.collect();
            }
            Act::Fsync(at) => {
                let data = self
                    .model
                    .get(&key(*at))
                    .and_then(|thing| thing.data.clone());
                if let Some(data) = data {
                    let id = look(&self.overlay, &key(*at)).expect("there").id;
                    let file = self.overlay.open_file(id, true).expect("open");
                    file.sync().expect("durable");
                    self.durable.insert(key(*at), data);
                }
            }
            Act::Pause => std::thread::sleep(Duration::from_millis(120)),
        }
    }

    fn rename(&mut self, from: u8, to: u8, replace: bool) {
        let (Some(a), Some(b)) = (self.folder(from), self.folder(to)) else {
            return;
        };
        let how = if replace {
            Replace::Allowed
        } else {
            Replace::Refused
        };
        let (from_name, to_name) = (name(&place(from).1), name(&place(to).1));
        let done = self.overlay.rename((a, &from_name), (b, &to_name), how);
        let (from, to) = (key(from), key(to));
        let may = match (self.model.get(&from), self.model.get(&to)) {
            (None, _) => false,
            _ if from == to => true,
            _ if to.starts_with(&format!("{from}/")) => false,
            (Some(_), None) => true,
            (Some(_), Some(_)) if !replace => false,
            (Some(one), Some(two)) => {
                one.data.is_none() == two.data.is_none() && self.below(&to).is_empty()
            }
        };
        assert_eq!(done.is_ok(), may, "{from} -> {to}: {done:?}");
        if may && from != to {
            for old in self.below(&from) {
                let thing = self.model.remove(&old).expect("there");
                self.model.insert(old.replacen(&from, &to, 1), thing);
            }
            let thing = self.model.remove(&from).expect("there");
            self.model.insert(to, thing);
        }
    }

    fn exchange(&mut self, from: u8, to: u8) {
        let (Some(a), Some(b)) = (self.folder(from), self.folder(to)) else {
            return;
        };
        let (from_name, to_name) = (name(&place(from).1), name(&place(to).1));
        let (from, to) = (key(from), key(to));
        // Folders stay where they are, so that the model needs no paths to be changed at both ends.
        if self.is_folder(&from) || self.is_folder(&to) || from == to {
            return;
        }
        let done = self
            .overlay
            .rename((a, &from_name), (b, &to_name), Replace::Exchange);
        let both = (self.model.get(&from).cloned(), self.model.get(&to).cloned());
        assert_eq!(done.is_ok(), both.0.is_some() && both.1.is_some());
        if let (Some(one), Some(two)) = both {
            self.model.insert(from, two);
            self.model.insert(to, one);
        }
    }

    fn check(&self) {
        let mut found = BTreeMap::new();
        let mut folders = vec![(ROOT, String::new())];
        while let Some((folder, above)) = folders.pop() {
            for stat in self.overlay.list(folder).expect("a list") {
                self.overlay.keep(&stat);
                let key = format!("{above}{}", stat.name);
                let data = match stat.kind {
                    Kind::Folder => {
                        folders.push((stat.id, format!("{key}/")));
                        None
                    }
                    _ => {
                        let file = self.overlay.open_file(stat.id, false).expect("open");
                        assert_eq!(file.size(), stat.size, "{key}");
                        Some(all(&file))
                    }
                };
                let xattrs = self.overlay.xattrs(stat.id).expect("attributes");
                let xattr = xattrs.first().map(|(_, value)| value[0]);
                found.insert(
                    key,
                    Thing {
                        data,
                        mode: stat.mode,
                        xattr,
                    },
                );
            }
        }
        let short = |things: &BTreeMap<String, Thing>| -> Vec<String> {
            let one = |(key, thing): (&String, &Thing)| {
                let data = thing.data.as_ref().map(|data| (data.len(), crc(data)));
                format!("{key}: {data:?} {:o} {:?}", thing.mode, thing.xattr)
            };
            things.iter().map(one).collect()
        };
        assert_eq!(short(&found), short(&self.model));
    }
}

fn crc(data: &[u8]) -> u64 {
    data.iter().fold(7, |sum: u64, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_programs_do_they_and_the_tree_see_what_a_plain_model_says(
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let space = Space::new();
        let peer = Peer::new(&space, 1);
        let mut world = World::new(&peer);
        let start = [0u8].map(Act::Folder).into_iter().chain((1..10).map(Act::Create));
        start.for_each(|act| world.act(&act));
        for act in &acts {
            world.act(act);
        }
        let crashed = peer.after_a_crash(&space);
        for (at, data) in &world.durable {
            prop_assert_eq!(crc(&read(&crashed.drive, &path(at))), crc(data), "{}", at);
        }
        drop(crashed);
        world.check();
        world.overlay.sync().expect("durable");
        world.check();
        world.overlay.close().expect("closed");
        let World { overlay, model, .. } = world;
        drop(overlay);
        let peer = peer.reopen(&space);
        let world = World { model, ..World::new(&peer) };
        world.check();
    }
}

#[test]
fn times_are_kept() {
    let peer = Peer::new(&Space::new(), 1);
    let overlay = over(&peer);
    let (stat, file) = overlay.create(ROOT, &name("a"), 0o644).expect("created");
    file.write_at(0, b"x").expect("written");
    let mtime = Some(Time {
        seconds: 1_000_000,
        nanos: 123_456_789,
    });
    overlay
        .set(
            stat.id,
            Set {
                mtime,
                ..Set::default()
            },
        )
        .expect("set");
    drop(file);
    overlay.sync().expect("durable");
    assert_eq!(Some(overlay.stat(stat.id).expect("details").mtime), mtime);
    assert_eq!(
        Some(peer.drive.stat(&path("a")).expect("an entry").content.mtime),
        mtime
    );
    assert_eq!(versions(&peer, "a"), 1);
}
