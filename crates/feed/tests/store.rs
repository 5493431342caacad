//! The store from outside: what is appended can be read, is told, and is there after the next start.

use bytes::Bytes;
use cobox_feed::manifest::FeedKeyPair;
use cobox_feed::set::{Batch, Event, FeedSet};
use cobox_feed::store::{Options, Store, StoreError};
use cobox_feed::tree::{Request, UntrustedProof};
use std::sync::Arc;

const ADDRESS: [u8; 32] = [7; 32];

fn pair(seed: u8) -> FeedKeyPair {
    FeedKeyPair::from_seed(&[seed; 32])
}

fn block(number: u64, bytes: usize) -> Bytes {
    (0..bytes)
        .map(|at| (number as usize * 31 + at) as u8)
        .collect::<Vec<u8>>()
        .into()
}

fn append(set: &FeedSet, feed: &Arc<cobox_feed::feed::Feed>, blocks: Vec<Bytes>) {
    let mut batch = Batch::new();
    batch.append(feed, blocks);
    set.commit(batch).unwrap().wait().unwrap();
}

/// A removed space whose files cannot be unlinked must not keep the others closed.
#[test]
fn a_removal_that_cannot_be_ended_is_no_reason_not_to_start() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join(format!("spaces/{}.gone", "ab".repeat(32)));
    std::fs::create_dir_all(gone.join("a folder is not unlinked")).unwrap();
    std::fs::write(dir.path().join("lock"), "").unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let feed = set.own(pair(1), 2);
    append(&set, &feed, vec![block(0, 10)]);
    assert_eq!(feed.length(), 1);
}

#[test]
fn what_is_appended_is_read_told_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let mut events = set.subscribe();
    let feed = set.own(pair(1), 2);
    assert_eq!(events.try_recv().unwrap(), Event::Admitted(feed.key()));
    append(&set, &feed, (0..10).map(|n| block(n, 1000)).collect());
    append(&set, &feed, (10..12).map(|n| block(n, 5)).collect());
    assert_eq!(
        events.try_recv().unwrap(),
        Event::Appended {
            feed: feed.key(),
            blocks: 0..10,
            length: 10
        }
    );
    assert_eq!(
        events.try_recv().unwrap(),
        Event::Appended {
            feed: feed.key(),
            blocks: 10..12,
            length: 12
        }
    );
    assert_eq!(feed.get(11).unwrap(), Some(block(11, 5)));
    assert_eq!(feed.get(12).unwrap(), None);
    assert_eq!(
        feed.get_range(3..100).unwrap(),
        (3..12)
            .map(|n| block(n, if n < 10 { 1000 } else { 5 }))
            .collect::<Vec<_>>()
    );
    let head = feed.head();
    store.close().unwrap();
    assert!(matches!(set.commit(Batch::new()), Err(StoreError::Closed)));
    drop((set, feed, store));

    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(store.addresses(), [ADDRESS]);
    let set = store.set(ADDRESS).unwrap();
    let feed = set.feeds().pop().unwrap();
    assert_eq!((feed.kind(), feed.head(), feed.is_own()), (2, head, false));
    assert_eq!(feed.get(3).unwrap(), Some(block(3, 1000)));
}

#[test]
fn a_second_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert!(matches!(
        Store::open(dir.path(), Options::default()),
        Err(StoreError::Locked)
    ));
    drop(store);
    Store::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn a_copied_folder_is_noticed_until_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    assert!(!Store::open(&here, Options::default()).unwrap().moved());
    assert!(!Store::open(&here, Options::default()).unwrap().moved());
    std::fs::create_dir(&there).unwrap();
    std::fs::create_dir(there.join("spaces")).unwrap();
    std::fs::copy(here.join("lock"), there.join("lock")).unwrap();
    let store = Store::open(&there, Options::default()).unwrap();
    assert!(store.moved());
    store.accept_marker().unwrap();
    assert!(!store.moved());
    drop(store);
    let store = Store::open(&there, Options::default()).unwrap();
    assert!(!store.moved());
    store.forget_marker().unwrap();
    drop(store);
    assert!(Store::open(&there, Options::default()).unwrap().moved());
    std::fs::write(there.join("lock"), "cobox-feed 2\n").unwrap();
    assert!(matches!(
        Store::open(&there, Options::default()),
        Err(StoreError::TooNew)
    ));
}

#[test]
fn a_reader_fetches_a_feed_block_by_block() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (writer, reader) = (
        Store::open(dir.path(), Options::default()).unwrap(),
        Store::open(other.path(), Options::default()).unwrap(),
    );
    let (ours, theirs) = (writer.set(ADDRESS).unwrap(), reader.set(ADDRESS).unwrap());
    let own = ours.own(pair(3), 1);
    append(&ours, &own, (0..9).map(|n| block(n, 100)).collect());
    let copy = theirs.admit(own.key(), 1);
    fetch(
        &theirs,
        &own,
        &copy,
        &Request {
            upgrade: Some((0, 9)),
            manifest: true,
            ..Request::default()
        },
    );
    assert_eq!((copy.length(), copy.held().len()), (9, 0));
    append(&ours, &own, vec![block(9, 100)]);
    fetch(
        &theirs,
        &own,
        &copy,
        &Request {
            upgrade: Some((9, 1)),
            block: Some((9, 0)),
            ..Request::default()
        },
    );
    for number in [4, 0, 8, 1, 7, 2, 3, 6, 5] {
        let nodes = copy.levels_missing(number);
        fetch(
            &theirs,
            &own,
            &copy,
            &Request {
                block: Some((number, nodes)),
                ..Request::default()
            },
        );
        assert_eq!(copy.get(number).unwrap(), Some(block(number, 100)));
    }
    assert_eq!(copy.missing(0..10), []);
    assert_eq!(copy.head(), own.head());
    for length in 0..=10 {
        assert_eq!(
            copy.tree_hash_at(length),
            own.tree_hash_at(length),
            "length {length}"
        );
    }
}

fn fetch(
    set: &FeedSet,
    from: &cobox_feed::feed::Feed,
    to: &Arc<cobox_feed::feed::Feed>,
    request: &Request,
) {
    let proof: UntrustedProof = from.prove(request).unwrap().unwrap();
    let mut batch = Batch::new();
    batch.ingest(to, to.verify(proof).unwrap());
    set.commit(batch).unwrap().wait().unwrap();
}

#[test]
fn certificates_and_drafts_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    for close in [true, false, true] {
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let set = store.set(ADDRESS).unwrap();
        let mut batch = Batch::new();
        batch
            .certificate(b"root")
            .certificate(b"epoch")
            .certificate(b"root");
        batch
            .draft([1; 16], Bytes::from_static(b"one"))
            .draft([2; 16], Bytes::from_static(b"two"))
            .draft([1; 16], Bytes::new());
        set.commit(batch).unwrap().wait().unwrap();
        assert_eq!(set.certificates(), ["root", "epoch"]);
        assert_eq!(set.drafts(), [([2; 16], Bytes::from_static(b"two"))]);
        if close {
            store.close().unwrap();
        }
    }
}

#[test]
fn a_removed_address_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let feed = set.own(pair(1), 1);
    append(&set, &feed, vec![block(0, 9)]);
    assert!(set.disk_size() > 0);
    store.remove(ADDRESS).unwrap();
    assert!(matches!(feed.get(0), Err(StoreError::Closed)));
    assert!(matches!(set.commit(Batch::new()), Err(StoreError::Closed)));
    assert_eq!(store.addresses(), Vec::<[u8; 32]>::new());
    assert!(!dir.path().join("spaces").read_dir().unwrap().any(|_| true));
    let set = store.set(ADDRESS).unwrap();
    assert_eq!(set.feeds().len(), 0);
    let feed = set.own(pair(1), 1);
    append(&set, &feed, vec![block(0, 9)]);
    store.close().unwrap();
    drop((store, set, feed));
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(
        store.set(ADDRESS).unwrap().feeds()[0].get(0).unwrap(),
        Some(block(0, 9))
    );
}

#[test]
fn commits_in_flight_become_durable_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let (one, two) = (set.own(pair(1), 1), set.own(pair(2), 2));
    let mut pending = Vec::new();
    for n in 0..200 {
        let mut batch = Batch::new();
        batch
            .append(&one, vec![block(n, 50)])
            .append(&two, vec![block(n, 10), block(n, 20)]);
        pending.push(set.commit(batch).unwrap());
    }
    for (n, pending) in pending.into_iter().enumerate() {
        pending.wait().unwrap();
        assert!(one.length() > n as u64 && two.length() >= 2 * one.length() && one.has(n as u64));
    }
    assert_eq!((one.length(), two.held().contiguous()), (200, 400));
}

#[tokio::test]
async fn a_commit_can_be_awaited() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let feed = set.own(pair(1), 1);
    let mut batch = Batch::new();
    batch.append(&feed, vec![block(0, 1)]);
    set.commit(batch).unwrap().done().await.unwrap();
    assert_eq!(feed.length(), 1);
    let foreign = set.admit(pair(2).manifest().key(), 1);
    let mut batch = Batch::new();
    batch.append(&foreign, vec![block(0, 1)]);
    assert!(matches!(set.commit(batch), Err(StoreError::NotOwn)));
}

#[test]
fn a_retired_feed_is_like_anybodys() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let feed = set.own(pair(1), 1);
    let append = || {
        let mut batch = Batch::new();
        batch.append(&feed, vec![block(0, 1)]);
        set.commit(batch).and_then(|pending| pending.wait())
    };
    append().unwrap();
    feed.retire();
    assert!(!feed.is_own());
    assert!(matches!(append(), Err(StoreError::NotOwn)));
    assert!(!set.own(pair(1), 1).is_own());
    assert_eq!((feed.length(), feed.has(0)), (1, true));
}

#[test]
fn wants_and_skips_are_kept_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let mut events = set.subscribe();
    let key = pair(1).manifest().key();
    let (first, second) = (set.want(key, 0..5), set.want(key, 9..10));
    assert_eq!(events.try_recv().unwrap(), Event::Wanted);
    assert_eq!(set.wants(), [(key, 0..5), (key, 9..10)]);
    drop(first);
    assert_eq!(set.wants(), [(key, 9..10)]);
    drop(second);
    assert_eq!(set.wants(), []);
    set.skip(key, 3..4);
    assert!(set.skipped(&key).contains(3));
}

#[test]
fn an_append_that_names_its_block_is_refused_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let set = store.set([7; 32]).unwrap();
    let feed = set.own(FeedKeyPair::from_seed(&[1; 32]), 0);
    let append_at = |first: u64| {
        let mut batch = Batch::new();
        batch.append_at(&feed, first, vec![Bytes::from_static(b"block")]);
        set.commit(batch).and_then(|pending| pending.wait())
    };
    assert!(matches!(append_at(1), Err(StoreError::Moved)));
    append_at(0).unwrap();
    append_at(1).unwrap();
    assert!(matches!(append_at(1), Err(StoreError::Moved)));
    assert_eq!(feed.length(), 2);
}
