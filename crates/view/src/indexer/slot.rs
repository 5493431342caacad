//! One view with its cursor.

use super::View;
use crate::journal::Entry;
use crate::kv::{ReadRows, Rows, Table, Transaction, ViewError};

/// Name of a view -> version and cursor.
const VIEWS: Table = Table("journal.views");

/// A view and how far it is. The row in the file says the same.
pub(super) struct Slot {
    pub view: Box<dyn View>,
    /// Local number of the next entry to apply.
    pub cursor: u64,
    /// Its next entry could not be read; it is tried again when something changes.
    pub stuck: bool,
}

impl Slot {
    pub fn new(view: Box<dyn View>) -> Self {
        Self {
            view,
            cursor: 0,
            stuck: false,
        }
    }

    /// Reads the cursor. A view that is new, or of another version, starts over with empty tables: true.
    pub fn load(&mut self, rows: &mut Transaction, next: u64) -> Result<bool, ViewError> {
        self.stuck = false;
        let row = rows.get(VIEWS, self.view.name().as_bytes())?;
        match row.map(|row| decode(&row)).transpose()? {
            Some((version, cursor)) if version == self.view.version() && cursor <= next => {
                self.cursor = cursor;
                Ok(false)
            }
            _ => {
                for table in self.view.tables() {
                    rows.clear(table);
                }
                self.cursor = 0;
                self.save(rows)?;
                Ok(true)
            }
        }
    }

    /// Applies entries and moves the cursor to `cursor`, in one transaction.
    pub fn apply(
        &mut self,
        rows: &mut Transaction,
        entries: &[Entry],
        cursor: u64,
    ) -> Result<(), ViewError> {
        if !entries.is_empty() {
            self.view.apply(rows, entries)?;
        }
        self.cursor = cursor;
        self.save(rows)
    }

    /// Lets the view go on with what it has: something that it waited for will not come.
    pub fn go_on(&mut self, rows: &mut Transaction) -> Result<(), ViewError> {
        self.view.apply(rows, &[])
    }

    fn save(&self, rows: &mut Transaction) -> Result<(), ViewError> {
        let mut row = self.view.version().to_le_bytes().to_vec();
        row.extend_from_slice(&self.cursor.to_le_bytes());
        rows.put(VIEWS, self.view.name().as_bytes(), &row)
    }
}

fn decode(row: &[u8]) -> Result<(u32, u64), ViewError> {
    let damaged = ViewError::Damaged(VIEWS.0);
    let (version, cursor) = row.split_first_chunk().ok_or(damaged.clone())?;
    let cursor = cursor.try_into().map_err(|_| damaged)?;
    Ok((u32::from_le_bytes(*version), u64::from_le_bytes(cursor)))
}
