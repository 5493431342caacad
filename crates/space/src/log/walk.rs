//! Walking over messages: lists of their places in order, and those that match, newest first.
//!
//! Typed readers and queries walk the same indexes with the same legs (`cobox_view::query::Walk`); only how a row is shown
//! differs.

use std::collections::BTreeMap;
use std::ops::Bound;

use cobox_drive::version::WriterTag;
use cobox_feed::manifest::FeedKey;
use cobox_keys::identity::PublicKey;
use cobox_view::kv::{ReadRows, Snapshot, ViewError};
use cobox_view::query::{Page, Position, Positions, Stretch, Walk};
use zeroize::Zeroizing;

use super::view::{MESSAGES, MessageRow, RowKey, TypeTags};
use super::{Filter, Message, index};

/// Whose log feed is whose, by accepted claims.
pub(super) type Authors = BTreeMap<FeedKey, (PublicKey, WriterTag)>;

/// Hands matching messages to `take`, newest first, until it has enough. Answers how many rows were read for that.
pub(super) fn newest_first(
    rows: &Snapshot,
    authors: &Authors,
    tags: &TypeTags,
    filter: &Filter,
    mut take: impl FnMut(Message) -> bool,
) -> Result<u64, ViewError> {
    let (lists, stretch) = (Lists(rows), stretch(filter, authors, tags));
    let mut walk = Walk::new(&lists, &stretch);
    let mut touched = 0;
    while let Some(position) = walk.step()? {
        touched += 1;
        let key = key_at(&position).ok_or(ViewError::Damaged(MESSAGES.0))?;
        let message = message_at(rows, &key, authors)?;
        let wanted = message.filter(|message| is_wanted(message, filter));
        if wanted.is_some_and(|message| !take(message)) {
            break;
        }
    }
    Ok(touched)
}

/// Where messages that can match are listed; the most that is fixed narrows it.
fn stretch(filter: &Filter, authors: &Authors, tags: &TypeTags) -> Stretch {
    let author = filter.author.map(|author| tags_of_author(authors, &author));
    let (fields, prefixes): (&[&str], _) = match (&filter.kind, &filter.subject, author) {
        (Some(kind), Some(subject), _) => (&["type"], vec![tags.tag_about(kind, subject).to_vec()]),
        (Some(kind), None, None) => (&["type"], vec![tags.tag(kind).to_vec()]),
        (Some(kind), None, Some(author)) => {
            let both = |author: Vec<u8>| [&tags.tag(kind)[..], &author].concat();
            (&["type", "author"], author.into_iter().map(both).collect())
        }
        (None, _, Some(author)) => (&["author"], author),
        (None, _, None) => (&[], vec![Vec::new()]),
    };
    let latest = filter
        .until_ms
        .map_or(Some(u64::MAX), |until| until.checked_sub(1));
    Stretch {
        index: index::number(fields),
        prefixes,
        range: latest.map(|latest| filter.since_ms.unwrap_or(0)..=latest),
        backward: true,
    }
}

/// What stands for an author in an index: one tag for each of their feeds.
pub(super) fn tags_of_author(authors: &Authors, author: &PublicKey) -> Vec<Vec<u8>> {
    let theirs = authors.iter().filter(|(_, (who, _))| who == author);
    theirs
        .map(|(feed, _)| index::feed_tag(feed).to_vec())
        .collect()
}

fn is_wanted(message: &Message, filter: &Filter) -> bool {
    filter.author.is_none_or(|author| author == message.author)
}

/// The message of a row, if its writer's claim is accepted. A private one must come from the person
/// whom it names inside.
pub(super) fn message_at(
    rows: &Snapshot,
    key: &RowKey,
    authors: &Authors,
) -> Result<Option<Message>, ViewError> {
    let Some((author, writer)) = authors.get(&key.feed).copied() else {
        return Ok(None);
    };
    let Some(row) = rows.get(MESSAGES, &key.encode())?.map(Zeroizing::new) else {
        return Ok(None);
    };
    let row = MessageRow::decode(&row).map_err(|_| ViewError::Damaged(MESSAGES.0))?;
    if row.private.is_some_and(|said| said != author) {
        return Ok(None);
    }
    Ok(Some(Message {
        kind: row.letter.kind,
        time_ms: key.time_ms,
        author,
        writer,
        block: key.block,
        private: row.private.is_some(),
        content: row.letter.content,
    }))
}

/// Places of messages as the tables list them.
pub(super) struct Lists<'a>(pub &'a Snapshot);

impl Positions for Lists<'_> {
    type Error = ViewError;

    fn positions(&self, page: &Page<'_>) -> Result<Vec<Position>, ViewError> {
        let table = page.index.and_then(index::table).unwrap_or(MESSAGES);
        let with_prefix = |rest: &[u8]| [page.prefix, rest].concat();
        let after = page
            .after
            .and_then(key_at)
            .map(|key| with_prefix(&key.encode()));
        // Row keys are turned round: the latest time has the lowest key.
        let mut low = Bound::Included(with_prefix(&(!page.range.end()).to_be_bytes()));
        let earliest = [&(!page.range.start()).to_be_bytes()[..], &[0xff; 41]].concat();
        let mut high = Bound::Included(with_prefix(&earliest));
        let rows = match page.backward {
            true => {
                low = after.map_or(low, Bound::Excluded);
                let (low, high) = (
                    low.as_ref().map(Vec::as_slice),
                    high.as_ref().map(Vec::as_slice),
                );
                self.0.range(table, low, high, page.limit)?
            }
            false => {
                high = after.map_or(high, Bound::Excluded);
                let (low, high) = (
                    low.as_ref().map(Vec::as_slice),
                    high.as_ref().map(Vec::as_slice),
                );
                self.0.range_back(table, low, high, page.limit)?
            }
        };
        let position = |(key, _): &(Vec<u8>, Vec<u8>)| {
            let key = RowKey::decode(key.get(page.prefix.len()..)?)?;
            Some(position_of(&key))
        };
        let positions = rows
            .iter()
            .map(|row| position(row).ok_or(ViewError::Damaged(table.0)));
        positions.collect()
    }
}

fn position_of(key: &RowKey) -> Position {
    Position {
        order: key.time_ms,
        place: [&key.feed.0[..], &key.block.to_be_bytes()].concat(),
    }
}

/// The row that a position stands for.
pub(super) fn key_at(position: &Position) -> Option<RowKey> {
    row_key(&position.place, position.order)
}

/// The row of the message at a place: feed and block.
pub(super) fn row_key(place: &[u8], time_ms: u64) -> Option<RowKey> {
    let (feed, block) = place.split_first_chunk()?;
    Some(RowKey {
        time_ms,
        feed: FeedKey(*feed),
        block: u64::from_be_bytes(block.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::message::Letter;
    use cobox_keys::access::EncryptionKey;
    use cobox_view::kv::{Database, Rows};

    const ANN: PublicKey = PublicKey([1; 32]);
    const BOB: PublicKey = PublicKey([2; 32]);

    /// 1000 messages of two types; Bob, who has two feeds, wrote three of each.
    fn tables(tags: &TypeTags) -> (Database, Authors) {
        let db = Database::in_memory();
        let mut rows = db.begin().unwrap();
        for n in 0..1000_u64 {
            let feed = match n {
                7 | 8 | 500 => 2,
                501 | 998 | 999 => 3,
                _ => 1,
            };
            let key = RowKey {
                time_ms: 10 * n,
                feed: FeedKey([feed; 32]),
                block: n,
            };
            let kind = ["even", "odd"][n as usize % 2];
            let row = MessageRow {
                letter: Letter::new(kind, &[0xa0]),
                private: None,
            };
            rows.put(MESSAGES, &key.encode(), &row.encode()).unwrap();
            for (table, key) in index::keys(tags, &key, &row) {
                rows.put(table, &key, &[]).unwrap();
            }
        }
        rows.commit().unwrap();
        let of = |feed, who| (FeedKey([feed; 32]), (who, WriterTag([feed; 8])));
        (db, [of(1, ANN), of(2, BOB), of(3, BOB)].into())
    }

    #[test]
    fn what_is_fixed_of_type_author_and_time_is_all_that_is_read() {
        let tags = TypeTags::new(&EncryptionKey::generate().read_key());
        let (db, authors) = tables(&tags);
        let rows = db.snapshot().unwrap();
        let read = |filter: &Filter, most: usize| {
            let mut blocks = Vec::new();
            let touched = newest_first(&rows, &authors, &tags, filter, |message| {
                blocks.push(message.block);
                blocks.len() < most
            });
            (blocks, touched.unwrap())
        };
        let filter = |kind: Option<&str>, author| Filter {
            kind: kind.map(str::to_owned),
            author,
            ..Filter::default()
        };
        let all = usize::MAX;
        let both = filter(Some("even"), Some(BOB));
        assert_eq!(read(&both, all), (vec![998, 500, 8], 3));
        assert_eq!(read(&both, 1), (vec![998], 1));
        let author = filter(None, Some(BOB));
        assert_eq!(read(&author, all), (vec![999, 998, 501, 500, 8, 7], 6));
        assert_eq!(read(&filter(Some("odd"), None), all).1, 500);
        assert_eq!(read(&filter(None, None), all).1, 1000);
        assert_eq!(read(&filter(None, Some(PublicKey([9; 32]))), all).1, 0);
        let between = |since_ms, until_ms| Filter {
            since_ms,
            until_ms,
            ..both.clone()
        };
        assert_eq!(read(&between(Some(80), Some(5000)), all), (vec![8], 1));
        assert_eq!(read(&between(Some(81), None), all), (vec![998, 500], 2));
        assert_eq!(read(&between(None, Some(0)), all).1, 0);
        assert_eq!(read(&between(Some(90), Some(90)), all).1, 0);
    }
}
