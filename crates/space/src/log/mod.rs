//! A space's messages: one sealed log feed per writer, read in order as one list of typed messages.
//! Unknown types are kept and handed on raw.
//!
//! Here: appending to one's own feed and asking the rows. `message` has the bytes, `types` what known
//! types hold, `json` how they are shown, `view` the rows, `index` what lists them, `walk` the way over them, `ask` and `live`
//! the queries. A message's author is whoever the claim of its feed names; nothing
//! inside a message is believed about that.

mod ask;
mod index;
mod json;
mod live;
mod message;
pub mod types;
mod view;
mod walk;

pub use live::{Live, LiveQuery};
pub use message::{MAX_CONTENT, MAX_TYPE};
pub use types::Content;
pub use view::{LogView, Logged};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use cobox_drive::record::encode_message;
use cobox_drive::tree::Changed;
use cobox_drive::version::WriterTag;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::{Batch, FeedSet};
use cobox_keys::access::{Address, ReadKey};
use cobox_keys::cbor;
use cobox_keys::cipher::BlockKey;
use cobox_keys::identity::{Identity, PublicKey};
use cobox_view::indexer::Indexer;
use cobox_view::kv::Database;
use cobox_view::query::{Answer, Query};
use tokio::sync::broadcast::Receiver;
use zeroize::Zeroizing;

use crate::error::SpaceError;
use ask::Asker;
use message::{Body, Envelope, Letter};
use view::{RowKey, TypeTags};

/// Own writes are shown within this time or the call says that they were not.
const INDEXED_WITHIN: Duration = Duration::from_secs(30);

/// Times beyond this are not outbid: a thousand years from now, in Unix ms.
const LATEST_TIME: u64 = 33_000_000_000_000;

/// One message, with the author its feed proves.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// its type, such as `peer/about`
    pub kind: String,
    /// the author's clock, Unix ms
    pub time_ms: u64,
    /// who wrote it
    pub author: PublicKey,
    /// with which writer
    pub writer: WriterTag,
    /// block of that writer's log feed
    pub block: u64,
    /// only we and one other can read it
    pub private: bool,
    /// CBOR, as it came
    pub content: Zeroizing<Vec<u8>>,
}

impl Message {
    /// Names it in its space: writer tag in 16 hex digits, a dash, block number.
    pub fn id(&self) -> String {
        format!("{}-{}", self.writer, self.block)
    }

    /// The content, if it is of this type and decodes.
    pub fn read<C: Content>(&self) -> Option<C> {
        (self.kind == C::TYPE)
            .then(|| C::decode(&self.content).ok())
            .flatten()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, author, .. } = self;
        write!(formatter, "Message({kind} by {author})")
    }
}

/// Which messages.
#[derive(Clone, Debug)]
pub struct Filter {
    /// only this type
    pub kind: Option<String>,
    /// only about this, for types that are about something
    pub subject: Option<Vec<u8>>,
    /// only by this person
    pub author: Option<PublicKey>,
    /// not before, Unix ms
    pub since_ms: Option<u64>,
    /// only before, Unix ms
    pub until_ms: Option<u64>,
    /// at most so many, the newest
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            kind: None,
            subject: None,
            author: None,
            since_ms: None,
            until_ms: None,
            limit: 1000,
        }
    }
}

impl Filter {
    /// All of one type.
    pub fn of<C: Content>() -> Self {
        Self {
            kind: Some(C::TYPE.to_owned()),
            limit: usize::MAX,
            ..Self::default()
        }
    }

    /// All of one type that are about one thing.
    pub fn about<C: Content>(subject: &[u8]) -> Self {
        Self {
            subject: Some(subject.to_vec()),
            ..Self::of::<C>()
        }
    }
}

/// What a log stands on.
pub(crate) struct Parts {
    pub address: Address,
    pub set: Arc<FeedSet>,
    pub db: Database,
    pub indexer: Arc<Indexer>,
    pub read_key: ReadKey,
    pub identity: Arc<Identity>,
    /// Our log feed with the claim in it; none for a member who only reads.
    pub own: Option<Arc<Feed>>,
    /// A person's name as it may be shown, if it may.
    pub usable_name: fn(&str) -> Option<String>,
}

/// The messages of one space. All methods block; share behind an `Arc`.
pub struct Log {
    address: Address,
    set: Arc<FeedSet>,
    indexer: Arc<Indexer>,
    identity: Arc<Identity>,
    asker: Arc<Asker>,
    own: Option<Own>,
}

struct Own {
    feed: Arc<Feed>,
    key: BlockKey,
    /// One append at a time, so that times ascend along the feed.
    last_time: Mutex<u64>,
    /// The last word is told.
    ended: AtomicBool,
}

/// Whether more may be told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

impl Log {
    pub(crate) fn open(parts: Parts) -> Self {
        let own = parts.own.map(|feed| Own {
            key: parts.read_key.block_key(&feed.key().0),
            feed,
            last_time: Mutex::new(0),
            ended: AtomicBool::new(false),
        });
        Self {
            address: parts.address,
            set: parts.set,
            indexer: parts.indexer,
            identity: parts.identity,
            asker: Arc::new(Asker {
                db: parts.db,
                tags: TypeTags::new(&parts.read_key),
                usable: parts.usable_name,
            }),
            own,
        }
    }

    /// Tells all members. Durable and readable when it returns where it is.
    ///
    /// # Errors
    ///
    /// `ReadOnly`, `BadMessage`, `MessageTooLong`, or the store's.
    pub fn append(&self, kind: &str, content: &[u8]) -> Result<Logged, SpaceError> {
        let letter = letter(kind, content)?;
        self.write(vec![Body::Open(letter)], kind, Then::GoOn)
    }

    /// Tells all members several things of one type, in this order: all of them or, if it fails, none.
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    pub fn append_all(&self, kind: &str, contents: &[Vec<u8>]) -> Result<(), SpaceError> {
        let bodies = contents
            .iter()
            .map(|content| letter(kind, content).map(Body::Open))
            .collect::<Result<Vec<_>, _>>()?;
        match bodies.is_empty() {
            true => Ok(()),
            false => self.write(bodies, kind, Then::GoOn).map(drop),
        }
    }

    /// Tells one person; only they and we can read it. The other members see that there is a message.
    ///
    /// # Errors
    ///
    /// As [`Log::append`], and `Key` if nobody can hold `reader`.
    pub fn append_private(
        &self,
        reader: &PublicKey,
        kind: &str,
        content: &[u8],
    ) -> Result<Logged, SpaceError> {
        let letter = letter(kind, content)?;
        let me = self.identity.public_key();
        let mut readers = vec![*reader, me];
        readers.dedup();
        let seal = |reader| letter.seal(&self.address, &me, reader);
        let boxes = readers.iter().map(seal).collect::<Result<_, _>>()?;
        self.write(vec![Body::Private(boxes)], kind, Then::GoOn)
    }

    /// [`Log::append`] for a known type.
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    pub fn tell<C: Content>(&self, content: &C) -> Result<Logged, SpaceError> {
        self.append(C::TYPE, &Zeroizing::new(content.encode()))
    }

    /// [`Log::append_private`] for a known type.
    ///
    /// # Errors
    ///
    /// As [`Log::append_private`].
    pub fn tell_privately<C: Content>(
        &self,
        reader: &PublicKey,
        content: &C,
    ) -> Result<Logged, SpaceError> {
        self.append_private(reader, C::TYPE, &Zeroizing::new(content.encode()))
    }

    /// [`Log::tell`] for the last time: whatever comes later is refused as for a member who only reads.
    ///
    /// # Errors
    ///
    /// As [`Log::tell`].
    pub(crate) fn tell_last<C: Content>(&self, content: &C) -> Result<(), SpaceError> {
        let letter = letter(C::TYPE, &Zeroizing::new(content.encode()))?;
        let last = vec![Body::Open(letter)];
        self.write(last, C::TYPE, Then::End).map(drop)
    }

    /// The message at a place, if we may read it and its writer's claim is accepted.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn message(&self, at: &Logged) -> Result<Option<Message>, SpaceError> {
        let rows = self.asker.db.snapshot()?;
        let key = RowKey {
            time_ms: at.time_ms,
            feed: at.feed,
            block: at.block,
        };
        Ok(walk::message_at(&rows, &key, &ask::authors(&rows)?)?)
    }

    /// Messages that match, oldest first.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn read(&self, filter: &Filter) -> Result<Vec<Message>, SpaceError> {
        let mut found = Vec::new();
        if filter.limit == 0 {
            return Ok(found);
        }
        self.newest_first(filter, |message| {
            found.push(message);
            found.len() < filter.limit
        })?;
        found.reverse();
        Ok(found)
    }

    /// The newest message of a type by each author.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn newest_by_author(&self, kind: &str) -> Result<BTreeMap<PublicKey, Message>, SpaceError> {
        let mut newest = BTreeMap::new();
        self.newest_first(&of_kind(kind), |message| {
            newest.entry(message.author).or_insert(message);
            true
        })?;
        Ok(newest)
    }

    /// The newest message of a known type that passes `accept`, by `(time, feed, block)`: the same one on every peer.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn newest<C: Content>(&self, accept: impl Fn(&C) -> bool) -> Result<Option<C>, SpaceError> {
        let mut newest = None;
        self.newest_first(&of_kind(C::TYPE), |message| {
            let is_public = !message.private;
            newest = message
                .read::<C>()
                .filter(|content| is_public && accept(content));
            newest.is_none()
        })?;
        Ok(newest)
    }

    /// Whose log feed this is, by an accepted claim.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn author(&self, feed: &FeedKey) -> Result<Option<PublicKey>, SpaceError> {
        let authors = ask::authors(&self.asker.db.snapshot()?)?;
        Ok(authors.get(feed).map(|(author, _)| *author))
    }

    /// The newest time among all messages of each log feed, Unix ms by its writer's clock.
    ///
    /// # Errors
    ///
    /// `View`.
    pub(crate) fn last_told(&self) -> Result<BTreeMap<FeedKey, u64>, SpaceError> {
        let rows = self.asker.db.snapshot()?;
        let mut last = BTreeMap::new();
        for feed in ask::authors(&rows)?.into_keys() {
            last.extend(view::latest(&rows, &feed)?.map(|time| (feed, time)));
        }
        Ok(last)
    }

    /// Answers a query.
    ///
    /// # Errors
    ///
    /// `Query` if it asks for too much, or `View`.
    pub fn query(&self, query: &Query) -> Result<Answer, SpaceError> {
        self.asker.answer(query)
    }

    /// Answers a query that goes on: see [`LiveQuery`]. The receivers hear of this log's messages and of new writers.
    ///
    /// # Errors
    ///
    /// `Query` if it asks for too much or reduces, or `View`.
    pub(crate) fn query_live(
        &self,
        query: &Query,
        logged: Receiver<Logged>,
        changed: Receiver<Changed>,
    ) -> Result<LiveQuery, SpaceError> {
        LiveQuery::begin(Arc::clone(&self.asker), query, logged, changed)
    }

    /// Hands matching messages to `take`, newest first, until it has enough.
    fn newest_first(
        &self,
        filter: &Filter,
        take: impl FnMut(Message) -> bool,
    ) -> Result<(), SpaceError> {
        let rows = self.asker.db.snapshot()?;
        let authors = ask::authors(&rows)?;
        let tags = &self.asker.tags;
        walk::newest_first(&rows, &authors, tags, filter, take)?;
        Ok(())
    }

    fn write(&self, bodies: Vec<Body>, kind: &str, then: Then) -> Result<Logged, SpaceError> {
        let own = self.own.as_ref().ok_or(SpaceError::ReadOnly)?;
        let mut last_time = own.last_time.lock().unwrap_or_else(PoisonError::into_inner);
        if own.ended.load(Ordering::Acquire) {
            return Err(SpaceError::ReadOnly);
        }
        let first = self.next_time(kind)?.max(*last_time + 1);
        let last = first + (bodies.len() as u64).saturating_sub(1);
        let envelopes = (first..=last).zip(bodies);
        let blocks = envelopes.map(|(time_ms, body)| own.seal(&Envelope { time_ms, body }));
        let mut batch = Batch::new();
        batch.append(&own.feed, blocks.collect::<Result<_, _>>()?);
        self.set.commit(batch)?.wait()?;
        *last_time = last;
        own.ended.store(then == Then::End, Ordering::Release);
        let (feed, length) = (own.feed.key(), own.feed.length());
        drop(last_time);
        self.indexer.wait_for(feed, length, INDEXED_WITHIN)?;
        Ok(Logged {
            kind: kind.to_owned(),
            feed,
            block: length - 1,
            time_ms: last,
        })
    }

    /// Now; but later than every message of this type that we have seen, so that a new name wins over
    /// one from a machine whose clock is ahead.
    fn next_time(&self, kind: &str) -> Result<u64, SpaceError> {
        let mut newest = 0;
        self.newest_first(&of_kind(kind), |message| {
            newest = message.time_ms;
            false
        })?;
        // Nobody's clock may take all the time there is away from the others.
        Ok(now_ms().max(newest.min(LATEST_TIME) + 1))
    }
}

impl Own {
    fn seal(&self, envelope: &Envelope) -> Result<Bytes, SpaceError> {
        let plaintext = encode_message(&Zeroizing::new(envelope.encode()))
            .map_err(|_| SpaceError::BadMessage("it does not fit into one block"))?;
        Ok(self.key.seal(&Zeroizing::new(plaintext)).into())
    }
}

fn of_kind(kind: &str) -> Filter {
    Filter {
        kind: Some(kind.to_owned()),
        limit: usize::MAX,
        ..Filter::default()
    }
}

fn letter(kind: &str, content: &[u8]) -> Result<Letter, SpaceError> {
    if kind.is_empty() || kind.len() > MAX_TYPE {
        return Err(SpaceError::BadMessage("its type must have 1 to 64 bytes"));
    }
    if content.len() > MAX_CONTENT {
        return Err(SpaceError::MessageTooLong(content.len(), MAX_CONTENT));
    }
    if !cbor::is_deterministic(content) {
        return Err(SpaceError::BadMessage(
            "its content is not deterministic CBOR",
        ));
    }
    Ok(Letter::new(kind, content))
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
