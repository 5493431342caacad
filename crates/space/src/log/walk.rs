//! Walking over messages, newest first, a page of rows at a time.

use std::collections::BTreeMap;
use std::ops::Bound;

use cobox_drive::version::WriterTag;
use cobox_feed::manifest::FeedKey;
use cobox_keys::identity::PublicKey;
use cobox_view::kv::{ReadRows, Snapshot, ViewError};
use zeroize::Zeroizing;

use super::view::{MESSAGES, MessageRow, RowKey, TYPES, TypeTags};
use super::{Filter, Message};

/// Rows read at once.
const PAGE: usize = 256;

/// Whose log feed is whose, by accepted claims.
pub(super) type Authors = BTreeMap<FeedKey, (PublicKey, WriterTag)>;

/// Hands matching messages to `take`, newest first, until it has enough.
pub(super) fn newest_first(
    rows: &Snapshot,
    authors: &Authors,
    tags: &TypeTags,
    filter: &Filter,
    mut take: impl FnMut(Message) -> bool,
) -> Result<(), ViewError> {
    let tag = filter.kind.as_ref().map(|kind| tags.tag(kind));
    let mut keys = Keys::new(tag, filter);
    loop {
        let page = keys.next_page(rows)?;
        for key in &page {
            let message = message_at(rows, key, authors)?;
            let wanted = message.filter(|message| is_wanted(message, filter));
            if wanted.is_some_and(|message| !take(message)) {
                return Ok(());
            }
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
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

/// Walks the row keys of one type, or of all, newest first, a page at a time.
struct Keys {
    prefix: Vec<u8>,
    from: Bound<Vec<u8>>,
    to: Vec<u8>,
}

impl Keys {
    fn new(tag: Option<[u8; 8]>, filter: &Filter) -> Self {
        let prefix = tag.map(|tag| tag.to_vec()).unwrap_or_default();
        // Row keys are turned round: the latest time has the lowest key.
        let latest = filter
            .until_ms
            .map_or(u64::MAX, |until| until.saturating_sub(1));
        let earliest = filter.since_ms.unwrap_or(0);
        let from = [&prefix[..], &(!latest).to_be_bytes()].concat();
        let to = [&prefix[..], &(!earliest).to_be_bytes(), &[0xff; 41]].concat();
        Self {
            prefix,
            from: Bound::Included(from),
            to,
        }
    }

    fn next_page(&mut self, rows: &Snapshot) -> Result<Vec<RowKey>, ViewError> {
        let table = if self.prefix.is_empty() {
            MESSAGES
        } else {
            TYPES
        };
        let from = self.from.as_ref().map(Vec::as_slice);
        if let Bound::Included(first) | Bound::Excluded(first) = from
            && first > self.to.as_slice()
        {
            return Ok(Vec::new());
        }
        let page = rows.range(table, from, Bound::Included(&self.to), PAGE)?;
        if let Some((last, _)) = page.last() {
            self.from = Bound::Excluded(last.clone());
        }
        let decode = |key: &[u8]| RowKey::decode(key.get(self.prefix.len()..)?);
        page.iter()
            .map(|(key, _)| decode(key).ok_or(ViewError::Damaged(table.0)))
            .collect()
    }
}
