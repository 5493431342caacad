//! When layers go to the table file: after so many bytes, after some time, before anything is unlinked, at close.
//! Never on the road of a commit: a thread of its own writes them while reads look through the frozen layer.

use super::space::SpaceIndex;
use super::table::Table;
use crate::error::StoreError;
use crate::sync::lock;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes written to segments after which a checkpoint is due: bounds what is replayed at open.
const DUE_BYTES: u64 = 256 << 20;
/// Rows in memory after which a checkpoint is due (see `Overlay::weight`).
const DUE_WEIGHT: usize = 200_000;
/// Age of a change after which a checkpoint is due.
const DUE_AGE: Duration = Duration::from_secs(30);
/// How often the age is looked at, and how long to rest after a failure.
const PAUSE: Duration = Duration::from_secs(5);

/// The table file and what is waiting to go there.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    table: Arc<Table>,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// Held while layers are written: one checkpoint at a time.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    spaces: Vec<Arc<SpaceIndex>>,
    bytes: u64,
    weight: usize,
    since: Option<Instant>,
    stopped: bool,
}

impl Checkpointer {
    /// Over a table; its thread runs until [`Checkpointer::stop`].
    pub(crate) fn start(table: Arc<Table>) -> Result<Arc<Self>, StoreError> {
        let checkpointer = Arc::new(Self {
            table,
            waiting: Mutex::default(),
            changed: Condvar::new(),
            writing: Mutex::default(),
        });
        let own = checkpointer.clone();
        std::thread::Builder::new()
            .name("feed-checkpoint".into())
            .spawn(move || run(&own))
            .map_err(StoreError::io("starting a thread"))?;
        Ok(checkpointer)
    }

    /// The table file.
    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// A space has changed, by so many bytes of its log and so much weight of its newest layer.
    pub(crate) fn note(&self, space: &Arc<SpaceIndex>, bytes: u64, weight: usize) {
        let mut waiting = lock(&self.waiting);
        if !waiting.spaces.iter().any(|known| Arc::ptr_eq(known, space)) {
            waiting.spaces.push(space.clone());
        }
        waiting.bytes += bytes;
        waiting.weight += weight;
        if waiting.since.is_none() || waiting.is_due() {
            waiting.since.get_or_insert_with(Instant::now);
            self.changed.notify_all();
        }
    }

    /// Forgets a space that is being removed.
    pub(crate) fn forget(&self, space: &Arc<SpaceIndex>) {
        let _writing = lock(&self.writing);
        lock(&self.waiting)
            .spaces
            .retain(|known| !Arc::ptr_eq(known, space));
    }

    /// Writes everything that waits, durably.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let _writing = lock(&self.writing);
        let spaces = {
            let mut waiting = lock(&self.waiting);
            (waiting.bytes, waiting.weight, waiting.since) = (0, 0, None);
            std::mem::take(&mut waiting.spaces)
        };
        if spaces.is_empty() {
            return Ok(());
        }
        let layers: Vec<_> = spaces
            .iter()
            .map(|space| (space.address(), space.freeze()))
            .collect();
        let written = self.table.write(&layers);
        drop(layers);
        for space in spaces {
            if written.is_err() || space.thaw() {
                self.note(&space, 0, 0);
            }
        }
        written
    }

    /// Writes everything, ends the thread and closes the table file.
    pub(crate) fn stop(&self) -> Result<(), StoreError> {
        lock(&self.waiting).stopped = true;
        self.changed.notify_all();
        // Twice: a layer left by a failed checkpoint goes before what came after it.
        let written = self.checkpoint().and_then(|()| self.checkpoint());
        self.table.close();
        written
    }
}

impl Waiting {
    fn is_due(&self) -> bool {
        self.bytes >= DUE_BYTES
            || self.weight >= DUE_WEIGHT
            || self.since.is_some_and(|since| since.elapsed() >= DUE_AGE)
    }
}

/// The thread: waits until a checkpoint is due.
fn run(checkpointer: &Checkpointer) {
    loop {
        let waiting = lock(&checkpointer.waiting);
        if waiting.stopped {
            return;
        }
        if !waiting.is_due() {
            let waited = checkpointer.changed.wait_timeout(waiting, PAUSE);
            drop(waited.map_err(PoisonError::into_inner));
            continue;
        }
        drop(waiting);
        if let Err(error) = checkpointer.checkpoint() {
            tracing::warn!(%error, "the index could not be written; it is tried again");
            std::thread::sleep(PAUSE);
        }
    }
}
