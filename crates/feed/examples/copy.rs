//! How fast a feed is copied from one store to another, proof by proof and without a network:
//! `copy [MiB] [bytes per block] [folder]`. Prints where the time goes.

use bytes::Bytes;
use cobox_feed::codec::Reader;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKeyPair;
use cobox_feed::set::{Batch, FeedSet};
use cobox_feed::store::{Options, Store};
use cobox_feed::tree::{Request, UntrustedProof};
use std::collections::VecDeque;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Proofs checked and stored together.
const BATCH: u64 = 64;
/// Commits in flight.
const AHEAD: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |text| text.parse());
    let block = number(1, 64 << 10)?;
    let blocks = (number(0, 512)? << 20) / block;
    let dir = args.get(2).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = dir.join(format!("copy-{}", std::process::id()));

    let writer = Store::open(&dir.join("writer"), Options::default())?;
    let ours = writer.set([1; 32])?;
    let own = ours.own(FeedKeyPair::from_seed(&[1; 32]), 1);
    for _ in 0..blocks.div_ceil(BATCH) {
        let mut batch = Batch::new();
        let bytes = Bytes::from(vec![3; block as usize]);
        batch.append(&own, vec![bytes; BATCH as usize]);
        ours.commit(batch)?.wait()?;
    }
    drop((ours, own, writer));

    let writer = Store::open(&dir.join("writer"), Options::default())?;
    let reader = Store::open(&dir.join("reader"), Options::default())?;
    let own = writer.set([1; 32])?.feeds().remove(0);
    copy(&own, &*reader.set([1; 32])?, block)?;
    drop((own, writer, reader));
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn copy(own: &Feed, set: &FeedSet, block: u64) -> Result<(), Box<dyn Error>> {
    let copy = set.admit(own.key(), 1);
    let (mut proving, mut checking) = (Duration::ZERO, Duration::ZERO);
    let start = Instant::now();
    let upgrade = Request {
        upgrade: Some((0, own.length())),
        manifest: true,
        ..Request::default()
    };
    ingest(set, &copy, own.prove(&upgrade)?.into_iter().collect())?.wait()?;
    let mut flying = VecDeque::new();
    for first in (0..own.length()).step_by(BATCH as usize) {
        let begin = Instant::now();
        let mut proofs = Vec::new();
        for number in first..own.length().min(first + BATCH) {
            let levels = copy.levels_missing(number);
            let request = Request {
                block: Some((number, levels)),
                ..Request::default()
            };
            proofs.extend(own.prove(&request)?.map(|proof| wire(&proof)).transpose()?);
        }
        proving += begin.elapsed();
        let begin = Instant::now();
        flying.push_back(ingest(set, &copy, proofs)?);
        checking += begin.elapsed();
        if flying.len() > AHEAD
            && let Some(oldest) = flying.pop_front()
        {
            oldest.wait()?;
        }
    }
    flying.into_iter().try_for_each(|pending| pending.wait())?;
    let whole = start.elapsed();
    let megabytes = (own.length() * block) as f64 / 1e6;
    println!(
        "{:.0} MB/s; reading and proving alone {:.0} MB/s, checking alone {:.0} MB/s",
        megabytes / whole.as_secs_f64(),
        megabytes / proving.as_secs_f64(),
        megabytes / checking.as_secs_f64()
    );
    assert_eq!(copy.held().len(), own.length());
    Ok(())
}

/// There and back, as a connection would carry it.
fn wire(proof: &UntrustedProof) -> Result<UntrustedProof, Box<dyn Error>> {
    let mut bytes = Vec::new();
    proof.encode(&mut bytes);
    Ok(UntrustedProof::decode(
        proof.flags(),
        0,
        &mut Reader::new(&bytes),
    )?)
}

fn ingest(
    set: &FeedSet,
    copy: &Arc<Feed>,
    proofs: Vec<UntrustedProof>,
) -> Result<cobox_feed::set::Pending, Box<dyn Error>> {
    let mut batch = Batch::new();
    for proof in copy.verify_all(proofs) {
        batch.ingest(copy, proof?);
    }
    Ok(set.commit(batch)?)
}
