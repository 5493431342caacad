//! Spaces, writers and devices for tests.
#![allow(dead_code)] // each test file uses its own part

pub mod mallory;
pub mod scene;

use bytes::Bytes;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::{FeedKey, FeedKeyPair};
use cobox_feed::set::{Batch, FeedSet};
use cobox_feed::store::{Options as StoreOptions, Store};
use cobox_keys::access::{Address, EncryptionKey, SpaceRoot};
use cobox_keys::certificate::{
    admin_certificate, certificate_hash, epoch_certificate, feed_certificate,
};
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::KeyPair;
use cobox_swarm::swarm::{Options, Role, Swarm, SwarmEvent};
use cobox_swarm::transport::memory::{MemoryNetwork, MemoryTransport};
use cobox_swarm::transport::{Hint, Transport};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::broadcast;

/// Nothing in a test takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A space as its creator knows it.
pub struct TestSpace {
    pub address: Address,
    pub key: EncryptionKey,
    pub epoch: [u8; 32],
    pub chain: Vec<Vec<u8>>,
}

impl TestSpace {
    pub fn new(seed: u8) -> Self {
        let root = SpaceRoot::from_seed(&[seed; 32]);
        let address = root.address();
        let admin = KeyPair::from_seed(&[seed.wrapping_add(1); 32]);
        let key = EncryptionKey::from_bytes(&[seed.wrapping_add(2); 32]);
        let writer = key.writer_pair().public();
        let admin_bytes = admin_certificate(root.key_pair(), &address, &admin.public());
        let epoch_bytes = epoch_certificate(&admin, &address, 0, &[], &writer);
        Self {
            address,
            epoch: certificate_hash(&epoch_bytes),
            chain: vec![admin_bytes, epoch_bytes],
            key,
        }
    }

    pub fn vouch(&self, feed: &FeedKey, kind: FeedKind) -> Vec<u8> {
        feed_certificate(
            &self.key.writer_pair(),
            &self.address,
            &self.epoch,
            kind,
            &feed.0,
        )
    }
}

/// A device: a store, a swarm, a place on the network.
pub struct Device {
    pub swarm: Swarm,
    pub store: Store,
    pub events: broadcast::Receiver<SwarmEvent>,
    pub hint: Hint,
    _dir: TempDir,
}

impl Device {
    pub async fn on(network: &MemoryNetwork, seed: u8) -> Self {
        Self::with(network, seed, Options::default()).await
    }

    pub async fn with(network: &MemoryNetwork, seed: u8, options: Options) -> Self {
        let transport: MemoryTransport = network.device(KeyPair::from_seed(&[seed; 32]));
        Self::over(Arc::new(transport), options).await
    }

    pub async fn over(transport: Arc<dyn Transport>, options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path(), StoreOptions::default()).expect("a store");
        let hint = transport.hint();
        let swarm = Swarm::start(transport, options).await;
        Self {
            events: swarm.subscribe(),
            swarm,
            store,
            hint,
            _dir: dir,
        }
    }

    pub fn set(&self, space: &TestSpace) -> Arc<FeedSet> {
        self.store.set(space.address.0).expect("a set")
    }

    pub fn join(&self, space: &TestSpace, role: Role) -> Arc<FeedSet> {
        let set = self.set(space);
        self.swarm.join(space.address, role, set.clone());
        set
    }

    /// Waits for an event.
    pub async fn until(&mut self, what: impl FnMut(&SwarmEvent) -> bool) -> SwarmEvent {
        wait_for(&mut self.events, what).await
    }

    pub async fn synced(&mut self) {
        self.until(|event| matches!(event, SwarmEvent::Synced { .. }))
            .await;
    }
}

pub async fn wait_for(
    events: &mut broadcast::Receiver<SwarmEvent>,
    mut what: impl FnMut(&SwarmEvent) -> bool,
) -> SwarmEvent {
    let wait = async {
        loop {
            match events.recv().await {
                Ok(event) if what(&event) => return event,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(error) => panic!("events ended: {error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("the event in time")
}

/// A feed of ours in a set, with the certificates that admit it.
pub async fn own_feed(
    set: &Arc<FeedSet>,
    space: &TestSpace,
    seed: u8,
    kind: FeedKind,
) -> Arc<Feed> {
    let pair = FeedKeyPair::from_seed(&[seed; 32]);
    let key = pair.manifest().key();
    let mut batch = Batch::new();
    for certificate in &space.chain {
        batch.certificate(certificate);
    }
    batch.certificate(&space.vouch(&key, kind));
    set.commit(batch)
        .expect("queued")
        .done()
        .await
        .expect("stored");
    set.own(pair, kind as u8)
}

/// Appends `count` blocks of `size` bytes.
pub async fn append(set: &Arc<FeedSet>, feed: &Arc<Feed>, count: usize, size: usize) {
    let from = feed.length();
    let blocks = (0..count).map(|n| block(from + n as u64, size)).collect();
    let mut batch = Batch::new();
    batch.append(feed, blocks);
    set.commit(batch)
        .expect("queued")
        .done()
        .await
        .expect("stored");
}

pub fn block(index: u64, size: usize) -> Bytes {
    let mut bytes = vec![index as u8; size];
    let prefix = index.to_le_bytes();
    let shown = prefix.len().min(size);
    bytes[..shown].copy_from_slice(&prefix[..shown]);
    bytes.into()
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!("not in time: {what}");
    }
}

/// Same feeds, same heads, same blocks.
pub fn assert_equal(a: &Arc<FeedSet>, b: &Arc<FeedSet>) {
    let with_head = |set: &Arc<FeedSet>| {
        let feeds = set.feeds().into_iter().filter(|feed| feed.length() > 0);
        feeds.collect::<Vec<_>>()
    };
    let (ours, theirs) = (with_head(a), with_head(b));
    let keys = |feeds: &[Arc<Feed>]| feeds.iter().map(|feed| feed.key()).collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&theirs));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(
            ours.head().map(|h| h.tree_hash),
            theirs.head().map(|h| h.tree_hash)
        );
        let all = 0..ours.length();
        let (x, y) = (ours.get_range(all.clone()), theirs.get_range(all.clone()));
        let (x, y) = (x.expect("blocks"), y.expect("blocks"));
        assert_eq!(x.len() as u64, all.end);
        assert!(x == y, "blocks differ");
    }
}

/// Shows what happens when a test is run with `RUST_LOG=debug`.
pub fn is_complete(set: &Arc<FeedSet>, feeds: usize) -> bool {
    let all = set.feeds();
    let whole = |feed: &&Arc<Feed>| feed.length() > 0 && feed.held().len() == feed.length();
    all.iter().filter(whole).count() == feeds
}
