//! The queue of commits and the thread that makes them durable: it takes all that wait, writes them at once, syncs once,
//! makes them visible, tells about them. One thread per set, started by the first commit, ended by idleness or close.

use super::pending::Completer;
use crate::error::StoreError;
use crate::event::Event;
use crate::index::change::changes;
use crate::index::checkpoint::Checkpointer;
use crate::manifest::FeedKey;
use crate::segment::log::{Log, Part};
use crate::segment::record::Kind;
use crate::sync::lock;
use crate::vault::Vault;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes queued above which new commits wait.
const QUEUE_BYTES: u64 = 128 << 20;
/// Bytes written at once, unless a single commit has more.
const GROUP_BYTES: u64 = 32 << 20;
/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(2);
/// The thread's stack; it never goes deep.
const STACK: usize = 512 << 10;

/// A commit waiting to be written.
#[derive(Debug)]
pub(crate) struct Commit {
    /// Its records, in order. None: nothing to write, but to wait for what is ahead.
    pub parts: Vec<Part>,
    /// For events: blocks that are new, per feed; empty ranges for heads alone.
    pub news: Vec<(FeedKey, Range<u64>)>,
    /// All of it came from peers: kept for others, and not read again soon.
    pub received: bool,
    /// Whoever waits.
    pub done: Completer,
}

/// Writes one set's commits.
#[derive(Debug)]
pub(crate) struct Committer {
    vault: Arc<Vault>,
    checkpointer: Arc<Checkpointer>,
    log: Mutex<Log>,
    size: AtomicU64,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    commits: VecDeque<Commit>,
    bytes: u64,
    /// Counts failed writes. What was built on a failed commit belongs to an earlier round and is refused.
    round: u64,
    running: bool,
    closed: bool,
    poisoned: bool,
}

impl Committer {
    pub(crate) fn new(vault: Arc<Vault>, log: Log, checkpointer: Arc<Checkpointer>) -> Self {
        let size = AtomicU64::new(log.size());
        Self {
            vault,
            checkpointer,
            log: Mutex::new(log),
            size,
            queue: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Bytes on disk.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Waits until there is room in the queue; returns the round.
    pub(crate) fn wait_for_room(&self) -> Result<u64, StoreError> {
        let mut queue = lock(&self.queue);
        while queue.bytes > QUEUE_BYTES && queue.running {
            queue = self.wait(queue);
        }
        queue.check()?;
        Ok(queue.round)
    }

    /// Queues a commit built in `round`; gives it back if that round is over.
    pub(crate) fn push(
        self: &Arc<Self>,
        round: u64,
        commit: Commit,
    ) -> Result<Option<Commit>, StoreError> {
        let mut queue = lock(&self.queue);
        queue.check()?;
        if queue.round != round {
            return Ok(Some(commit));
        }
        if !queue.running {
            self.start()?;
            queue.running = true;
        }
        queue.bytes += commit.bytes();
        queue.commits.push_back(commit);
        self.changed.notify_all();
        Ok(None)
    }

    /// Lets the thread finish what is queued, then takes no more.
    pub(crate) fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        self.changed.notify_all();
        while queue.running {
            queue = self.wait(queue);
        }
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>) -> Result<(), StoreError> {
        let committer = self.clone();
        let thread = std::thread::Builder::new()
            .name("feed-commit".into())
            .stack_size(STACK);
        thread
            .spawn(move || Running(&committer).run())
            .map_err(StoreError::io("starting a thread"))?;
        Ok(())
    }

    /// All commits that wait, up to a limit; `None` ends the thread.
    fn next_group(&self) -> Option<Vec<Commit>> {
        let mut queue = lock(&self.queue);
        let mut idle = false;
        while queue.commits.is_empty() {
            if queue.closed || idle {
                queue.running = false;
                self.changed.notify_all();
                return None;
            }
            let (woken, timeout) = self
                .changed
                .wait_timeout(queue, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            idle = timeout.timed_out();
        }
        Some(queue.take_group())
    }

    fn write_group(&self, group: Vec<Commit>) {
        let bytes = group.iter().map(Commit::bytes).sum();
        let received = group.iter().all(|commit| commit.received);
        let (mut parts, mut news, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for commit in group {
            parts.extend(commit.parts);
            news.extend(commit.news);
            waiting.push(commit.done);
        }
        let outcome = if parts.is_empty() {
            Ok(())
        } else {
            self.write(&parts, bytes, received)
        };
        // Block bytes are freed before anybody is told to send more.
        let certificates = parts.iter().any(|part| part.kind == Kind::Certificate);
        drop(parts);
        match &outcome {
            Ok(()) => self.tell(certificates, news),
            Err(error) => self.fail_queued(error, &mut waiting),
        }
        waiting
            .iter()
            .for_each(|done| done.complete(outcome.clone()));
        lock(&self.queue).bytes -= bytes;
        self.changed.notify_all();
    }

    /// Writes and syncs, then makes visible.
    fn write(&self, parts: &[Part], bytes: u64, received: bool) -> Result<(), StoreError> {
        let mut log = lock(&self.log);
        let places = log.append(parts)?;
        if received {
            log.forget_behind();
        }
        self.size.store(log.size(), Ordering::Relaxed);
        let found: Vec<_> = places
            .iter()
            .zip(parts)
            .flat_map(|(place, part)| changes(*place, part.kind, &part.meta, &[]))
            .collect();
        match self.vault.index.apply(found, log.position()) {
            Ok(weight) => self.checkpointer.note(&self.vault.index, bytes, weight),
            Err(error) => {
                // Durable, but not to be seen in this run: as good as a failed sync.
                lock(&self.queue).poisoned = true;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Everything queued was built on what just failed.
    fn fail_queued(&self, error: &StoreError, waiting: &mut Vec<Completer>) {
        tracing::error!(%error, "a commit failed");
        let mut queue = lock(&self.queue);
        queue.round += 1;
        queue.poisoned |= lock(&self.log).is_poisoned();
        let behind: u64 = queue.commits.iter().map(Commit::bytes).sum();
        queue.bytes -= behind;
        waiting.extend(queue.commits.drain(..).map(|commit| commit.done));
    }

    fn tell(&self, certificates: bool, news: Vec<(FeedKey, Range<u64>)>) {
        if certificates {
            self.vault.events.tell(Event::Certificate);
        }
        for (feed, blocks) in join_neighbours(news) {
            let length = self
                .vault
                .index
                .with_feed(&feed, |row| row.head.as_ref().map_or(0, |head| head.length))
                .unwrap_or(0);
            self.vault.events.tell(Event::Appended {
                feed,
                blocks,
                length,
            });
        }
    }
}

/// The thread; if it panics, nobody is left waiting.
struct Running<'a>(&'a Committer);

impl Running<'_> {
    fn run(self) {
        while let Some(group) = self.0.next_group() {
            self.0.write_group(group);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = lock(&self.0.queue);
            queue.poisoned = true;
            queue.running = false;
            queue.commits.clear();
            self.0.changed.notify_all();
        }
    }
}

impl Queue {
    fn check(&self) -> Result<(), StoreError> {
        match (self.closed, self.poisoned) {
            (true, _) => Err(StoreError::Closed),
            (_, true) => Err(StoreError::Poisoned),
            _ => Ok(()),
        }
    }

    fn take_group(&mut self) -> Vec<Commit> {
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.commits.front() {
            if !group.is_empty() && bytes + next.bytes() > GROUP_BYTES {
                break;
            }
            bytes += next.bytes();
            group.extend(self.commits.pop_front());
        }
        group
    }
}

impl Commit {
    /// Bytes of its records.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(Part::total).sum()
    }
}

/// One event instead of several for consecutive blocks of a feed.
fn join_neighbours(news: Vec<(FeedKey, Range<u64>)>) -> Vec<(FeedKey, Range<u64>)> {
    let mut joined: Vec<(FeedKey, Range<u64>)> = Vec::new();
    for (feed, blocks) in news {
        match joined.last_mut() {
            Some((last, _)) if *last == feed && blocks.is_empty() => {}
            Some((last, so_far)) if *last == feed && so_far.end == blocks.start => {
                so_far.end = blocks.end
            }
            Some((last, so_far)) if *last == feed && so_far.is_empty() => *so_far = blocks,
            _ => joined.push((feed, blocks)),
        }
    }
    joined
}
