//! The table file: one per data folder, a view of all segments that can be deleted at any time.
//! Written only by checkpoints; a damaged one is deleted and grown again.

mod write;

use super::extent::Extent;
use super::pages::{PageKey, Pages};
use super::rows::{self, DraftPlace, FeedRow, PAGE, open_row};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::manifest::FeedKey;
use crate::segment::Position;
use crate::sync::{read, write};
use crate::tree::Node;
use bytes::Bytes;
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
};
use std::collections::HashMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, RwLock};

/// Format of the rows. Any other number: the file is rebuilt.
const FORMAT: u64 = 1;
/// Bytes of table pages kept in memory.
const CACHE: usize = 8 << 20;
const FILE: &str = "index.redb";

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const SPACES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("spaces");
/// Address and feed key.
const FEEDS: TableDefinition<'_, &[u8; 64], &[u8]> = TableDefinition::new("feeds");
/// Feed id and first block.
const EXTENTS: TableDefinition<'_, (u32, u64), &[u8]> = TableDefinition::new("extents");
/// Feed id and page.
const NODES: TableDefinition<'_, (u32, u64), &[u8]> = TableDefinition::new("nodes");
/// Address and digest.
const CERTIFICATES: TableDefinition<'_, &[u8; 48], &[u8]> = TableDefinition::new("certificates");
/// Address and id.
const DRAFTS: TableDefinition<'_, &[u8; 48], &[u8]> = TableDefinition::new("drafts");

/// The open table file.
#[derive(Debug)]
pub(crate) struct Table {
    disk: Arc<dyn Disk>,
    /// None while it could not be opened again after a failed write.
    database: RwLock<Option<Database>>,
    pages: Pages,
    closed: AtomicBool,
    next_feed: AtomicU32,
}

/// Order of arrival and bytes of a certificate.
pub(crate) type Certificate = (u64, Bytes);

/// What the table knows of a space.
#[derive(Debug)]
pub(crate) struct SpaceRows {
    /// How far the table has seen the space's log.
    pub position: Position,
    /// All feeds with a row.
    pub feeds: HashMap<FeedKey, FeedRow>,
}

impl Table {
    /// Opens the table file; one that cannot be used is deleted and begun anew.
    pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        match Self::try_open(disk.clone()) {
            Ok(table) => Ok(table),
            // Not damaged: sets of a store closed in this very program still hold it.
            Err(StoreError::Locked) => Err(StoreError::Locked),
            Err(error) => {
                tracing::warn!(%error, "the index cannot be used and is grown again from the segments");
                disk.remove(Path::new(FILE))
                    .map_err(StoreError::io("removing a damaged index"))?;
                Self::try_open(disk)
            }
        }
    }

    fn try_open(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        // A damaged file may trip an assertion of the table engine.
        catch_unwind(AssertUnwindSafe(move || {
            let database = open_database(&*disk)?;
            let next_feed = Self::prepare(&database)?;
            Ok(Self {
                disk,
                database: RwLock::new(Some(database)),
                pages: Pages::default(),
                closed: AtomicBool::new(false),
                next_feed: AtomicU32::new(next_feed),
            })
        }))
        .unwrap_or_else(|_| Err(failed("the file is damaged")))
    }

    /// Creates what is missing; returns the next free feed id.
    fn prepare(database: &Database) -> Result<u32, StoreError> {
        let transaction = database.begin_write().map_err(failed)?;
        let next_feed = {
            let mut meta = transaction.open_table(META).map_err(failed)?;
            let format = meta
                .get("format")
                .map_err(failed)?
                .map(|format| format.value());
            match format {
                None => drop(meta.insert("format", FORMAT).map_err(failed)?),
                Some(FORMAT) => {}
                Some(_) => return Err(failed("the file is of another version")),
            }
            let next = meta
                .get("next feed")
                .map_err(failed)?
                .map_or(0, |next| next.value());
            transaction.open_table(FEEDS).map_err(failed)?;
            transaction.open_table(EXTENTS).map_err(failed)?;
            transaction.open_table(NODES).map_err(failed)?;
            transaction.open_table(CERTIFICATES).map_err(failed)?;
            transaction.open_table(DRAFTS).map_err(failed)?;
            for row in transaction
                .open_table(SPACES)
                .map_err(failed)?
                .iter()
                .map_err(failed)?
            {
                let (_, row) = row.map_err(failed)?;
                open_row(row.value()).ok_or_else(|| failed("a row is damaged"))?;
            }
            u32::try_from(next).map_err(failed)?
        };
        transaction.commit().map_err(failed)?;
        Ok(next_feed)
    }

    /// A feed id not used before.
    pub(crate) fn new_feed_id(&self) -> u32 {
        self.next_feed.fetch_add(1, Ordering::Relaxed)
    }

    /// What is known of a space.
    pub(crate) fn space(&self, address: &[u8; 32]) -> Result<Option<SpaceRows>, StoreError> {
        let read = self.begin_read()?;
        let spaces = read.open_table(SPACES).map_err(failed)?;
        let Some(row) = spaces.get(address).map_err(failed)? else {
            return Ok(None);
        };
        let position = self.intact(row.value(), rows::decode_position)?;
        let mut feeds = HashMap::new();
        let range = join(address, &[0; 32])..=join(address, &[255; 32]);
        for row in read
            .open_table(FEEDS)
            .map_err(failed)?
            .range::<&[u8; 64]>(&range.start().clone()..=&range.end().clone())
            .map_err(failed)?
        {
            let (key, row) = row.map_err(failed)?;
            let mut feed = FeedKey([0; 32]);
            feed.0.copy_from_slice(&key.value()[32..]);
            feeds.insert(feed, self.intact(row.value(), FeedRow::decode)?);
        }
        Ok(Some(SpaceRows { position, feeds }))
    }

    /// The row with the largest first block that is not beyond `block`.
    pub(crate) fn extent_before(
        &self,
        feed: u32,
        block: u64,
    ) -> Result<Option<(u64, Extent)>, StoreError> {
        let read = self.begin_read()?;
        let table = read.open_table(EXTENTS).map_err(failed)?;
        let mut range = table.range((feed, 0)..=(feed, block)).map_err(failed)?;
        let Some(row) = range.next_back() else {
            return Ok(None);
        };
        let (key, row) = row.map_err(failed)?;
        Ok(Some((
            key.value().1,
            self.intact(row.value(), Extent::decode)?,
        )))
    }

    /// A node.
    pub(crate) fn node(&self, feed: u32, index: u64) -> Result<Option<Node>, StoreError> {
        let key = (feed, index / PAGE);
        let (page, round) = self.pages.get(key);
        let page = match page {
            Some(page) => page,
            None => {
                let page = self.page(key)?;
                self.pages.keep(key, page.clone(), round);
                page
            }
        };
        rows::node_in_page(&page, index).ok_or_else(|| failed("a page is damaged"))
    }

    /// A page of nodes; one that is not there has none.
    fn page(&self, key: PageKey) -> Result<Arc<[u8]>, StoreError> {
        let read = self.begin_read()?;
        let table = read.open_table(NODES).map_err(failed)?;
        match table.get(key).map_err(failed)? {
            None => Ok(rows::encode_page(&HashMap::new()).into()),
            Some(row) => self.intact(row.value(), |row| Some(row.into())),
        }
    }

    /// Certificates of a space, by digest, with their order of arrival.
    pub(crate) fn certificates(
        &self,
        address: &[u8; 32],
    ) -> Result<Vec<([u8; 16], Certificate)>, StoreError> {
        let decode = |row: &[u8]| {
            let (order, bytes) = row.split_first_chunk()?;
            Some((u64::from_le_bytes(*order), Bytes::copy_from_slice(bytes)))
        };
        self.named_rows(CERTIFICATES, address, decode)
    }

    /// Is a certificate with this digest in the table?
    pub(crate) fn has_certificate(
        &self,
        address: &[u8; 32],
        digest: &[u8; 16],
    ) -> Result<bool, StoreError> {
        let read = self.begin_read()?;
        let table = read.open_table(CERTIFICATES).map_err(failed)?;
        Ok(table.get(&name(address, digest)).map_err(failed)?.is_some())
    }

    /// Drafts of a space.
    pub(crate) fn drafts(
        &self,
        address: &[u8; 32],
    ) -> Result<Vec<([u8; 16], DraftPlace)>, StoreError> {
        self.named_rows(DRAFTS, address, DraftPlace::decode)
    }

    fn named_rows<T>(
        &self,
        table: TableDefinition<'_, &'static [u8; 48], &'static [u8]>,
        address: &[u8; 32],
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<([u8; 16], T)>, StoreError> {
        let read = self.begin_read()?;
        let table = read.open_table(table).map_err(failed)?;
        let mut rows = Vec::new();
        let (from, to) = (name(address, &[0; 16]), name(address, &[255; 16]));
        for row in table.range::<&[u8; 48]>(&from..=&to).map_err(failed)? {
            let (key, row) = row.map_err(failed)?;
            let mut id = [0; 16];
            id.copy_from_slice(&key.value()[32..]);
            rows.push((id, self.intact(row.value(), &decode)?));
        }
        Ok(rows)
    }

    fn begin_read(&self) -> Result<ReadTransaction, StoreError> {
        self.with_database(|database| database.begin_read().map_err(failed))
    }

    /// The open file; after a failure it is tried again each time (there may be space on the disk now).
    fn with_database<T>(
        &self,
        run: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(database) = &*read(&self.database) {
            return run(database);
        }
        let mut slot = write(&self.database);
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        if slot.is_none() {
            *slot = Some(open_database(&*self.disk)?);
        }
        drop(slot);
        match &*read(&self.database) {
            Some(database) => run(database),
            None => Err(StoreError::Closed),
        }
    }

    /// Closes the file, so that it can be opened again at once, whoever still holds this.
    pub(crate) fn close(&self) {
        let mut database = write(&self.database);
        self.closed.store(true, Ordering::Release);
        *database = None;
    }

    /// Opens and decodes a row. A damaged one unlinks the file, so that the next start grows it again.
    fn intact<T>(
        &self,
        row: &[u8],
        decode: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, StoreError> {
        open_row(row).and_then(decode).ok_or_else(|| {
            tracing::error!("the index is damaged; it is grown again at the next start");
            // Unlinking twice is fine, and there is nothing better to do if it fails.
            let _ = self.disk.remove(Path::new(FILE));
            failed("a row is damaged")
        })
    }
}

fn open_database(disk: &dyn Disk) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    match disk.open_table(&builder, Path::new(FILE)) {
        Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::Locked),
        opened => opened.map_err(failed),
    }
}

fn failed(error: impl Display) -> StoreError {
    StoreError::Index(error.to_string().into())
}

fn join(address: &[u8; 32], key: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    out[..32].copy_from_slice(address);
    out[32..].copy_from_slice(key);
    out
}

fn name(address: &[u8; 32], id: &[u8; 16]) -> [u8; 48] {
    let mut out = [0; 48];
    out[..32].copy_from_slice(address);
    out[32..].copy_from_slice(id);
    out
}
