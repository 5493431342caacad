//! Writing the table file: a layer of every changed space in one durable transaction, or a space forgotten.

use super::{
    CERTIFICATES, DRAFTS, EXTENTS, FEEDS, META, NODES, SPACES, Table, failed, join, name,
    open_database,
};
use crate::error::StoreError;
use crate::index::overlay::Overlay;
use crate::index::rows::{self, PAGE, seal_row};
use crate::sync::write;
use crate::tree::Node;
use redb::{Database, Durability, ReadableTable, WriteTransaction};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Table {
    /// Writes layers of several spaces in one durable commit.
    pub(crate) fn write(&self, layers: &[([u8; 32], Arc<Overlay>)]) -> Result<(), StoreError> {
        self.durably(|transaction| {
            for (address, layer) in layers {
                self.write_layer(transaction, address, layer)?;
            }
            Ok(())
        })
    }

    fn write_layer(
        &self,
        transaction: &WriteTransaction,
        address: &[u8; 32],
        layer: &Overlay,
    ) -> Result<(), StoreError> {
        let mut feeds = transaction.open_table(FEEDS).map_err(failed)?;
        for (key, row) in &layer.feeds {
            feeds
                .insert(&join(address, &key.0), &seal_row(row.encode(key))[..])
                .map_err(failed)?;
        }
        let mut extents = transaction.open_table(EXTENTS).map_err(failed)?;
        for (key, extent) in &layer.extents {
            match extent.count() {
                0 => drop(extents.remove(key).map_err(failed)?),
                _ => drop(
                    extents
                        .insert(key, &seal_row(extent.encode())[..])
                        .map_err(failed)?,
                ),
            }
        }
        self.write_nodes(transaction, layer)?;
        let mut certificates = transaction.open_table(CERTIFICATES).map_err(failed)?;
        for (digest, (order, bytes)) in &layer.certificates {
            let row = [&order.to_le_bytes(), &bytes[..]].concat();
            certificates
                .insert(&name(address, digest), &seal_row(row)[..])
                .map_err(failed)?;
        }
        let mut drafts = transaction.open_table(DRAFTS).map_err(failed)?;
        for (id, place) in &layer.drafts {
            match place {
                None => drop(drafts.remove(&name(address, id)).map_err(failed)?),
                Some(place) => drop(
                    drafts
                        .insert(&name(address, id), &seal_row(place.encode())[..])
                        .map_err(failed)?,
                ),
            }
        }
        if let Some(position) = &layer.position {
            let mut spaces = transaction.open_table(SPACES).map_err(failed)?;
            spaces
                .insert(address, &seal_row(rows::encode_position(position))[..])
                .map_err(failed)?;
        }
        Ok(())
    }

    fn write_nodes(
        &self,
        transaction: &WriteTransaction,
        layer: &Overlay,
    ) -> Result<(), StoreError> {
        let mut pages: HashMap<(u32, u64), Vec<Node>> = HashMap::new();
        for ((feed, index), node) in &layer.nodes {
            pages.entry((*feed, index / PAGE)).or_default().push(*node);
        }
        let mut table = transaction.open_table(NODES).map_err(failed)?;
        for (key, new) in pages {
            let mut nodes = match table.get(key).map_err(failed)? {
                None => HashMap::new(),
                Some(row) => self.intact(row.value(), |row| rows::decode_page(key.1, row))?,
            };
            nodes.extend(new.into_iter().map(|node| (node.index, node)));
            table
                .insert(key, &seal_row(rows::encode_page(&nodes))[..])
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Forgets a space, durably.
    pub(crate) fn purge(&self, address: &[u8; 32]) -> Result<(), StoreError> {
        let Some(space) = self.space(address)? else {
            return Ok(());
        };
        let ids: Vec<u32> = space.feeds.values().map(|feed| feed.id).collect();
        self.durably(|transaction| {
            transaction
                .open_table(SPACES)
                .map_err(failed)?
                .remove(address)
                .map_err(failed)?;
            let (from, to) = (join(address, &[0; 32]), join(address, &[255; 32]));
            transaction
                .open_table(FEEDS)
                .map_err(failed)?
                .retain_in::<&[u8; 64], _>(&from..=&to, |_, _| false)
                .map_err(failed)?;
            let (from, to) = (name(address, &[0; 16]), name(address, &[255; 16]));
            for table in [CERTIFICATES, DRAFTS] {
                transaction
                    .open_table(table)
                    .map_err(failed)?
                    .retain_in::<&[u8; 48], _>(&from..=&to, |_, _| false)
                    .map_err(failed)?;
            }
            for id in ids {
                for table in [EXTENTS, NODES] {
                    transaction
                        .open_table(table)
                        .map_err(failed)?
                        .retain_in((id, 0)..=(id, u64::MAX), |_, _| false)
                        .map_err(failed)?;
                }
            }
            Ok(())
        })
    }

    /// One durable transaction. A table engine that failed once (a full disk) wants to be opened again.
    fn durably(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let written = self.with_database(|database| self.write_transaction(database, change));
        if written.is_err() && !self.closed.load(Ordering::Acquire) {
            let mut database = write(&self.database);
            // The file is locked until the old one is gone.
            *database = None;
            *database = open_database(&*self.disk).ok();
        }
        written
    }

    fn write_transaction(
        &self,
        database: &Database,
        change: impl FnOnce(&WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut transaction = database.begin_write().map_err(failed)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(failed)?;
        change(&transaction)?;
        let next_feed = u64::from(self.next_feed.load(Ordering::Relaxed));
        transaction
            .open_table(META)
            .map_err(failed)?
            .insert("next feed", next_feed)
            .map_err(failed)?;
        let written = transaction.commit().map_err(failed);
        self.pages.clear();
        written
    }
}
