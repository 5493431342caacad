//! Feeds views from the journal: rows and cursor commit together; a new version means rebuild.
//!
//! Not its job: the order that a view may want across feeds (causal order is the view's own business: it keeps
//! rows that wait), or opening blocks.

mod ear;
mod intake;
mod progress;
mod queue;
mod slot;
mod worker;

use crate::journal::Entry;
use crate::kv::{Database, Rows, Table, ViewError};
use crate::source::Source;
use cobox_feed::manifest::FeedKey;
use ear::{Ear, Orders};
use intake::Intake;
use progress::Progress;
use slot::Slot;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use worker::Worker;

/// A table family computed from entries.
pub trait View: Send + 'static {
    /// Name; its tables begin with it.
    fn name(&self) -> &'static str;
    /// Raise it when rows would come out differently: everything is then rebuilt.
    fn version(&self) -> u32;
    /// The tables to empty before a rebuild.
    fn tables(&self) -> Vec<Table>;
    /// Applies entries in order. An entry that does not open or decode must be recorded or ignored, never an error: errors are for the tables.
    fn apply(&mut self, rows: &mut dyn Rows, entries: &[Entry]) -> Result<(), ViewError>;
    /// Called after the transaction that held the last `apply` calls is committed: tell events here.
    fn committed(&mut self);
    /// Called when a transaction was dropped or the view starts over, and once before the first `apply`: forget cached state.
    fn reset(&mut self);
}

/// Tuning; defaults are right for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Rows are made durable so long after they were committed: what a crash makes us compute again ...
    pub flush_after: Duration,
    /// ... or after so many bytes of rows.
    pub flush_bytes: u64,
    /// Pause before the next try when the disk fails.
    pub retry_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flush_after: Duration::from_secs(5),
            flush_bytes: 64 << 20,
            retry_after: Duration::from_secs(5),
        }
    }
}

/// One thread per space that keeps its views up to date.
pub struct Indexer {
    source: Arc<dyn Source>,
    kinds: Vec<u8>,
    progress: Arc<Progress>,
    orders: Arc<Orders>,
    thread: Mutex<Option<JoinHandle<Result<(), ViewError>>>>,
}

impl Indexer {
    /// Starts the thread: reads what was journaled and not applied, then follows the set's events. `kinds` are the feed kinds to journal.
    pub fn start<S: Source>(
        db: Database,
        set: Arc<S>,
        kinds: Vec<u8>,
        views: Vec<Box<dyn View>>,
    ) -> Result<Indexer, ViewError> {
        Self::start_with(db, set, kinds, views, Options::default())
    }

    /// [`Indexer::start`], tuned.
    pub fn start_with<S: Source>(
        db: Database,
        set: Arc<S>,
        kinds: Vec<u8>,
        views: Vec<Box<dyn View>>,
        options: Options,
    ) -> Result<Indexer, ViewError> {
        let source: Arc<dyn Source> = set;
        let progress = Arc::new(Progress::default());
        let orders = Arc::new(Orders::default());
        // First the events, then the state: what happens in between is then seen twice, not missed.
        let ear = Ear::new(source.subscribe(), orders.clone());
        let intake = Intake::new(source.clone(), kinds.clone());
        let slots = views.into_iter().map(Slot::new).collect();
        let worker = Worker::new(db, intake, slots, progress.clone(), ear, options)?;
        let thread = thread::Builder::new()
            .name("indexer".into())
            .spawn(move || worker.run())
            .map_err(|error| ViewError::Table(error.to_string().into()))?;
        orders.obeyed_by(thread.thread().clone());
        let thread = Mutex::new(Some(thread));
        Ok(Indexer {
            source,
            kinds,
            progress,
            orders,
            thread,
        })
    }

    /// Waits until the first `length` blocks of a feed are applied to every view. An error other than `TimedOut` says why that will
    /// take longer than usual; the indexer itself goes on trying.
    pub fn wait_for(&self, feed: FeedKey, length: u64, timeout: Duration) -> Result<(), ViewError> {
        let reached = |progress: &progress::State| progress.applied(&feed) >= length;
        self.progress
            .wait(Instant::now().checked_add(timeout), reached)
    }

    /// Waits until everything held now is applied.
    pub fn catch_up(&self, timeout: Duration) -> Result<(), ViewError> {
        let feeds = self.source.feeds().into_iter();
        let mut targets: Vec<(FeedKey, u64)> = feeds
            .filter(|(_, kind)| self.kinds.contains(kind))
            .map(|(feed, _)| (feed, self.source.held_prefix(&feed)))
            .collect();
        self.progress
            .wait(Instant::now().checked_add(timeout), |progress| {
                // What turns out to be rotten on the way is no longer held.
                targets.retain_mut(|(feed, length)| {
                    let missing = progress.applied(feed) < *length;
                    if missing {
                        *length = self.source.held_prefix(feed).min(*length);
                    }
                    missing && progress.applied(feed) < *length
                });
                targets.is_empty()
            })
    }

    /// Throws all rows away and computes them again: for a reader that met `ViewError::Damaged`.
    pub fn rebuild(&self) {
        self.orders.rebuild();
    }

    /// Applies what is there, makes rows durable and stops. Also on drop. What takes longer than a moment is left for the next start.
    pub fn stop(&self) -> Result<(), ViewError> {
        self.orders.stop();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match thread {
            // A view that holds the indexer may be the last to let go of it, on the thread itself.
            Some(thread) if thread.thread().id() != thread::current().id() => {
                thread.join().unwrap_or(Err(ViewError::Closed))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "views were not made durable; they will be computed again");
        }
    }
}
