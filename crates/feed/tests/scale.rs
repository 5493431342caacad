//! Many feeds, many spaces, few files.

use bytes::Bytes;
use cobox_feed::manifest::FeedKeyPair;
use cobox_feed::set::Batch;
use cobox_feed::store::{Options, Store};
use std::sync::{Mutex, MutexGuard, PoisonError};

fn options(open_files: usize) -> Options {
    let mut options = Options::default();
    options.open_files = open_files;
    options
}

fn pair(number: u32) -> FeedKeyPair {
    let mut seed = [1; 32];
    seed[..4].copy_from_slice(&number.to_le_bytes());
    FeedKeyPair::from_seed(&seed)
}

fn address(number: u32) -> [u8; 32] {
    let mut address = [2; 32];
    address[..4].copy_from_slice(&number.to_le_bytes());
    address
}

#[test]
fn two_thousand_feeds_in_one_set() {
    let _alone = alone();
    const FEEDS: u32 = 2000;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), options(4)).unwrap();
    let set = store.set(address(0)).unwrap();
    let feeds: Vec<_> = (0..FEEDS).map(|number| set.own(pair(number), 1)).collect();
    let mut batch = Batch::new();
    for (number, feed) in feeds.iter().enumerate() {
        batch.append(feed, vec![Bytes::from(vec![number as u8; 100])]);
    }
    set.commit(batch).unwrap().wait().unwrap();
    store.close().unwrap();
    drop((set, feeds, store));
    let store = Store::open(dir.path(), options(4)).unwrap();
    let set = store.set(address(0)).unwrap();
    assert_eq!(set.feeds().len(), FEEDS as usize);
    for number in (0..FEEDS).step_by(97) {
        let feed = set.feed(&pair(number).manifest().key()).unwrap();
        assert_eq!(feed.get(0).unwrap().unwrap(), vec![number as u8; 100]);
    }
}

#[test]
fn three_hundred_spaces_with_few_open_files_and_threads() {
    let _alone = alone();
    const SPACES: u32 = 300;
    const FILES: usize = 64;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), options(FILES)).unwrap();
    let before = open_files();
    let mut pending = Vec::new();
    let mut feeds = Vec::new();
    for number in 0..SPACES {
        let set = store.set(address(number)).unwrap();
        let feed = set.own(pair(number), 1);
        let mut batch = Batch::new();
        batch.append(&feed, vec![Bytes::from(vec![number as u8; 10])]);
        pending.push(set.commit(batch).unwrap());
        feeds.push(feed);
    }
    pending
        .into_iter()
        .for_each(|pending| pending.wait().unwrap());
    for (number, feed) in feeds.iter().enumerate() {
        assert_eq!(feed.get(0).unwrap().unwrap(), vec![number as u8; 10]);
    }
    assert!(open_files() <= before + FILES, "{} files", open_files());
    assert_eq!(store.addresses().len(), SPACES as usize);
    store.close().unwrap();
    drop((feeds, store));
    let store = Store::open(dir.path(), options(FILES)).unwrap();
    for number in 0..SPACES {
        let feed = store.set(address(number)).unwrap().feeds().remove(0);
        assert_eq!(feed.get(0).unwrap().unwrap(), vec![number as u8; 10]);
    }
    assert!(open_files() <= before + FILES);
    assert!(threads() < 20, "opening starts no threads: {}", threads());
}

/// Files and threads are counted for the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Files that this process has open (other than sockets and pipes, which do not change here).
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
