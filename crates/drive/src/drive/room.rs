//! How much room a file takes on this machine.
//!
//! Not its job: whether all of a file is here, which `held` tells.

use super::Drive;
use crate::content::LARGE;
use crate::error::DriveError;
use crate::record::{Body, Codec, Run};
use crate::tree::{Entry, Tree};
use cobox_view::kv::ReadRows;

impl Drive {
    /// Bytes of an entry's content that are stored here, as far as its record and the one below it tell. Holes are not:
    /// programs that see no more room taken than there are bytes do not look for holes, and copy them as zeros. One byte
    /// at least of what is not a hole: `tar` takes what has no room at all for one hole, and would archive zeros.
    pub(crate) fn stored<R: ReadRows + ?Sized>(
        &self,
        tree: &Tree<'_, R>,
        entry: &Entry,
    ) -> Result<u64, DriveError> {
        let size = entry.content.size;
        let (base, splices) = match &entry.content.body {
            Body::Runs(runs) => return Ok(self.stored_of(runs.iter())),
            Body::Splices { base, splices } if size >= LARGE => (*base, splices),
            _ => return Ok(size),
        };
        let base = tree.content_at(entry.node, base)?.map(|base| base.body);
        let Some(Body::Runs(under)) = base else {
            return Ok(size);
        };
        let over = splices.iter().map(|splice| &splice.run);
        Ok(size.min(self.stored_of(under.iter().chain(over))))
    }

    /// Bytes that the space takes on this machine's disk, with its history.
    pub fn disk_size(&self) -> u64 {
        self.set.disk_size()
    }

    fn stored_of<'a>(&self, runs: impl Iterator<Item = &'a Run>) -> u64 {
        let (mut stored, mut has_data) = (0, false);
        for run in runs.filter(|run| run.codec != Codec::Hole) {
            has_data = true;
            if self.blocks.holds(run) {
                stored += run.length;
            }
        }
        stored.max(has_data.into())
    }
}
