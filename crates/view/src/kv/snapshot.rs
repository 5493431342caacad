//! Pictures to read from: one is shared by all who look between two commits, and remembers what it was asked.
//!
//! Opening a sealed row costs more than finding it, and questions about a tree ask for the same few rows (the folders above
//! a file) again and again. Not its job: when a picture is out of date (`database`).

use super::base::{BaseRows, Change, Merged};
use super::database::Shared;
use super::engine::guarded;
use super::{ReadRows, Row, Table, ViewError, Way};
use std::collections::HashMap;
use std::iter::{Empty, empty};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of rows that a picture remembers, about; beyond that it begins anew.
const MOST: usize = 1 << 20;
/// What a remembered row takes besides its key and value.
const EACH: usize = 96;

/// A consistent picture of the file; implements `ReadRows`. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    pub(super) picture: Arc<Picture>,
    /// Keeps the file open.
    pub(super) _shared: Arc<Shared>,
}

/// Committed rows as of one moment, and those of them that were asked for.
pub(super) struct Picture {
    number: u64,
    rows: BaseRows,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    bytes: usize,
    rows: HashMap<Table, HashMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl Picture {
    pub(super) fn new(number: u64, rows: BaseRows) -> Self {
        Self {
            number,
            rows,
            asked: Mutex::default(),
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        if let Some(value) = self.asked(|asked| asked.get(table, key)) {
            return Ok(value);
        }
        let value = self.rows.get(table, key)?;
        self.asked(|asked| asked.put(table, key, &value));
        Ok(value)
    }

    /// Every statement inside leaves it whole, so a panic elsewhere spoils nothing.
    fn asked<T>(&self, work: impl FnOnce(&mut Asked) -> T) -> T {
        work(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Asked {
    fn get(&self, table: Table, key: &[u8]) -> Option<Option<Vec<u8>>> {
        self.rows.get(&table)?.get(key).cloned()
    }

    fn put(&mut self, table: Table, key: &[u8], value: &Option<Vec<u8>>) {
        let bytes = EACH + key.len() + value.as_ref().map_or(0, Vec::len);
        if bytes > MOST {
            return;
        }
        if self.bytes + bytes > MOST {
            *self = Self::default();
        }
        self.bytes += bytes;
        let rows = self.rows.entry(table).or_default();
        rows.insert(key.to_vec(), value.clone());
    }
}

impl ReadRows for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.picture.get(table, key)
    }

    fn walk(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        way: Way,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError> {
        self.merged(table, (from, to), way, |rows| rows.rows(limit))
    }

    fn keys(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, ViewError> {
        self.merged(table, (from, to), Way::Up, |rows| rows.keys(limit))
    }
}

impl Snapshot {
    /// Differs between pictures of one database of which one may show what the other does not.
    pub fn number(&self) -> u64 {
        self.picture.number
    }

    fn merged<T>(
        &self,
        table: Table,
        (from, to): (Bound<&[u8]>, Bound<&[u8]>),
        way: Way,
        take: impl FnOnce(Merged<'_, Empty<Change<'_>>>) -> Result<T, ViewError>,
    ) -> Result<T, ViewError> {
        guarded(|| {
            let base = self.picture.rows.iter(table, from, to, way)?;
            take(Merged::new(base, empty()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Table = Table("names");

    #[test]
    fn what_is_remembered_stays_within_its_bound() {
        let mut asked = Asked::default();
        let value = Some(vec![7; MOST / 10]);
        for number in 0..100u32 {
            asked.put(NAMES, &number.to_be_bytes(), &value);
            assert!(asked.bytes <= MOST);
            assert_eq!(asked.get(NAMES, &number.to_be_bytes()), Some(value.clone()));
        }
        assert!(asked.rows[&NAMES].len() < 10);
    }

    #[test]
    fn that_a_row_is_missing_is_remembered_too() {
        let mut asked = Asked::default();
        assert_eq!(asked.get(NAMES, b"key"), None);
        asked.put(NAMES, b"key", &None);
        assert_eq!(asked.get(NAMES, b"key"), Some(None));
    }
}
