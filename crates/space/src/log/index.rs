//! Which indexes messages have, and under which keys a message is listed in them.
//!
//! An index lists row keys behind one tag of eight bytes for each of its fields. Keys are in clear on disk, so tags are keyed
//! hashes; only the feed, which is in every row key, stands for its author as it is: who wrote a feed may be learnt later.

use std::sync::LazyLock;

use cobox_feed::manifest::FeedKey;
use cobox_view::kv::Table;
use cobox_view::query::{Index, Path, Schema, key_bytes};
use serde_json::Value;

use super::json;
use super::view::{MessageRow, RowKey, TYPES, TypeTags};

/// One index. Another is one more line, and a higher version of the log's view.
struct Declared {
    table: Table,
    fields: &'static [&'static str],
}

const INDEXES: &[Declared] = &[
    declare(TYPES, &["type"]),
    declare(Table("log.authors"), &["author"]),
    declare(Table("log.type-authors"), &["type", "author"]),
    declare(Table("log.public-keys"), &["content.publicKey"]),
];

const fn declare(table: Table, fields: &'static [&'static str]) -> Declared {
    Declared { table, fields }
}

/// The field that gives all messages their order.
const ORDER: &str = "timestamp";

/// The indexes as the planner wants them.
pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let path = |text: &&str| Path::parse(text);
    let index = |declared: &Declared| Index {
        name: declared.fields.join("+"),
        fields: declared.fields.iter().filter_map(path).collect(),
    };
    Schema {
        // One name, so it is a way to a field.
        order: Path::parse(ORDER).unwrap_or_else(|| unreachable!()),
        indexes: INDEXES.iter().map(index).collect(),
    }
});

/// Their tables.
pub(super) fn tables() -> impl Iterator<Item = Table> {
    INDEXES.iter().map(|declared| declared.table)
}

/// The number of the index of just these fields.
pub(super) fn number(fields: &[&str]) -> Option<usize> {
    INDEXES.iter().position(|one| one.fields == fields)
}

/// The table of an index by its number.
pub(super) fn table(number: usize) -> Option<Table> {
    INDEXES.get(number).map(|declared| declared.table)
}

/// Every key that lists a message.
pub(super) fn keys(tags: &TypeTags, key: &RowKey, row: &MessageRow) -> Vec<(Table, Vec<u8>)> {
    // Decoded once, and only if an index asks for it.
    let mut content = None;
    let mut keys = Vec::with_capacity(INDEXES.len());
    for declared in INDEXES {
        let parts = declared.fields.iter().map(|field| match *field {
            "type" => Some(tags.tag(&row.letter.kind)),
            "author" => Some(feed_tag(&key.feed)),
            field => {
                let decode = || json::content(&row.letter.kind, &row.letter.content);
                let content = content.get_or_insert_with(decode);
                field_tag(tags, field, in_content(field, content)?)
            }
        });
        if let Some(parts) = parts.collect::<Option<Vec<[u8; 8]>>>() {
            keys.push((
                declared.table,
                [&parts.concat()[..], &key.encode()].concat(),
            ));
        }
    }
    keys
}

/// What stands for the author of a feed.
pub(super) fn feed_tag(feed: &FeedKey) -> [u8; 8] {
    let mut tag = [0; 8];
    tag.copy_from_slice(&feed.0[..8]);
    tag
}

/// What stands for a value of a field of the content; none for values that are not looked up.
pub(super) fn field_tag(tags: &TypeTags, field: &str, value: &Value) -> Option<[u8; 8]> {
    let bytes = key_bytes(value)?;
    Some(tags.tag_of(&[field.as_bytes(), &[0], &bytes].concat()))
}

fn in_content<'v>(field: &str, content: &'v Value) -> Option<&'v Value> {
    let path = Path::parse(field.strip_prefix("content.")?)?;
    path.find(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_field_is_a_way_and_every_index_has_its_own_table() {
        for (index, declared) in SCHEMA.indexes.iter().zip(INDEXES) {
            assert_eq!(index.fields.len(), declared.fields.len());
            let known =
                |field: &&str| matches!(*field, "type" | "author") || field.starts_with("content.");
            assert!(declared.fields.iter().all(known), "{}", index.name);
        }
        let tables: std::collections::BTreeSet<_> = tables().collect();
        assert_eq!(tables.len(), INDEXES.len());
    }
}
