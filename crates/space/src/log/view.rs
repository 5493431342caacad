//! `LogView`: every readable message of every writer as a row, newest first, and the indexes that list them (`index`).
//!
//! Rows are keyed by time and place, so the order is the same on every peer whatever the order of
//! arrival. Whether the writer's claim holds is asked when rows are read: claims may come later.

use std::collections::BTreeMap;
use std::sync::Arc;

use cobox_drive::record::decode_message;
use cobox_feed::manifest::FeedKey;
use cobox_keys::access::{Address, ReadKey};
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::derive::FeedKind;
use cobox_keys::error::KeyError;
use cobox_keys::identity::{Identity, PublicKey};
use cobox_view::indexer::View;
use cobox_view::journal::Entry;
use cobox_view::kv::{ReadRows, Rows, Table, ViewError};
use tokio::sync::broadcast;
use zeroize::Zeroizing;

use super::index;
use super::message::{Body, Envelope, Letter, MAX_CONTENT, MAX_TYPE, open_private};
use super::types::subject;

/// Messages by `(time, feed, block)`, newest first.
pub(super) const MESSAGES: Table = Table("log.messages");
/// Keys of [`MESSAGES`] behind the tag of their type, and of what they are about.
pub(super) const TYPES: Table = Table("log.types");

/// Time of the message at `(feed, block)`, u64 big-endian: the way from a feed to its rows.
pub(super) const PLACES: Table = Table("log.places");
/// Blocks that rows were made from, by log feed, u64 big-endian.
pub(super) const APPLIED: Table = Table("log.applied");

/// Newest time of any message in a log feed, ours to read or not, by feed key.
pub(super) const LATEST: Table = Table("log.latest");

/// Told after a message's row is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// its type
    pub kind: String,
    /// the log feed
    pub feed: FeedKey,
    /// its block
    pub block: u64,
    /// the author's clock, Unix ms
    pub time_ms: u64,
}

/// Where a message's row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowKey {
    pub time_ms: u64,
    pub feed: FeedKey,
    pub block: u64,
}

impl RowKey {
    /// Length of an encoded key.
    pub(super) const LEN: usize = 48;

    /// All bits turned round, so that the newest row comes first in key order.
    pub(super) fn encode(&self) -> [u8; Self::LEN] {
        let mut key = [0; Self::LEN];
        key[..8].copy_from_slice(&self.time_ms.to_be_bytes());
        key[8..40].copy_from_slice(&self.feed.0);
        key[40..].copy_from_slice(&self.block.to_be_bytes());
        key.map(|byte| !byte)
    }

    pub(super) fn decode(key: &[u8]) -> Option<Self> {
        let key: [u8; Self::LEN] = key.try_into().ok()?;
        let key = key.map(|byte| !byte);
        Some(Self {
            time_ms: u64::from_be_bytes(key[..8].try_into().ok()?),
            feed: FeedKey(key[8..40].try_into().ok()?),
            block: u64::from_be_bytes(key[40..].try_into().ok()?),
        })
    }
}

/// Row keys are in clear on disk, so types and values are named there only by keyed hashes.
pub(super) struct TypeTags {
    types: [u8; 32],
    fields: [u8; 32],
}

impl TypeTags {
    pub(super) fn new(read_key: &ReadKey) -> Self {
        Self {
            types: read_key.hash_key("log type"),
            fields: read_key.hash_key("log field"),
        }
    }

    /// Of a type.
    pub(super) fn tag(&self, kind: &str) -> [u8; 8] {
        first_bytes(&self.types, kind.as_bytes())
    }

    /// Of the messages of a type that are about one thing. Readers check both again.
    pub(super) fn tag_about(&self, kind: &str, subject: &[u8]) -> [u8; 8] {
        first_bytes(&self.types, &[kind.as_bytes(), b"\0", subject].concat())
    }

    /// Of a field with its value.
    pub(super) fn tag_of(&self, field: &[u8]) -> [u8; 8] {
        first_bytes(&self.fields, field)
    }
}

fn first_bytes(key: &[u8; 32], bytes: &[u8]) -> [u8; 8] {
    let hash = blake3::keyed_hash(key, bytes);
    let mut tag = [0; 8];
    tag.copy_from_slice(&hash.as_bytes()[..8]);
    tag
}

/// A row of [`MESSAGES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageRow {
    pub letter: Letter,
    /// For a private one: the author as said inside; it counts only if the feed is theirs.
    pub private: Option<PublicKey>,
}

impl MessageRow {
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut record = Record::new(1)
            .text(1, &self.letter.kind)
            .bytes(3, &self.letter.content);
        if let Some(author) = &self.private {
            record = record.bytes(6, &author.0);
        }
        Zeroizing::new(record.finish())
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(row, "message row", 1)?;
        let letter = Letter::new(fields.text(1, MAX_TYPE)?, fields.bytes(3, MAX_CONTENT)?);
        let private = fields.has(6).then(|| fields.fixed(6)).transpose()?;
        Ok(Self {
            letter,
            private: private.map(PublicKey),
        })
    }
}

/// The view that the indexer feeds.
pub struct LogView {
    address: Address,
    read_key: ReadKey,
    identity: Arc<Identity>,
    tags: TypeTags,
    told: broadcast::Sender<Logged>,
    untold: Vec<Logged>,
}

impl LogView {
    /// `identity` opens private messages; `told` hears of every message after its row is committed.
    pub fn new(
        address: Address,
        read_key: ReadKey,
        identity: Arc<Identity>,
        told: broadcast::Sender<Logged>,
    ) -> Self {
        let tags = TypeTags::new(&read_key);
        Self {
            address,
            read_key,
            identity,
            tags,
            told,
            untold: Vec::new(),
        }
    }

    /// The message in a sealed block.
    fn open(&self, entry: &Entry) -> Option<Envelope> {
        let key = self.read_key.block_key(&entry.feed.0);
        let plaintext = key.open(&entry.block).map(Zeroizing::new).ok()?;
        let message = decode_message(&plaintext).map(Zeroizing::new).ok()?;
        Envelope::decode(&message).ok()
    }

    /// What of it we may read.
    fn read(&self, body: Body) -> Option<MessageRow> {
        match body {
            Body::Open(letter) => Some(MessageRow {
                letter,
                private: None,
            }),
            Body::Private(boxes) => {
                let (letter, author) = open_private(&boxes, &self.address, &self.identity)?;
                let private = Some(author);
                Some(MessageRow { letter, private })
            }
        }
    }

    fn add(&mut self, rows: &mut dyn Rows, entry: &Entry) -> Result<(), ViewError> {
        let Some(Envelope { time_ms, body }) = self.open(entry) else {
            tracing::debug!(feed = ?entry.feed, block = entry.index, "not a message");
            return Ok(());
        };
        raise_latest(rows, &entry.feed, time_ms)?;
        let Some(row) = self.read(body) else {
            return Ok(()); // private, to others
        };
        let (feed, block) = (entry.feed, entry.index);
        let key = RowKey {
            time_ms,
            feed,
            block,
        };
        rows.put(MESSAGES, &key.encode(), &row.encode())?;
        let place = [&feed.0[..], &block.to_be_bytes()].concat();
        rows.put(PLACES, &place, &time_ms.to_be_bytes())?;
        for (table, key) in index::keys(&self.tags, &key, &row) {
            rows.put(table, &key, &[])?;
        }
        let (kind, content) = (&row.letter.kind, &row.letter.content);
        if let Some(subject) = subject(kind, content) {
            let tag = self.tags.tag_about(kind, &subject);
            rows.put(TYPES, &[&tag[..], &key.encode()].concat(), &[])?;
        }
        self.untold.push(Logged {
            kind: row.letter.kind,
            feed,
            block,
            time_ms,
        });
        Ok(())
    }
}

impl View for LogView {
    fn name(&self) -> &'static str {
        "log"
    }

    fn version(&self) -> u32 {
        4
    }

    fn tables(&self) -> Vec<Table> {
        let rows = [MESSAGES, LATEST, PLACES, APPLIED];
        rows.into_iter().chain(index::tables()).collect()
    }

    fn apply(&mut self, rows: &mut dyn Rows, entries: &[Entry]) -> Result<(), ViewError> {
        // Block 0 of every feed is the writer's claim, which is the tree's to judge.
        let messages = entries
            .iter()
            .filter(|entry| entry.kind == FeedKind::Log as u8 && entry.index > 0);
        let mut applied = BTreeMap::new();
        for entry in messages {
            self.add(rows, entry)?;
            applied.insert(entry.feed, entry.index + 1);
        }
        for (feed, blocks) in applied {
            rows.put(APPLIED, &feed.0, &blocks.to_be_bytes())?;
        }
        Ok(())
    }

    fn committed(&mut self) {
        for logged in self.untold.drain(..) {
            // Nobody listening is fine: rows can be asked for at any time.
            let _ = self.told.send(logged);
        }
    }

    fn reset(&mut self) {
        self.untold.clear();
    }
}

fn raise_latest(rows: &mut dyn Rows, feed: &FeedKey, time_ms: u64) -> Result<(), ViewError> {
    if latest(rows, feed)?.is_none_or(|known| known < time_ms) {
        rows.put(LATEST, &feed.0, &time_ms.to_be_bytes())?;
    }
    Ok(())
}

/// Newest time of a feed's messages, Unix ms by its writer's clock.
pub(super) fn latest<R: ReadRows + ?Sized>(
    rows: &R,
    feed: &FeedKey,
) -> Result<Option<u64>, ViewError> {
    let row = rows.get(LATEST, &feed.0)?;
    let time = |row: Vec<u8>| row.try_into().map(u64::from_be_bytes);
    row.map(time)
        .transpose()
        .map_err(|_| ViewError::Damaged(LATEST.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_the_newest_is_first() {
        let key = |time_ms, feed, block| RowKey {
            time_ms,
            feed: FeedKey([feed; 32]),
            block,
        };
        let (old, new) = (key(5, 9, 9), key(6, 1, 1));
        assert_eq!(RowKey::decode(&old.encode()), Some(old));
        assert!(new.encode() < old.encode());
        assert!(key(5, 9, 10).encode() < old.encode());
        assert_eq!(RowKey::decode(&[0; 47]), None);
    }
}
