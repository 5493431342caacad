//! Feeds views from the journal: rows and cursor commit together; a new version means rebuild.

use crate::journal::Entry;
use crate::kv::{Database, Rows, ViewError};
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use std::sync::Arc;
use std::time::Duration;

/// A table family computed from entries.
pub trait View: Send + 'static {
    /// Name; its tables begin with it.
    fn name(&self) -> &'static str;
    /// Raise it when rows would come out differently: everything is then rebuilt.
    fn version(&self) -> u32;
    /// The tables to empty before a rebuild.
    fn tables(&self) -> Vec<crate::kv::Table>;
    /// Applies entries in order. An entry that does not open or decode must be recorded or ignored, never an error: errors are for the tables.
    fn apply(&mut self, rows: &mut dyn Rows, entries: &[Entry]) -> Result<(), ViewError>;
    /// Called after the transaction that held the last `apply` calls is committed: tell events here.
    fn committed(&mut self);
    /// Called when a transaction was dropped or the view starts over: forget cached state.
    fn reset(&mut self);
}
/// One thread per space that keeps its views up to date.
pub struct Indexer;
impl Indexer {
    /// Starts the thread: reads what was journaled and not applied, then follows the set's events. `kinds` are the feed kinds to journal.
    pub fn start(
        db: Database,
        set: Arc<FeedSet>,
        kinds: Vec<u8>,
        views: Vec<Box<dyn View>>,
    ) -> Result<Indexer, ViewError> {
        unimplemented!()
    }
    /// Waits until the first `length` blocks of a feed are applied to every view.
    pub fn wait_for(&self, feed: FeedKey, length: u64, timeout: Duration) -> Result<(), ViewError> {
        unimplemented!()
    }
    /// Waits until everything held now is applied.
    pub fn catch_up(&self, timeout: Duration) -> Result<(), ViewError> {
        unimplemented!()
    }
    /// Applies what is there, makes rows durable and stops. Also on drop.
    pub fn stop(&self) -> Result<(), ViewError> {
        unimplemented!()
    }
}
