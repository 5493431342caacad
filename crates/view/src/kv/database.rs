//! One file of tables per space: pictures to read from, one transaction at a time to write with.

use super::base::{BaseIter, BaseRows, Change, Merged};
use super::engine::{self, definition, guarded, table_error};
use super::sealing::Sealing;
use super::snapshot::{Picture, Snapshot};
use super::{ReadRows, Row, Rows, Table, ViewError, Way, is_empty_range};
use cobox_keys::cipher::BlockKey;
use redb::Durability;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Tuning; defaults are right for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes of pages kept in memory.
    pub cache_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_size: 16 << 20,
        }
    }
}

/// One file of tables (redb) per space. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    /// None: in memory.
    path: Option<PathBuf>,
    options: Options,
    sealing: Arc<Sealing>,
    /// What whoever looks now is shown. None after a commit: kept for longer it would keep the pages that were replaced.
    latest: Mutex<Option<Arc<Picture>>>,
    /// Pictures made so far.
    pictures: AtomicU64,
    /// None only while the file is being replaced, or after that failed.
    engine: RwLock<Option<Arc<redb::Database>>>,
    /// Bytes of rows committed since the last durable commit.
    unflushed: AtomicU64,
}

impl Database {
    /// Opens or creates; a file that cannot be read with this key is moved aside and begun anew (views are disposable). Values are sealed
    /// at rest under `key` (keys of rows are the caller's care: they must name nothing). A file that is in use, or a folder that cannot be
    /// written, is an error.
    pub fn open(path: &Path, key: BlockKey) -> Result<Database, ViewError> {
        Self::open_with(path, key, Options::default())
    }

    /// [`Database::open`], tuned.
    pub fn open_with(path: &Path, key: BlockKey, options: Options) -> Result<Database, ViewError> {
        let database = Self::new(Some(path.to_owned()), Sealing::Sealed(key), options);
        match database.reopen() {
            Ok(()) => engine::remove_aside(path),
            Err(ViewError::Damaged(_)) => {
                tracing::warn!("the views file cannot be read and is begun anew");
                database.start_anew()?;
            }
            Err(error) => return Err(error),
        }
        Ok(database)
    }

    /// In memory, for tests. Values are not sealed.
    pub fn in_memory() -> Database {
        let database = Self::new(None, Sealing::Plain, Options::default());
        // Memory that cannot be opened shows as `Closed` on the first use.
        let _ = database.reopen();
        database
    }

    fn new(path: Option<PathBuf>, sealing: Sealing, options: Options) -> Self {
        let sealing = Arc::new(sealing);
        let (engine, unflushed) = (RwLock::new(None), AtomicU64::new(0));
        Self {
            shared: Arc::new(Shared {
                path,
                options,
                sealing,
                latest: Mutex::default(),
                pictures: AtomicU64::new(0),
                engine,
                unflushed,
            }),
        }
    }

    /// A picture of now, the same one for all who ask between two commits.
    pub fn snapshot(&self) -> Result<Snapshot, ViewError> {
        // Held while the picture is made: a commit meanwhile waits, and then throws it away.
        let mut latest = self.shared.latest();
        let picture = match &*latest {
            Some(picture) => picture.clone(),
            None => {
                let rows = BaseRows::new(&*self.engine()?, &self.shared.sealing)?;
                let number = self.shared.pictures.fetch_add(1, Ordering::Relaxed);
                latest.insert(Arc::new(Picture::new(number, rows))).clone()
            }
        };
        Ok(Snapshot {
            picture,
            _shared: self.shared.clone(),
        })
    }

    /// The one writer: waits while another transaction is open.
    pub fn begin(&self) -> Result<Transaction, ViewError> {
        let engine = self.engine()?;
        let mut write = guarded(|| engine.begin_write().map_err(table_error))?;
        write
            .set_durability(Durability::None)
            .map_err(table_error)?;
        // Taken under the writer's lock, so it shows what the writer builds on.
        let base = BaseRows::new(&engine, &self.shared.sealing)?;
        Ok(Transaction {
            write,
            base,
            changes: BTreeMap::new(),
            shared: self.shared.clone(),
        })
    }

    /// Makes everything committed so far durable.
    pub fn flush(&self) -> Result<(), ViewError> {
        let bytes = self.unflushed();
        if bytes == 0 {
            return Ok(());
        }
        let engine = self.engine()?;
        guarded(|| {
            let mut write = engine.begin_write().map_err(table_error)?;
            write
                .set_durability(Durability::Immediate)
                .map_err(table_error)?;
            write.commit().map_err(table_error)
        })?;
        self.shared.unflushed.fetch_sub(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// Bytes of rows that a crash now would lose (and a restart compute again).
    pub fn unflushed(&self) -> u64 {
        self.shared.unflushed.load(Ordering::Acquire)
    }

    /// Throws all rows away: the file is moved aside and a new one begun. Pictures taken before answer `Closed`, or what they
    /// still have in memory.
    pub fn start_anew(&self) -> Result<(), ViewError> {
        self.close();
        if let Some(path) = &self.shared.path {
            engine::move_aside(path)?;
        }
        self.reopen()
    }

    /// Closes and opens the file again: the way out after a failed write. What was not durable may be gone.
    pub fn reopen(&self) -> Result<(), ViewError> {
        self.close();
        let shared = &self.shared;
        let engine = match &shared.path {
            Some(path) => engine::open_file(path, shared.options.cache_size, &shared.sealing)?,
            None => engine::open_memory()?,
        };
        *shared
            .engine
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(engine));
        shared.unflushed.store(0, Ordering::Release);
        Ok(())
    }

    fn close(&self) {
        let engine = self
            .shared
            .engine
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.shared.forget_latest();
        // Closing a damaged file may fail; it is not used again.
        let _ = guarded(|| {
            drop(engine);
            Ok(())
        });
    }

    fn engine(&self) -> Result<Arc<redb::Database>, ViewError> {
        let engine = self
            .shared
            .engine
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        engine.clone().ok_or(ViewError::Closed)
    }
}

impl Shared {
    fn latest(&self) -> MutexGuard<'_, Option<Arc<Picture>>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_latest(&self) {
        let before = self.latest().take();
        // It may be the last one, and closes its tables then: outside the lock.
        drop(before);
    }
}

/// All changes of one transaction; implements `Rows`; dropped without commit = nothing happened.
///
/// Changes wait in memory until the commit: a row that is set many times is sealed and written once, in key order.
pub struct Transaction {
    write: redb::WriteTransaction,
    base: BaseRows,
    changes: BTreeMap<Table, Changes>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Changes {
    /// The table was emptied before these changes.
    cleared: bool,
    /// None: deleted.
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Transaction {
    /// Visible to later snapshots at once; durable at the next `Database::flush` (a crash before falls back to an earlier commit, never
    /// to half of one).
    pub fn commit(self) -> Result<(), ViewError> {
        let Self {
            write,
            base,
            changes,
            shared,
        } = self;
        // The picture would keep the pages that this commit replaces.
        drop(base);
        let bytes = guarded(|| {
            let mut bytes = 1;
            for (table, changes) in changes {
                bytes += write_changes(&write, table, changes, &shared.sealing)?;
            }
            write.commit().map_err(table_error)?;
            Ok(bytes)
        });
        shared.forget_latest();
        let bytes = bytes?;
        shared.unflushed.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// Empties a table.
    pub fn clear(&mut self, table: Table) {
        self.changes.insert(
            table,
            Changes {
                cleared: true,
                rows: BTreeMap::new(),
            },
        );
    }

    /// Takes from the rows between two bounds.
    fn merged<T>(
        &self,
        table: Table,
        (from, to): (Bound<&[u8]>, Bound<&[u8]>),
        way: Way,
        take: impl FnOnce(Merged<'_, Box<dyn Iterator<Item = Change<'_>> + '_>>) -> Result<T, ViewError>,
    ) -> Result<T, ViewError> {
        let changes = self.changes.get(&table);
        let cleared = changes.is_some_and(|changes| changes.cleared);
        let between = changes.filter(|_| !is_empty_range(from, to));
        let changed = between.map(|changes| changes.rows.range::<[u8], _>((from, to)));
        let changed = changed.into_iter().flatten();
        guarded(|| {
            let base = match cleared {
                true => BaseIter::nothing(way),
                false => self.base.iter(table, from, to, way)?,
            };
            take(match way {
                Way::Up => Merged::new(base, Box::new(changed)),
                Way::Down => Merged::new(base, Box::new(changed.rev())),
            })
        })
    }

    fn change(&mut self, table: Table, key: &[u8], value: Option<Vec<u8>>) {
        self.changes
            .entry(table)
            .or_default()
            .rows
            .insert(key.to_vec(), value);
    }
}

/// Bytes written.
fn write_changes(
    write: &redb::WriteTransaction,
    table: Table,
    changes: Changes,
    sealing: &Sealing,
) -> Result<u64, ViewError> {
    if changes.cleared {
        write.delete_table(definition(table)).map_err(table_error)?;
    }
    let mut rows = write.open_table(definition(table)).map_err(table_error)?;
    let mut bytes = 0;
    for (key, value) in changes.rows {
        bytes += key.len() as u64;
        if let Some(value) = value {
            let stored = sealing.seal(&value);
            bytes += stored.len() as u64;
            rows.insert(key.as_slice(), stored.as_slice())
                .map_err(table_error)?;
        } else {
            rows.remove(key.as_slice()).map_err(table_error)?;
        }
    }
    Ok(bytes)
}

impl ReadRows for Transaction {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        if let Some(changes) = self.changes.get(&table) {
            if let Some(value) = changes.rows.get(key) {
                return Ok(value.clone());
            }
            if changes.cleared {
                return Ok(None);
            }
        }
        self.base.get(table, key)
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

impl Rows for Transaction {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), ViewError> {
        self.change(table, key, Some(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), ViewError> {
        self.change(table, key, None);
        Ok(())
    }
}
