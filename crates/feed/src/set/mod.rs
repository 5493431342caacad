//! All feeds that meet at one address: admission, commits, wants, events. Everything here is durable before it is told.

mod batch;
mod build;
mod committer;
mod pending;
mod wants;
mod working;

pub use crate::event::Event;
pub use batch::Batch;
pub use pending::Pending;
pub use wants::WantGuard;

use crate::bitfield::RangeSet;
use crate::disk::handles::Handles;
use crate::error::StoreError;
use crate::feed::Feed;
use crate::index::change::changes;
use crate::index::checkpoint::Checkpointer;
use crate::index::space::SpaceIndex;
use crate::manifest::{FeedKey, FeedKeyPair};
use crate::segment::log::{Log, Opened, Place};
use crate::segment::scan::Record;
use crate::segment::{Position, SegmentHeader};
use crate::sync::{lock, read, write};
use crate::vault::Vault;
use bytes::Bytes;
use committer::Committer;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, RwLock};
use tokio::sync::broadcast;
use wants::Wants;

/// Rows in memory after which a long replay writes them to the table.
const REPLAY_WEIGHT: usize = 200_000;

/// The feeds, certificates, drafts and wants of one address.
pub struct FeedSet {
    vault: Arc<Vault>,
    committer: Arc<Committer>,
    feeds: RwLock<BTreeMap<FeedKey, Arc<Feed>>>,
    wants: Arc<Wants>,
    skipped: Mutex<HashMap<FeedKey, RangeSet>>,
    forked: Mutex<BTreeSet<FeedKey>>,
}

impl FeedSet {
    /// Opens the set of an address: loads its rows and replays what they had not seen.
    pub(crate) fn open(
        address: [u8; 32],
        segment_size: u64,
        handles: &Arc<Handles>,
        checkpointer: &Arc<Checkpointer>,
    ) -> Result<Arc<Self>, StoreError> {
        let (index, log) = open_log(address, segment_size, handles, checkpointer)?;
        let vault = Arc::new(Vault::new(index.clone(), handles.clone()));
        let feeds = index
            .signed_feeds()
            .into_iter()
            .map(|(key, kind)| (key, Arc::new(Feed::new(key, kind, vault.clone()))));
        Ok(Arc::new(Self {
            feeds: RwLock::new(feeds.collect()),
            committer: Arc::new(Committer::new(vault.clone(), log, checkpointer.clone())),
            vault,
            wants: Arc::default(),
            skipped: Mutex::default(),
            forked: Mutex::default(),
        }))
    }

    /// The 32 bytes of the address.
    pub fn address(&self) -> [u8; 32] {
        self.vault.index.address()
    }

    /// Stored certificates, in the order in which they came. Empty if the index cannot be read (which is logged).
    pub fn certificates(&self) -> Vec<Bytes> {
        self.vault.index.certificates().unwrap_or_else(|error| {
            tracing::error!(%error, "certificates could not be read");
            Vec::new()
        })
    }

    /// Admits a feed (the caller has verified its certificate, which must be committed before or with its first block). Idempotent, costs memory only until a head exists.
    pub fn admit(&self, feed: FeedKey, kind: u8) -> Arc<Feed> {
        if let Some(feed) = self.feed(&feed) {
            return feed;
        }
        let admitted = {
            let mut feeds = write(&self.feeds);
            let new = || Arc::new(Feed::new(feed, kind, self.vault.clone()));
            feeds.entry(feed).or_insert_with(new).clone()
        };
        self.vault.events.tell(Event::Admitted(feed));
        admitted
    }

    /// Admits a feed of ours and gives it its pair, so that `Batch::append` works. Idempotent.
    pub fn own(&self, pair: FeedKeyPair, kind: u8) -> Arc<Feed> {
        let feed = self.admit(pair.manifest().key(), kind);
        feed.set_pair(pair);
        feed
    }

    /// Admits a feed of ours whose pair is not at hand, and will be later: until then nobody can append to it, nor make it
    /// longer than it is here. For as long as the set is open.
    pub fn guard(&self, feed: FeedKey, kind: u8) -> Arc<Feed> {
        let feed = self.admit(feed, kind);
        feed.guard();
        feed
    }

    /// An admitted feed.
    pub fn feed(&self, key: &FeedKey) -> Option<Arc<Feed>> {
        read(&self.feeds).get(key).cloned()
    }

    /// All admitted feeds, sorted by key.
    pub fn feeds(&self) -> Vec<Arc<Feed>> {
        read(&self.feeds).values().cloned().collect()
    }

    /// Queues a commit. Hashing and signing happen here on the caller's thread; writing and syncing on the set's commit thread, shared with concurrent commits.
    /// Several commits may be in flight; they become durable in order. Waits while more than 128 MiB are queued.
    pub fn commit(&self, batch: Batch) -> Result<Pending, StoreError> {
        build::commit(&self.vault, &self.committer, batch)
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.vault.events.subscribe()
    }

    /// Asks for blocks that are not here; sessions fetch wanted blocks first. `urgent` wants go before everything.
    pub fn want(&self, feed: FeedKey, blocks: Range<u64>) -> WantGuard {
        let guard = wants::open(&self.wants, feed, blocks);
        self.vault.events.tell(Event::Wanted);
        guard
    }

    /// Open wants, oldest first.
    pub fn wants(&self) -> Vec<(FeedKey, Range<u64>)> {
        self.wants.all()
    }

    /// Blocks that this program does not need (a writer's filler, content not kept here): sessions do not fetch them unless wanted. Memory only.
    pub fn skip(&self, feed: FeedKey, blocks: Range<u64>) {
        lock(&self.skipped).entry(feed).or_default().insert(blocks);
    }

    /// Skipped blocks of a feed.
    pub fn skipped(&self, feed: &FeedKey) -> RangeSet {
        lock(&self.skipped).get(feed).cloned().unwrap_or_default()
    }

    /// A peer has proven that another history of a feed is signed too. What is held stays, and nothing of the other is
    /// taken: who waits for more of it may wait for ever. Memory only: whoever meets the other history finds out again.
    pub fn note_fork(&self, feed: FeedKey) {
        if lock(&self.forked).insert(feed) {
            tracing::warn!(%feed, "two histories of a feed are signed; the one that is here stays");
            self.vault.events.tell(Event::Forked(feed));
        }
    }

    /// Is it known that another history of a feed is signed?
    pub fn is_forked(&self, feed: &FeedKey) -> bool {
        lock(&self.forked).contains(feed)
    }

    /// Stored drafts. One that rotted is left out, and logged.
    pub fn drafts(&self) -> Vec<([u8; 16], Bytes)> {
        self.read_drafts().unwrap_or_else(|error| {
            tracing::error!(%error, "drafts could not be read");
            Vec::new()
        })
    }

    fn read_drafts(&self) -> Result<Vec<([u8; 16], Bytes)>, StoreError> {
        let mut drafts = Vec::new();
        for (id, place) in self.vault.index.drafts()? {
            match self.vault.read_draft(&place)? {
                Some(bytes) => drafts.push((id, bytes)),
                None => tracing::error!("a draft rotted"),
            }
        }
        Ok(drafts)
    }

    /// Bytes that may still be written here, as far as the disk tells: all of them if it does not.
    pub fn room(&self) -> u64 {
        self.vault.free().unwrap_or(u64::MAX)
    }

    /// Bytes this set occupies on disk.
    pub fn disk_size(&self) -> u64 {
        self.committer.size()
    }

    /// Makes what is queued durable, then takes no more commits.
    pub(crate) fn close(&self) {
        self.committer.close();
    }

    /// Closes for good before the files are unlinked: reading ends too.
    pub(crate) fn remove(&self, checkpointer: &Checkpointer) {
        self.committer.close();
        self.vault.close();
        checkpointer.forget(&self.vault.index);
    }
}

impl fmt::Debug for FeedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedSet")
            .field("address", &FeedKey(self.address()))
            .field("feeds", &read(&self.feeds).len())
            .finish_non_exhaustive()
    }
}

/// Loads what the table knows and replays the rest; grows everything anew where table and segments do not belong together.
fn open_log(
    address: [u8; 32],
    segment_size: u64,
    handles: &Arc<Handles>,
    checkpointer: &Arc<Checkpointer>,
) -> Result<(Arc<SpaceIndex>, Log), StoreError> {
    let table = checkpointer.table();
    let (feeds, known) = match table.space(&address)? {
        Some(rows) => (rows.feeds, Some(rows.position)),
        None => (HashMap::new(), None),
    };
    let index = Arc::new(SpaceIndex::new(address, table.clone(), feeds, known));
    if let Some(log) = replay(&index, segment_size, handles, checkpointer, known)? {
        return Ok((index, log));
    }
    tracing::warn!("the index belongs to other segments and is grown again");
    table.purge(&address)?;
    let index = Arc::new(SpaceIndex::new(
        address,
        table.clone(),
        HashMap::new(),
        None,
    ));
    let log =
        replay(&index, segment_size, handles, checkpointer, None)?.ok_or(StoreError::Closed)?;
    Ok((index, log))
}

/// Opens the log behind `known`; `None` if the position does not fit the files.
fn replay(
    index: &Arc<SpaceIndex>,
    segment_size: u64,
    handles: &Arc<Handles>,
    checkpointer: &Checkpointer,
    known: Option<Position>,
) -> Result<Option<Log>, StoreError> {
    let mut outcome = Ok(());
    let mut replayed = 0;
    let opened = Log::open(
        handles.clone(),
        index.address(),
        segment_size,
        known,
        &mut |segment, record| {
            replayed += record.header.total();
            if outcome.is_ok() {
                outcome = replay_record(index, checkpointer, segment, &record);
            }
        },
    )?;
    outcome?;
    let Opened::Log(log) = opened else {
        return Ok(None);
    };
    if replayed > 0 {
        index.apply(Vec::new(), log.position())?;
        checkpointer.note(index, replayed, index.weight());
    }
    Ok(Some(*log))
}

fn replay_record(
    index: &Arc<SpaceIndex>,
    checkpointer: &Checkpointer,
    segment: &SegmentHeader,
    record: &Record,
) -> Result<(), StoreError> {
    let header = &record.header;
    let place = Place {
        segment: segment.number,
        offset: record.offset,
    };
    let end = Position {
        segment: segment.number,
        salt: segment.salt,
        offset: record.offset + header.total(),
        sequence: header.sequence + 1,
    };
    // Between two commits, and only there, a later start may begin.
    index.apply(
        changes(place, header.kind, &record.meta, &record.rotten),
        header.commit_end.then_some(end),
    )?;
    if header.commit_end && index.weight() > REPLAY_WEIGHT {
        checkpointer.note(index, 0, 0);
        checkpointer.checkpoint()?;
    }
    Ok(())
}
