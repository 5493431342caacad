//! How fast one device gets a feed from another: verified, durable, over iroh on loopback; and the
//! same bytes over the bare connection with as many streams, for the ratio.
//!
//! `cargo run --release -p cobox-swarm --example sync -- [MiB = 1024] [block bytes = 65576] [folder]`

use bytes::Bytes;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKeyPair;
use cobox_feed::set::{Batch, FeedSet};
use cobox_feed::store::{Options as StoreOptions, Store};
use cobox_keys::access::{EncryptionKey, SpaceRoot};
use cobox_keys::certificate::{
    admin_certificate, certificate_hash, epoch_certificate, feed_certificate,
};
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::KeyPair;
use cobox_swarm::swarm::{Options, Role, Swarm};
use cobox_swarm::transport::{IrohOptions, IrohTransport, Transport};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const STREAMS: usize = 4;
const BATCH: usize = 64;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| match arguments.next() {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let (mebibytes, block) = (number(1024)?, number(64 * 1024 + 40)?);
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let bytes = mebibytes << 20;
    let synced = sync(bytes, block, &folder).await?;
    let bare = bare(bytes).await?;
    println!("ratio {:.2}", bare.as_secs_f64() / synced.as_secs_f64());
    Ok(())
}

/// A moment, and the processor time this program had used by then.
struct Began(Instant, f64);

impl Began {
    fn now() -> Self {
        Self(Instant::now(), processor_seconds().unwrap_or(0.0))
    }

    fn report(&self, what: &str, bytes: usize) -> Duration {
        let took = self.0.elapsed();
        let rate = bytes as f64 / 1e6 / took.as_secs_f64();
        let processor = processor_seconds().unwrap_or(0.0) - self.1;
        println!("{what}: {rate:.0} MB/s ({took:.2?}, {processor:.2} s of processor time)");
        took
    }
}

/// From Linux's own books, in hundredths of a second.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

async fn endpoint(seed: u8) -> Outcome<Arc<IrohTransport>> {
    let options = IrohOptions::bound_to(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let pair = KeyPair::from_seed(&[seed; 32]);
    Ok(Arc::new(IrohTransport::start(pair, options).await?))
}

async fn sync(bytes: usize, block: usize, folder: &std::path::Path) -> Outcome<Duration> {
    let (root, admin) = (SpaceRoot::generate(), KeyPair::generate());
    let (address, key) = (root.address(), EncryptionKey::generate());
    let writer = key.writer_pair();
    let pair = FeedKeyPair::from_seed(&[7; 32]);
    let epoch = epoch_certificate(&admin, &address, 0, &[], &writer.public());
    let feed_key = pair.manifest().key();
    let hash = certificate_hash(&epoch);
    let vouched = feed_certificate(&writer, &address, &hash, FeedKind::Content, &feed_key.0);

    let (from, to) = (tempfile::tempdir_in(folder)?, tempfile::tempdir_in(folder)?);
    let store = Store::open(from.path(), StoreOptions::default())?;
    let set = store.set(address.0)?;
    let mut batch = Batch::new();
    batch.certificate(&admin_certificate(
        root.key_pair(),
        &address,
        &admin.public(),
    ));
    batch.certificate(&epoch);
    batch.certificate(&vouched);
    set.commit(batch)?.wait()?;
    let feed = set.own(pair, FeedKind::Content as u8);
    let began = Began::now();
    fill(&set, &feed, bytes, block)?;
    began.report("append", bytes);

    let (a, b) = (endpoint(1).await?, endpoint(2).await?);
    let hint = a.hint();
    let alice = Swarm::start(a, Options::default()).await;
    let bob = Swarm::start(b, Options::default()).await;
    let receiving = Store::open(to.path(), StoreOptions::default())?;
    let received = receiving.set(address.0)?;
    alice.join(address, Role::Member, set);
    bob.join(address, Role::Replicator, received.clone());
    let began = Began::now();
    bob.introduce(address, hint);
    let length = feed.length();
    let held = || received.feed(&feed_key).map_or(0, |feed| feed.held().len());
    while held() < length {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = began.report("sync", bytes);
    alice.stop().await;
    bob.stop().await;
    Ok(took)
}

fn fill(set: &Arc<FeedSet>, feed: &Arc<Feed>, bytes: usize, block: usize) -> Outcome<()> {
    let mut waiting = std::collections::VecDeque::new();
    let mut left = bytes / block;
    while left > 0 {
        let count = left.min(BATCH);
        left -= count;
        let blocks = (0..count)
            .map(|n| Bytes::from(vec![n as u8; block]))
            .collect();
        let mut batch = Batch::new();
        batch.append(feed, blocks);
        waiting.push_back(set.commit(batch)?);
        if waiting.len() > 4
            && let Some(first) = waiting.pop_front()
        {
            first.wait()?;
        }
    }
    for pending in waiting {
        pending.wait()?;
    }
    Ok(())
}

/// The same number of bytes over as many streams of the same connection, thrown away.
async fn bare(bytes: usize) -> Outcome<Duration> {
    let (a, b) = (endpoint(1).await?, endpoint(2).await?);
    let hint = b.hint();
    let (sending, receiving) = tokio::join!(a.dial(&hint), b.accept());
    let (sending, receiving) = (Arc::new(sending?), receiving.ok_or("no connection")?);
    let began = Began::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        let sending = sending.clone();
        senders.spawn(async move {
            let mut stream = sending.open_uni().await?;
            let chunk = vec![7; 1 << 20];
            for _ in 0..bytes / STREAMS / chunk.len() {
                stream.write_all(&chunk).await?;
            }
            stream.shutdown().await?;
            Outcome::Ok(())
        });
    }
    let mut receivers = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        let mut stream = receiving.accept_uni().await?;
        receivers.spawn(async move {
            let mut chunk = vec![0; 256 << 10];
            while stream.read(&mut chunk).await? > 0 {}
            Outcome::Ok(())
        });
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    while let Some(done) = receivers.join_next().await {
        done??;
    }
    let took = began.report("bare iroh", bytes);
    sending.close("done");
    tokio::join!(a.close(), b.close());
    Ok(took)
}
