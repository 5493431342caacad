//! Rows in memory with any indexes.

use cobox_view::query::{
    Index, Page, Path, Position, Positions, QueryError, Records, Schema, key_bytes,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub struct MemoryTable {
    schema: Schema,
    rows: BTreeMap<Position, Value>,
    /// By index, then prefix.
    listed: Vec<BTreeMap<Vec<u8>, BTreeSet<Position>>>,
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Eight bytes, so that parts of one field have one length; others may share them, which does no harm.
fn part(value: &Value) -> Option<Vec<u8>> {
    let bytes = key_bytes(value)?;
    let mix = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
    // Few different ones: prefixes that hold rows of other values are part of the test.
    let sum = bytes.iter().fold(7, mix) % 5;
    Some(sum.to_be_bytes().to_vec())
}

impl MemoryTable {
    pub fn new(rows: &[Value], indexes: &[Vec<&str>]) -> Self {
        Self::ordered_by("time", rows, indexes)
    }

    pub fn ordered_by(order: &str, rows: &[Value], indexes: &[Vec<&str>]) -> Self {
        let index = |fields: &Vec<&str>| Index {
            name: fields.join("+"),
            fields: fields.iter().map(|field| path(field)).collect(),
        };
        let mut table = Self {
            schema: Schema {
                order: path(order),
                indexes: indexes.iter().map(index).collect(),
            },
            rows: BTreeMap::new(),
            listed: vec![BTreeMap::new(); indexes.len()],
        };
        for (number, row) in rows.iter().enumerate() {
            table.add(number, row);
        }
        table
    }

    fn add(&mut self, number: usize, row: &Value) {
        let order = self.schema.order.find(row).unwrap().as_u64().unwrap();
        let place = (number as u16).to_be_bytes().to_vec();
        let position = Position { order, place };
        for (index, listed) in self.schema.indexes.iter().zip(&mut self.listed) {
            let parts = index.fields.iter().map(|field| part(field.find(row)?));
            if let Some(parts) = parts.collect::<Option<Vec<_>>>() {
                let rows = listed.entry(parts.concat()).or_default();
                rows.insert(position.clone());
            }
        }
        self.rows.insert(position, row.clone());
    }

    pub fn in_order(&self) -> Vec<Value> {
        self.rows.values().cloned().collect()
    }
}

impl Positions for MemoryTable {
    type Error = QueryError;

    fn positions(&self, page: &Page<'_>) -> Result<Vec<Position>, QueryError> {
        let all: Vec<&Position> = match page.index {
            None => self.rows.keys().collect(),
            Some(index) => self.listed[index]
                .get(page.prefix)
                .into_iter()
                .flatten()
                .collect(),
        };
        let is_ahead = |position: &&Position| {
            let ahead = |after: &Position| match page.backward {
                true => **position < *after,
                false => **position > *after,
            };
            page.range.contains(&position.order) && page.after.is_none_or(ahead)
        };
        let mut ahead: Vec<Position> = all.into_iter().filter(is_ahead).cloned().collect();
        if page.backward {
            ahead.reverse();
        }
        ahead.truncate(page.limit);
        Ok(ahead)
    }
}

impl Records for MemoryTable {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn parts(&self, _: &Path, value: &Value) -> Option<Vec<Vec<u8>>> {
        Some(vec![part(value)?])
    }

    fn row(&self, position: &Position) -> Result<Option<Value>, QueryError> {
        Ok(self.rows.get(position).cloned())
    }
}
