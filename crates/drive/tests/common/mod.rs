//! A member without a network: a store, its drive, and feeds that are copied by hand.
#![allow(dead_code)]

use cobox_drive::drive::{Drive, OwnFeeds, Parts};
use cobox_drive::path::DrivePath;
use cobox_drive::tree::TreeView;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKeyPair;
use cobox_feed::set::{Batch, FeedSet};
use cobox_feed::store::{Options, Store};
use cobox_feed::tree::Request;
use cobox_keys::access::{Address, EncryptionKey, SpaceRoot};
use cobox_keys::certificate::Claim;
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::{Identity, KeyPair};
use cobox_view::indexer::{Indexer, View};
use cobox_view::kv::Database;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::broadcast;

/// What the members of one space share.
pub struct Space {
    pub address: Address,
    pub key: EncryptionKey,
}

impl Space {
    pub fn new() -> Self {
        Self {
            address: SpaceRoot::generate().address(),
            key: EncryptionKey::generate(),
        }
    }
}

/// Fixed secrets of one member's device.
#[derive(Clone)]
pub struct Secrets([[u8; 32]; 4]);

/// One member.
pub struct Peer {
    pub drive: Arc<Drive>,
    pub set: Arc<FeedSet>,
    pub indexer: Arc<Indexer>,
    pub feeds: [Arc<Feed>; 3],
    secrets: Secrets,
    store: Store,
    pub dir: TempDir,
}

impl Peer {
    pub fn new(space: &Space, seed: u8) -> Self {
        Self::new_in(space, seed, &std::env::temp_dir())
    }

    /// One whose store is on the disk with this folder.
    pub fn new_in(space: &Space, seed: u8, disk: &Path) -> Self {
        let secrets = Secrets([0, 1, 2, 3].map(|part| [seed * 8 + part; 32]));
        Self::open(space, secrets, TempDir::new_in(disk).expect("a folder"))
    }

    /// On a disk that is about to be full: there is no room left, and yet what is written fits.
    pub fn on_a_full_disk(space: &Space, seed: u8) -> Self {
        let secrets = Secrets([0, 1, 2, 3].map(|part| [seed * 8 + part; 32]));
        let mut options = Options::default();
        options.reserve = u64::MAX;
        Self::open_with(space, secrets, TempDir::new().expect("a folder"), options)
    }

    fn open(space: &Space, secrets: Secrets, dir: TempDir) -> Self {
        Self::open_with(space, secrets, dir, Options::default())
    }

    fn open_with(space: &Space, secrets: Secrets, dir: TempDir, options: Options) -> Self {
        let store = Store::open(dir.path(), options).expect("store");
        let set = store.set(space.address.0).expect("set");
        let feeds =
            [0, 1, 2].map(|kind| set.own(FeedKeyPair::from_seed(&secrets.0[kind]), kind as u8));
        let identity = Identity::from_seed(&secrets.0[3]);
        let claim = Claim {
            address: space.address,
            feeds: [0, 1, 2].map(|kind: usize| feeds[kind].key().0),
            identity: identity.public_key(),
            device: KeyPair::from_seed(&secrets.0[3]).public(),
            device_name: "laptop".into(),
        };
        let read_key = space.key.read_key();
        let db = Database::in_memory();
        let (changed, _) = broadcast::channel(1024);
        let tree = TreeView::new(
            space.address,
            read_key.clone(),
            set.clone(),
            changed.clone(),
        );
        let views: Vec<Box<dyn View>> = vec![Box::new(tree)];
        let kinds = vec![FeedKind::Metadata as u8];
        let indexer =
            Arc::new(Indexer::start(db.clone(), set.clone(), kinds, views).expect("indexer"));
        let drive = Drive::open(Parts {
            address: space.address,
            set: set.clone(),
            db,
            indexer: indexer.clone(),
            read_key,
            own: Some(OwnFeeds {
                metadata: feeds[0].clone(),
                content: feeds[1].clone(),
                claim: claim.sign(&identity).into(),
            }),
            changed,
        })
        .expect("drive");
        let drive = Arc::new(drive);
        drive.set_wait(Duration::from_millis(200));
        Self {
            drive,
            set,
            indexer,
            feeds,
            secrets,
            store,
            dir,
        }
    }

    /// Stops and starts again on the same folder. Views are grown anew.
    pub fn reopen(self, space: &Space) -> Self {
        let Self {
            drive,
            set,
            indexer,
            feeds,
            secrets,
            store,
            dir,
        } = self;
        drop(drive);
        indexer.stop().expect("stop");
        drop((indexer, feeds, set));
        store.close().expect("close");
        drop(store);
        let peer = Self::open(space, secrets, dir);
        peer.indexer
            .catch_up(Duration::from_secs(20))
            .expect("rows");
        peer
    }

    /// What another start would find if the program were killed now.
    pub fn after_a_crash(&self, space: &Space) -> Self {
        let dir = TempDir::new().expect("a folder");
        copy_folder(self.dir.path(), dir.path());
        let peer = Self::open(space, self.secrets.clone(), dir);
        peer.indexer
            .catch_up(Duration::from_secs(20))
            .expect("rows");
        peer
    }

    /// The newest segment file and its length.
    pub fn newest_segment(&self) -> (PathBuf, u64) {
        let mut found = Vec::new();
        segments(self.dir.path(), &mut found);
        let newest = found.into_iter().max().expect("a segment");
        let length = std::fs::metadata(&newest).expect("a file").len();
        let within = newest.strip_prefix(self.dir.path()).expect("within");
        (within.to_path_buf(), length)
    }

    /// What another start would find if the power had failed when so much of a segment file was written: the length of
    /// our metadata feed then, and what the start makes of it.
    pub fn after_a_cut(&self, space: &Space, segment: &Path, length: u64) -> (u64, Self) {
        let dir = TempDir::new().expect("a folder");
        copy_folder(self.dir.path(), dir.path());
        let file = std::fs::File::options()
            .write(true)
            .open(dir.path().join(segment));
        file.and_then(|file| file.set_len(length)).expect("cut");
        let store = Store::open(dir.path(), Options::default()).expect("store");
        let set = store.set(space.address.0).expect("set");
        let own = set.own(FeedKeyPair::from_seed(&self.secrets.0[0]), 0);
        let found = own.length();
        drop((own, set));
        store.close().expect("close");
        drop(store);
        let peer = Self::open(space, self.secrets.clone(), dir);
        peer.indexer
            .catch_up(Duration::from_secs(20))
            .expect("rows");
        (found, peer)
    }

    /// Copies what `from` has and we lack; content blocks only if `content`.
    pub fn pull(&self, from: &Peer, content: bool) {
        for feed in from.set.feeds() {
            if feed.length() == 0 {
                continue;
            }
            let ours = self.set.admit(feed.key(), feed.kind());
            let missing = ours.missing(0..feed.length());
            let wanted = missing.into_iter().flatten();
            let wanted: Vec<u64> = wanted
                .filter(|block| content || feed.kind() != 1 || *block == 0)
                .filter(|b| feed.has(*b))
                .collect();
            copy(&self.set, &ours, &feed, &wanted);
        }
        self.indexer
            .catch_up(Duration::from_secs(20))
            .expect("rows");
    }
}

fn segments(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => segments(&path, found),
            false => {
                found.extend(Some(path).filter(|path| path.extension() == Some("seg".as_ref())))
            }
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

fn copy(set: &FeedSet, to: &Arc<Feed>, from: &Feed, blocks: &[u64]) {
    let length = to.length();
    if from.length() > length {
        let upgrade = Some((length, from.length() - length));
        let request = Request {
            upgrade,
            manifest: true,
            ..Request::default()
        };
        ingest(set, to, from, &request);
    }
    for block in blocks {
        let request = Request {
            block: Some((*block, to.levels_missing(*block))),
            ..Request::default()
        };
        ingest(set, to, from, &request);
    }
}

fn ingest(set: &FeedSet, to: &Arc<Feed>, from: &Feed, request: &Request) {
    let proof = from.prove(request).expect("disk").expect("held");
    let proof = to.verify(proof).expect("honest");
    let mut batch = Batch::new();
    batch.ingest(to, proof);
    set.commit(batch).expect("commit").wait().expect("durable");
}

/// A path of a drive.
pub fn path(text: &str) -> DrivePath {
    DrivePath::parse(text.as_bytes()).expect("a good path")
}

/// All bytes of a file.
pub fn read(drive: &Drive, at: &DrivePath) -> Vec<u8> {
    let reader = drive.open_file(at, None).expect("a file");
    let mut data = vec![0; reader.size() as usize];
    assert_eq!(reader.read_at(0, &mut data).expect("bytes"), data.len());
    data
}

/// Writes a whole file.
pub fn write(drive: &Drive, at: &str, mut data: &[u8]) {
    drive
        .write_file(&path(at), &mut data, Default::default())
        .expect("written");
}

/// Bytes that do not repeat.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

/// Names in a folder of a drive.
pub fn names(drive: &Drive, at: &str) -> Vec<String> {
    drive
        .list(&path(at))
        .expect("a folder")
        .iter()
        .map(|entry| entry.name.to_string())
        .collect()
}

/// Bytes of all files below a folder, for measuring.
pub fn disk_size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|e| {
            if e.path().is_dir() {
                disk_size(&e.path())
            } else {
                e.metadata().map_or(0, |m| m.len())
            }
        })
        .sum()
}
