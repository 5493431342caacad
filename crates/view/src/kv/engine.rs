//! The table engine's file: opening it, throwing it away, and its errors in our words.

use super::sealing::Sealing;
use super::{Table, ViewError};
use redb::backends::InMemoryBackend;
use redb::{Durability, ReadableDatabase, TableDefinition, TableError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Every table maps bytes to bytes.
pub(super) fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.0)
}

/// Holds one row that opens only with the right key.
const CHECK: Table = Table("cobox");
const CHECK_KEY: &[u8] = b"check";
const CHECK_VALUE: &[u8] = b"views 1";

/// EIO: what was there is lost, and a new file lies elsewhere.
const BAD_SECTOR: i32 = 5;

/// Opens the file (or creates it). `Damaged`: not ours to read, whatever the reason; throw it away.
pub(super) fn open_file(
    path: &Path,
    cache_size: usize,
    sealing: &Sealing,
) -> Result<redb::Database, ViewError> {
    guarded(|| {
        let database = redb::Database::builder()
            .set_cache_size(cache_size)
            .create(path)
            .map_err(table_error)?;
        check(&database, sealing)?;
        Ok(database)
    })
}

pub(super) fn open_memory() -> Result<redb::Database, ViewError> {
    redb::Database::builder()
        .create_with_backend(InMemoryBackend::new())
        .map_err(table_error)
}

/// Moves a file that is of no use out of the way. One such file is kept, until the next good opening.
pub(super) fn move_aside(path: &Path) -> Result<(), ViewError> {
    match std::fs::rename(path, aside(path)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(table_error(redb::StorageError::Io(error)))
        }
        _ => Ok(()),
    }
}

pub(super) fn remove_aside(path: &Path) {
    // Failing to delete a file that is of no use harms nobody.
    let _ = std::fs::remove_file(aside(path));
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged");
    PathBuf::from(name)
}

/// A file with tables must hold the check row, and the check row must open. An empty file is given one.
fn check(database: &redb::Database, sealing: &Sealing) -> Result<(), ViewError> {
    let read = database.begin_read().map_err(table_error)?;
    match read.open_table(definition(CHECK)) {
        Ok(rows) => {
            let row = rows.get(CHECK_KEY).map_err(table_error)?;
            let row = row.ok_or(ViewError::Damaged(CHECK.0))?;
            let value = sealing.open(CHECK, row.value())?;
            if value == CHECK_VALUE {
                Ok(())
            } else {
                Err(ViewError::Damaged(CHECK.0))
            }
        }
        Err(TableError::TableDoesNotExist(_)) => {
            let mut tables = read.list_tables().map_err(table_error)?;
            if tables.next().is_some() {
                return Err(ViewError::Damaged(CHECK.0));
            }
            write_check(database, sealing)
        }
        Err(error) => Err(table_error(error)),
    }
}

/// Without a sync: a crash falls back to the empty file, which is as good.
fn write_check(database: &redb::Database, sealing: &Sealing) -> Result<(), ViewError> {
    let mut write = database.begin_write().map_err(table_error)?;
    write
        .set_durability(Durability::None)
        .map_err(table_error)?;
    {
        let mut rows = write.open_table(definition(CHECK)).map_err(table_error)?;
        rows.insert(CHECK_KEY, sealing.seal(CHECK_VALUE).as_slice())
            .map_err(table_error)?;
    }
    write.commit().map_err(table_error)
}

/// Runs calls into the engine. It trusts its file and panics on pages that were altered outside it; to us
/// that is one more way of being damaged, and the file is disposable, so nothing of it is used afterwards.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, ViewError>) -> Result<T, ViewError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ViewError::Damaged("the views file")))
}

/// Tells damage, which a rebuild heals, from trouble such as a full disk, which it does not.
pub(super) fn table_error(error: impl Into<redb::Error>) -> ViewError {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error.into() {
        redb::Error::Corrupted(_)
        | redb::Error::LockPoisoned(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => ViewError::Damaged("the views file"),
        redb::Error::Io(error)
            if matches!(error.kind(), InvalidData | UnexpectedEof)
                || error.raw_os_error() == Some(BAD_SECTOR) =>
        {
            ViewError::Damaged("the views file")
        }
        redb::Error::DatabaseClosed => ViewError::Closed,
        other => ViewError::Table(other.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Error;

    #[test]
    fn a_bad_sector_is_damage_and_a_full_disk_is_not() {
        let of = |errno| table_error(redb::Error::Io(Error::from_raw_os_error(errno)));
        assert!(matches!(of(BAD_SECTOR), ViewError::Damaged(_)));
        assert!(matches!(of(28), ViewError::Table(_)));
    }
}
