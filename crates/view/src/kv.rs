//! Rows: ordered byte keys to byte values in named tables, over a file or over memory. The narrow waist of every view.

use std::ops::Bound;
use std::path::Path;

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
    #[error("the views file cannot be used: {0}")] Table(std::sync::Arc<str>),
    /// A row that does not decode, or does not open with this key: rebuild.
    #[error("a row of {0} is damaged")] Damaged(&'static str),
    /// The feed store below.
    #[error(transparent)] Store(#[from] cobox_feed::store::StoreError),
    /// The indexer has stopped.
    #[error("the view is closed")] Closed,
    /// Waited too long.
    #[error("the view did not catch up in time")] TimedOut,
}

/// Reading rows.
pub trait ReadRows {
    /// Value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;
    /// Up to `limit` rows in key order.
    fn range(&self, table: Table, from: Bound<&[u8]>, to: Bound<&[u8]>, limit: usize) -> Result<Vec<Row>, ViewError>;
    /// All rows whose key begins with `prefix` (bounded by `limit`).
    fn prefix(&self, table: Table, prefix: &[u8], limit: usize) -> Result<Vec<Row>, ViewError> { unimplemented!() }
}
/// Changing rows.
pub trait Rows: ReadRows {
    /// Sets.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), ViewError>;
    /// Removes.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), ViewError>;
}
/// Rows in memory: for tests, models, and the space as of a time.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows { tables: std::collections::BTreeMap<(Table, Vec<u8>), Vec<u8>> }

/// One file of tables (redb) per space. Cheap to clone.
#[derive(Clone)]
pub struct Database;
/// A consistent picture of the file; implements `ReadRows`.
pub struct Snapshot;
/// All changes of one transaction; implements `Rows`; dropped without commit = nothing happened.
pub struct Transaction;
impl Database {
    /// Opens or creates; a file that cannot be opened is moved aside and begun anew (views are disposable). Values are sealed at rest under `key`
    /// (keys of rows are the caller's care: they must name nothing).
    pub fn open(path: &Path, key: cobox_keys::cipher::BlockKey) -> Result<Database, ViewError> { unimplemented!() }
    /// In memory, for tests.
    pub fn in_memory() -> Database { unimplemented!() }
    /// A picture of now.
    pub fn snapshot(&self) -> Result<Snapshot, ViewError> { unimplemented!() }
    /// The one writer.
    pub fn begin(&self) -> Result<Transaction, ViewError> { unimplemented!() }
    /// Makes everything committed so far durable.
    pub fn flush(&self) -> Result<(), ViewError> { unimplemented!() }
}
impl Transaction {
    /// Visible to later snapshots at once; durable at the next `Database::flush` (a crash before falls back to an earlier commit, never to half of one).
    pub fn commit(self) -> Result<(), ViewError> { unimplemented!() }
}
