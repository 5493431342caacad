//! Questions to the messages of a space. The language is described in `docs/query.md`.

use super::Space;
use crate::error::SpaceError;
use crate::log::LiveQuery;
use cobox_view::query::{Answer, Query};

impl Space {
    /// Answers a query over all messages that we can read. Reads only.
    ///
    /// # Errors
    ///
    /// `Query` if it asks for too much, or `View`.
    pub fn query(&self, query: &Query) -> Result<Answer, SpaceError> {
        self.log.query(query)
    }

    /// Answers a query that goes on: the matching messages, then each new one exactly once, also while views are rebuilt.
    ///
    /// # Errors
    ///
    /// `Query` if it asks for too much or reduces, or `View`.
    pub fn query_live(&self, query: &Query) -> Result<LiveQuery, SpaceError> {
        // First the events, then the state: what happens in between is then seen twice, not missed.
        let (logged, changed) = (self.messages(), self.changes());
        self.log.query_live(query, logged, changed)
    }

    /// Throws away everything computed from the feeds and computes it again: for who doubts what is shown. Nothing is lost.
    pub fn rebuild(&self) {
        self.tables.indexer.rebuild();
    }
}
