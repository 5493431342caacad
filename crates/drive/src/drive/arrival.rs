//! What of a drive is here already while it is still being fetched.

use super::Drive;
use crate::record::{Body, Content, Run};
use cobox_keys::derive::FeedKind;

impl Drive {
    /// Are all commits here that writers have signed, as far as peers have shown their heads, and are they in the tree?
    pub fn has_whole_tree(&self) -> bool {
        let mut feeds = self.set.feeds().into_iter();
        let is_whole = feeds.all(|feed| {
            feed.kind() != FeedKind::Metadata as u8 || feed.missing(0..feed.length()).is_empty()
        });
        is_whole && self.is_indexed()
    }

    /// Blocks held, of whatever kind: grows as long as something comes.
    pub fn blocks_held(&self) -> u64 {
        let feeds = self.set.feeds();
        feeds.iter().map(|feed| feed.held().len()).sum()
    }

    /// Where the last bytes of a version lie in their writer's feed, if they are not here yet.
    pub(crate) fn awaited(&self, content: &Content) -> Option<u64> {
        let last = last_run(&content.body)?;
        (!self.blocks.holds(last)).then_some(last.block)
    }
}

/// The run that was written last: what is before it came before it.
fn last_run(body: &Body) -> Option<&Run> {
    match body {
        Body::Runs(runs) => runs.iter().max_by_key(|run| run.block),
        Body::Table { table, .. } => Some(table),
        Body::Splices { splices, .. } => splices.last().map(|splice| &splice.run),
        Body::None | Body::Target(_) => None,
    }
}
