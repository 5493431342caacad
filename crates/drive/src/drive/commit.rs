//! One writer's commits: content before record, both in one write; several may be in flight.
//!
//! Block numbers are given out here, under the drive's one writer lock. After any failure they are taken anew from
//! what is on disk.

use super::compose::{Composed, Form};
use super::gone::Gone;
use crate::content::dedup::{self, Dedup, HashKey};
use crate::content::intake::{Found, Intake, Layout};
use crate::content::pack::Packer;
use crate::content::read::Blocks;
use crate::error::DriveError;
use crate::record::{
    Body, Commit, CommitHeader, MAX_SEEN, Record, Seen, decode_block, encode_claim, encode_commit,
    encode_runs,
};
use crate::tree::Tree;
use crate::version::{Clock, Dot, WriterTag};
use bytes::Bytes;
use cobox_feed::feed::Feed;
use cobox_feed::set::{Batch, FeedSet, Pending};
use cobox_feed::store::StoreError;
use cobox_keys::access::ReadKey;
use cobox_keys::cipher::BlockKey;
use cobox_view::kv::Database;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names a draft among those of a space.
pub(crate) type DraftId = [u8; 16];

/// Blocks that are committed ahead of the record at a time: 8 MiB.
const PIECE: usize = 128;
/// Commits in flight: hashing goes on while the disk writes, and memory stays bounded.
const IN_FLIGHT: usize = 4;

/// A record; if its content is new, what becomes its body.
pub(crate) struct Change {
    pub record: Record,
    pub form: Option<Form>,
}

impl Change {
    /// A record whose content is all of a layout, if there is one.
    pub fn whole(record: Record, layout: Option<Layout>) -> Self {
        Self {
            record,
            form: layout.map(Form::Whole),
        }
    }
}

impl From<Record> for Change {
    fn from(record: Record) -> Self {
        Self::whole(record, None)
    }
}

/// What a commit made.
pub(crate) struct Committed {
    /// Length of the metadata feed.
    pub length: u64,
    /// The records, with all their runs.
    pub records: Vec<Record>,
}

struct InFlight {
    pending: Pending,
    found: Vec<Found>,
}

/// What one program writes into a space.
pub(crate) struct Writer {
    set: Arc<FeedSet>,
    db: Database,
    metadata: Arc<Feed>,
    content: Arc<Feed>,
    tag: WriterTag,
    metadata_key: BlockKey,
    content_key: BlockKey,
    hash_key: HashKey,
    /// Lengths of the feeds once everything in flight is durable.
    next_metadata: u64,
    next_content: u64,
    last_time: u64,
    /// What our commits have listed as seen since this program started.
    told: Clock,
    in_flight: VecDeque<InFlight>,
    /// Counts the times that rows were put into the de-duplication index.
    indexed: u64,
    /// Names freed lately.
    pub gone: Gone,
}

impl Writer {
    /// Writes the claim into feeds that are empty, and picks up where the last run ended.
    pub fn open(
        set: Arc<FeedSet>,
        db: Database,
        read_key: &ReadKey,
        metadata: Arc<Feed>,
        content: Arc<Feed>,
        claim: &[u8],
    ) -> Result<Self, DriveError> {
        let metadata_key = read_key.block_key(&metadata.key().0);
        let content_key = read_key.block_key(&content.key().0);
        let tag = WriterTag::of(&metadata.key());
        let mut writer = Self {
            set,
            db,
            metadata,
            content,
            tag,
            metadata_key,
            content_key,
            hash_key: HashKey::new(read_key.hash_key("dedup")),
            next_metadata: 0,
            next_content: 0,
            last_time: 0,
            told: Clock::default(),
            in_flight: VecDeque::new(),
            indexed: 0,
            gone: Gone::default(),
        };
        writer.write_claims(claim)?;
        writer.look_again();
        writer.last_time = writer.newest_time()?;
        // What is not applied yet may be listed a second time, which is harmless.
        writer.told = Tree(&writer.db.snapshot()?).seen_by(tag)?;
        dedup::check(&writer.db, tag, writer.next_content)?;
        Ok(writer)
    }

    /// Tag of this writer.
    pub fn tag(&self) -> WriterTag {
        self.tag
    }

    /// A place to put new content; its blocks are sealed for our content feed.
    pub fn intake(&self, blocks: &Arc<Blocks>) -> Intake {
        let key = self.content_key.clone();
        let packer = Packer::new(Box::new(move |plaintext| key.seal(plaintext).into()));
        Intake::new(
            packer,
            Dedup::new(self.hash_key.clone(), self.db.clone(), blocks.clone()),
        )
    }

    /// Key for hashing chunks on another thread.
    pub fn hash_key(&self) -> HashKey {
        self.hash_key.clone()
    }

    /// Commits full content blocks ahead of their record, once there are enough of them.
    pub fn ahead(&mut self, intake: &mut Intake) -> Result<(), DriveError> {
        if intake.packer.ready() < PIECE {
            return Ok(());
        }
        let blocks = intake.packer.take(self.next_content);
        self.append_content(blocks)
    }

    /// Commits records with the rest of their content, and drops the drafts that they make needless. `clock` is what
    /// the author had seen. Durable once [`Writer::settle`] has returned.
    pub fn commit(
        &mut self,
        clock: &Clock,
        intake: &mut Intake,
        changes: Vec<Change>,
        drafts: &[DraftId],
    ) -> Result<Committed, DriveError> {
        let done = self.try_commit(clock, intake, changes, drafts);
        done.map_err(|error| self.recover(error))
    }

    /// Keeps a sealed draft, and drops those that are dead by then, at once; durable when it returns.
    pub fn keep_draft(
        &mut self,
        id: DraftId,
        sealed: Bytes,
        dead: &[DraftId],
    ) -> Result<(), DriveError> {
        let mut batch = dropped(dead);
        batch.draft(id, sealed);
        Ok(self.set.commit(batch)?.wait()?)
    }

    /// Drops drafts; durable when it returns.
    pub fn drop_drafts(&mut self, ids: &[DraftId]) -> Result<(), DriveError> {
        Ok(self.set.commit(dropped(ids))?.wait()?)
    }

    /// Waits until everything in flight is durable.
    pub fn settle(&mut self) -> Result<(), DriveError> {
        while !self.in_flight.is_empty() {
            self.wait_oldest()?;
        }
        Ok(())
    }

    /// Counts up whenever an intake should look at the index again.
    pub fn indexed(&self) -> u64 {
        self.indexed
    }

    fn try_commit(
        &mut self,
        clock: &Clock,
        intake: &mut Intake,
        changes: Vec<Change>,
        drafts: &[DraftId],
    ) -> Result<Committed, DriveError> {
        let (content, filler, records) = self.place(intake, changes)?;
        let seen = self.seen(clock);
        let listed: Vec<_> = seen.iter().map(|seen| (seen.writer, seen.length)).collect();
        let time_ms = now_ms().max(self.last_time);
        let content_length = self.next_content + content.len() as u64 + filler;
        let header = CommitHeader {
            time_ms,
            content_length,
            filler,
            seen,
        };
        let commit = Commit { header, records };
        let blocks = encode_commit(&commit)?;
        let sealed: Vec<Bytes> = blocks
            .iter()
            .map(|block| self.metadata_key.seal(block).into())
            .collect();
        let content = self.append_early(intake, content, filler)?;
        let (contents, metadatas) = (content.len() as u64, sealed.len() as u64);
        let mut batch = Batch::new();
        if contents > 0 {
            batch.append_at(&self.content, self.next_content, content);
        }
        batch.append_at(&self.metadata, self.next_metadata, sealed);
        for draft in drafts {
            batch.draft(*draft, Bytes::new());
        }
        let pending = self.set.commit(batch)?;
        self.next_content += contents;
        self.next_metadata += metadatas;
        self.last_time = time_ms;
        listed
            .into_iter()
            .for_each(|(writer, length)| self.told.raise(writer, length));
        let found = intake.clear(self.tag);
        self.track(pending, found)?;
        Ok(Committed {
            length: self.next_metadata,
            records: commit.records,
        })
    }

    /// Gives all blocks their numbers and all records their runs.
    fn place(
        &self,
        intake: &mut Intake,
        changes: Vec<Change>,
    ) -> Result<(Vec<Bytes>, u64, Vec<Record>), DriveError> {
        let unplaced = || DriveError::Damaged("a commit being written".into());
        let may_need_table = |change: &Change| {
            let form = change.form.as_ref();
            form.is_some_and(|form| form.may_need_table(intake.runs_bound(form.layout())))
        };
        let mut tables = HashMap::new();
        if changes.iter().any(may_need_table) {
            intake.packer.settle(self.next_content);
            for (index, change) in changes.iter().enumerate() {
                let Some(form) = &change.form else { continue };
                let runs = intake.runs(form.layout(), self.tag).ok_or_else(unplaced)?;
                if let Composed::Table(runs) = form.compose(runs).ok_or_else(unplaced)? {
                    let bytes = encode_runs(&runs);
                    tables.insert(
                        index,
                        (intake.packer.store(&bytes, true), bytes.len() as u64),
                    );
                }
            }
        }
        let (blocks, filler) = intake.packer.finish(self.next_content);
        let mut records = Vec::with_capacity(changes.len());
        for (index, Change { mut record, form }) in changes.into_iter().enumerate() {
            if let (Some(form), Some(content)) = (form, &mut record.content) {
                content.value.size = form.size();
                let runs = match tables.get(&index) {
                    Some((table, length)) => intake.packer.runs(*table, 0..*length, self.tag),
                    None => intake.runs(form.layout(), self.tag),
                };
                let mut runs = runs.ok_or_else(unplaced)?;
                content.value.body = match (tables.contains_key(&index), runs.len()) {
                    (true, 1) => Body::Table {
                        table: runs.remove(0),
                        splices: Vec::new(),
                    },
                    (true, _) => return Err(unplaced()),
                    (false, _) => match form.compose(runs).ok_or_else(unplaced)? {
                        Composed::Body(body) => body,
                        Composed::Table(_) => return Err(unplaced()),
                    },
                };
            }
            records.push(record);
        }
        Ok((blocks, filler, records))
    }

    /// Content of a large commit goes ahead, so that one write stays bounded; returns what goes with the record.
    fn append_early(
        &mut self,
        intake: &mut Intake,
        mut blocks: Vec<Bytes>,
        mut filler: u64,
    ) -> Result<Vec<Bytes>, DriveError> {
        while blocks.len() > 2 * PIECE {
            let rest = blocks.split_off(PIECE);
            self.append_content(std::mem::replace(&mut blocks, rest))?;
        }
        while filler > 0 {
            if blocks.len() >= PIECE {
                self.append_content(std::mem::take(&mut blocks))?;
            }
            let part = filler.min(PIECE as u64);
            blocks.extend(intake.packer.filler(part));
            filler -= part;
        }
        Ok(blocks)
    }

    fn append_content(&mut self, blocks: Vec<Bytes>) -> Result<(), DriveError> {
        let count = blocks.len() as u64;
        let mut batch = Batch::new();
        batch.append_at(&self.content, self.next_content, blocks);
        let pending = match self.set.commit(batch) {
            Ok(pending) => pending,
            Err(error) => return Err(self.recover(error.into())),
        };
        self.next_content += count;
        self.track(pending, Vec::new())
    }

    fn track(&mut self, pending: Pending, found: Vec<Found>) -> Result<(), DriveError> {
        self.in_flight.push_back(InFlight { pending, found });
        while self.in_flight.len() > IN_FLIGHT {
            self.wait_oldest()?;
        }
        Ok(())
    }

    fn wait_oldest(&mut self) -> Result<(), DriveError> {
        let Some(oldest) = self.in_flight.pop_front() else {
            return Ok(());
        };
        if let Err(error) = oldest.pending.wait() {
            return Err(self.recover(error.into()));
        }
        if !oldest.found.is_empty() {
            // The index is a cache: without these rows the same bytes are stored once more, nothing else.
            if let Err(error) = dedup::put(&self.db, self.tag, self.content.length(), &oldest.found)
            {
                tracing::warn!("rows for de-duplication were not kept: {error}");
            }
            self.indexed += 1;
        }
        Ok(())
    }

    /// After a failure: what was queued behind it failed too; numbers begin anew from what is durable. Returns what failed
    /// first: a commit that met a failed one before it knows only that.
    fn recover(&mut self, error: DriveError) -> DriveError {
        let queued = self.in_flight.drain(..).map(|queued| queued.pending.wait());
        let causes: Vec<_> = queued.filter_map(Result::err).collect();
        self.look_again();
        // What failed may have been the first to list a head: list all again.
        self.told = Clock::default();
        let moved = |error: &StoreError| matches!(error, StoreError::Moved);
        match error {
            DriveError::Store(StoreError::Moved) => {
                let cause = causes.into_iter().find(|cause| !moved(cause));
                cause.unwrap_or(StoreError::Moved).into()
            }
            other => other,
        }
    }

    fn look_again(&mut self) {
        self.next_content = self.content.length();
        self.next_metadata = self.metadata.length();
    }

    fn write_claims(&self, claim: &[u8]) -> Result<(), DriveError> {
        let plaintext = encode_claim(claim);
        let mut batch = Batch::new();
        let mut empty = false;
        for (feed, key) in [
            (&self.content, &self.content_key),
            (&self.metadata, &self.metadata_key),
        ] {
            if feed.length() == 0 {
                batch.append(feed, vec![key.seal(&plaintext).into()]);
                empty = true;
            }
        }
        if empty {
            self.set.commit(batch)?.wait()?;
        }
        Ok(())
    }

    /// Heads of other writers that our commits have not listed yet.
    fn seen(&self, clock: &Clock) -> Vec<Seen> {
        let news = clock
            .0
            .iter()
            .filter(|(writer, length)| **writer != self.tag && **length > self.told.length(writer));
        let feeds = self.set.feeds();
        news.filter_map(|(writer, length)| {
            let mut same = feeds
                .iter()
                .filter(|feed| WriterTag::of(&feed.key()) == *writer);
            let hash = same.find_map(|feed| feed.tree_hash_at(*length))?;
            let mut tree_hash = [0; 16];
            tree_hash.copy_from_slice(&hash[..16]);
            Some(Seen {
                writer: *writer,
                length: *length,
                tree_hash,
            })
        })
        .take(MAX_SEEN)
        .collect()
    }

    /// Time in the header of our newest commit: our clock never runs backwards in what others see.
    fn newest_time(&self) -> Result<u64, DriveError> {
        let mut index = self.next_metadata;
        while index > 1 {
            index -= 1;
            let Some(sealed) = self.metadata.get(index)? else {
                return Ok(0);
            };
            let Ok(plaintext) = self.metadata_key.open(&sealed) else {
                return Ok(0);
            };
            match decode_block(&plaintext) {
                Ok(block) if block.header.is_none() => continue,
                Ok(block) => return Ok(block.header.map_or(0, |header| header.time_ms)),
                Err(_) => return Ok(0),
            }
        }
        Ok(0)
    }
}

/// A batch that drops drafts.
fn dropped(ids: &[DraftId]) -> Batch {
    let mut batch = Batch::new();
    for id in ids {
        batch.draft(*id, Bytes::new());
    }
    batch
}

/// The version that the commit ending at metadata length `length` makes.
pub(crate) fn dot_at(tag: WriterTag, length: u64) -> Dot {
    Dot {
        writer: tag,
        block: length.saturating_sub(1),
    }
}

/// This machine's clock, in ms since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
