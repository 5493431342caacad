//! Queries over messages: one picture of the rows, who wrote which feed, what people are called.
//!
//! Not its job: the language and the choice of an index (`cobox_view::query`).

use std::collections::BTreeMap;
use std::ops::Bound;

use cobox_drive::tree::Tree;
use cobox_feed::manifest::FeedKey;
use cobox_keys::identity::PublicKey;
use cobox_view::kv::{Database, ReadRows, Snapshot, ViewError};
use cobox_view::query::{
    Answer, Each, Limits, Page, Path, Position, Positions, Query, Records, Schema, run,
};
use serde_json::Value;

use super::types::PeerAbout;
use super::view::{APPLIED, PLACES, RowKey, TypeTags};
use super::walk::{Authors, Lists, key_at, message_at, newest_first, row_key, tags_of_author};
use super::{Content, index, json, of_kind};
use crate::error::SpaceError;

/// New messages read at once.
const PAGE: usize = 256;

/// Reads the tables for queries.
pub(super) struct Asker {
    pub db: Database,
    pub tags: TypeTags,
    /// A name as it may be shown, if it may.
    pub usable: fn(&str) -> Option<String>,
}

/// Messages by each feed that were handed out or need not be.
pub(super) type Cursor = BTreeMap<FeedKey, u64>;

impl Asker {
    /// A picture of now.
    pub(super) fn picture(&self) -> Result<Picture<'_>, SpaceError> {
        let rows = self.db.snapshot()?;
        let authors = authors(&rows)?;
        let mut names = BTreeMap::new();
        let kind = of_kind(PeerAbout::TYPE);
        newest_first(&rows, &authors, &self.tags, &kind, |message| {
            let about = message.read::<PeerAbout>();
            let name = about.and_then(|about| (self.usable)(&about.name));
            names.entry(message.author).or_insert(name);
            true
        })?;
        Ok(Picture {
            rows,
            authors,
            names,
            tags: &self.tags,
        })
    }

    pub(super) fn answer(&self, query: &Query) -> Result<Answer, SpaceError> {
        run(query, &self.picture()?, &Limits::default())
    }

    /// The answer, and where what is new begins.
    pub(super) fn begin(&self, query: &Query) -> Result<(Answer, Cursor), SpaceError> {
        let picture = self.picture()?;
        let answer = run(query, &picture, &Limits::default())?;
        // A feed whose writer is not known yet has shown nothing: it begins at its beginning.
        let applied = |feed: &FeedKey| Ok((*feed, applied(&picture.rows, feed)?));
        let cursor = picture.authors.keys().map(applied);
        Ok((answer, cursor.collect::<Result<_, ViewError>>()?))
    }

    /// What is new behind `cursor`, which moves on; and whether there is more.
    pub(super) fn news(
        &self,
        each: &Each,
        mut cursor: Cursor,
    ) -> Result<(Vec<Value>, Cursor, bool), SpaceError> {
        let picture = self.picture()?;
        let mut shown = Vec::new();
        let mut more = false;
        for feed in picture.authors.keys() {
            let next = cursor.entry(*feed).or_default();
            let applied = applied(&picture.rows, feed)?;
            if *next < applied {
                let (rows, reached) = picture.since(feed, *next..applied)?;
                shown.extend(rows.into_iter().filter_map(|row| each.shown(row)));
                more |= reached < applied;
                *next = reached;
            }
        }
        Ok((shown, cursor, more))
    }
}

/// Whose log feed is whose, by accepted claims.
pub(super) fn authors(rows: &Snapshot) -> Result<Authors, ViewError> {
    let writers = Tree(rows).writers()?;
    let author = |writer: cobox_drive::tree::WriterInfo| {
        let [_, _, log] = writer.feeds;
        (log, (writer.claim.identity, writer.tag))
    };
    Ok(writers.into_iter().map(author).collect())
}

/// Blocks of a feed that the rows are made from.
fn applied(rows: &Snapshot, feed: &FeedKey) -> Result<u64, ViewError> {
    let row = rows.get(APPLIED, &feed.0)?;
    let number = |row: Vec<u8>| row.try_into().map(u64::from_be_bytes);
    let applied = row.map(number).transpose();
    Ok(applied
        .map_err(|_| ViewError::Damaged(APPLIED.0))?
        .unwrap_or(0))
}

/// The messages as they were at one moment.
pub(super) struct Picture<'a> {
    rows: Snapshot,
    authors: Authors,
    /// None: the newest name of this person cannot be shown.
    names: BTreeMap<PublicKey, Option<String>>,
    tags: &'a TypeTags,
}

impl Picture<'_> {
    fn row_at(&self, key: &RowKey) -> Result<Option<Value>, ViewError> {
        let message = message_at(&self.rows, key, &self.authors)?;
        Ok(message.map(|message| {
            let name = self.names.get(&message.author);
            let name = name.and_then(Option::as_deref);
            json::row(&message, &key.feed, name)
        }))
    }

    /// A page of a feed's messages in the order of its blocks, and the block after it.
    fn since(
        &self,
        feed: &FeedKey,
        blocks: std::ops::Range<u64>,
    ) -> Result<(Vec<Value>, u64), ViewError> {
        let place = |block: u64| [&feed.0[..], &block.to_be_bytes()].concat();
        let (from, to) = (place(blocks.start), place(blocks.end));
        let (from, to) = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
        let page = self.rows.range(PLACES, from, to, PAGE)?;
        let mut rows = Vec::with_capacity(page.len());
        let mut reached = blocks.start;
        for (place, time) in &page {
            let time = time.as_slice().try_into().map(u64::from_be_bytes).ok();
            let key = time.and_then(|time| row_key(place, time));
            let key = key.ok_or(ViewError::Damaged(PLACES.0))?;
            reached = key.block + 1;
            rows.extend(self.row_at(&key)?);
        }
        if page.len() < PAGE {
            reached = blocks.end;
        }
        Ok((rows, reached))
    }

    fn parts_of_author(&self, value: &Value) -> Vec<Vec<u8>> {
        let wanted: Option<PublicKey> = value.as_str().and_then(|text| text.parse().ok());
        let parts = wanted.map(|wanted| tags_of_author(&self.authors, &wanted));
        parts.unwrap_or_default()
    }
}

impl Positions for Picture<'_> {
    type Error = SpaceError;

    fn positions(&self, page: &Page<'_>) -> Result<Vec<Position>, SpaceError> {
        Ok(Lists(&self.rows).positions(page)?)
    }
}

impl Records for Picture<'_> {
    fn schema(&self) -> &Schema {
        &index::SCHEMA
    }

    fn parts(&self, field: &Path, value: &Value) -> Option<Vec<Vec<u8>>> {
        let field = field.to_string();
        match field.as_str() {
            "type" => {
                let tag = value.as_str().map(|kind| self.tags.tag(kind).to_vec());
                Some(tag.into_iter().collect())
            }
            "author" => Some(self.parts_of_author(value)),
            field => Some(vec![index::field_tag(self.tags, field, value)?.to_vec()]),
        }
    }

    fn row(&self, position: &Position) -> Result<Option<Value>, SpaceError> {
        match key_at(position) {
            Some(key) => Ok(self.row_at(&key)?),
            None => Ok(None),
        }
    }
}
