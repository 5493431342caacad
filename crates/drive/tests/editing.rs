//! Files edited in place, against plain vectors of bytes.

mod common;

use cobox_drive::drive::{DriveError, FileWriter};
use cobox_drive::handle::WriteOptions;
use cobox_drive::record::{Body, Time};
use common::*;
use proptest::prelude::*;

fn edit(peer: &Peer, at: &str) -> FileWriter {
    peer.drive
        .edit_file(&path(at), WriteOptions::default())
        .expect("opened")
}

fn all(file: &FileWriter) -> Vec<u8> {
    let mut data = vec![0; file.size() as usize];
    assert_eq!(file.read_at(0, &mut data).expect("bytes"), data.len());
    data
}

#[derive(Clone, Debug)]
enum Act {
    Write(u64, usize),
    Append(usize),
    Truncate(u64),
    Read(u64, usize),
    Sync,
    Flush,
    Reopen,
}

fn acts(reach: u64) -> impl Strategy<Value = Vec<Act>> {
    let length = prop_oneof![4 => 1usize..5000, 1 => 1usize..300_000, 1 => Just(4096usize)];
    acts_of(reach, length)
}

fn acts_of(
    reach: u64,
    length: impl Strategy<Value = usize> + Clone,
) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0..reach, length.clone()).prop_map(|(at, length)| Act::Write(at, length)),
        2 => length.clone().prop_map(Act::Append),
        1 => (0..reach).prop_map(Act::Truncate),
        2 => (0..reach, length).prop_map(|(at, length)| Act::Read(at, length)),
        1 => Just(Act::Sync),
        2 => Just(Act::Flush),
        1 => Just(Act::Reopen),
    ];
    prop::collection::vec(act, 1..40)
}

fn run(start: usize, acts: &[Act]) {
    let peer = Peer::new(&Space::new(), 1);
    let mut model = noise(start, 1);
    write(&peer.drive, "file", &model);
    let mut file = edit(&peer, "file");
    let put = |model: &mut Vec<u8>, at: usize, data: &[u8]| {
        model.resize(model.len().max(at + data.len()), 0);
        model[at..at + data.len()].copy_from_slice(data);
    };
    for (number, act) in acts.iter().enumerate() {
        match act {
            Act::Write(at, length) => {
                let data = noise(*length, number as u64 + 2);
                file.write_at(*at, &data).expect("written");
                put(&mut model, *at as usize, &data);
            }
            Act::Append(length) => {
                let data = noise(*length, number as u64 + 2);
                file.write_at(file.size(), &data).expect("written");
                let end = model.len();
                put(&mut model, end, &data);
            }
            Act::Truncate(size) => {
                file.truncate(*size).expect("truncated");
                model.resize(*size as usize, 0);
            }
            Act::Read(at, length) => {
                let mut data = vec![0; *length];
                let got = file.read_at(*at, &mut data).expect("bytes");
                let from = (*at as usize).min(model.len());
                assert_eq!(data[..got], model[from..(from + length).min(model.len())]);
            }
            Act::Sync => file.sync().expect("synced"),
            Act::Flush => file.flush().expect("flushed"),
            Act::Reopen => {
                file.flush().expect("flushed");
                assert_eq!(read(&peer.drive, &path("file")), model);
                file = edit(&peer, "file");
            }
        }
        assert_eq!(file.size(), model.len() as u64);
    }
    assert_eq!(all(&file), model);
    file.flush().expect("flushed");
    assert_eq!(all(&file), model);
    assert_eq!(read(&peer.drive, &path("file")), model);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn small_files_edit_like_plain_bytes(start in 0usize..50_000, acts in acts(100_000)) {
        run(start, &acts);
    }

    #[test]
    fn large_files_edit_like_plain_bytes(start in 1_000_000usize..3_000_000, acts in acts(3_000_000)) {
        run(start, &acts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn long_writes_stored_ahead_edit_like_plain_bytes(
        start in 0usize..3_000_000,
        acts in acts_of(12_000_000, prop_oneof![3 => 1_000_000usize..4_000_000, 1 => 1usize..5000]),
    ) {
        run(start, &acts);
    }
}

#[test]
fn hundreds_of_flushed_writes_fold_and_stay_right() {
    let peer = Peer::new(&Space::new(), 1);
    let mut model = noise(3 << 20, 1);
    write(&peer.drive, "db", &model);
    let file = edit(&peer, "db");
    let mut tables = 0;
    for number in 0..300u64 {
        // Crowds the second window.
        let at = (1 << 20) + (number as usize * 7919) % 900_000;
        let data = noise(100, number + 2);
        file.write_at(at as u64, &data).expect("written");
        model[at..at + 100].copy_from_slice(&data);
        file.flush().expect("flushed");
        let body = peer.drive.stat(&path("db")).expect("entry").content.body;
        tables += usize::from(matches!(body, Body::Table { splices, .. } if splices.is_empty()));
    }
    assert!(tables > 0, "it was never folded");
    assert_eq!(read(&peer.drive, &path("db")), model);
    assert_eq!(all(&file), model);
}

#[test]
fn a_long_stream_passes_through_little_memory_and_is_one_run() {
    let peer = Peer::new(&Space::new(), 1);
    let data = noise(40 << 20, 1);
    let file = edit(&peer, "new");
    assert!(matches!(
        peer.drive.stat(&path("new")),
        Err(DriveError::NotFound(_))
    ));
    for (number, part) in data.chunks(131_072).enumerate() {
        file.write_at(number as u64 * 131_072, part)
            .expect("written");
    }
    file.flush().expect("flushed");
    assert_eq!(read(&peer.drive, &path("new")), data);
    let body = peer.drive.stat(&path("new")).expect("entry").content.body;
    assert!(
        matches!(&body, Body::Runs(runs) if runs.len() == 1),
        "{body:?}"
    );
    // Reading what was stored ahead makes it a version first.
    let file = edit(&peer, "new");
    for number in 0..100u64 {
        file.write_at((20 << 20) + number * 131_072, &data[..131_072])
            .expect("written");
    }
    let mut part = [0; 64];
    file.read_at(20 << 20, &mut part).expect("bytes");
    assert_eq!(part, data[..64]);
}

#[test]
fn what_was_synced_survives_a_crash_without_a_flush() {
    let space = Space::new();
    let peer = Peer::new(&space, 1);
    let mut model = noise(2 << 20, 1);
    write(&peer.drive, "db", &model);
    let versions = peer.drive.history(&path("db")).expect("history").len();
    let file = edit(&peer, "db");
    for number in 0..20u64 {
        let data = noise(4096, number + 2);
        file.write_at(number * 50_000, &data).expect("written");
        model[number as usize * 50_000..number as usize * 50_000 + 4096].copy_from_slice(&data);
        file.sync().expect("synced");
    }
    assert_eq!(
        peer.drive.history(&path("db")).expect("history").len(),
        versions,
        "a sync is no version"
    );
    drop(file);
    let peer = peer.reopen(&space);
    assert_eq!(read(&peer.drive, &path("db")), model);
    assert!(peer.set.drafts().is_empty());
    assert_eq!(
        peer.drive.history(&path("db")).expect("history").len(),
        versions + 1
    );
}

#[test]
fn a_flush_drops_the_draft() {
    let peer = Peer::new(&Space::new(), 1);
    write(&peer.drive, "db", &noise(2 << 20, 1));
    let file = edit(&peer, "db");
    file.write_at(5, b"synced").expect("written");
    file.sync().expect("synced");
    assert_eq!(peer.set.drafts().len(), 1);
    file.flush().expect("flushed");
    assert!(peer.set.drafts().is_empty());
    file.sync().expect("nothing to do");
    assert!(peer.set.drafts().is_empty());
}

#[test]
fn many_small_files_are_flushed_in_one_commit() {
    let peer = Peer::new(&Space::new(), 1);
    let files: Vec<FileWriter> = (0..50)
        .map(|number| edit(&peer, &format!("f{number}")))
        .collect();
    for (number, file) in files.iter().enumerate() {
        file.write_at(0, format!("content {number}").as_bytes())
            .expect("written");
        file.set_mtime(Time {
            seconds: number as i64,
            nanos: 0,
        });
    }
    let before = peer.feeds[0].length();
    peer.drive
        .flush_files(&files.iter().collect::<Vec<_>>())
        .expect("flushed");
    assert!(peer.feeds[0].length() <= before + 1);
    assert_eq!(read(&peer.drive, &path("f33")), b"content 33");
    assert_eq!(
        peer.drive
            .stat(&path("f33"))
            .expect("entry")
            .content
            .mtime
            .seconds,
        33
    );
}

#[test]
fn an_edit_beside_somebody_elses_is_a_conflict() {
    let space = Space::new();
    let (alice, bob) = (Peer::new(&space, 1), Peer::new(&space, 2));
    write(&alice.drive, "file", b"first");
    bob.pull(&alice, true);
    let file = edit(&alice, "file");
    write(&bob.drive, "file", b"bob's");
    alice.pull(&bob, true);
    file.write_at(0, b"ALICE").expect("written");
    file.flush().expect("flushed");
    assert_eq!(alice.drive.conflicts().expect("conflicts").len(), 1);
}
