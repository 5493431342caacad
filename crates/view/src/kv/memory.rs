//! Rows in memory: the plain twin of the file.

use super::{ReadRows, Row, Rows, Table, ViewError, Way, is_empty_range};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Rows in memory: for tests, models, and the space as of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryRows {
    tables: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl ReadRows for MemoryRows {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self
            .tables
            .get(&table)
            .and_then(|rows| rows.get(key))
            .cloned())
    }

    fn walk(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        way: Way,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError> {
        let rows = self.between(table, from, to);
        Ok(match way {
            Way::Up => rows.take(limit).map(copied).collect(),
            Way::Down => rows.rev().take(limit).map(copied).collect(),
        })
    }
}

impl MemoryRows {
    fn between(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = (&Vec<u8>, &Vec<u8>)> {
        let rows = self
            .tables
            .get(&table)
            .filter(|_| !is_empty_range(from, to));
        let rows = rows.map(|rows| rows.range::<[u8], _>((from, to)));
        rows.into_iter().flatten()
    }
}

fn copied((key, value): (&Vec<u8>, &Vec<u8>)) -> Row {
    (key.clone(), value.clone())
}

impl Rows for MemoryRows {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), ViewError> {
        let rows = self.tables.entry(table).or_default();
        rows.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), ViewError> {
        if let Some(rows) = self.tables.get_mut(&table) {
            rows.remove(key);
        }
        Ok(())
    }
}
