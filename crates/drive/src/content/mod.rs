//! Files' bytes: packing into content blocks, runs, compression, de-duplication, reading ranges back.
//!
//! Not its job: names, versions, or when to commit.

pub mod chunk;
pub mod compress;
pub mod dedup;
pub mod intake;
mod layout;
pub mod pack;
pub mod read;
pub mod run;
mod stream;

/// Bytes of a full content block's plaintext. Offsets into a run are arithmetic over this size.
pub const BLOCK: usize = 64 << 10;
/// Files from this size on start on a block boundary, are cut into content-defined chunks and are not compressed.
pub const LARGE: u64 = 1 << 20;
/// Runs an extent table may hold: bounds what a reader allocates for a stranger's record.
pub const MAX_TABLE: usize = 1 << 20;
/// Bytes of an extent table: what that many runs can come to.
pub const MAX_TABLE_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests;
