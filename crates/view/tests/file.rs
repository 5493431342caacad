//! The views file: what is sealed, what survives, and what is thrown away.

use cobox_view::kv::{Database, ReadRows, Rows, Table, ViewError};
use std::fs;
use std::path::Path;

mod common;
use common::block_key;

const NAMES: Table = Table("names");
const SECRET: &[u8] = b"a name that must not lie open on the disk";

fn put(database: &Database, key: &[u8], value: &[u8]) {
    let mut transaction = database.begin().unwrap();
    transaction.put(NAMES, key, value).unwrap();
    transaction.commit().unwrap();
}

fn get(database: &Database, key: &[u8]) -> Option<Vec<u8>> {
    database.snapshot().unwrap().get(NAMES, key).unwrap()
}

fn open(path: &Path) -> Database {
    Database::open(path, block_key(1)).unwrap()
}

/// A closed, durable file with one row, `key`.
fn make_file(path: &Path) {
    let database = open(path);
    put(&database, b"key", SECRET);
    database.flush().unwrap();
}

#[test]
fn values_do_not_lie_open_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views");
    make_file(&path);
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(12).any(|window| window == &SECRET[..12]));
    assert_eq!(get(&open(&path), b"key").as_deref(), Some(SECRET));
}

#[test]
fn a_dropped_transaction_changes_nothing() {
    let database = Database::in_memory();
    put(&database, b"key", b"before");
    let mut transaction = database.begin().unwrap();
    transaction.put(NAMES, b"key", b"after").unwrap();
    transaction.clear(Table("other"));
    drop(transaction);
    assert_eq!(get(&database, b"key").as_deref(), Some(&b"before"[..]));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let database = Database::in_memory();
    put(&database, b"key", b"before");
    let snapshot = database.snapshot().unwrap();
    put(&database, b"key", b"after");
    assert_eq!(
        snapshot.get(NAMES, b"key").unwrap().as_deref(),
        Some(&b"before"[..])
    );
    assert_eq!(get(&database, b"key").as_deref(), Some(&b"after"[..]));
}

/// Pictures are shared between commits; whoever looks after a commit must not be handed the one from before it.
#[test]
fn who_looks_after_a_commit_sees_it_whoever_else_looks() {
    let database = Database::in_memory();
    put(&database, b"key", &0u32.to_be_bytes());
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                while !ended.load(std::sync::atomic::Ordering::Acquire) {
                    let value = get(&database, b"key").unwrap();
                    let now = u32::from_be_bytes(value.try_into().unwrap());
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                }
            });
        }
        for number in 1..2000u32 {
            put(&database, b"key", &number.to_be_bytes());
            assert_eq!(get(&database, b"key").unwrap(), number.to_be_bytes());
        }
        ended.store(true, std::sync::atomic::Ordering::Release);
    });
}

#[test]
fn another_key_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views");
    make_file(&path);
    let database = Database::open(&path, block_key(2)).unwrap();
    assert_eq!(get(&database, b"key"), None);
    put(&database, b"key", b"of the second key");
    drop(database);
    assert_eq!(get(&open(&path), b"key"), None);
}

#[test]
fn a_cut_or_scribbled_file_begins_anew() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.truncate(100),
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes[..4096].fill(0x5a),
        |bytes| *bytes = b"something else altogether".to_vec(),
    ];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("views");
        make_file(&path);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let database = open(&path);
        assert_eq!(get(&database, b"key"), None);
        put(&database, b"key", b"again");
        database.flush().unwrap();
        drop(database);
        assert_eq!(get(&open(&path), b"key").as_deref(), Some(&b"again"[..]));
    }
}

/// Whatever page is hit: an answer, or an error that asks for a rebuild; never a panic, never another value.
#[test]
fn scribbled_pages_are_an_error_and_not_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views");
    let database = open(&path);
    let mut transaction = database.begin().unwrap();
    for number in 0..2000u32 {
        transaction
            .put(NAMES, &number.to_be_bytes(), SECRET)
            .unwrap();
    }
    transaction.commit().unwrap();
    database.flush().unwrap();
    drop(database);
    let whole = fs::read(&path).unwrap();
    for page in (1..whole.len() / 4096).step_by(7) {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa7);
        fs::write(&path, bytes).unwrap();
        let database = open(&path);
        for number in (0..2000u32).step_by(41) {
            match database
                .snapshot()
                .and_then(|rows| rows.get(NAMES, &number.to_be_bytes()))
            {
                Ok(value) => assert!(value.is_none_or(|value| value == SECRET)),
                Err(error) => assert!(matches!(error, ViewError::Damaged(_) | ViewError::Closed)),
            }
        }
        database.start_anew().unwrap();
        assert_eq!(get(&database, &0u32.to_be_bytes()), None);
    }
}

#[test]
fn a_file_in_use_is_an_error_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views");
    let database = open(&path);
    put(&database, b"key", b"value");
    assert!(matches!(
        Database::open(&path, block_key(1)),
        Err(ViewError::Table(_))
    ));
    assert_eq!(get(&database, b"key").as_deref(), Some(&b"value"[..]));
}

/// A copy of the file taken at any time is what a crash leaves: it opens to one of the commits.
#[test]
fn a_crash_falls_back_to_a_whole_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("views"), dir.path().join("copy"));
    let database = open(&path);
    let mut flushed = 0;
    for round in 0..60u32 {
        let mut transaction = database.begin().unwrap();
        for key in 0..50u32 {
            transaction
                .put(NAMES, &key.to_be_bytes(), &round.to_be_bytes())
                .unwrap();
        }
        transaction.commit().unwrap();
        if round % 7 == 0 {
            database.flush().unwrap();
            flushed = round;
        }
        if round % 5 == 0 {
            fs::copy(&path, &copy).unwrap();
            let crashed = open(&copy).snapshot().unwrap();
            assert_whole(&crashed, flushed..=round);
        }
    }
}

fn assert_whole(rows: &impl ReadRows, rounds: std::ops::RangeInclusive<u32>) {
    let rows = rows.prefix(NAMES, b"", usize::MAX).unwrap();
    assert_eq!(rows.len(), 50);
    assert!(rows.iter().all(|(_, value)| *value == rows[0].1));
    let round = u32::from_be_bytes(rows[0].1.as_slice().try_into().unwrap());
    assert!(rounds.contains(&round), "{round}");
}

#[test]
fn beginning_anew_empties_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir.path().join("views"));
    put(&database, b"key", b"value");
    database.start_anew().unwrap();
    assert_eq!(get(&database, b"key"), None);
    assert_eq!(database.unflushed(), 0);
    put(&database, b"key", b"other");
    assert_eq!(get(&database, b"key").as_deref(), Some(&b"other"[..]));
}
