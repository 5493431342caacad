//! Opened content blocks of any writer: from the cache, from the disk, or wanted from peers and waited for.

use super::{BLOCK, run};
use crate::error::DriveError;
use crate::record::{Codec, Run};
use crate::version::WriterTag;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::{Event, FeedSet};
use cobox_keys::access::ReadKey;
use cobox_keys::cipher::BlockKey;
use cobox_keys::derive::FeedKind;
use std::collections::HashMap;
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Blocks read from the disk, and asked of peers, at a time: 1 MiB.
const AHEAD: u64 = 16;
/// Opened blocks kept: 4 MiB.
const CACHED: usize = 64;
/// How long a read waits for peers, unless told otherwise.
const WAIT_MS: u64 = 30_000;

/// How long nothing may come before blocks that are expected are asked for one by one.
const QUIET: Duration = Duration::from_secs(1);

/// Finds the content feed that a writer's accepted claim names.
pub type FindFeed = Box<dyn Fn(WriterTag) -> Option<FeedKey> + Send + Sync>;

/// One writer's content feed and the key that opens it.
struct Source {
    feed: Arc<Feed>,
    key: BlockKey,
}

type CacheKey = (WriterTag, u64);

/// Every writer's content, opened. Shared by all readers of a drive.
pub struct Blocks {
    set: Arc<FeedSet>,
    read_key: ReadKey,
    find: FindFeed,
    sources: RwLock<HashMap<WriterTag, Arc<Source>>>,
    /// Most recently used last.
    cache: Mutex<Vec<(CacheKey, Arc<Vec<u8>>)>>,
    wait_ms: AtomicU64,
}

impl Blocks {
    /// Nothing opened yet.
    pub fn new(set: Arc<FeedSet>, read_key: ReadKey, find: FindFeed) -> Self {
        Self {
            set,
            read_key,
            find,
            sources: RwLock::default(),
            cache: Mutex::default(),
            wait_ms: AtomicU64::new(WAIT_MS),
        }
    }

    /// How long reads wait for blocks that are not here.
    pub fn set_wait(&self, wait: Duration) {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.wait_ms.store(ms, Ordering::Relaxed);
    }

    /// Are all blocks of a run here?
    pub fn holds(&self, run: &Run) -> bool {
        let blocks = run::blocks(run);
        if blocks.is_empty() {
            return true;
        }
        let Ok(source) = self.source(run.writer, "") else {
            return false;
        };
        blocks.end <= source.feed.length() && source.feed.missing(blocks).is_empty()
    }

    /// May new content name these blocks? Not those of a forked feed: under the same numbers others hold other bytes.
    pub fn may_name(&self, run: &Run) -> bool {
        let forked = |source: Arc<Source>| self.set.is_forked(&source.feed.key());
        self.holds(run)
            && (run.codec == Codec::Hole || !self.source(run.writer, "").is_ok_and(forked))
    }

    /// Waits while a run's blocks come by themselves: peers send a feed from its beginning to its end, and asking for some
    /// of it first makes all of it slower. Ends when they are here, or when no content came for a moment.
    pub fn await_arrival(&self, run: &Run) {
        if self.holds(run) {
            return;
        }
        let mut events = self.set.subscribe();
        let mut deadline = Instant::now() + QUIET;
        while !self.holds(run) {
            match next_event(
                &mut events,
                deadline.saturating_duration_since(Instant::now()),
            ) {
                Some(event) if self.is_arrival(&event) => deadline = Instant::now() + QUIET,
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Content of somebody else? (What events were missed are likely to have been.)
    fn is_arrival(&self, event: &Result<Event, RecvError>) -> bool {
        match event {
            Ok(Event::Appended { feed, blocks, .. }) if !blocks.is_empty() => {
                let feed = self.set.feed(feed);
                feed.is_some_and(|feed| feed.kind() == FeedKind::Content as u8 && !feed.is_own())
            }
            Ok(_) => false,
            Err(_) => true,
        }
    }

    /// Fills `out` with the bytes of a raw run from `skip` on, or with a hole's zeros. `what` names the file in errors.
    pub fn read(&self, run: &Run, skip: u64, out: &mut [u8], what: &str) -> Result<(), DriveError> {
        match run.codec {
            Codec::Hole => out.fill(0),
            Codec::Raw => {
                let position = run::position(run).saturating_add(skip);
                self.read_stored(run, position, out, what)?;
            }
            Codec::Lz4 { .. } => {
                let data = self.unpack(run, what)?;
                let part = usize::try_from(skip)
                    .ok()
                    .and_then(|skip| data.get(skip..)?.get(..out.len()));
                out.copy_from_slice(part.ok_or_else(|| damaged(what))?);
            }
        }
        Ok(())
    }

    /// All bytes of a compressed run.
    pub fn unpack(&self, run: &Run, what: &str) -> Result<Vec<u8>, DriveError> {
        let Codec::Lz4 { stored } = run.codec else {
            return Err(damaged(what));
        };
        if u64::from(stored) > super::LARGE || run.length > super::LARGE {
            return Err(damaged(what));
        }
        let mut packed = vec![0; stored as usize];
        self.read_stored(run, run::position(run), &mut packed, what)?;
        super::compress::decompress(&packed, run.length).map_err(|_| damaged(what))
    }

    /// Stored bytes at a position (counted as if all blocks of the feed were full).
    fn read_stored(
        &self,
        run: &Run,
        mut position: u64,
        mut out: &mut [u8],
        what: &str,
    ) -> Result<(), DriveError> {
        let source = self.source(run.writer, what)?;
        let end = run::blocks(run).end;
        while !out.is_empty() {
            let (block, offset) = (position / BLOCK as u64, (position % BLOCK as u64) as usize);
            let mut wanted = (offset + out.len()).div_ceil(BLOCK) as u64;
            let mut done = 0;
            if let Some(opened) = self.cached((run.writer, block)) {
                done += copy_out(&opened, offset, out, what)?;
            } else {
                wanted = wanted.min(AHEAD);
                let sealed = source.feed.get_range(block..block.saturating_add(wanted))?;
                if sealed.is_empty() {
                    self.wait(
                        &source,
                        block..end.min(block.saturating_add(wanted + AHEAD)),
                        what,
                    )?;
                    continue;
                }
                for (index, sealed) in (block..).zip(&sealed) {
                    let from = if index == block { offset } else { 0 };
                    let rest = &mut out[done..];
                    done +=
                        self.open_into(&source, (run.writer, index), sealed, from, rest, what)?;
                }
            }
            position += done as u64;
            out = &mut out[done..];
        }
        Ok(())
    }

    /// Opens one block and copies what is asked of it. A block used in part is kept: its neighbour comes next.
    fn open_into(
        &self,
        source: &Source,
        key: CacheKey,
        sealed: &[u8],
        from: usize,
        out: &mut [u8],
        what: &str,
    ) -> Result<usize, DriveError> {
        let opened = source.key.open(sealed).map_err(|_| damaged(what))?;
        let done = copy_out(&opened, from, out, what)?;
        if done < BLOCK {
            self.keep(key, opened);
        }
        Ok(done)
    }

    fn cached(&self, key: CacheKey) -> Option<Arc<Vec<u8>>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let at = cache.iter().rposition(|(cached, _)| *cached == key)?;
        let entry = cache.remove(at);
        let opened = entry.1.clone();
        cache.push(entry);
        Some(opened)
    }

    fn keep(&self, key: CacheKey, opened: Vec<u8>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|(cached, _)| *cached != key);
        if cache.len() >= CACHED {
            cache.remove(0);
        }
        cache.push((key, Arc::new(opened)));
    }

    fn source(&self, writer: WriterTag, what: &str) -> Result<Arc<Source>, DriveError> {
        if let Some(source) = self
            .sources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&writer)
        {
            return Ok(source.clone());
        }
        let unknown = || DriveError::NotHere(what.to_owned());
        let key = (self.find)(writer).ok_or_else(unknown)?;
        let feed = self.set.feed(&key).ok_or_else(unknown)?;
        let source = Arc::new(Source {
            feed,
            key: self.read_key.block_key(&key.0),
        });
        self.sources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(writer, source.clone());
        Ok(source)
    }

    /// Wants blocks of peers and waits until the first is here.
    fn wait(&self, source: &Source, blocks: Range<u64>, what: &str) -> Result<(), DriveError> {
        let deadline =
            Instant::now().checked_add(Duration::from_millis(self.wait_ms.load(Ordering::Relaxed)));
        let mut events = self.set.subscribe();
        let first = blocks.start;
        let _want = self.set.want(source.feed.key(), blocks);
        while !source.feed.has(first) {
            let left = deadline.map_or(Duration::from_secs(3600), |d| {
                d.saturating_duration_since(Instant::now())
            });
            if left.is_zero() || next_event(&mut events, left).is_none() {
                return Err(DriveError::NotHere(what.to_owned()));
            }
        }
        Ok(())
    }
}

fn damaged(what: &str) -> DriveError {
    DriveError::Damaged(format!("the content of {what}"))
}

/// A record may name more of a block than its plaintext has: that is its author's fault, not ours.
fn copy_out(opened: &[u8], from: usize, out: &mut [u8], what: &str) -> Result<usize, DriveError> {
    let length = out.len().min(BLOCK.saturating_sub(from));
    let part = opened
        .get(from..)
        .and_then(|rest| rest.get(..length))
        .ok_or_else(|| damaged(what))?;
    if length == 0 {
        return Err(damaged(what));
    }
    out[..length].copy_from_slice(part);
    Ok(length)
}

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the next event (or news of missed ones) on a plain thread. None: time is up, or the set is closed.
fn next_event(events: &mut Receiver<Event>, timeout: Duration) -> Option<Result<Event, RecvError>> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut next = pin!(events.recv());
    let deadline = Instant::now() + timeout;
    loop {
        match next.as_mut().poll(&mut context) {
            Poll::Ready(Err(RecvError::Closed)) => return None,
            Poll::Ready(event) => return Some(event),
            Poll::Pending => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}
