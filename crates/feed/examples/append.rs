//! How fast blocks become durable: `append [MiB] [blocks per commit] [bytes per block] [folder]`.
//!
//! Keeps a few commits in flight and waits for each, as an import does, then writes the same bytes with plain
//! writes and one sync at the end, and prints both speeds and their ratio.

use bytes::Bytes;
use cobox_feed::manifest::FeedKeyPair;
use cobox_feed::set::Batch;
use cobox_feed::store::{Options, Store, StoreError};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Commits in flight.
const AHEAD: usize = 4;
/// Times that both are measured.
const ROUNDS: u32 = 5;

struct Args {
    bytes: u64,
    batch: usize,
    block: usize,
    dir: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |at: usize, default: u64| args.get(at).map_or(Ok(default), |text| text.parse::<u64>());
    let args = Args {
        bytes: number(0, 1024)? << 20,
        batch: number(1, 64)? as usize,
        block: number(2, 64 << 10)? as usize,
        dir: args.get(3).map_or_else(std::env::temp_dir, PathBuf::from),
    };
    let dir = args.dir.join(format!("append-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let (mut feed, mut plain) = (Duration::ZERO, Duration::ZERO);
    // In turns, because a disk is not equally fast all the time.
    for _ in 0..ROUNDS {
        let (ours, theirs) = (
            time(|| append(&args, &dir))?,
            time(|| write_plainly(&args, &dir))?,
        );
        println!(
            "feed {:.0} MB/s, plain {:.0} MB/s",
            args.speed(ours),
            args.speed(theirs)
        );
        feed += ours;
        plain += theirs;
    }
    println!(
        "all rounds: feed {:.0} MB/s, plain {:.0} MB/s, ratio {:.2}",
        args.speed(feed / ROUNDS),
        args.speed(plain / ROUNDS),
        plain.as_secs_f64() / feed.as_secs_f64()
    );
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

impl Args {
    fn speed(&self, time: Duration) -> f64 {
        self.bytes as f64 / 1e6 / time.as_secs_f64()
    }
}

fn time<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn append(args: &Args, dir: &Path) -> Result<(), StoreError> {
    let dir = dir.join("feed");
    let store = Store::open(&dir, Options::default())?;
    let set = store.set([1; 32])?;
    let feed = set.own(FeedKeyPair::from_seed(&[1; 32]), 1);
    let blocks: Vec<Bytes> = (0..args.batch)
        .map(|n| vec![n as u8; args.block].into())
        .collect();
    let mut flying = VecDeque::new();
    for _ in 0..args.bytes / (args.batch * args.block) as u64 {
        let mut batch = Batch::new();
        batch.append(&feed, blocks.clone());
        flying.push_back(set.commit(batch)?);
        if flying.len() > AHEAD
            && let Some(oldest) = flying.pop_front()
        {
            oldest.wait()?;
        }
    }
    flying.into_iter().try_for_each(|pending| pending.wait())?;
    store.close()?;
    drop((set, feed, store));
    std::fs::remove_dir_all(&dir).map_err(|_| StoreError::Closed)
}

fn write_plainly(args: &Args, dir: &Path) -> std::io::Result<()> {
    let path = dir.join("plain");
    let mut file = File::create(&path)?;
    let buffer = vec![7; 4 << 20];
    for _ in 0..args.bytes / buffer.len() as u64 {
        file.write_all(&buffer)?;
    }
    file.sync_data()?;
    std::fs::remove_file(&path)
}
