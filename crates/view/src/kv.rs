//! Rows: ordered byte keys to byte values in named tables, over a file or over memory. The narrow waist of every view.
//!
//! Not its job: what the rows mean, or when they are computed.

mod base;
mod database;
mod engine;
mod memory;
mod sealing;
mod snapshot;

pub use database::{Database, Options, Transaction};
pub use memory::MemoryRows;
pub use snapshot::Snapshot;

use std::ops::Bound;

/// Name of a table. Names are part of the format of the views file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Table(pub &'static str);

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// What went wrong with a view; views can always be rebuilt.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The table file.
    #[error("the views file cannot be used: {0}")]
    Table(std::sync::Arc<str>),
    /// A row that does not decode, or does not open with this key: rebuild.
    #[error("a row of {0} is damaged")]
    Damaged(&'static str),
    /// The feed store below.
    #[error(transparent)]
    Store(#[from] cobox_feed::store::StoreError),
    /// The indexer has stopped, or the file under a picture was thrown away.
    #[error("the view is closed")]
    Closed,
    /// Waited too long.
    #[error("the view did not catch up in time")]
    TimedOut,
}

/// In which order keys are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// lowest key first
    Up,
    /// highest key first
    Down,
}

/// Reading rows.
pub trait ReadRows {
    /// Value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;

    /// Up to `limit` rows between the bounds, one way or the other. Bounds that cross each other hold nothing.
    fn walk(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        way: Way,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError>;

    /// Up to `limit` rows in key order.
    fn range(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError> {
        self.walk(table, from, to, Way::Up, limit)
    }

    /// The keys of up to `limit` rows in order, for whoever needs no values: those stay sealed.
    fn keys(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, ViewError> {
        let rows = self.range(table, from, to, limit)?;
        Ok(rows.into_iter().map(|(key, _)| key).collect())
    }

    /// The last `limit` rows between the bounds, last key first.
    fn range_back(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError> {
        self.walk(table, from, to, Way::Down, limit)
    }

    /// All rows whose key begins with `prefix` (bounded by `limit`).
    fn prefix(&self, table: Table, prefix: &[u8], limit: usize) -> Result<Vec<Row>, ViewError> {
        let end = prefix_end(prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.range(table, Bound::Included(prefix), to, limit)
    }
}

/// Changing rows.
pub trait Rows: ReadRows {
    /// Sets.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), ViewError>;
    /// Removes.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), ViewError>;
}

/// The smallest key after all keys that begin with `prefix`; none if there is no such key.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// True when no key can lie between the bounds; the ordered maps below panic on some of these.
fn is_empty_range(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    use Bound::{Excluded, Included, Unbounded};
    match (from, to) {
        (Unbounded, _) | (_, Unbounded) => false,
        (Included(from), Included(to)) => from > to,
        (Included(from), Excluded(to))
        | (Excluded(from), Included(to))
        | (Excluded(from), Excluded(to)) => from >= to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_end_skips_full_bytes() {
        assert_eq!(prefix_end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(prefix_end(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(prefix_end(b"\xff\xff"), None);
        assert_eq!(prefix_end(b""), None);
    }
}
