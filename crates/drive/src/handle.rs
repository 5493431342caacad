//! An open file: reading ranges (waiting for blocks that are not here yet), writing new versions.

use crate::drive::DriveError;
use crate::record::Time;

/// An open file version. Reads wait (bounded) for blocks that are not here.
pub struct FileReader;
impl FileReader {
    /// Bytes in this version.
    pub fn size(&self) -> u64 {
        unimplemented!()
    }
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DriveError> {
        unimplemented!()
    }
    /// Holes in `offset..`: the next stretch of data as a range, for sparse copies; none when the rest is a hole.
    pub fn next_data(&self, offset: u64) -> Option<std::ops::Range<u64>> {
        unimplemented!()
    }
}
/// Details of a written version.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /** else now */
    pub mtime: Option<Time>,
    /** permission bits; else kept, or 0644 */
    pub mode: Option<u32>,
    /** create missing folders */
    pub parents: bool,
    /** refuse if it exists */
    pub create_new: bool,
}
