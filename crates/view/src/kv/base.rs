//! Committed rows as of one moment, and changes laid over them.

use super::engine::{definition, guarded, table_error};
use super::sealing::Sealing;
use super::{Row, Table, ViewError, Way, is_empty_range};
use redb::{AccessGuard, ReadOnlyTable, ReadableDatabase, TableError};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

type FileTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Committed rows as of one moment. Tables are opened on first use and kept.
pub(super) struct BaseRows {
    read: redb::ReadTransaction,
    /// None: the table does not exist.
    tables: Mutex<BTreeMap<Table, Option<Arc<FileTable>>>>,
    sealing: Arc<Sealing>,
}

impl BaseRows {
    pub(super) fn new(engine: &redb::Database, sealing: &Arc<Sealing>) -> Result<Self, ViewError> {
        let read = guarded(|| engine.begin_read().map_err(table_error))?;
        Ok(Self {
            read,
            tables: Mutex::default(),
            sealing: sealing.clone(),
        })
    }

    fn table(&self, table: Table) -> Result<Option<Arc<FileTable>>, ViewError> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = tables.get(&table) {
            return Ok(open.clone());
        }
        let open = match self.read.open_table(definition(table)) {
            Ok(open) => Some(Arc::new(open)),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(table_error(error)),
        };
        tables.insert(table, open.clone());
        Ok(open)
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        guarded(|| {
            let Some(rows) = self.table(table)? else {
                return Ok(None);
            };
            let stored = rows.get(key).map_err(table_error)?;
            stored
                .map(|stored| self.sealing.open(table, stored.value()))
                .transpose()
        })
    }

    pub(super) fn iter(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        way: Way,
    ) -> Result<BaseIter<'_>, ViewError> {
        let rows = if is_empty_range(from, to) {
            None
        } else {
            self.table(table)?
        };
        let range = rows.map(|rows| rows.range::<&[u8]>((from, to))).transpose();
        Ok(BaseIter {
            range: range.map_err(table_error)?,
            opener: Some((table, &self.sealing)),
            way,
        })
    }
}

/// Committed rows in the order of their keys, or the opposite one; values stay sealed until they are asked for.
pub(super) struct BaseIter<'a> {
    range: Option<redb::Range<'static, &'static [u8], &'static [u8]>>,
    opener: Option<(Table, &'a Sealing)>,
    way: Way,
}

/// A changed row; none: deleted.
pub(super) type Change<'c> = (&'c Vec<u8>, &'c Option<Vec<u8>>);

/// A value as it lies in the file.
pub(super) struct Stored<'a> {
    value: AccessGuard<'static, &'static [u8]>,
    table: Table,
    sealing: &'a Sealing,
}

impl BaseIter<'_> {
    pub(super) fn nothing(way: Way) -> Self {
        Self {
            range: None,
            opener: None,
            way,
        }
    }
}

impl<'a> Iterator for BaseIter<'a> {
    type Item = Result<(Vec<u8>, Stored<'a>), ViewError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (table, sealing) = self.opener?;
        let range = self.range.as_mut()?;
        let row = match self.way {
            Way::Up => range.next()?,
            Way::Down => range.next_back()?,
        };
        Some(row.map_err(table_error).map(|(key, value)| {
            (
                key.value().to_vec(),
                Stored {
                    value,
                    table,
                    sealing,
                },
            )
        }))
    }
}

impl Stored<'_> {
    fn open(&self) -> Result<Vec<u8>, ViewError> {
        self.sealing.open(self.table, self.value.value())
    }
}

/// A value that was not opened yet.
pub(super) enum Value<'r, 'c> {
    /// committed
    Stored(Stored<'r>),
    /// of the changes
    Changed(&'c [u8]),
}

/// Committed rows with the changes laid over them, both walked the same way.
pub(super) struct Merged<'r, C: Iterator> {
    base: Peekable<BaseIter<'r>>,
    changed: Peekable<C>,
    way: Way,
}

impl<'r, 'c, C: Iterator<Item = Change<'c>>> Merged<'r, C> {
    pub(super) fn new(base: BaseIter<'r>, changed: C) -> Self {
        Self {
            way: base.way,
            base: base.peekable(),
            changed: changed.peekable(),
        }
    }

    /// Up to `limit` rows.
    pub(super) fn rows(self, limit: usize) -> Result<Vec<Row>, ViewError> {
        let open = |row: Result<(Vec<u8>, Value<'r, 'c>), ViewError>| {
            let (key, value) = row?;
            match value {
                Value::Stored(stored) => Ok((key, stored.open()?)),
                Value::Changed(value) => Ok((key, value.to_vec())),
            }
        };
        self.take(limit).map(open).collect()
    }

    /// The keys of up to `limit` rows; values stay sealed.
    pub(super) fn keys(self, limit: usize) -> Result<Vec<Vec<u8>>, ViewError> {
        self.take(limit).map(|row| Ok(row?.0)).collect()
    }

    /// Which of the two comes next; `Equal`: a change of a committed row. None at the end.
    fn order(&mut self) -> Option<Ordering> {
        match (self.base.peek(), self.changed.peek()) {
            (None, None) => None,
            (Some(Ok((key, _))), Some((changed, _))) => Some(match self.way {
                Way::Up => key.cmp(changed),
                Way::Down => key.cmp(changed).reverse(),
            }),
            (Some(_), _) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
        }
    }
}

impl<'r, 'c, C: Iterator<Item = Change<'c>>> Iterator for Merged<'r, C> {
    type Item = Result<(Vec<u8>, Value<'r, 'c>), ViewError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = self.order()?;
            if order == Ordering::Less {
                let row = self.base.next()?;
                return Some(row.map(|(key, stored)| (key, Value::Stored(stored))));
            }
            if order == Ordering::Equal {
                self.base.next();
            }
            if let (key, Some(value)) = self.changed.next()? {
                return Some(Ok((key.clone(), Value::Changed(value))));
            }
        }
    }
}
