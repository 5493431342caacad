//! Files edited in place through the overlay, against plain vectors of bytes.

mod common;

use cobox_drive::overlay::{FileId, OpenFile, Overlay};
use cobox_drive::path::Name;
use cobox_drive::record::Body;
use common::*;
use proptest::prelude::*;
use std::sync::Arc;

/// A file that is open for writing, in an overlay of its own.
struct Editing {
    overlay: Arc<Overlay>,
    file: Arc<OpenFile>,
}

impl std::ops::Deref for Editing {
    type Target = OpenFile;

    fn deref(&self) -> &OpenFile {
        &self.file
    }
}

impl Editing {
    /// Makes what was written a version.
    fn commit(&self) {
        self.overlay.sync().expect("committed");
    }
}

impl Drop for Editing {
    fn drop(&mut self) {
        self.overlay.close().expect("closed");
    }
}

fn edit(peer: &Peer, at: &str) -> Editing {
    let overlay = Overlay::open(peer.drive.clone()).expect("an overlay");
    let name = Name::new(at.as_bytes()).expect("a good name");
    let file = match overlay.lookup(FileId::ROOT, &name) {
        Ok(found) => overlay.open_file(found.id, true).expect("opened"),
        Err(_) => {
            overlay
                .create(FileId::ROOT, &name, 0o644)
                .expect("created")
                .1
        }
    };
    Editing { overlay, file }
}

fn all(file: &OpenFile) -> Vec<u8> {
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
    Commit,
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
        2 => Just(Act::Commit),
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
            Act::Commit => file.commit(),
            Act::Reopen => {
                file.commit();
                assert_eq!(read(&peer.drive, &path("file")), model);
                drop(file);
                file = edit(&peer, "file");
            }
        }
        assert_eq!(file.size(), model.len() as u64);
    }
    assert_eq!(all(&file), model);
    file.commit();
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
fn hundreds_of_committed_writes_fold_and_stay_right() {
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
        file.commit();
        let body = peer.drive.stat(&path("db")).expect("entry").content.body;
        tables += usize::from(matches!(body, Body::Table { splices, .. } if splices.is_empty()));
    }
    assert!(tables > 0, "it was never folded");
    assert_eq!(read(&peer.drive, &path("db")), model);
    assert_eq!(all(&file), model);
}

#[test]
fn a_long_stream_is_stored_ahead_and_is_a_few_long_runs() {
    let peer = Peer::new(&Space::new(), 1);
    let data = noise(40 << 20, 1);
    let file = edit(&peer, "new");
    for (number, part) in data.chunks(131_072).enumerate() {
        file.write_at(number as u64 * 131_072, part)
            .expect("written");
    }
    file.commit();
    assert_eq!(read(&peer.drive, &path("new")), data);
    let body = peer.drive.stat(&path("new")).expect("entry").content.body;
    assert!(
        matches!(&body, Body::Runs(runs) if runs.len() <= 3),
        "{body:?}"
    );
    // Reading what was stored ahead makes it a version first.
    drop(file);
    let file = edit(&peer, "new");
    for number in 0..100u64 {
        file.write_at((20 << 20) + number * 131_072, &data[..131_072])
            .expect("written");
    }
    let mut part = [0; 64];
    file.read_at(20 << 20, &mut part).expect("bytes");
    assert_eq!(part, data[..64]);
}
